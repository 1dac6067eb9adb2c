import { z } from 'zod';
import type { EndpointConfig } from '../../core/endpoint.ts';
import { type AuthInput, credentialOf } from '../../core/endpoint-auth.ts';
import { createEndpointConfig, type EndpointConfigResult, mergeEndpointConfig } from '../../core/endpoint-config.ts';
import { uuidFromId } from '../../core/id.ts';
import type { Signing } from '../../core/signing/signing.ts';
import { generateSigningSecret, secretForm, signingSecretFault } from '../../core/signing/signing-secret.ts';
import { identityContext } from '../../net/tls-identity.ts';
import { createEndpoint, deleteEndpoint, type EndpointStart, updateEndpoint } from '../../storage/endpoint-changes.ts';
import { loadCredentials, type StoredCredential } from '../../storage/endpoint-credentials.ts';
import { listEndpoints } from '../../storage/endpoints.ts';
import { acceptTransformation } from '../accepted-transformation.ts';
import { appAccess } from '../access.ts';
import { agreed, withConsent } from '../consent.ts';
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
  const { db, box, engine, ids } = context;
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
      const asked = accepted(createEndpointConfig(settings));
      checkUrls(context, asked, settings);
      checkFormat(context, asked);
      await acceptTransformation(context, appId, asked.transformation.code);
      const id = ids.id('endpoint');
      const credential = sealable(context, settings.auth);
      const config = await withConsent(engine, asked, null, { id, credential: async () => credential });
      const secret = newSecret(context, config.signing, ownSecret);
      const endpoint = await createEndpoint(db, box, {
        id,
        appId,
        uid,
        config,
        start: startOf(context, appId, start),
        secret: secret === null ? null : { secretUuid: ids.uuid(), secret },
        credential,
        idempotency: creationKey(request, box),
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
          'What is published after the answer obeys the change. It neither resumes nor enables the endpoint.',
        params,
        body: EndpointChangeSchema,
        response: { 200: EndpointSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { uid, secret, ...settings } = request.body;
      if (secret !== undefined && settings.signing === undefined) throw invalidFields([SECRET_ALONE]);
      const known = await knownEndpoint(context, request.appId, request.params.endpoint);
      const asked = accepted(mergeEndpointConfig(known.config, settings));
      checkUrls(context, asked, settings);
      checkFormat(context, asked);
      if (settings.transform != null && settings.transform !== known.config.transformation.code) {
        await acceptTransformation(context, appId, asked.transformation.code);
      }
      const credential = settings.auth === undefined ? undefined : sealable(context, settings.auth);
      const allowed = await withConsent(engine, asked, known.config, {
        id: known.id,
        credential: async () => {
          if (credential !== undefined) return credential;
          return (await loadCredentials(db, box, appId, [known.id])).get(known.id) ?? null;
        },
      });
      const endpoint = await updateEndpoint(db, box, { appId, endpointId: known.id }, (stored) => {
        const config = agreed({ config: asked, allowed }, accepted(mergeEndpointConfig(stored.config, settings)));
        const isKept = secret === undefined && secretForm(config.signing) === secretForm(stored.config.signing);
        const next = isKept ? undefined : newSecret(context, config.signing, secret);
        return {
          uid: uid === undefined ? stored.uid : uid,
          config,
          ...(next !== undefined && { secret: next === null ? null : { secretUuid: ids.uuid(), secret: next } }),
          ...(credential !== undefined && { credential }),
        };
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

const SECRET_ALONE = {
  path: '/secret',
  message:
    'A secret can be given together with `signing`. To give the endpoint a new one, rotate it: POST …/secret/rotate.',
};

/** The secret of a new signing, own or made; null for one that has none. @throws TidingsError `invalid_request`, without the secret */
export function newSecret(context: ApiContext, signing: Signing, own: string | undefined): string | null {
  if (own === undefined) return generateSigningSecret(signing, context.randomBytes);
  const message = signingSecretFault(signing, own);
  if (message !== null) throw invalidFields([{ path: '/secret', message }]);
  return own;
}

/** Those that were given: what was let in before stays, though the server's rules have changed. @throws TidingsError `invalid_url`, `address_forbidden` */
function checkUrls(
  { checkUrl }: ApiContext,
  { url, auth }: EndpointConfig,
  given: { url?: string; auth?: AuthInput | null },
): void {
  if (given.url !== undefined) checkUrl(url);
  if (given.auth !== undefined && auth?.type === 'oauth2') checkUrl(auth.tokenUrl, 'token URL');
}

function checkFormat({ publicUrl }: ApiContext, { format }: EndpointConfig): void {
  if (format.name !== 'thin' || publicUrl !== null) return;
  const message =
    'The format thin tells receivers where to fetch the event, and this server does not know its own address. Start it with --public-url.';
  throw invalidFields([{ path: '/format', message }]);
}

/** What is to be sealed. @throws TidingsError `invalid_request` for a certificate that no connection could show */
function sealable(context: ApiContext, auth: AuthInput | null | undefined): StoredCredential | null {
  if (!auth) return null;
  const credential = credentialOf(auth);
  if (credential.type === 'mtls') {
    try {
      identityContext(credential);
    } catch (error) {
      throw invalidFields([{ path: '/auth/certificate', message: (error as Error).message }]);
    }
  }
  return { credentialUuid: context.ids.uuid(), credential };
}

function startOf(context: ApiContext, appId: string, start: 'now' | 'oldest' | { cursor: string }): EndpointStart {
  return typeof start === 'string' ? start : placeOfCursor(context, uuidFromId('app', appId), start.cursor);
}
