// A page of the log after a cursor, as it goes out. Bounded by what is looked at, not by what is found: under a narrow filter a page may be
// empty and yet not done (api.md). Without a filter it is a few slices of what is rendered already, and no single event is touched.
import { TidingsError } from '../core/errors.ts';
import type { LogEvent } from '../core/event.ts';
import type { CompiledFilter } from '../core/filter.ts';
import type { EventCache, LogPlace } from '../log/event-cache.ts';
import type { Queryable } from '../storage/database.ts';
import type { Head } from '../storage/heads.ts';
import { cursorExpired } from './cursor-expired.ts';
import type { LogFormat, SignedBody } from './log-format.ts';
import { LoopTurns } from './loop-turns.ts';
import { RenderedEvents } from './rendered-events.ts';
import type { RenderedLog } from './rendered-log.ts';

export interface PageRequest {
  appId: string;
  format: LogFormat;
  after: LogPlace;
  /** Where the page is to say that it begins, when it goes on from one that was empty; else `after`. */
  start?: LogPlace;
  limit: number;
  maxBytes: number;
  /** null = all events. */
  filter: CompiledFilter | null;
  /** What tells apart requests that differ in more than app and place; null = a page of its own. */
  key: string | null;
  /** null = events are not signed. */
  sign: ((event: LogEvent) => SignedBody) | null;
}

export interface LogPage {
  /** The events as they go out; what stands before and after them is the format's. */
  body: Buffer[];
  bytes: number;
  count: number;
  /** Where the page begins, and where the next one does. */
  start: LogPlace;
  cursor: LogPlace;
  /** The head was reached. */
  done: boolean;
}

export interface PageParts {
  db: Queryable;
  cache: EventCache;
  rendered: RenderedLog;
}

/** Positions that one page under a filter looks at. */
export const MAX_SCANNED = 10_000;

/** @throws TidingsError cursor_ahead; cursor_expired when retention has dropped the events right after the cursor. */
export async function readPage(parts: PageParts, request: PageRequest, head: Head): Promise<LogPage> {
  const { after, filter, sign } = request;
  if (after.position > head.position) {
    throw new TidingsError(
      'cursor_ahead',
      `The cursor is at position ${after.position}, but the log ends at ${head.position}. Was the database restored? Read on from a cursor of this log.`,
    );
  }
  const page: LogPage = { body: [], bytes: 0, count: 0, start: request.start ?? after, cursor: after, done: false };
  if (filter === null && sign === null) await addAll(parts, request, head, page);
  else await addMatches(parts, request, head, page);
  page.done = page.cursor.position >= head.position;
  return page;
}

async function addAll(parts: PageParts, request: PageRequest, head: Head, page: LogPage): Promise<void> {
  const { appId, format, limit, maxBytes } = request;
  while (page.cursor.position < head.position && page.count < limit) {
    const position = page.cursor.position + 1;
    const events =
      parts.rendered.peek(format, appId, position) ??
      (await parts.rendered.read(format, appId, { position, day: page.cursor.day }, head));
    if (events === null) {
      await refuseExpired(parts, request, head, page);
      return;
    }
    const to = Math.min(events.end, head.position + 1, position + limit - page.count);
    const count = events.fitting(position, to, maxBytes - page.bytes);
    const slices: Buffer[] = [];
    const bytes = events.slice(position, position + count, page.count === 0, slices);
    if (page.count > 0 && page.bytes + bytes > maxBytes) return;
    page.body.push(...slices);
    page.bytes += bytes;
    page.count += count;
    const last = position + count - 1;
    page.cursor = { position: last, day: events.dayOf(last) };
    if (last + 1 < to) return;
  }
}

async function addMatches(parts: PageParts, request: PageRequest, head: Head, page: LogPage): Promise<void> {
  const { appId, after, filter } = request;
  const turns = new LoopTurns();
  while (page.cursor.position < head.position && page.cursor.position - after.position < MAX_SCANNED) {
    const from = { position: page.cursor.position + 1, day: page.cursor.day };
    const chunk = await parts.cache.read(appId, from, head);
    if (chunk.length === 0 || chunk[0].position !== from.position) {
      await refuseExpired(parts, request, head, page);
      return;
    }
    const matches: LogEvent[] = [];
    let dataBytes = page.bytes;
    let isFull = false;
    for (const event of chunk) {
      if (filter === null || filter.matches(event)) {
        const count = page.count + matches.length;
        isFull = count >= request.limit || (count > 0 && dataBytes + event.data.length > request.maxBytes);
        if (isFull) break;
        matches.push(event);
        dataBytes += event.data.length;
      }
      page.cursor = { position: event.position, day: event.day };
    }
    if (matches.length > 0) addRendered(parts.rendered, request, matches, page);
    if (isFull) return;
    if (turns.isOver) await turns.next();
  }
}

/** Adds events of one chunk, from what is rendered where it is: under a narrow filter it would not pay to render the chunk. */
function addRendered(rendered: RenderedLog, request: PageRequest, matches: LogEvent[], page: LogPage): void {
  const { appId, format, sign } = request;
  const { position } = matches[0];
  const known = sign === null ? rendered.peek(format, appId, position) : null;
  if (known?.covers(matches[matches.length - 1].position)) {
    let from = 0;
    for (let i = 1; i <= matches.length; i++) {
      if (i < matches.length && matches[i].position === matches[i - 1].position + 1) continue;
      const isFirst = page.count === 0 && from === 0;
      page.bytes += known.slice(matches[from].position, matches[i - 1].position + 1, isFirst, page.body);
      from = i;
    }
  } else {
    const own = new RenderedEvents(format, 0);
    own.append(matches, rendered.cursorsOf(appId), sign === null ? undefined : (event) => format.signed(sign(event)));
    page.bytes += own.slice(0, matches.length, page.count === 0, page.body);
  }
  page.count += matches.length;
}

/** Retention may overtake a page that is being read: it then ends there, and the next one is refused. */
async function refuseExpired(parts: PageParts, request: PageRequest, head: Head, page: LogPage): Promise<void> {
  if (page.cursor !== request.after) return;
  throw await cursorExpired(parts, request.appId, page.cursor.position + 1, head);
}
