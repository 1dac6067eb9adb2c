import { z } from 'zod';
import { VALIDATIONS } from '../../core/catalogue/event-type-definition.ts';
import { type App, createApp, deleteApp, findApp, listApps, noApp, updateApp } from '../../storage/apps.ts';
import { access, appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { creationKey } from '../idempotency-key.ts';
import { cutPage, decodePage, idKey, PAGE_QUERY, pageOf } from '../page.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { MAX_NAME_CHARS, Metadata, Time, text, Uid } from '../text.ts';

const ValidationMember = z
  .enum(VALIDATIONS)
  .nullable()
  .describe(
    'What becomes of data that does not fit the schema of its event type, in place of what the type says; null = what the type says.',
  );

const AppSchema = z
  .object({
    id: z.string(),
    uid: z.string().nullable(),
    name: z.string(),
    metadata: z.record(z.string(), z.string()),
    validation: ValidationMember,
    createdAt: Time,
    updatedAt: Time,
  })
  .meta({ id: 'App', description: "A customer's account in your product: one log, its own endpoints, its own keys." });

const NewAppSchema = z
  .strictObject({
    name: text({ min: 1, max: MAX_NAME_CHARS }),
    uid: Uid.nullish(),
    metadata: Metadata.optional(),
    validation: ValidationMember.optional(),
  })
  .meta({ id: 'NewApp' });

const AppChangeSchema = z
  .strictObject({
    name: text({ min: 1, max: MAX_NAME_CHARS }).optional(),
    uid: Uid.nullish().describe('null takes the uid away.'),
    metadata: Metadata.optional().describe('Replaces all metadata.'),
    validation: ValidationMember.optional(),
  })
  .meta({ id: 'AppChange' });

export const APP_PARAMS = { app: z.string().describe("The app's id or uid.") };

function renderApp(app: App): z.infer<typeof AppSchema> {
  return { ...app, createdAt: app.createdAt.toISOString(), updatedAt: app.updatedAt.toISOString() };
}

const PageKey = idKey('app');

export function appRoutes(server: ApiServer, context: ApiContext): void {
  const { db, engine, ids, directory, authenticator, catalogue } = context;
  const tags = ['Apps'];
  const catalogueChanged = async (): Promise<void> => {
    engine.catalogueChanged();
    await catalogue.changedHere();
  };

  server.post(
    '/v1/apps',
    {
      ...access(context, { permission: 'manage', instanceOnly: true }),
      schema: {
        tags,
        operationId: 'createApp',
        'x-idempotent': true,
        summary: 'Create an app',
        description: 'Needs a key for the whole instance.',
        body: NewAppSchema,
        response: { 201: AppSchema.describe('The app.'), ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { name, uid = null, metadata = {}, validation = null } = request.body;
      const app = await createApp(db, { id: ids.id('app'), name, uid, metadata, validation }, creationKey(request));
      directory.invalidate();
      if (validation !== null) await catalogueChanged();
      return reply.code(201).send(renderApp(app));
    },
  );

  server.get(
    '/v1/apps',
    {
      ...access(context, { permission: 'read', instanceOnly: true }),
      schema: {
        tags,
        operationId: 'listApps',
        summary: 'List apps',
        description: 'Newest first. Needs a key for the whole instance.',
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(AppSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page } = request.query;
      const apps = await listApps(db, { limit: limit + 1, before: decodePage(page, PageKey) });
      return cutPage(apps.map(renderApp), limit, (app) => app.id);
    },
  );

  server.get(
    '/v1/apps/:app',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'getApp',
        summary: 'Get an app',
        params: z.object(APP_PARAMS),
        response: { 200: AppSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const app = await findApp(db, request.appId);
      if (app === null) throw noApp(request.params.app);
      return renderApp(app);
    },
  );

  server.patch(
    '/v1/apps/:app',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'updateApp',
        summary: 'Change an app',
        params: z.object(APP_PARAMS),
        body: AppChangeSchema,
        response: { 200: AppSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const app = await updateApp(db, request.appId, request.body);
      directory.invalidate();
      if (request.body.validation !== undefined) await catalogueChanged();
      return renderApp(app);
    },
  );

  server.delete(
    '/v1/apps/:app',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'deleteApp',
        summary: 'Delete an app',
        description:
          'At once it is gone for readers and publishers, and nothing is sent any more; its data is erased soon after.',
        params: z.object(APP_PARAMS),
        response: { 204: z.null().describe('Deleted.'), ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      await deleteApp(db, request.appId);
      directory.invalidate();
      authenticator.invalidate();
      engine.configChanged(request.appId);
      return reply.code(204).send(null);
    },
  );
}
