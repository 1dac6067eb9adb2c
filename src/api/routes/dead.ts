import { z } from 'zod';
import { TidingsError } from '../../core/errors.ts';
import { REASONS } from '../../core/outcome.ts';
import { type DeadEvent, endpointsWithDead, listDead } from '../../storage/dead-listing.ts';
import { MAX_PLANNED_FAILED, planReplay, type ReplayPlan } from '../../storage/replay-plan.ts';
import { createReplay, type Replay } from '../../storage/replays.ts';
import { appAccess } from '../access.ts';
import type { ApiContext, ApiServer } from '../context.ts';
import { creationKey } from '../idempotency-key.ts';
import { knownEndpoint } from '../known-endpoint.ts';
import { type LogRange, RANGE_MEMBERS, resolveRange } from '../log-range.ts';
import { decodePage, encodePage, idKey, PAGE_QUERY, pageOf } from '../page.ts';
import { PROBLEM_RESPONSES } from '../problem.ts';
import { acceptTypes, COUNT_MEMBERS, ReplaySchema, renderCount, renderReplay, TYPES_MEMBER } from '../replay-json.ts';
import { Time } from '../text.ts';
import { APP_PARAMS } from './apps.ts';

/** Endpoints that one call resends to, or plans for. */
const MAX_RESEND_ENDPOINTS = 100;

const REASON = z.enum(REASONS).describe('That of the last attempt.');

const DeadSchema = z
  .object({
    endpoint: z.string().describe("The endpoint's id."),
    event: z.string().describe("The event's id."),
    position: z.int(),
    replay: z.string().nullable().describe("The replay that gave it up; null for the endpoint's own cursor."),
    attempts: z.int(),
    reason: z.string().describe('That of the last attempt.'),
    diedAt: Time,
  })
  .meta({ id: 'DeadEvent', description: 'An event that an endpoint will not be sent again of itself.' });

const DeadKey = z.object({
  diedAtUs: z.int().min(0).max(4e15),
  endpointUuid: z.guid(),
  cursorUuid: z.guid(),
  position: z.int(),
});

const DeadQuery = z.strictObject({
  ...PAGE_QUERY,
  endpoint: z.string().max(200).optional().describe('Only those of this endpoint: its id or uid.'),
  type: z.string().max(200).optional().describe('Only those of this event type.'),
  reason: REASON.optional(),
});

const ResendDeadSchema = z
  .strictObject({
    endpoint: z.string().optional().describe("The endpoint's id or uid; absent = all that have dead events."),
    types: TYPES_MEMBER,
    reason: REASON.optional(),
    from: RANGE_MEMBERS.from.default('oldest'),
    to: RANGE_MEMBERS.to,
    plan: z.boolean().default(false).describe('Only count.'),
    page: z.string().max(1000).optional().describe('`nextPage` of the answer before.'),
  })
  .meta({ id: 'ResendDead' });

const NEXT_PAGE = z
  .string()
  .nullable()
  .describe(
    `There are more endpoints: send the same with this as \`page\`. An answer is for ${MAX_RESEND_ENDPOINTS} at most.`,
  );

const ResentDeadSchema = z
  .object({
    replays: z.array(ReplaySchema).describe('One for each endpoint.'),
    skipped: z
      .array(z.object({ endpoint: z.string(), code: z.string(), detail: z.string() }))
      .describe('Endpoints with dead events that nothing is sent to now, and why.'),
    nextPage: NEXT_PAGE,
  })
  .meta({ id: 'ResentDead' });

const DeadPlanSchema = z
  .object({
    events: COUNT_MEMBERS.events,
    bytes: COUNT_MEMBERS.bytes,
    approximate: COUNT_MEMBERS.approximate,
    endpoints: z.array(z.object({ endpoint: z.string(), ...COUNT_MEMBERS })),
    nextPage: NEXT_PAGE,
  })
  .meta({ id: 'DeadPlan', description: 'What would be resent now.' });

export function deadRoutes(server: ApiServer, context: ApiContext): void {
  const { db, engine, instance } = context;
  const tags = ['Replays'];
  const params = z.object(APP_PARAMS);

  server.get(
    '/v1/apps/:app/dead',
    {
      ...appAccess(context, { permission: 'read' }),
      schema: {
        tags,
        operationId: 'listDead',
        summary: 'List dead events',
        description:
          'Newest first. They can be resent one by one, or in bulk; what is delivered then leaves the list. With something asked for, a page may be short or empty and not the last.',
        params,
        querystring: DeadQuery,
        response: { 200: pageOf(DeadSchema), ...PROBLEM_RESPONSES },
      },
    },
    async (request) => {
      const { appId } = request;
      const { limit, page, endpoint, reason = null, type = null } = request.query;
      const endpointId = endpoint === undefined ? null : (await knownEndpoint(context, appId, endpoint)).id;
      const before = decodePage(page, DeadKey);
      const { dead, next } = await listDead(db, appId, { limit, before, endpointId, reason, type });
      return { data: dead.map(renderDead), nextPage: next === null ? null : encodePage(next) };
    },
  );

  server.post(
    '/v1/apps/:app/dead/resend',
    {
      ...appAccess(context, { permission: 'manage' }),
      schema: {
        tags,
        operationId: 'resendDead',
        'x-idempotent': true,
        summary: 'Resend dead events in bulk',
        description:
          'Begins a replay of the dead for each endpoint that has any, which can be followed and cancelled like any other. With `plan` it only counts.',
        params,
        body: ResendDeadSchema,
        response: { 200: DeadPlanSchema, 201: ResentDeadSchema, ...PROBLEM_RESPONSES },
      },
    },
    async (request, reply) => {
      const { appId, body } = request;
      const range = await resolveRange(context, appId, body);
      const wanted = { appId, range, types: acceptTypes(body.types), reason: body.reason ?? null };
      const { endpointIds, nextPage } = await endpointsConcerned(context, wanted, body);
      if (body.plan) return reply.code(200).send({ ...(await planDead(context, wanted, endpointIds)), nextPage });
      const replays: Replay[] = [];
      const skipped: { endpoint: string; code: string; detail: string }[] = [];
      for (const endpointId of endpointIds) {
        try {
          const { types, reason } = wanted;
          const id = context.ids.id('replay');
          const idempotency = creationKey(request);
          replays.push(
            await createReplay(db, { id, appId, endpointId, ...range, only: 'dead', types, reason, idempotency }),
          );
          await engine.replaysChanged(appId, endpointId);
        } catch (error) {
          // The endpoint that was named is what the caller wants to hear of; of many, one must not keep the others back.
          if (body.endpoint !== undefined || !isOfEndpoint(error)) throw error;
          skipped.push({ endpoint: endpointId, code: error.code, detail: error.detail });
        }
      }
      return reply
        .code(201)
        .send({ replays: replays.map((replay) => renderReplay(replay, instance)), skipped, nextPage });
    },
  );
}

interface WantedDead {
  appId: string;
  range: LogRange;
  types: string[] | null;
  reason: string | null;
}

async function endpointsConcerned(
  context: ApiContext,
  { appId, range, reason }: WantedDead,
  { endpoint, page }: { endpoint?: string | undefined; page?: string | undefined },
): Promise<{ endpointIds: string[]; nextPage: string | null }> {
  const after = decodePage(page, idKey('endpoint'));
  if (endpoint !== undefined) {
    return { endpointIds: [(await knownEndpoint(context, appId, endpoint)).id], nextPage: null };
  }
  const found = await endpointsWithDead(context.db, {
    appId,
    after,
    from: range.from.position,
    to: range.to.position,
    reason,
    limit: MAX_RESEND_ENDPOINTS + 1,
  });
  const endpointIds = found.slice(0, MAX_RESEND_ENDPOINTS);
  const last = endpointIds[endpointIds.length - 1];
  return { endpointIds, nextPage: found.length > MAX_RESEND_ENDPOINTS ? encodePage(last) : null };
}

async function planDead({ db }: ApiContext, { appId, range, types, reason }: WantedDead, endpointIds: string[]) {
  const plans: { endpointId: string; plan: ReplayPlan }[] = [];
  const maxFailed = Math.ceil(MAX_PLANNED_FAILED / Math.max(endpointIds.length, 1));
  for (const endpointId of endpointIds) {
    const replay = { appId, endpointId, ...range, only: 'dead' as const, types, reason, maxFailed };
    plans.push({ endpointId, plan: await planReplay(db, replay, []) });
  }
  return {
    events: plans.reduce((sum, { plan }) => sum + plan.events, 0),
    bytes: plans.reduce((sum, { plan }) => sum + plan.bytes, 0),
    approximate: plans.some(({ plan }) => plan.approximate),
    endpoints: plans.map(({ endpointId, plan }) => ({ endpoint: endpointId, ...renderCount(plan) })),
  };
}

function isOfEndpoint(error: unknown): error is TidingsError {
  return error instanceof TidingsError && ['endpoint_paused', 'conflict', 'not_found'].includes(error.code);
}

function renderDead(dead: DeadEvent): z.infer<typeof DeadSchema> {
  return {
    endpoint: dead.endpointId,
    event: dead.eventId,
    position: dead.position,
    replay: dead.replayId,
    attempts: dead.attempts,
    reason: dead.reason,
    diedAt: dead.diedAt.toISOString(),
  };
}
