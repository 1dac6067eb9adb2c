import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { type ApiKey, createKey, deleteKey, listKeys, PERMISSIONS } from '../../storage/api-keys.ts';
import { access } from '../access.ts';
import { KEY_CACHE_MS } from '../authentication.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { cutPage, decodePage, idKey, PAGE_QUERY, pageOf } from '../page.ts';
import { invalidFields, PROBLEM_RESPONSES } from '../problem.ts';
import { MAX_NAME_CHARS, Time, text } from '../text.ts';

const KEY_MEMBERS = {
  id: z.string(),
  name: z.string(),
  scope: z.enum(['instance', 'app']),
  app: z.string().nullable().describe("The app's id; null for a key of the whole instance."),
  permissions: z.array(z.enum(PERMISSIONS)),
  hint: z.string().describe('How the key begins.'),
  expiresAt: Time.nullable(),
  createdAt: Time,
};

const KeySchema = z.object(KEY_MEMBERS).meta({ id: 'ApiKey' });

const CreatedKeySchema = z
  .object({ ...KEY_MEMBERS, key: z.string().describe('The key itself. It is shown this once.') })
  .meta({ id: 'CreatedApiKey' });

const NewKeySchema = z
  .strictObject({
    name: text({ min: 1, max: MAX_NAME_CHARS }),
    scope: z.enum(['instance', 'app']),
    app: z.string().optional().describe("The app's id or uid: required with the scope app, and only then."),
    permissions: z.array(z.enum(PERMISSIONS)).min(1).max(PERMISSIONS.length),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  })
  .meta({ id: 'NewApiKey' });

function renderKey(key: ApiKey): z.infer<typeof KeySchema> {
  return {
    id: key.id,
    name: key.name,
    scope: key.appId === null ? 'instance' : 'app',
    app: key.appId,
    permissions: key.permissions,
    hint: key.hint,
    expiresAt: key.expiresAt?.toISOString() ?? null,
    createdAt: key.createdAt.toISOString(),
  };
}

const PageKey = idKey('key');

export function keyRoutes(server: ApiServer, context: ApiContext): void {
  const { db, ids, directory, authenticator, now, randomBytes } = context;
  const tags = ['Keys'];
  const instanceManager = access(context, { permission: 'manage', instanceOnly: true });

  server.post(
    '/v1/keys',
    {
      ...instanceManager,
      schema: {
        tags,
        operationId: 'createKey',
        summary: 'Create an API key',
        description:
          'The key is in this answer only. Permissions do not include each other. Needs a key for the whole instance.',
        body: NewKeySchema,
        response: { 201: CreatedKeySchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { name, scope, app, permissions } = request.body;
      if ((scope === 'app') !== (app !== undefined)) {
        throw invalidFields([
          { path: '/app', message: 'A key with the scope app names its app; one with the scope instance names none.' },
        ]);
      }
      const expiresAt = request.body.expiresAt === undefined ? null : new Date(request.body.expiresAt);
      if (expiresAt !== null && expiresAt.getTime() <= now()) {
        throw invalidFields([{ path: '/expiresAt', message: 'This time is past. Give a later one, or leave it out.' }]);
      }
      const appId = app === undefined ? null : await directory.resolve(app, request.principal);
      const created = await createKey(db, {
        id: ids.id('key'),
        appId,
        name,
        permissions: PERMISSIONS.filter((permission) => permissions.includes(permission)),
        expiresAt,
        randomBytes,
      });
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...renderKey(created.key), key: created.token });
    },
  );

  server.get(
    '/v1/keys',
    {
      ...instanceManager,
      schema: {
        tags,
        operationId: 'listKeys',
        summary: 'List API keys',
        description: 'Newest first, without the keys themselves. Needs a key for the whole instance.',
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(KeySchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page } = request.query;
      const keys = await listKeys(db, { limit: limit + 1, before: decodePage(page, PageKey) });
      return cutPage(keys.map(renderKey), limit, (key) => key.id);
    },
  );

  server.delete(
    '/v1/keys/:key',
    {
      ...instanceManager,
      schema: {
        tags,
        operationId: 'deleteKey',
        summary: 'Delete an API key',
        description: `It ends at once in this process, and within ${KEY_CACHE_MS / 1000} seconds in all others. Needs a key for the whole instance.`,
        params: z.object({ key: z.string().describe("The key's id.") }),
        response: { 204: z.null().describe('Deleted.'), ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      if (!(await deleteKey(db, request.params.key))) {
        throw new TidingsError('not_found', `There is no key ${request.params.key}.`);
      }
      authenticator.invalidate();
      return reply.code(204).send(null);
    },
  );
}
