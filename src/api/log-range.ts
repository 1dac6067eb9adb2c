// A range of an app's log as callers give it: two ends, each a cursor, a time, or `oldest` or `now`.
import { z } from 'zod';
import { TidingsError } from '../core/errors.ts';
import { uuidFromId } from '../core/id.ts';
import { parseTime } from '../core/time.ts';
import { oldestKept } from '../storage/events.ts';
import { placeBefore } from '../storage/log-times.ts';
import type { ApiContext } from './context.ts';
import type { LogPlace } from './engine.ts';
import { invalidFields } from './problem.ts';
import { placeOfCursor } from './routes/events.ts';

const MAX_END_CHARS = 100;
const END = z.string().max(MAX_END_CHARS);

export const RANGE_MEMBERS = {
  from: END.describe(
    'Where it begins: after a cursor; at an RFC 3339 time, by when events were appended; or `oldest` or `now`.',
  ),
  to: END.optional().describe(
    'Where it ends: at a cursor; before a time; or `now`, the end of the log as it is at this call (default).',
  ),
};

/** Events after `from` up to and including `to`. */
export interface LogRange {
  from: LogPlace;
  to: LogPlace;
}

/**
 * The places of a range: `to` is at most the head of now. A time before the oldest event that is kept stands for that event.
 * @throws TidingsError `not_found`, `invalid_request`, `invalid_cursor`, `cursor_ahead`, `cursor_expired`
 */
export async function resolveRange(
  context: ApiContext,
  appId: string,
  range: { from: string; to?: string | undefined },
): Promise<LogRange> {
  const scope = await scopeOf(context, appId);
  const from = await placeOf(scope, '/from', range.from);
  const to = await placeOf(scope, '/to', range.to ?? 'now');
  if (to.position < from.position) {
    throw invalidFields([{ path: '/to', message: 'The range ends before it begins: exchange `from` and `to`.' }]);
  }
  return { from, to };
}

/**
 * The place of one end, at `path` in the body.
 * @throws TidingsError `not_found`, `invalid_request`, `invalid_cursor`, `cursor_ahead`, `cursor_expired`
 */
export async function resolvePlace(context: ApiContext, appId: string, end: string, path: string): Promise<LogPlace> {
  return await placeOf(await scopeOf(context, appId), path, end);
}

async function scopeOf(context: ApiContext, appId: string): Promise<Scope> {
  const head = await context.engine.head(appId);
  const oldest = await oldestKept(context.db, appId);
  return { context, appId, head, start: oldest === null ? head : { position: oldest.position - 1, day: oldest.day } };
}

interface Scope {
  context: ApiContext;
  appId: string;
  /** Before the oldest event that is kept. */
  start: LogPlace;
  head: LogPlace;
}

async function placeOf({ context, appId, start, head }: Scope, path: string, end: string): Promise<LogPlace> {
  if (end === 'now') return { position: head.position, day: head.day };
  if (end === 'oldest') return start;
  if (/^\d/.test(end)) {
    const timeMs = parseTime(end);
    if (timeMs === null) {
      throw invalidFields([{ path, message: `${end} is no RFC 3339 time, such as 2026-11-21T10:00:00Z.` }]);
    }
    return (await placeBefore(context.db, appId, timeMs)) ?? { position: head.position, day: head.day };
  }
  const place = placeOfCursor(context, uuidFromId('app', appId), end);
  if (place.position > head.position) {
    throw new TidingsError(
      'cursor_ahead',
      `The cursor is at position ${place.position}, but the log ends at ${head.position}. Was the database restored? Use a cursor of this log, or a time.`,
    );
  }
  if (place.position < start.position) {
    throw new TidingsError(
      'cursor_expired',
      `Events after position ${place.position} are past retention. The oldest kept is at position ${start.position + 1}: "oldest" begins there.`,
    );
  }
  return place;
}
