import { z } from 'zod';
import { ENDPOINT_ORDERS, ENDPOINT_STATES, type Endpoint, ON_EXHAUSTED } from '../../core/endpoint.ts';
import { uuidFromId } from '../../core/id.ts';
import { listEndpointAttempts } from '../../storage/attempt-listing.ts';
import { noEndpoint } from '../../storage/endpoints.ts';
import { readExpired } from '../../storage/expirations.ts';
import { readLaneState, readWaitingRetries } from '../../storage/lane-state.ts';
import { listRunningReplays } from '../../storage/replays.ts';
import { appAccess } from '../access.ts';
import { AttemptSchema, renderAttempt } from '../attempt-json.ts';
import { BreakerSchema, renderBreaker } from '../breaker-json.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { stateOf } from '../endpoint-json.ts';
import { BLOCKS, type LaneStatus } from '../engine.ts';
import { cursorWriter } from '../event-json.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { ReplaySchema, renderReplay } from '../replay-json.ts';
import { Time, timeText } from '../text.ts';
import { ENDPOINT_PARAMS } from './endpoints.ts';

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
    breaker: BreakerSchema,
    window: z.int().nullable().describe('How many attempts may be open at once now.'),
    inFlight: z.int().nullable(),
    order: z.enum(ENDPOINT_ORDERS),
    onExhausted: z.enum(ON_EXHAUSTED),
    batch: z.object({ maxEvents: z.int(), maxWaitMs: z.int() }).nullable(),
    rate: z.number().nullable().describe('Attempts a second, averaged over the last ten seconds.'),
    rateLimit: z
      .object({
        perSecond: z.number(),
        tokens: z.number().nullable().describe('Requests that may be made at once now; null when it is not known.'),
      })
      .nullable()
      .describe('null = no limit.'),
    throttledUntil: Time.nullable().describe('The endpoint asked by `Retry-After` not to be sent anything until then.'),
    blocked: z
      .enum(BLOCKS)
      .nullable()
      .describe(
        'Why new events wait in the log: so many wait for a `retries` turn that no more are taken, or under strict order one has `exhausted` its schedule.',
      ),
    retries: z.object({
      waiting: z.int().describe('Failed events that will be tried again.'),
      nextDueAt: Time.nullable(),
    }),
    replays: z.array(ReplaySchema).describe('Those that are under way, oldest first.'),
    expired: z
      .object({ events: z.int(), from: z.int(), to: z.int(), at: Time })
      .nullable()
      .describe(
        "Events of the app's log, matching or not, that retention dropped before the cursor reached them: how many in all, between which positions, and when the last of them went. null = none.",
      ),
    lastAttempt: AttemptSchema.nullable(),
    success: z.object({ '1h': SuccessSchema, '24h': SuccessSchema }),
    stale: z
      .boolean()
      .describe('The process that sends for this endpoint has not answered: this is what was last written down.'),
  })
  .meta({ id: 'EndpointStatus' });

export function endpointStatusRoutes(server: ApiServer, context: ApiContext): void {
  const { db, engine, instance } = context;
  const tags = ['Endpoints'];
  const params = z.object(ENDPOINT_PARAMS);

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
      const endpoint = await knownEndpoint(context, appId, request.params.endpoint);
      const place = { appId, endpointId: endpoint.id };
      // In mode pull the cursor is moved where it is written down, and no process knows more.
      const isPulled = endpoint.config.mode === 'pull';
      const live = isPulled ? null : await engine.laneStatus(appId, endpoint.id);
      const { settled, lastAttempt, breaker, rateTokens, throttledUntilMs, ...status } =
        live === null || live === 'at rest' ? await writtenStatus(context, endpoint, live) : live;
      const { waiting, nextDueMs } = await readWaitingRetries(db, place);
      const { order, onExhausted, batch, rate } = endpoint.config;
      return {
        ...status,
        cursor: cursorWriter(instance, uuidFromId('app', appId))(settled),
        breaker: renderBreaker(breaker),
        order,
        onExhausted,
        batch,
        rateLimit: rate && { ...rate, tokens: rateTokens },
        throttledUntil: timeText(throttledUntilMs),
        retries: { waiting, nextDueAt: timeText(nextDueMs) },
        replays: (await listRunningReplays(db, place)).map((replay) => renderReplay(replay, instance)),
        expired: await expiredOf(db, place),
        lastAttempt: lastAttempt === null ? null : renderAttempt(lastAttempt),
        stale: live === null && !isPulled,
      };
    },
  );
}

async function expiredOf(db: ApiContext['db'], place: { appId: string; endpointId: string }) {
  const expired = await readExpired(db, place);
  return expired && { ...expired, at: expired.at.toISOString() };
}

type WrittenStatus = Omit<LaneStatus, 'window' | 'inFlight' | 'rate'> & {
  window: null;
  inFlight: number | null;
  rate: number | null;
};

/** What the database knows of a lane that is at rest, or whose owner does not answer. @throws TidingsError `not_found` */
async function writtenStatus(
  { db, engine }: ApiContext,
  endpoint: Endpoint,
  live: 'at rest' | null,
): Promise<WrittenStatus> {
  const place = { appId: endpoint.appId, endpointId: endpoint.id };
  const lane = await readLaneState(db, place);
  if (lane === null) throw noEndpoint(endpoint.id);
  const { attempts } = await listEndpointAttempts(db, place, { limit: 1, before: null, outcome: null });
  return {
    state: await stateOf(endpoint, engine),
    reason: writtenReason(endpoint),
    settled: { position: lane.position, day: lane.day },
    lag: { events: lane.behind, seconds: lane.behindSeconds },
    breaker: lane.breaker,
    window: null,
    inFlight: live && 0,
    rate: live && 0,
    rateTokens: null,
    throttledUntilMs: null,
    blocked: null,
    lastAttempt: attempts[0] ?? null,
    success: { '1h': null, '24h': null },
  };
}

/** Why an endpoint does not send, as far as the database knows; null when it does. */
export function writtenReason(endpoint: Endpoint): string | null {
  if (endpoint.config.mode === 'pull') {
    return 'The endpoint is in mode pull: nothing is sent to it, and its events wait to be fetched.';
  }
  if (endpoint.disabledReason === 'gone')
    return 'The endpoint answered 410 Gone and was disabled. Resume it to send again.';
  if (endpoint.disabledAt !== null)
    return 'The endpoint could not be reached for too long and was disabled. Resume it to send again.';
  return endpoint.pausedAt === null ? null : 'The endpoint was paused.';
}
