// The events of one endpoint, for a receiver that fetches them or looks for what it has missed. After a cursor of its own choice it gets
// all that the endpoint was or is due; without one, what has not been delivered: first what failed and waits for a retry, then what comes
// after the endpoint's cursor.
import { TidingsError } from '../core/errors.ts';
import type { LogEvent } from '../core/event.ts';
import type { LogPlace } from '../log/event-cache.ts';
import type { Queryable } from '../storage/database.ts';
import { readEventsAt } from '../storage/events.ts';
import { type Due, type EndpointKey, readDue } from '../storage/pulled-lane.ts';
import { type LogSource, waitForLog } from './log-wait.ts';
import type { ReadPage, ReadRequest } from './read-log.ts';

export interface DueParts {
  db: Queryable;
  source: LogSource;
  /** @throws TidingsError `not_found`, `cursor_ahead`, `cursor_expired` */
  read(request: ReadRequest): Promise<ReadPage>;
}

export interface DueRequest extends EndpointKey {
  /** null = what has not been delivered. */
  after: LogPlace | null;
  limit: number;
  maxBytes: number;
  /** By the filter that the endpoint had where the event stands. */
  matches: (event: LogEvent) => boolean;
  waitMs: number;
  signal: AbortSignal;
}

/**
 * A page of them; null when there is no such endpoint. May be empty and not `done`, as any page of the log.
 * @throws TidingsError `not_found`, `cursor_ahead`; `cursor_expired` after a cursor of one's own
 */
export async function readDueEvents(parts: DueParts, request: DueRequest): Promise<ReadPage | null> {
  const { after, limit, maxBytes } = request;
  const due = await readDue(parts.db, request, { maxFailed: after === null ? limit + 1 : 0 });
  if (due === null) return null;
  if (after !== null) return await readAfter(parts, request, later(after, due.startPosition), request.matches);
  const places = due.failed.slice(0, limit);
  const failed = await readEventsAt(parts.db, request.appId, places, maxBytes);
  const bytes = failed.reduce((sum, event) => sum + event.data.length, 0);
  if (bytes >= maxBytes || due.failed.length > limit) {
    const { position, day } = bytes >= maxBytes ? failed[failed.length - 1] : places[places.length - 1];
    return { events: failed, cursor: { position, day }, done: false };
  }
  return await readUndelivered(parts, { ...request, maxBytes: maxBytes - bytes }, due, failed);
}

async function readUndelivered(parts: DueParts, request: DueRequest, due: Due, failed: LogEvent[]): Promise<ReadPage> {
  const { maxBytes } = request;
  const limit = request.limit - failed.length;
  if (limit === 0) return { events: failed, cursor: due.settled, done: false };
  const rest = { ...request, limit, waitMs: failed.length > 0 ? 0 : request.waitMs };
  const matches = (event: LogEvent): boolean => !due.settledBeyond.has(event.position) && request.matches(event);
  try {
    const page = await readAfter(parts, rest, due.settled, matches);
    return { ...page, events: [...failed, ...page.events] };
  } catch (error) {
    if (!(error instanceof TidingsError && error.code === 'cursor_expired')) throw error;
    // It goes on with what is kept, as a lane does; what was lost is recorded.
    const page = await parts.read({
      appId: request.appId,
      after: null,
      limit,
      maxBytes,
      matches,
    });
    return { ...page, events: [...failed, ...page.events] };
  }
}

async function readAfter(
  parts: DueParts,
  request: DueRequest,
  from: LogPlace,
  matches: (event: LogEvent) => boolean,
): Promise<ReadPage> {
  const { appId, limit, maxBytes, waitMs, signal } = request;
  const untilMs = performance.now() + waitMs;
  for (let after = from; ; ) {
    const page = await parts.read({ appId, after, limit, maxBytes, matches });
    after = page.cursor;
    if (page.events.length > 0 || !page.done) return page;
    const timeoutMs = untilMs - performance.now();
    if (!(await waitForLog(parts.source, { appId, position: after.position, timeoutMs, signal }))) return page;
  }
}

/** The day of a place may be an earlier one than its position's. */
function later(place: LogPlace, position: number): LogPlace {
  return place.position >= position ? place : { position, day: place.day };
}
