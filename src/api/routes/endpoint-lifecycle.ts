// What is done to an endpoint beside changing its settings: pause, resume, test, its secret, its status.
import { z } from 'zod';
import { BREAKER_STATES } from '../../core/breaker.ts';
import { ENDPOINT_STATES, type Endpoint } from '../../core/endpoint.ts';
import { uuidFromId } from '../../core/id.ts';
import { generateSecret, publicKeyOf, type SigningScheme } from '../../core/signature.ts';
import { listEndpointAttempts } from '../../storage/attempt-listing.ts';
import { pauseEndpoint, resumeEndpoint } from '../../storage/endpoint-changes.ts';
import { type EndpointSecret, loadSecrets, rotateSecret } from '../../storage/endpoint-secrets.ts';
import { findEndpoint, noEndpoint } from '../../storage/endpoints.ts';
import { readLaneState } from '../../storage/lane-state.ts';
import { appAccess } from '../access.ts';
import { AttemptSchema, renderAttempt } from '../attempt-json.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { EndpointSchema, renderEndpoint, stateOf } from '../endpoint-json.ts';
import type { LaneStatus } from '../engine.ts';
import { cursorWriter } from '../event-json.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { Time } from '../text.ts';
import { checkSecret, ENDPOINT_PARAMS } from './endpoints.ts';

export const MAX_GRACE_SECONDS = 7 * 24 * 3600;
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

const SuccessSchema = z.object({ attempts: z.int(), delivered: z.int() }).nullable();

const StatusSchema = z
  .object({
    state: z.enum(ENDPOINT_STATES),
    reason: z.string().nullable().describe('In words why it does not send; null when it does.'),
    cursor: z.string().describe('Everything up to here is delivered, unmatched, dead, or waits for a retry.'),
    lag: z.object({
      events: z.int().describe("Events of the app's log beyond the cursor, matching or not."),
      seconds: z.number().describe('Age of the oldest of them.'),
    }),
    breaker: z.enum(BREAKER_STATES),
    window: z.int().nullable().describe('How many attempts may be open at once now.'),
    inFlight: z.int().nullable(),
    rate: z.number().nullable().describe('Attempts a second, averaged over the last ten seconds.'),
    lastAttempt: AttemptSchema.nullable(),
    success: z.object({ '1h': SuccessSchema, '24h': SuccessSchema }),
    stale: z.boolean().describe('Another process sends for this endpoint: this is what was last written down.'),
  })
  .meta({ id: 'EndpointStatus' });

export function endpointLifecycleRoutes(server: ApiServer, context: ApiContext): void {
  const { db, box, engine, ids, randomBytes } = context;
  const tags = ['Endpoints'];
  const params = z.object(ENDPOINT_PARAMS);

  /** The endpoint of the path. @throws TidingsError `not_found` */
  async function theEndpoint(request: { appId: string; params: { endpoint: string } }): Promise<Endpoint> {
    const endpoint = await findEndpoint(db, request.appId, request.params.endpoint);
    if (endpoint === null) throw noEndpoint(request.params.endpoint);
    return endpoint;
  }

  server.post(
    '/v1/apps/:app/endpoints/:endpoint/pause',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'pauseEndpoint',
        summary: 'Pause an endpoint',
        description:
          'What is published meanwhile waits in the log, as long as retention keeps it. The state is `pausing` until open attempts have ended.',
        params,
        body: z.strictObject({}).optional(),
        response: { 200: EndpointSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { id } = await theEndpoint(request);
      const endpoint = await pauseEndpoint(db, { appId, endpointId: id });
      engine.configChanged(appId);
      return renderEndpoint(endpoint, engine);
    },
  );

  server.post(
    '/v1/apps/:app/endpoints/:endpoint/resume',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'resumeEndpoint',
        summary: 'Resume an endpoint',
        description:
          'Ends a pause, and enables what was disabled. It goes on at its cursor, or from the head: then what waited is skipped.',
        params,
        body: z
          .strictObject({ from: z.enum(['cursor', 'head']).default('cursor') })
          .meta({ id: 'Resume' })
          .optional(),
        response: { 200: EndpointSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { id } = await theEndpoint(request);
      const endpoint = await resumeEndpoint(db, { appId, endpointId: id }, request.body?.from ?? 'cursor');
      engine.configChanged(appId);
      return renderEndpoint(endpoint, engine);
    },
  );

  server.post(
    '/v1/apps/:app/endpoints/:endpoint/test',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'testEndpoint',
        summary: 'Send a test event',
        description: 'Makes one attempt now, also while paused, and answers with it. The event is in no log.',
        params,
        body: z.strictObject({}).optional(),
        response: { 200: AttemptSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const endpoint = await theEndpoint(request);
      return renderAttempt(await engine.sendNow({ appId: request.appId, endpoint, event: null, cause: 'test' }));
    },
  );

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
      const { id, config } = await theEndpoint(request);
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
        body: z
          .strictObject({
            graceSeconds: z
              .int()
              .min(0)
              .max(MAX_GRACE_SECONDS)
              .default(DEFAULT_GRACE_SECONDS)
              .describe('How long the old secret goes on; 0 ends it at once.'),
            secret: z.string().optional().describe('Your own; one is made if absent.'),
          })
          .meta({ id: 'SecretRotation' })
          .optional(),
        response: { 200: SecretsSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { appId, body } = request;
      const endpoint = await theEndpoint(request);
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

  server.get(
    '/v1/apps/:app/endpoints/:endpoint/status',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'getEndpointStatus',
        summary: "Get an endpoint's live state",
        params,
        response: { 200: StatusSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const endpoint = await theEndpoint(request);
      const live = engine.laneStatus(appId, endpoint.id);
      const { settled, lastAttempt, ...status } = live ?? (await writtenStatus(context, endpoint));
      return {
        ...status,
        cursor: cursorWriter(context.instance, uuidFromId('app', appId))(settled),
        lastAttempt: lastAttempt === null ? null : renderAttempt(lastAttempt),
        stale: live === null,
      };
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

type WrittenStatus = Omit<LaneStatus, 'window' | 'inFlight' | 'rate'> & { window: null; inFlight: null; rate: null };

/** What the database knows of a lane that another process owns. @throws TidingsError `not_found` */
async function writtenStatus({ db, engine }: ApiContext, endpoint: Endpoint): Promise<WrittenStatus> {
  const place = { appId: endpoint.appId, endpointId: endpoint.id };
  const lane = await readLaneState(db, place);
  if (lane === null) throw noEndpoint(endpoint.id);
  const { attempts } = await listEndpointAttempts(db, place, { limit: 1, before: null, outcome: null });
  return {
    state: stateOf(endpoint, engine),
    reason: writtenReason(endpoint),
    settled: { position: lane.position, day: lane.day },
    lag: { events: lane.behind, seconds: lane.behindSeconds },
    breaker: lane.breaker,
    window: null,
    inFlight: null,
    rate: null,
    lastAttempt: attempts[0] ?? null,
    success: { '1h': null, '24h': null },
  };
}

function writtenReason(endpoint: Endpoint): string | null {
  if (endpoint.disabledReason === 'gone')
    return 'The endpoint answered 410 Gone and was disabled. Resume it to send again.';
  if (endpoint.disabledAt !== null)
    return 'The endpoint could not be reached for too long and was disabled. Resume it to send again.';
  return endpoint.pausedAt === null ? null : 'The endpoint was paused.';
}
