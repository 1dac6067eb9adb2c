// Reading and cancelling what is scheduled.
import { TidingsError } from '../core/errors.ts';
import { uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

export interface ScheduledEvent {
  id: string;
  type: string;
  /** When it is to be appended; milliseconds since 1970. */
  deliverAtMs: number;
  /** The time it will have; milliseconds since 1970. */
  timeMs: number;
  channels: string[];
  createdMs: number;
}

interface ScheduledRow {
  event_id: string;
  type: string;
  due_ms: number;
  time_ms: number;
  channels: string[] | null;
  created_ms: number;
  created_us: number;
}

const COLUMNS = `event_id, type, (date_part('epoch', due_at) * 1000)::float8 AS due_ms,
  (date_part('epoch', coalesce(time, due_at)) * 1000)::float8 AS time_ms, channels,
  (date_part('epoch', created_at) * 1000)::float8 AS created_ms, (extract(epoch FROM created_at) * 1000000)::bigint AS created_us`;

function toScheduled(row: ScheduledRow): ScheduledEvent {
  return {
    id: row.event_id,
    type: row.type,
    deliverAtMs: Math.round(row.due_ms),
    timeMs: Math.round(row.time_ms),
    channels: row.channels ?? [],
    createdMs: Math.floor(row.created_ms),
  };
}

/** The place of a row in the listing. Microseconds since 1970, as Postgres keeps time. */
export interface ScheduledKey {
  createdUs: number;
  eventId: string;
}

const LIST_SCHEDULED = {
  name: 'list_scheduled',
  text: `
SELECT ${COLUMNS} FROM scheduled
WHERE app_id = $1 AND ($2::bigint IS NULL OR (created_at, event_id) < (timestamptz 'epoch' + $2::bigint * interval '1 microsecond', $3::text))
ORDER BY created_at DESC, event_id DESC LIMIT $4`,
} satisfies Query;

/** An app's scheduled events, those published last first. */
export async function listScheduled(
  db: Queryable,
  appId: string,
  { limit, before }: { limit: number; before: ScheduledKey | null },
): Promise<{ events: ScheduledEvent[]; next: ScheduledKey | null }> {
  const values = [uuidFromId('app', appId), before?.createdUs ?? null, before?.eventId ?? null, limit + 1];
  const rows = await db.query<ScheduledRow>(LIST_SCHEDULED, values);
  const events = rows.slice(0, limit).map(toScheduled);
  if (rows.length <= limit) return { events, next: null };
  const last = rows[limit - 1];
  return { events, next: { createdUs: last.created_us, eventId: last.event_id } };
}

const FIND_SCHEDULED = {
  name: 'find_scheduled',
  text: `SELECT ${COLUMNS}, data FROM scheduled WHERE app_id = $1 AND event_id = $2`,
} satisfies Query;

/** One scheduled event with its data. @throws TidingsError `not_found` */
export async function findScheduled(
  db: Queryable,
  appId: string,
  eventId: string,
): Promise<ScheduledEvent & { data: Buffer }> {
  const [row] = await db.query<ScheduledRow & { data: Buffer }>(FIND_SCHEDULED, [uuidFromId('app', appId), eventId]);
  if (row === undefined) throw noScheduled(eventId);
  return { ...toScheduled(row), data: row.data };
}

// Its id is free again with it: to move an event to another time is to cancel it and to publish it once more under the same id.
const CANCEL_SCHEDULED = {
  name: 'cancel_scheduled',
  text: `
WITH cancelled AS (
  DELETE FROM scheduled WHERE app_id = $1 AND event_id = $2 RETURNING app_id, event_id
), released AS (
  DELETE FROM idempotency_keys k USING cancelled c WHERE k.app_id = c.app_id AND k.key = 'e:' || c.event_id
)
SELECT 1 FROM cancelled`,
} satisfies Query;

/** Takes a scheduled event away before it is due. @throws TidingsError `not_found`, also when it has just been appended */
export async function cancelScheduled(db: Queryable, appId: string, eventId: string): Promise<void> {
  const rows = await db.query(CANCEL_SCHEDULED, [uuidFromId('app', appId), eventId]);
  if (rows.length === 0) throw noScheduled(eventId);
}

function noScheduled(eventId: string): TidingsError {
  return new TidingsError(
    'not_found',
    `There is no scheduled event ${eventId}: it has been appended or cancelled, or was never scheduled.`,
  );
}
