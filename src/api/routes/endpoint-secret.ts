import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { carriesSeveral, type Signing, schemeName } from '../../core/signing/signing.ts';
import { keyIdOfSecret, publicKeyOfSecret } from '../../core/signing/signing-secret.ts';
import { type EndpointSecret, loadSecrets, rotateSecret } from '../../storage/endpoint-secrets.ts';
import { noEndpoint } from '../../storage/endpoints.ts';
import { appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { invalidFields, PROBLEM_RESPONSES } from '../problem.ts';
import { Time } from '../text.ts';
import { ENDPOINT_PARAMS, newSecret } from './endpoints.ts';

const MAX_GRACE_SECONDS = 7 * 24 * 3600;
const DEFAULT_GRACE_SECONDS = 24 * 3600;

const KEY_ID = z.string().nullable().describe('`keyid` in signatures by rfc9421; null for other schemes.');
const SecretSchema = z.object({ secret: z.string(), keyId: KEY_ID, createdAt: Time, expiresAt: Time.nullable() });

const SecretsSchema = z
  .object({
    secret: z.string().describe('What requests are signed with from now on.'),
    publicKey: z
      .string()
      .nullable()
      .describe(
        'What receivers verify with, for v1a (`whpk_…`) and rfc9421 with ed25519 (PEM); null where that is the secret.',
      ),
    keyId: KEY_ID,
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
      .optional()
      .describe(
        'How long the old secret goes on: a day, if absent; 0 ends it at once. With a scheme whose requests carry one signature (github, and hmac without `separator`) there is no grace: only 0 is possible, and the default.',
      ),
    secret: z.string().optional().describe('Your own; one is made if absent.'),
  })
  .meta({ id: 'SecretRotation' });

export function endpointSecretRoutes(server: ApiServer, context: ApiContext): void {
  const { db, box, engine, ids } = context;
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
      if (config.signing === 'none') throw unsigned(request.params.endpoint);
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
        description:
          'During the grace, requests are signed with the old secret and the new one. Where they carry one signature, the new secret signs at once: let the receiver take both before.',
        params,
        body: RotationSchema.optional(),
        response: { 200: SecretsSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { appId, body } = request;
      const endpoint = await knownEndpoint(context, request.appId, request.params.endpoint);
      const { signing } = endpoint.config;
      const graceSeconds = graceOf(signing, body?.graceSeconds);
      const secret = newSecret(context, signing, body?.secret);
      if (secret === null) throw unsigned(request.params.endpoint);
      await rotateSecret(db, box, {
        appId,
        endpointId: endpoint.id,
        secretUuid: ids.uuid(),
        secret,
        signing,
        graceSeconds,
      });
      engine.configChanged(appId);
      const secrets = await loadSecrets(db, box, appId, endpoint.id);
      return reply.header('cache-control', 'no-store').send(renderSecrets(secrets, signing));
    },
  );
}

function unsigned(ref: string): TidingsError {
  return new TidingsError(
    'conflict',
    `The endpoint ${ref} has the signing none: there is no secret. Give it another signing first.`,
  );
}

/** @throws TidingsError `invalid_request` for a grace that the scheme cannot give */
function graceOf(signing: Signing, asked: number | undefined): number {
  if (carriesSeveral(signing)) return asked ?? DEFAULT_GRACE_SECONDS;
  if (asked === undefined || asked === 0) return 0;
  const message = `With the scheme ${schemeName(signing)} a request carries one signature, so the old secret cannot go on beside the new one. Let the receiver take both, then rotate with graceSeconds 0.`;
  throw invalidFields([{ path: '/graceSeconds', message }]);
}

function renderSecrets([current, ...older]: EndpointSecret[], signing: Signing): z.infer<typeof SecretsSchema> {
  const expiring = carriesSeveral(signing) ? older : [];
  return {
    secret: current.secret,
    publicKey: publicKeyOfSecret(signing, current.secret),
    keyId: keyIdOfSecret(signing, current.secret),
    createdAt: current.createdAt.toISOString(),
    expiring: expiring.map(({ secret, createdAt, expiresAt }) => ({
      secret,
      keyId: keyIdOfSecret(signing, secret),
      createdAt: createdAt.toISOString(),
      expiresAt: expiresAt?.toISOString() ?? null,
    })),
  };
}
