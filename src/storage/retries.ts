// Failed events that will be tried again. Memory holds the next due of each lane and refills by the index (design rule 10).
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';
import { LIVE_CURSOR_UUID } from './flush.ts';

export interface StoredRetry {
  position: number;
  day: string;
  eventId: string;
  attempts: number;
  consumed: number;
  dueMs: number;
}

interface RetryRow {
  endpoint_id: string;
  position: number;
  day: string;
  event_id: string;
  attempts: number;
  consumed: number;
  due_ms: number;
  total: number;
}

const COLUMNS = `endpoint_id, position, day, event_id, attempts, consumed, date_part('epoch', due_at) * 1000 AS due_ms`;

function toRetry(row: RetryRow): StoredRetry {
  return {
    position: row.position,
    day: row.day,
    eventId: row.event_id,
    attempts: row.attempts,
    consumed: row.consumed,
    dueMs: Math.round(row.due_ms),
  };
}

const LOAD_RETRIES = {
  name: 'load_retries',
  text: `
SELECT * FROM (
  SELECT ${COLUMNS}, row_number() OVER (PARTITION BY endpoint_id ORDER BY due_at, position) AS rank, count(*) OVER (PARTITION BY endpoint_id) AS total
  FROM retries WHERE app_id = $1 AND endpoint_id = ANY ($2::uuid[]) AND cursor_id = '${LIVE_CURSOR_UUID}'
) AS ranked WHERE rank <= $3 ORDER BY endpoint_id, due_ms`,
} satisfies Query;

/** By endpoint, the next due retries (at most `perLane`) and how many there are in all. */
export async function loadRetries(
  db: Queryable,
  appId: string,
  endpointUuids: string[],
  perLane: number,
): Promise<Map<string, { total: number; next: StoredRetry[] }>> {
  const rows = await db.query<RetryRow>(LOAD_RETRIES, [uuidFromId('app', appId), endpointUuids, perLane]);
  const lanes = new Map<string, { total: number; next: StoredRetry[] }>();
  for (const row of rows) {
    const endpointId = idFromUuid('endpoint', row.endpoint_id);
    let lane = lanes.get(endpointId);
    if (!lane) {
      lane = { total: row.total, next: [] };
      lanes.set(endpointId, lane);
    }
    lane.next.push(toRetry(row));
  }
  return lanes;
}

const NEXT_RETRIES = {
  name: 'next_retries',
  text: `
SELECT ${COLUMNS}, 0::bigint AS total FROM retries
WHERE app_id = $1 AND endpoint_id = $2 AND cursor_id = '${LIVE_CURSOR_UUID}' AND NOT position = ANY ($3::bigint[])
ORDER BY due_at LIMIT $4`,
} satisfies Query;

/** The next due retries of one lane, without those that it holds already. */
export async function nextRetries(
  db: Queryable,
  lane: { appId: string; endpointId: string; except: number[]; limit: number },
): Promise<StoredRetry[]> {
  const rows = await db.query<RetryRow>(NEXT_RETRIES, [
    uuidFromId('app', lane.appId),
    uuidFromId('endpoint', lane.endpointId),
    lane.except,
    lane.limit,
  ]);
  return rows.map(toRetry);
}
