// What is fetched, and its runs, as the API shows and takes them.
import { z } from 'zod';
import type { NewEvent } from '../core/event.ts';
import { FETCH_MEMBERS } from '../inbound/fetch/fetch-config.ts';
import { FETCH_CAUSES } from '../inbound/fetch/fetch-failure.ts';
import type { DryRun } from '../inbound/fetch/fetches.ts';
import { type FetchRunRecord, RUN_OUTCOMES } from '../storage/fetch-runs.ts';
import { Time, timeText } from './text.ts';

type Changes = {
  [Member in keyof typeof FETCH_MEMBERS]: z.ZodOptional<z.ZodNullable<(typeof FETCH_MEMBERS)[Member]>>;
};

/** Each may be absent, and null for its default. */
export const FETCH_CHANGE_MEMBERS = Object.fromEntries(
  Object.entries(FETCH_MEMBERS).map(([name, schema]) => [name, (schema as z.ZodType).nullish()]),
) as unknown as Changes;

export const FETCH_SHOWN_MEMBERS = {
  ...FETCH_MEMBERS,
  auth: z.looseObject({ type: z.string() }).optional().describe('Without what is secret.'),
  pages: z.looseObject({ by: z.string() }).optional().describe('As it was given.'),
  changes: z.looseObject({ by: z.string() }).optional().describe('As it was given.'),
  start: z
    .union([z.string(), z.looseObject({})])
    .optional()
    .describe('As it was given.'),
};

export const FetchSchema = z.strictObject(FETCH_MEMBERS).meta({ id: 'Fetch' });
export const FetchShownSchema = z.object(FETCH_SHOWN_MEMBERS).meta({ id: 'ShownFetch' });

const Cause = z
  .enum(FETCH_CAUSES)
  .nullable()
  .describe('Why it came to nothing; the guide to fetching lists them. null when it came to its end.');

export const RunSchema = z
  .object({
    id: z.string(),
    startedAt: Time,
    durationMs: z.int(),
    outcome: z.enum(RUN_OUTCOMES),
    cause: Cause,
    detail: z.string().nullable().describe('The same in words.'),
    status: z.int().nullable().describe('Of the last answer; null when there was none.'),
    pages: z.int(),
    items: z.int().describe('In the answer, told or not.'),
    bytes: z.int(),
    created: z.int().describe('Events that it gave of items that were new;'),
    updated: z.int().describe('that differed,'),
    deleted: z.int().describe('and that were gone.'),
  })
  .meta({ id: 'Run' });

export function renderRun({ startedMs, ...run }: FetchRunRecord): z.infer<typeof RunSchema> {
  return { ...run, startedAt: timeText(startedMs), cause: FETCH_CAUSES.find((cause) => cause === run.cause) ?? null };
}

export const DryRunSchema = z
  .object({
    outcome: z.enum(RUN_OUTCOMES),
    cause: Cause,
    detail: z.string().nullable(),
    status: z.int().nullable(),
    pages: z.int(),
    items: z.int(),
    bytes: z.int(),
    told: z.int().describe('How many events it would give.'),
    events: z
      .array(z.object({ id: z.string(), type: z.string(), time: Time, data: z.unknown() }))
      .describe('The first 100 of them.'),
  })
  .meta({ id: 'DryRun' });

const MAX_SHOWN_EVENTS = 100;

export function renderDryRun({ tally, failure, events }: DryRun): z.infer<typeof DryRunSchema> {
  return {
    outcome: failure !== null ? 'failed' : events.length > 0 ? 'changed' : 'unchanged',
    cause: failure?.reason ?? null,
    detail: failure?.message ?? null,
    ...tally,
    told: events.length,
    events: events.slice(0, MAX_SHOWN_EVENTS).map(renderFound),
  };
}

function renderFound({ id, type, timeMs, data }: NewEvent): z.infer<typeof DryRunSchema>['events'][number] {
  return { id, type, time: timeText(timeMs), data: JSON.parse(data.toString('utf8')) };
}
