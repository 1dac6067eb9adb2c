import { z } from 'zod';
import { ENDPOINT_STATES, type Endpoint } from '../../core/endpoint.ts';
import type { LogEvent } from '../../core/event.ts';
import { DELIVERY_STATES, explainDelivery } from '../../core/explanation.ts';
import { compileVersions, versionAt } from '../../core/filter-versions.ts';
import { uuidFromId } from '../../core/id.ts';
import { OUTCOMES, REASONS } from '../../core/outcome.ts';
import { type RecordedDelivery, readRecordedDelivery } from '../../storage/delivery-facts.ts';
import { listVersions } from '../../storage/endpoint-versions.ts';
import { noEndpoint } from '../../storage/endpoints.ts';
import { readLaneState } from '../../storage/lane-state.ts';
import { listRunningReplays } from '../../storage/replays.ts';
import { appAccess } from '../access.ts';
import { BreakerSchema, renderBreaker } from '../breaker-json.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { stateOf } from '../endpoint-json.ts';
import { cursorWriter } from '../event-json.ts';
import { WhereSchema, WhySchema } from '../filter-json.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { ReplaySchema, renderReplay } from '../replay-json.ts';
import { Time, timeText } from '../text.ts';
import { writtenReason } from './endpoint-status.ts';
import { EVENT_PARAMS, knownEvent } from './events.ts';

const ExplanationSchema = z
  .object({
    state: z
      .enum(DELIVERY_STATES)
      .describe(
        '`pending`: its turn has not come. `retrying`: it failed, and is tried again. `filtered`: the transformation returned null. `skipped`: it stands before the start of the endpoint, or where it was resumed. `pulled`: it was fetched in mode pull. `expired`: retention dropped it first. `unknown`: what would tell is no longer kept.',
      ),
    words: z.string().describe('The same in words.'),
    event: z.string(),
    endpoint: z.string(),
    position: z.int(),
    filter: z
      .object({
        matches: z.boolean(),
        fromPosition: z.int().describe('Valid from this position on.'),
        types: z.array(z.string()).nullable(),
        channels: z.array(z.string()).nullable(),
        where: WhereSchema.nullable(),
        why: WhySchema,
      })
      .describe("The endpoint's filter as it was where the event stands."),
    endpointState: z.enum(ENDPOINT_STATES),
    breaker: BreakerSchema,
    cursor: z.string().describe("The endpoint's cursor."),
    cursorPosition: z.int(),
    createdPosition: z.int().describe("The first position after the endpoint's creation."),
    skipThrough: z.int().describe('The endpoint was resumed from the head at this position; 0 = never.'),
    attempts: z.object({
      made: z.int(),
      firstAt: Time.nullable(),
      lastAt: Time.nullable(),
      deliveredAt: Time.nullable(),
      last: z
        .object({
          id: z.string(),
          outcome: z.enum(OUTCOMES),
          reason: z.enum(REASONS),
          status: z.int().nullable(),
          error: z.string().nullable().describe('What failed, or why it was filtered, in words.'),
        })
        .nullable(),
    }),
    retry: z.object({ attempts: z.int(), dueAt: Time, reason: z.string() }).nullable(),
    dead: z.object({ attempts: z.int(), reason: z.string(), diedAt: Time }).nullable(),
    expired: z.object({ fromPosition: z.int(), toPosition: z.int(), expiredAt: Time }).nullable(),
    replays: z
      .array(ReplaySchema)
      .describe('Replays under way whose range holds the event and that have not come to it.'),
  })
  .meta({ id: 'Explanation', description: 'Why an event did or did not reach an endpoint.' });

export function explainRoutes(server: ApiServer, context: ApiContext): void {
  server.get(
    '/v1/apps/:app/events/:event/explain',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags: ['Events'],
        operationId: 'explainEvent',
        summary: 'Explain why an event did or did not reach an endpoint',
        params: z.object(EVENT_PARAMS),
        querystring: z.strictObject({ endpoint: z.string().max(200).describe("The endpoint's id or uid.") }),
        response: { 200: ExplanationSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const event = await knownEvent(context, appId, request.params.event);
      const endpoint = await knownEndpoint(context, appId, request.query.endpoint);
      return await explain(context, event, endpoint);
    },
  );
}

async function explain(
  { db, engine, instance }: ApiContext,
  event: LogEvent,
  endpoint: Endpoint,
): Promise<z.infer<typeof ExplanationSchema>> {
  const { appId, position } = event;
  const place = { appId, endpointId: endpoint.id };
  const { versions, lane, recorded, replays } = await db.snapshot(async (tx) => ({
    versions: compileVersions(await listVersions(tx, place)),
    lane: await readLaneState(tx, place),
    recorded: await readRecordedDelivery(tx, place, event),
    replays: await listRunningReplays(tx, place),
  }));
  if (lane === null) throw noEndpoint(endpoint.id);
  const version = versionAt(versions, event.configVersion);
  const match = version.compiled.explain(event);
  const createdPosition = versions[0].fromPosition;
  const told = endpoint.config.mode === 'pull' ? null : await engine.laneStatus(appId, endpoint.id);
  const live = told === 'at rest' ? null : told;
  const { state, words } = explainDelivery({
    position,
    match: { ...match, fromPosition: version.fromPosition },
    settledThrough: lane.position,
    skipThrough: endpoint.skipThrough,
    isPulled: position > lane.startPosition && position <= lane.pulledThrough,
    createdPosition,
    ...recorded,
    isExpired: recorded.expiration !== null,
    attemptsKept: recorded.attempts.allKept,
    standstill: live ? live.reason : writtenReason(endpoint),
  });
  return {
    state,
    words,
    event: event.id,
    endpoint: endpoint.id,
    position,
    filter: {
      matches: match.matches,
      fromPosition: version.fromPosition,
      types: version.filter.types ?? null,
      channels: version.filter.channels ?? null,
      where: version.filter.where ?? null,
      why: match.why,
    },
    endpointState: await stateOf(endpoint, engine),
    breaker: renderBreaker(live?.breaker ?? lane.breaker),
    cursor: cursorWriter(instance, uuidFromId('app', appId))(lane),
    cursorPosition: lane.position,
    createdPosition,
    skipThrough: endpoint.skipThrough,
    ...renderRecorded(recorded),
    replays: replays
      .filter((replay) => position > replay.settled.position && position <= replay.to.position)
      .map((replay) => renderReplay(replay, instance)),
  };
}

function renderRecorded({ attempts, retry, dead, expiration }: RecordedDelivery) {
  const { made, firstMs, lastMs, deliveredMs, last } = attempts;
  return {
    attempts: { made, firstAt: timeText(firstMs), lastAt: timeText(lastMs), deliveredAt: timeText(deliveredMs), last },
    retry: retry && { attempts: retry.attempts, dueAt: timeText(retry.dueMs), reason: retry.reason },
    dead: dead && { attempts: dead.attempts, reason: dead.reason, diedAt: timeText(dead.diedMs) },
    expired: expiration && {
      fromPosition: expiration.fromPosition,
      toPosition: expiration.toPosition,
      expiredAt: timeText(expiration.expiredMs),
    },
  };
}
