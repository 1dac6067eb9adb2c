// A page of the log after a cursor. Bounded by what is looked at, not by what is found: under a narrow filter a page may be empty and yet
// not done (api.md).

import { TidingsError } from '../core/errors.ts';
import type { LogEvent } from '../core/event.ts';
import type { EventCache, LogPlace } from '../log/event-cache.ts';
import type { Queryable } from '../storage/database.ts';
import type { Head } from '../storage/heads.ts';
import { cursorExpired, startOfLog } from './cursor-expired.ts';
import { LoopTurns } from './loop-turns.ts';
import type { RenderedLog } from './rendered-log.ts';

export interface ReadRequest {
  appId: string;
  /** null = from the oldest event that is kept. */
  after: LogPlace | null;
  limit: number;
  maxBytes: number;
  /** null = all events. */
  matches: ((event: LogEvent) => boolean) | null;
}

export interface ReadPage {
  events: LogEvent[];
  /** Where the next page begins. */
  cursor: LogPlace;
  /** The head was reached. */
  done: boolean;
}

export interface ReadParts {
  db: Queryable;
  cache: EventCache;
  rendered: RenderedLog;
}

/** Positions that one page looks at. */
const MAX_SCANNED = 10_000;

/** @throws TidingsError cursor_ahead; cursor_expired when retention has dropped the events right after the cursor. */
export async function readLog(parts: ReadParts, request: ReadRequest, head: Head): Promise<ReadPage> {
  if (request.after !== null) return readAfter(parts, request, request.after, head);
  for (let tries = 1; ; tries++) {
    const start = await startOfLog(parts.db, request.appId, head);
    try {
      return await readAfter(parts, request, start, head);
    } catch (error) {
      // The oldest events went between the two reads: begin where the log begins now.
      if (tries === 3 || !(error instanceof TidingsError && error.code === 'cursor_expired')) throw error;
    }
  }
}

async function readAfter(parts: ReadParts, request: ReadRequest, start: LogPlace, head: Head): Promise<ReadPage> {
  const { appId, limit, maxBytes, matches } = request;
  if (start.position > head.position) {
    const detail = `The cursor is at position ${start.position}, but the log ends at ${head.position}. Was the database restored? Read on from a cursor of this log.`;
    throw new TidingsError('cursor_ahead', detail);
  }
  const events: LogEvent[] = [];
  let cursor = start;
  let bytes = 0;
  const turns = new LoopTurns();
  while (cursor.position < head.position && cursor.position - start.position < MAX_SCANNED) {
    const from = { position: cursor.position + 1, day: cursor.day };
    const chunk = await parts.cache.read(appId, from, head);
    if (chunk.length === 0 || chunk[0].position !== from.position) {
      if (cursor === start) throw await cursorExpired(parts, appId, from.position, head);
      break;
    }
    for (const event of chunk) {
      if (matches === null || matches(event)) {
        if (events.length >= limit || (events.length > 0 && bytes + event.data.length > maxBytes)) {
          return { events, cursor, done: false };
        }
        events.push(event);
        bytes += event.data.length;
      }
      cursor = { position: event.position, day: event.day };
    }
    if (turns.isOver) await turns.next();
  }
  return { events, cursor, done: cursor.position >= head.position };
}
