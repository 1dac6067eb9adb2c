// The catalogue of event types. It documents; publishing does not ask it.
import type { Query, Queryable } from './database.ts';

export interface EventType {
  type: string;
  description: string;
  archived: boolean;
  createdAt: Date;
  updatedAt: Date;
}

interface EventTypeRow {
  type: string;
  description: string;
  archived: boolean;
  created_at: Date;
  updated_at: Date;
}

const COLUMNS = 'type, description, archived, created_at, updated_at';

function toEventType(row: EventTypeRow): EventType {
  return {
    type: row.type,
    description: row.description,
    archived: row.archived,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

const PUT_EVENT_TYPE = {
  name: 'put_event_type',
  text: `
INSERT INTO event_types (type, description, archived, created_at, updated_at) VALUES ($1, $2, $3, now(), now())
ON CONFLICT (type) DO UPDATE SET description = excluded.description, archived = excluded.archived, updated_at = now()
RETURNING ${COLUMNS}`,
} satisfies Query;

export async function putEventType(
  db: Queryable,
  eventType: { type: string; description: string; archived: boolean },
): Promise<EventType> {
  const values = [eventType.type, eventType.description, eventType.archived];
  return toEventType((await db.query<EventTypeRow>(PUT_EVENT_TYPE, values))[0]);
}

const FIND_EVENT_TYPE = {
  name: 'find_event_type',
  text: `SELECT ${COLUMNS} FROM event_types WHERE type = $1`,
} satisfies Query;

export async function findEventType(db: Queryable, type: string): Promise<EventType | null> {
  const rows = await db.query<EventTypeRow>(FIND_EVENT_TYPE, [type]);
  return rows.length === 0 ? null : toEventType(rows[0]);
}

// Times to the millisecond, as they come back in the page token: else a row could be met twice or not at all.
const LIST_EVENT_TYPES = {
  name: 'list_event_types',
  text: `
SELECT ${COLUMNS} FROM event_types
WHERE $2::timestamptz IS NULL OR (date_trunc('milliseconds', created_at), type) < ($2::timestamptz, $3)
ORDER BY date_trunc('milliseconds', created_at) DESC, type DESC LIMIT $1`,
} satisfies Query;

/** Newest first; `before` is the place of the last type of the page before. */
export async function listEventTypes(
  db: Queryable,
  page: { limit: number; before: { createdAt: Date; type: string } | null },
): Promise<EventType[]> {
  const values = [page.limit, page.before?.createdAt ?? null, page.before?.type ?? null];
  return (await db.query<EventTypeRow>(LIST_EVENT_TYPES, values)).map(toEventType);
}

const DELETE_EVENT_TYPE = {
  name: 'delete_event_type',
  text: `DELETE FROM event_types WHERE type = $1 RETURNING type`,
} satisfies Query;

/** Returns whether there was such a type. Events of that type stay as they are. */
export async function deleteEventType(db: Queryable, type: string): Promise<boolean> {
  return (await db.query(DELETE_EVENT_TYPE, [type])).length > 0;
}
