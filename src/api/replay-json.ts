// Replays as the API shows and takes them.
import { z } from 'zod';
import { checkFilter } from '../core/filter.ts';
import { uuidFromId } from '../core/id.ts';
import { REPLAY_KINDS, REPLAY_STATES } from '../core/replay.ts';
import type { Instance } from '../storage/instance.ts';
import type { ReplayPlan } from '../storage/replay-plan.ts';
import type { Replay } from '../storage/replays.ts';
import { cursorWriter } from './event-json.ts';
import { type LogRange, RANGE_MEMBERS } from './log-range.ts';
import { invalidFields } from './problem.ts';
import { Time, timeText } from './text.ts';

export const TYPES_MEMBER = z
  .array(z.string())
  .optional()
  .describe('Only these event types; `*` stands for any characters. Absent = all.');

export const NewReplaySchema = z
  .strictObject({
    ...RANGE_MEMBERS,
    only: z
      .enum(REPLAY_KINDS)
      .default('all')
      .describe(
        '`all`: every event of the range that matched the endpoint when it was published. `failed`: those of them that wait for a retry or were given up. `dead`: those that were given up.',
      ),
    types: TYPES_MEMBER,
  })
  .meta({ id: 'NewReplay' });

export const ReplaySchema = z
  .object({
    id: z.string(),
    endpoint: z.string().describe("The endpoint's id."),
    state: z.enum(REPLAY_STATES),
    from: z.string().describe('A cursor: it began after this.'),
    to: z.string().describe('A cursor: it ends here.'),
    cursor: z.string().describe('How far it has come.'),
    fromPosition: z.int(),
    toPosition: z.int(),
    position: z
      .int()
      .describe('Everything of the range up to here was delivered, given up, of no interest, or waits for a retry.'),
    progress: z.number().describe('The share of the range that lies behind it, from 0 to 1.'),
    only: z.enum(REPLAY_KINDS),
    types: z.array(z.string()).nullable(),
    reason: z.string().nullable().describe('Of dead events, only those that died of this; null = of any reason.'),
    delivered: z.int().describe('Events delivered by it.'),
    dead: z.int().describe('Events that it has given up.'),
    createdAt: Time,
    finishedAt: Time.nullable(),
  })
  .meta({ id: 'Replay', description: 'A second cursor for an endpoint, over a past range of the log.' });

/** What a plan says of a count of events. */
export const COUNT_MEMBERS = {
  events: z.int(),
  bytes: z.int().describe('Of their data.'),
  approximate: z.boolean().describe('There were too many to count all: the figures are estimates.'),
  oldest: Time.nullable().describe('When the first of those counted was appended.'),
  newest: Time.nullable().describe('When the last of those counted was appended.'),
};

export const ReplayPlanSchema = z
  .object({
    ...COUNT_MEMBERS,
    from: z.string().describe('A cursor: it would begin after this.'),
    to: z.string().describe('A cursor: it would end here.'),
    fromPosition: z.int(),
    toPosition: z.int(),
  })
  .meta({ id: 'ReplayPlan', description: 'What a replay would send now.' });

/** @throws TidingsError `invalid_request` when they are no types or patterns */
export function acceptTypes(types: string[] | undefined): string[] | null {
  if (types === undefined) return null;
  const errors = checkFilter({ types }, '');
  if (errors.length > 0) throw invalidFields(errors);
  return [...new Set(types)];
}

export function renderReplay(replay: Replay, instance: Instance): z.infer<typeof ReplaySchema> {
  const { from, to, settled, state } = replay;
  const cursorOf = cursorWriter(instance, uuidFromId('app', replay.appId));
  const length = to.position - from.position;
  return {
    id: replay.id,
    endpoint: replay.endpointId,
    state,
    from: cursorOf(from),
    to: cursorOf(to),
    cursor: cursorOf(settled),
    fromPosition: from.position,
    toPosition: to.position,
    position: settled.position,
    progress: length === 0 || state === 'done' ? 1 : (settled.position - from.position) / length,
    only: replay.only,
    types: replay.types,
    reason: replay.reason,
    delivered: replay.delivered,
    dead: replay.dead,
    createdAt: replay.createdAt.toISOString(),
    finishedAt: replay.finishedAt?.toISOString() ?? null,
  };
}

export function renderCount({ events, bytes, approximate, oldestMs, newestMs }: ReplayPlan) {
  return {
    events,
    bytes,
    approximate,
    oldest: timeText(oldestMs),
    newest: timeText(newestMs),
  };
}

export function renderPlan(
  plan: ReplayPlan,
  range: LogRange,
  cursorOf: (place: { position: number; day: string }) => string,
): z.infer<typeof ReplayPlanSchema> {
  return {
    ...renderCount(plan),
    from: cursorOf(range.from),
    to: cursorOf(range.to),
    fromPosition: range.from.position,
    toPosition: range.to.position,
  };
}
