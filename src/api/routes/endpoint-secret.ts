import { z } from 'zod';
import { generateSecret, publicKeyOf, type SigningScheme } from '../../core/signature.ts';
import { type EndpointSecret, loadSecrets, rotateSecret } from '../../storage/endpoint-secrets.ts';
import { noEndpoint } from '../../storage/endpoints.ts';
import { appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { Time } from '../text.ts';
import { checkSecret, ENDPOINT_PARAMS } from './endpoints.ts';

const MAX_GRACE_SECONDS = 7 * 24 * 3600;
const DEFAULT_GRACE_SECONDS = 24 * 3600;

const SecretSchema = z.object({ secret: z.string(), createdAt: Time, expiresAt: Time.nullable() });

const SecretsSchema = z
  .object({
    secret: z.string().describe('What requests are signed with from now on.'),
    publicKey: z.string().nullable().describe('What receivers verify v1a signatures with; null for v1.'),
    createdAt: Time,
    expiring: z
      .array(SecretSchema)
      .describe('Secrets from before a rotation: until they expire requests are signed with them too.'),
  })
  .meta({ id: 'EndpointSecret' });

const RotationSchema = z
  .strictObject({
    graceSeconds: z
      .int()
      .min(0)
      .max(MAX_GRACE_SECONDS)
      .default(DEFAULT_GRACE_SECONDS)
      .describe('How long the old secret goes on; 0 ends it at once.'),
    secret: z.string().optional().describe('Your own; one is made if absent.'),
  })
  .meta({ id: 'SecretRotation' });

export function endpointSecretRoutes(server: ApiServer, context: ApiContext): void {
  const { db, box, engine, ids, randomBytes } = context;
  const tags = ['Endpoints'];
  const params = z.object(ENDPOINT_PARAMS);

  server.get(
    '/v1/apps/:app/endpoints/:endpoint/secret',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'getEndpointSecret',
        summary: "Get an endpoint's signing secret",
        description: 'Needs the permission manage.',
        params,
        response: { 200: SecretsSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { id, config } = await knownEndpoint(context, request.appId, request.params.endpoint);
      const secrets = await loadSecrets(db, box, request.appId, id);
      if (secrets.length === 0) throw noEndpoint(request.params.endpoint);
      return reply.header('cache-control', 'no-store').send(renderSecrets(secrets, config.signing));
    },
  );

  server.post(
    '/v1/apps/:app/endpoints/:endpoint/secret/rotate',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'rotateEndpointSecret',
        summary: 'Rotate the signing secret',
        description: 'During the grace, requests are signed with the old secret and the new one.',
        params,
        body: RotationSchema.optional(),
        response: { 200: SecretsSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { appId, body } = request;
      const endpoint = await knownEndpoint(context, request.appId, request.params.endpoint);
      const { signing } = endpoint.config;
      const secret = body?.secret ?? generateSecret(signing, randomBytes);
      checkSecret(secret, signing);
      await rotateSecret(db, box, {
        appId,
        endpointId: endpoint.id,
        secretUuid: ids.uuid(),
        secret,
        graceSeconds: body?.graceSeconds ?? DEFAULT_GRACE_SECONDS,
      });
      engine.configChanged(appId);
      const secrets = await loadSecrets(db, box, appId, endpoint.id);
      return reply.header('cache-control', 'no-store').send(renderSecrets(secrets, signing));
    },
  );
}

function renderSecrets(
  [current, ...expiring]: EndpointSecret[],
  signing: SigningScheme,
): z.infer<typeof SecretsSchema> {
  return {
    secret: current.secret,
    publicKey: signing === 'v1a' ? publicKeyOf(current.secret) : null,
    createdAt: current.createdAt.toISOString(),
    expiring: expiring.map(({ secret, createdAt, expiresAt }) => ({
      secret,
      createdAt: createdAt.toISOString(),
      expiresAt: expiresAt?.toISOString() ?? null,
    })),
  };
}
