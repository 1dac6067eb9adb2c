import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { encodeBase32 } from '../../core/id.ts';
import { type Source, WEBHOOK_SECRET } from '../../core/source.ts';
import { checkNewSecret } from '../../inbound/change-webhook.ts';
import { createSource, deleteSource, updateSource } from '../../storage/source-changes.ts';
import type { NamedSecrets } from '../../storage/source-secrets.ts';
import { findSource, listSources, noSource } from '../../storage/sources.ts';
import { acceptTransformation } from '../accepted-transformation.ts';
import { appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { creationKey } from '../idempotency-key.ts';
import { cutPage, decodePage, idKey, PAGE_QUERY, pageOf } from '../page.ts';
import { invalidFields, PROBLEM_RESPONSES } from '../problem.ts';
import { changedSource, newSource, type SourceToStore } from '../source-change.ts';
import {
  NewSourceSchema,
  renderSource,
  SourceChangeSchema,
  SourceRotationSchema,
  SourceSchema,
  webhookConfig,
} from '../source-json.ts';
import { APP_PARAMS } from './apps.ts';

export const SOURCE_PARAMS = { ...APP_PARAMS, source: z.string().describe("The source's id or uid.") };
const TOKEN_BYTES = 16;
const DEFAULT_GRACE_SECONDS = 24 * 3600;

export function sourceRoutes(server: ApiServer, context: ApiContext): void {
  const { db, box, ids, randomBytes } = context;
  const tags = ['Sources'];
  const params = z.object(SOURCE_PARAMS);

  server.post(
    '/v1/apps/:app/sources',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'createSource',
        'x-idempotent': true,
        summary: 'Create a source',
        description:
          'Of kind webhook: give its `path` to the provider, after the address of this server. Of kind fetch: it is fetched at once, and then every so often.',
        params: z.object(APP_PARAMS),
        body: NewSourceSchema,
        response: { 201: SourceSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { uid = null, kind } = request.body;
      const { config, isFetched, ...secrets } = newSource(context.checkUrl, request.body);
      await acceptTransformation(context, request.appId, request.body.transform ?? null);
      const source = await createSource(db, box, {
        id: ids.id('source'),
        appId: request.appId,
        uid,
        kind,
        config,
        token: kind === 'webhook' ? encodeBase32(randomBytes(TOKEN_BYTES)) : null,
        isFetched,
        secrets: named(context, secrets),
        idempotency: creationKey(request),
      });
      return reply.code(201).send(renderSource(source));
    },
  );

  server.get(
    '/v1/apps/:app/sources',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listSources',
        summary: "List an app's sources",
        description: 'Newest first.',
        params: z.object(APP_PARAMS),
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(SourceSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page } = request.query;
      const before = decodePage(page, idKey('source'));
      const sources = await listSources(db, box, request.appId, { limit: limit + 1, before });
      return cutPage(sources.map(renderSource), limit, ({ id }) => id);
    },
  );

  server.get(
    '/v1/apps/:app/sources/:source',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'getSource',
        summary: 'Get a source',
        params,
        response: { 200: SourceSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => renderSource(await knownSource(context, request.appId, request.params.source)),
  );

  server.patch(
    '/v1/apps/:app/sources/:source',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'updateSource',
        summary: 'Change a source',
        description: 'Every process obeys the change within two seconds. Its path and its provider stay.',
        params,
        body: SourceChangeSchema,
        response: { 200: SourceSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { uid, paused, ...input } = request.body;
      const known = await knownSource(context, request.appId, request.params.source);
      const { id } = known;
      if (input.transform != null && input.transform !== renderSource(known).transform) {
        changedSource(context.checkUrl, known, input); // its text is looked at before it is loaded
        await acceptTransformation(context, request.appId, input.transform);
      }
      const source = await updateSource(db, box, { appId: request.appId, sourceId: id }, (stored) => {
        const { config, isFetched, ...secrets } = changedSource(context.checkUrl, stored, input);
        return {
          uid: uid === undefined ? stored.uid : uid,
          config,
          lifecycle: paused === undefined ? 'keep' : paused ? 'pause' : 'resume',
          isFetched,
          ...(secrets.names.length > 0 && { secrets: named(context, secrets) }),
        };
      });
      context.receiver?.sourceChanged(id);
      return renderSource(source);
    },
  );

  server.post(
    '/v1/apps/:app/sources/:source/secret/rotate',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'rotateSourceSecret',
        summary: 'Rotate the secret of a source',
        description:
          'Give the new secret here first, then to the provider: what it signs with either is good until the grace is over.',
        params,
        body: SourceRotationSchema,
        response: { 200: SourceSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { secret, graceSeconds = DEFAULT_GRACE_SECONDS } = request.body;
      const { id } = await knownSource(context, request.appId, request.params.source);
      const source = await updateSource(db, box, { appId: request.appId, sourceId: id }, (stored) => {
        if (stored.kind !== 'webhook') {
          throw new TidingsError('conflict', `The source ${id} is fetched: change its auth instead.`);
        }
        const config = webhookConfig(stored);
        const kept = graceSeconds === 0 ? 0 : stored.secretNames.filter((name) => name === WEBHOOK_SECRET).length;
        const errors = checkNewSecret(secret, { provider: config.provider, kept });
        if (errors.length > 0) throw invalidFields(errors);
        return {
          uid: stored.uid,
          config,
          lifecycle: 'keep',
          isFetched: config.fetch !== undefined,
          secrets: {
            names: [WEBHOOK_SECRET],
            graceSeconds,
            secrets: [{ name: WEBHOOK_SECRET, secret, secretUuid: ids.uuid() }],
          },
        };
      });
      context.receiver?.sourceChanged(id);
      return renderSource(source);
    },
  );

  server.delete(
    '/v1/apps/:app/sources/:source',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'deleteSource',
        summary: 'Delete a source',
        description: 'With its secrets and what was kept of its requests and runs; the events that it gave stay.',
        params,
        response: { 204: z.null().describe('Deleted.'), ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { id } = await knownSource(context, request.appId, request.params.source);
      await deleteSource(db, { appId: request.appId, sourceId: id });
      context.receiver?.sourceChanged(id);
      return reply.code(204).send(null);
    },
  );
}

/** The source of the app with that id or uid. @throws TidingsError `not_found` */
export async function knownSource({ db, box }: ApiContext, appId: string, ref: string): Promise<Source> {
  const source = await findSource(db, box, appId, ref);
  if (source === null) throw noSource(ref);
  return source;
}

function named({ ids }: ApiContext, { names, secrets }: Pick<SourceToStore, 'names' | 'secrets'>): NamedSecrets {
  return { names, secrets: secrets.map((secret) => ({ ...secret, secretUuid: ids.uuid() })) };
}
