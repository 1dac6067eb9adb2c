// Failed events that will be tried again. Memory holds the next due of each lane and refills by the index (design rule 10).
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

export interface StoredRetry {
  position: number;
  day: string;
  eventId: string;
  attempts: number;
  consumed: number;
  dueMs: number;
  /** Of the endpoint's transformation, which it is tried with again; null = without any. */
  transformationVersion: number | null;
  /** Of how many events its next request may consist, after one that it shared has failed; known in memory only. */
  batchLimit?: number;
}

interface RetryRow {
  endpoint_id: string;
  cursor_id: string;
  position: number;
  day: string;
  event_id: string;
  attempts: number;
  consumed: number;
  due_ms: number;
  transformation_version: number | null;
  total: number;
}

const COLUMNS = `endpoint_id, cursor_id, position, day, event_id, attempts, consumed, date_part('epoch', due_at) * 1000 AS due_ms,
  transformation_version`;

function toRetry(row: RetryRow): StoredRetry {
  return {
    position: row.position,
    day: row.day,
    eventId: row.event_id,
    attempts: row.attempts,
    consumed: row.consumed,
    dueMs: Math.round(row.due_ms),
    transformationVersion: row.transformation_version,
  };
}

const LOAD_RETRIES = {
  name: 'load_retries',
  text: `
SELECT * FROM (
  SELECT ${COLUMNS}, row_number() OVER (PARTITION BY endpoint_id, cursor_id ORDER BY due_at, position) AS rank,
    count(*) OVER (PARTITION BY endpoint_id, cursor_id) AS total
  FROM retries WHERE app_id = $1 AND endpoint_id = ANY ($2::uuid[])
) AS ranked WHERE rank <= $3 ORDER BY endpoint_id, cursor_id, due_ms, position`,
} satisfies Query;

export interface StoredRetries {
  /** Rows in the table. */
  total: number;
  /** The next due. */
  next: StoredRetry[];
}

/** By endpoint and cursor (cursorKey), the next due retries, at most `perCursor`, and how many there are in all. */
export async function loadRetries(
  db: Queryable,
  appId: string,
  endpointUuids: string[],
  perCursor: number,
): Promise<Map<string, StoredRetries>> {
  const rows = await db.query<RetryRow>(LOAD_RETRIES, [uuidFromId('app', appId), endpointUuids, perCursor]);
  const cursors = new Map<string, StoredRetries>();
  for (const row of rows) {
    const key = cursorKey(idFromUuid('endpoint', row.endpoint_id), row.cursor_id);
    const cursor = cursors.get(key);
    if (cursor) cursor.next.push(toRetry(row));
    else cursors.set(key, { total: row.total, next: [toRetry(row)] });
  }
  return cursors;
}

/** Of an endpoint's own cursor (LIVE_CURSOR_UUID), or of one of its replays. */
export function cursorKey(endpointId: string, cursorUuid: string): string {
  return `${endpointId} ${cursorUuid}`;
}

/** By due time, or as the log has them. */
export type RetryOrder = 'due' | 'position';

const NEXT = `
SELECT ${COLUMNS}, 0::bigint AS total FROM retries
WHERE app_id = $1 AND endpoint_id = $2 AND cursor_id = $3 AND NOT position = ANY ($4::bigint[])`;

const NEXT_RETRIES: Record<RetryOrder, Query> = {
  due: { name: 'next_retries', text: `${NEXT} ORDER BY due_at, position LIMIT $5` },
  position: { name: 'next_retries_by_position', text: `${NEXT} ORDER BY position LIMIT $5` },
};

/** The next retries of one cursor, without those that its lane holds already. */
export async function nextRetries(
  db: Queryable,
  lane: { appId: string; endpointId: string; cursorUuid: string; order: RetryOrder; except: number[]; limit: number },
): Promise<StoredRetry[]> {
  const rows = await db.query<RetryRow>(NEXT_RETRIES[lane.order], [
    uuidFromId('app', lane.appId),
    uuidFromId('endpoint', lane.endpointId),
    lane.cursorUuid,
    lane.except,
    lane.limit,
  ]);
  return rows.map(toRetry);
}

// What has fallen due without being taken: seen by time alone, so that nothing is asked per lane. A replay that was cancelled leaves none.
const LANES_WITH_DUE = {
  name: 'lanes_with_due_retries',
  text: `
SELECT DISTINCT r.app_id, r.endpoint_id FROM retries r JOIN lanes l ON l.app_id = r.app_id AND l.endpoint_id = r.endpoint_id
WHERE r.due_at < now() + make_interval(secs => $2) AND l.slot = ANY ($1::smallint[])
ORDER BY r.app_id, r.endpoint_id LIMIT $3`,
} satisfies Query;

/** The lanes of these slots of which retries are due, or will be within some seconds. */
export async function lanesWithDueRetries(
  db: Queryable,
  slots: number[],
  withinSeconds: number,
  limit: number,
): Promise<{ appId: string; endpointId: string }[]> {
  const values = [slots, withinSeconds, limit];
  const rows = await db.query<{ app_id: string; endpoint_id: string }>(LANES_WITH_DUE, values);
  return rows.map((row) => ({
    appId: idFromUuid('app', row.app_id),
    endpointId: idFromUuid('endpoint', row.endpoint_id),
  }));
}
