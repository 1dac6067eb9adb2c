// Events that wait for their time. A row leaves the table once: appended by whoever deletes it in the append's transaction (design rule 7),
// or cancelled. What is due the database's clock decides, for those of the processes may differ.
import type { NewEvent } from '../core/event.ts';
import { idFromUuid, uuidFromId } from '../core/id.ts';
import { textArrayLiteral } from './append.ts';
import { float8Array, int4Array, textArray, uuidArray } from './binary-array.ts';
import type { Query, Queryable } from './database.ts';

const TIME = {
  name: 'time_of_database',
  text: "SELECT (date_part('epoch', now()) * 1000)::float8 AS now_ms",
} satisfies Query;

/** The database's clock, which stands still within a transaction; milliseconds since 1970. */
export async function timeOf(db: Queryable): Promise<number> {
  return (await db.query<{ now_ms: number }>(TIME))[0].now_ms;
}

// Like the log's own insert: data travels as one blob that is cut up here.
const DEFER = {
  name: 'defer_events',
  text: `
INSERT INTO scheduled (app_id, event_id, due_at, type, time, channels, data, created_at)
SELECT h.app_id, e.event_id, to_timestamp(e.due_ms / 1000), e.type, to_timestamp(e.time_ms / 1000), e.channels::text[],
       substring($8::bytea FROM e.start FOR e.bytes), now()
FROM unnest($1::uuid[], $2::text[], $3::float8[], $4::text[], $5::float8[], $6::text[], $7::integer[], $9::integer[])
     AS e(app_id, event_id, due_ms, type, time_ms, channels, start, bytes)
JOIN heads h ON h.app_id = e.app_id
ON CONFLICT (app_id, event_id) DO NOTHING
RETURNING app_id, event_id`,
} satisfies Query;

const LIVE_APPS = {
  name: 'live_apps',
  text: 'SELECT app_id FROM heads WHERE app_id = ANY ($1::uuid[])',
} satisfies Query;

export interface RefusedEvent {
  appId: string;
  eventId: string;
  reason: 'no_app' | 'taken';
}

/** Puts events by until their `deliverAtMs`; returns those that were refused: if there is any, roll back. */
export async function deferEvents(
  tx: Queryable,
  waiting: readonly { appId: string; event: NewEvent }[],
): Promise<RefusedEvent[]> {
  let end = 1;
  const rows = waiting.map(({ appId, event }) => {
    const start = end;
    end += event.data.length;
    return { appUuid: uuidFromId('app', appId), appId, event, start };
  });
  const stored = await tx.query<{ app_id: string; event_id: string }>(DEFER, [
    uuidArray(rows, (row) => row.appUuid),
    textArray(rows, (row) => row.event.id),
    float8Array(rows, (row) => row.event.deliverAtMs as number),
    textArray(rows, (row) => row.event.type),
    float8Array(rows, (row) => (row.event.timeGiven ? row.event.timeMs : null)),
    textArray(rows, ({ event }) => (event.channels.length === 0 ? null : textArrayLiteral(event.channels))),
    int4Array(rows, (row) => row.start),
    Buffer.concat(rows.map((row) => row.event.data)),
    int4Array(rows, (row) => row.event.data.length),
  ]);
  if (stored.length === rows.length) return [];
  const kept = new Set(stored.map((row) => `${row.app_id} ${row.event_id}`));
  const refused = rows.filter((row) => !kept.has(`${row.appUuid} ${row.event.id}`));
  const live = new Set(
    (await tx.query<{ app_id: string }>(LIVE_APPS, [refused.map((row) => row.appUuid)])).map((row) => row.app_id),
  );
  return refused.map(({ appUuid, appId, event }) => ({
    appId,
    eventId: event.id,
    reason: live.has(appUuid) ? 'taken' : 'no_app',
  }));
}

// Only one transaction at a time takes of an app, so that what it appends is in order of time; who finds the lock held takes nothing and does
// not wait, for publishers would wait behind it. The lock ends with the transaction.
const CLAIM_DUE = {
  name: 'claim_due',
  text: `
WITH turn AS MATERIALIZED (
  SELECT pg_try_advisory_xact_lock(741620004, hashtext($1::uuid::text)) AS held
), due AS (
  SELECT s.event_id, sum(octet_length(s.data)) OVER (ORDER BY s.due_at, s.event_id) - octet_length(s.data) AS bytes_before
  FROM (
    SELECT event_id, due_at, data FROM scheduled
    WHERE app_id = $1 AND due_at <= now() AND (SELECT held FROM turn) ORDER BY due_at, event_id LIMIT $2
  ) AS s
)
DELETE FROM scheduled s USING due d
WHERE s.app_id = $1 AND s.event_id = d.event_id AND d.bytes_before < $3 AND s.due_at <= now()
RETURNING s.event_id, s.type, (date_part('epoch', s.due_at) * 1000)::float8 AS due_ms,
  (date_part('epoch', s.time) * 1000)::float8 AS time_ms, s.channels, s.data`,
} satisfies Query;

interface DueRow {
  event_id: string;
  type: string;
  due_ms: number;
  time_ms: number | null;
  channels: string[] | null;
  data: Buffer;
}

/** Takes an app's events that are due out of the table, oldest first: to be appended in the same transaction. */
export async function claimDue(
  tx: Queryable,
  appId: string,
  { maxEvents, maxBytes }: { maxEvents: number; maxBytes: number },
): Promise<NewEvent[]> {
  const rows = await tx.query<DueRow>(CLAIM_DUE, [uuidFromId('app', appId), maxEvents, maxBytes]);
  rows.sort((a, b) => a.due_ms - b.due_ms || (a.event_id < b.event_id ? -1 : 1));
  return rows.map((row) => ({
    id: row.event_id,
    ownId: true,
    type: row.type,
    timeMs: Math.round(row.time_ms ?? row.due_ms),
    timeGiven: row.time_ms !== null,
    channels: row.channels ?? [],
    data: row.data,
  }));
}

const NEXT_DUE = {
  name: 'next_due',
  text: `SELECT (date_part('epoch', min(due_at) - now()) * 1000)::float8 AS wait_ms FROM scheduled`,
} satisfies Query;

/** Milliseconds until the next scheduled event is due, below zero when one is overdue; null when there is none. */
export async function nextDueMs(db: Queryable): Promise<number | null> {
  return (await db.query<{ wait_ms: number | null }>(NEXT_DUE))[0].wait_ms;
}

const FIND_DUE_APPS = {
  name: 'find_due_apps',
  text: `
SELECT app_id, count(*)::integer AS events FROM (
  SELECT app_id, due_at FROM scheduled WHERE due_at <= now() AND app_id <> ALL ($1::uuid[]) ORDER BY due_at LIMIT $2
) AS due GROUP BY app_id ORDER BY min(due_at)`,
} satisfies Query;

/** Apps with events that are due, those of the longest overdue first: found by the first `limit` events, with how many of these are theirs. */
export async function findDueApps(
  db: Queryable,
  { except, limit }: { except: readonly string[]; limit: number },
): Promise<{ appId: string; events: number }[]> {
  const uuids = except.map((appId) => uuidFromId('app', appId));
  const rows = await db.query<{ app_id: string; events: number }>(FIND_DUE_APPS, [uuids, limit]);
  return rows.map((row) => ({ appId: idFromUuid('app', row.app_id), events: row.events }));
}

const FIND_SCHEDULED_IDS = {
  name: 'find_scheduled_ids',
  text: 'SELECT event_id FROM scheduled WHERE app_id = $1 AND event_id = ANY ($2::text[])',
} satisfies Query;

/** Which of the ids are those of events that wait. */
export async function findScheduledIds(db: Queryable, appId: string, eventIds: string[]): Promise<string[]> {
  const rows = await db.query<{ event_id: string }>(FIND_SCHEDULED_IDS, [uuidFromId('app', appId), eventIds]);
  return rows.map((row) => row.event_id);
}
