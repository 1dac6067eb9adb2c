import { TidingsError } from '../core/errors.ts';
import type { LogPlace } from '../log/event-cache.ts';
import type { Queryable } from '../storage/database.ts';
import { oldestKept } from '../storage/events.ts';
import type { RenderedLog } from './rendered-log.ts';

/** Before the oldest event that is kept; the head when none is. */
export async function startOfLog(db: Queryable, appId: string, head: LogPlace): Promise<LogPlace> {
  const oldest = await oldestKept(db, appId);
  return oldest ? { position: oldest.position - 1, day: oldest.day } : { position: head.position, day: head.day };
}

/** The error for a position that retention has dropped; it carries the cursor that reads on from the oldest event kept. */
export async function cursorExpired(
  parts: { db: Queryable; rendered: RenderedLog },
  appId: string,
  wanted: number,
  head: LogPlace,
): Promise<TidingsError> {
  const start = await startOfLog(parts.db, appId, head);
  const kept =
    start.position < head.position
      ? `The oldest event kept is at position ${start.position + 1}: read on after oldestCursor, or without a cursor, to begin there.`
      : 'No events are kept: read on after oldestCursor to get what comes.';
  return new TidingsError('cursor_expired', `Position ${wanted} is past retention. ${kept}`, {
    members: { oldestCursor: parts.rendered.cursorsOf(appId)(start) },
  });
}
