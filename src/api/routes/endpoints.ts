import { z } from 'zod';
import { createEndpointConfig, type EndpointConfigResult, mergeEndpointConfig } from '../../core/endpoint-config.ts';
import { uuidFromId } from '../../core/id.ts';
import { generateSecret, parseSecret, type SigningScheme } from '../../core/signature.ts';
import { createEndpoint, deleteEndpoint, type EndpointStart, updateEndpoint } from '../../storage/endpoint-changes.ts';
import { listEndpoints } from '../../storage/endpoints.ts';
import { appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { EndpointChangeSchema, EndpointSchema, NewEndpointSchema, renderEndpoint } from '../endpoint-json.ts';
import { creationKey } from '../idempotency-key.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { cutPage, decodePage, idKey, PAGE_QUERY, pageOf } from '../page.ts';
import { invalidFields, PROBLEM_RESPONSES } from '../problem.ts';
import { APP_PARAMS } from './apps.ts';
import { placeOfCursor } from './events.ts';

export const ENDPOINT_PARAMS = { ...APP_PARAMS, endpoint: z.string().describe("The endpoint's id or uid.") };

export function endpointRoutes(server: ApiServer, context: ApiContext): void {
  const { db, box, engine, ids, randomBytes } = context;
  const tags = ['Endpoints'];
  const params = z.object(ENDPOINT_PARAMS);

  server.post(
    '/v1/apps/:app/endpoints',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'createEndpoint',
        'x-idempotent': true,
        summary: 'Create an endpoint',
        description: 'The signing secret is read by a call of its own.',
        params: z.object(APP_PARAMS),
        body: NewEndpointSchema,
        response: { 201: EndpointSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { appId } = request;
      const { uid = null, secret: ownSecret, start = 'now', ...settings } = request.body;
      const config = accepted(createEndpointConfig(settings));
      context.checkUrl(config.url);
      const secret = ownSecret ?? generateSecret(config.signing, randomBytes);
      checkSecret(secret, config.signing);
      const endpoint = await createEndpoint(db, box, {
        id: ids.id('endpoint'),
        appId,
        uid,
        config,
        start: startOf(context, appId, start),
        secret: { secretUuid: ids.uuid(), secret },
        idempotency: creationKey(request),
      });
      engine.configChanged(appId);
      return reply.code(201).send(await renderEndpoint(endpoint, engine));
    },
  );

  server.get(
    '/v1/apps/:app/endpoints',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listEndpoints',
        summary: "List an app's endpoints",
        description: 'Newest first.',
        params: z.object(APP_PARAMS),
        querystring: z.strictObject(PAGE_QUERY),
        response: { 200: pageOf(EndpointSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { limit, page } = request.query;
      const before = decodePage(page, idKey('endpoint'));
      const endpoints = await listEndpoints(db, request.appId, { limit: limit + 1, before });
      return cutPage(
        await Promise.all(endpoints.map((endpoint) => renderEndpoint(endpoint, engine))),
        limit,
        (endpoint) => endpoint.id,
      );
    },
  );

  server.get(
    '/v1/apps/:app/endpoints/:endpoint',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'getEndpoint',
        summary: 'Get an endpoint',
        params,
        response: { 200: EndpointSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => renderEndpoint(await knownEndpoint(context, request.appId, request.params.endpoint), engine),
  );

  server.patch(
    '/v1/apps/:app/endpoints/:endpoint',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'updateEndpoint',
        summary: 'Change an endpoint',
        description:
          'What is published after the answer obeys the change. It neither resumes nor enables the endpoint; its signing scheme stays.',
        params,
        body: EndpointChangeSchema,
        response: { 200: EndpointSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { uid, ...settings } = request.body;
      const { id } = await knownEndpoint(context, request.appId, request.params.endpoint);
      const endpoint = await updateEndpoint(db, { appId, endpointId: id }, (stored) => {
        const config = accepted(mergeEndpointConfig(stored.config, settings));
        if (settings.url !== undefined) context.checkUrl(config.url);
        return { uid: uid === undefined ? stored.uid : uid, config };
      });
      engine.configChanged(appId);
      return renderEndpoint(endpoint, engine);
    },
  );

  server.delete(
    '/v1/apps/:app/endpoints/:endpoint',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'deleteEndpoint',
        summary: 'Delete an endpoint',
        description: 'Nothing is sent to it any more; its attempts are erased soon after.',
        params,
        response: { 204: z.null().describe('Deleted.'), ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { appId } = request;
      const { id } = await knownEndpoint(context, request.appId, request.params.endpoint);
      await deleteEndpoint(db, { appId, endpointId: id });
      engine.configChanged(appId);
      return reply.code(204).send(null);
    },
  );
}

function accepted(result: EndpointConfigResult) {
  if (!result.ok) throw invalidFields(result.errors);
  return result.config;
}

/** @throws TidingsError `invalid_request` when the text is no secret of the scheme; it is not repeated. */
export function checkSecret(secret: string, signing: SigningScheme): void {
  if (parseSecret(secret).scheme === signing) return;
  const message = `An endpoint with the signing ${signing} has a secret that begins with ${signing === 'v1' ? 'whsec_' : 'whsk_'}.`;
  throw invalidFields([{ path: '/secret', message }]);
}

function startOf(context: ApiContext, appId: string, start: 'now' | 'oldest' | { cursor: string }): EndpointStart {
  return typeof start === 'string' ? start : placeOfCursor(context, uuidFromId('app', appId), start.cursor);
}
