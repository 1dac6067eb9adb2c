// From a time to a place in the log: the last event appended before it. Times of append rise with the position, but for transactions
// that overlapped, so the place is found by halving within one day's partition: a few dozen lookups whatever the log's length.
import { uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';
import type { EventPlace } from './events.ts';

// An event's day is never before that of its append, so what was appended at the time or later is of its day or a later one.
const FIRST_FROM_DAY = {
  name: 'first_event_from_day',
  text: `SELECT position, day FROM events WHERE app_id = $1 AND day >= $2 ORDER BY position LIMIT 1`,
} satisfies Query;

const LAST_OF_DAY = {
  name: 'last_event_of_day',
  text: `SELECT position FROM events WHERE app_id = $1 AND day = $2 ORDER BY position DESC LIMIT 1`,
} satisfies Query;

const APPENDED_FROM = {
  name: 'appended_from',
  text: `
SELECT appended_at >= to_timestamp($4::float8 / 1000) AS is_from FROM events
WHERE app_id = $1 AND day = $2 AND position = $3`,
} satisfies Query;

/** The place after which the events stand that were appended at a time (milliseconds since 1970) or later; null when there are none. */
export async function placeBefore(db: Queryable, appId: string, timeMs: number): Promise<EventPlace | null> {
  const appUuid = uuidFromId('app', appId);
  const timeDay = new Date(timeMs).toISOString().slice(0, 10);
  const [first] = await db.query<EventPlace>(FIRST_FROM_DAY, [appUuid, timeDay]);
  if (first === undefined) return null;
  const { day } = first;
  const [last] = await db.query<{ position: number }>(LAST_OF_DAY, [appUuid, day]);
  // Positions are dense within a day. low: before the time, or before the day; high: not before the time, or beyond the day.
  let low = first.position - 1;
  let high = last.position + 1;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const [row] = await db.query<{ is_from: boolean }>(APPENDED_FROM, [appUuid, day, middle, timeMs]);
    if (row === undefined || row.is_from) high = middle;
    else low = middle;
  }
  return { position: low, day };
}
