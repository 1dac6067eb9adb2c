// A lane as it was last written down: what the API tells of an endpoint's status when its owner cannot be asked.
import type { BreakerSnapshot, BreakerState } from '../core/breaker.ts';
import { uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';
import { LIVE_CURSOR_UUID } from './flush.ts';

export interface LaneState {
  position: number;
  day: string;
  /** Positions of the log beyond the cursor, matching or not. */
  behind: number;
  /** Age of the oldest of them; 0 when there is none. */
  behindSeconds: number;
  breaker: BreakerSnapshot;
  /** Where the cursor began. */
  startPosition: number;
  /** It was moved up to here by commits in mode pull; 0 = never. */
  pulledThrough: number;
}

interface LaneStateRow {
  settled_through: number;
  settled_day: string;
  breaker: BreakerState;
  open_since_ms: number | null;
  next_probe_ms: number | null;
  behind: number;
  behind_seconds: number;
  start_position: number;
  pulled_through: number;
}

const READ_LANE_STATE = {
  name: 'read_lane_state',
  text: `
SELECT l.settled_through, l.settled_day, l.start_position, l.pulled_through, l.breaker, date_part('epoch', l.breaker_open_since) * 1000 AS open_since_ms,
  date_part('epoch', l.breaker_next_probe_at) * 1000 AS next_probe_ms, h.last_position - l.settled_through AS behind,
  CASE WHEN h.last_position = l.settled_through THEN 0 ELSE coalesce((
    SELECT greatest(date_part('epoch', now() - e.appended_at), 0) FROM events e
    WHERE e.app_id = l.app_id AND e.position > l.settled_through AND e.day >= l.settled_day ORDER BY e.position LIMIT 1
  ), 0) END AS behind_seconds
FROM lanes l JOIN heads h ON h.app_id = l.app_id
WHERE l.app_id = $1 AND l.endpoint_id = $2`,
} satisfies Query;

/** Null when there is no such lane. */
export async function readLaneState(
  db: Queryable,
  place: { appId: string; endpointId: string },
): Promise<LaneState | null> {
  const values = [uuidFromId('app', place.appId), uuidFromId('endpoint', place.endpointId)];
  const [row] = await db.query<LaneStateRow>(READ_LANE_STATE, values);
  if (row === undefined) return null;
  return {
    position: row.settled_through,
    day: row.settled_day,
    behind: row.behind,
    behindSeconds: row.behind_seconds,
    breaker: { state: row.breaker, openSinceMs: row.open_since_ms, nextProbeMs: row.next_probe_ms },
    startPosition: row.start_position,
    pulledThrough: row.pulled_through,
  };
}

const READ_WAITING_RETRIES = {
  name: 'read_waiting_retries',
  text: `
SELECT count(*) AS waiting, date_part('epoch', min(due_at)) * 1000 AS next_due_ms FROM retries
WHERE app_id = $1 AND endpoint_id = $2 AND cursor_id = '${LIVE_CURSOR_UUID}'`,
} satisfies Query;

/** The endpoint's failed events that will be tried again, at most some 10,000 (design rule 10), and when the first is due. */
export async function readWaitingRetries(
  db: Queryable,
  place: { appId: string; endpointId: string },
): Promise<{ waiting: number; nextDueMs: number | null }> {
  const values = [uuidFromId('app', place.appId), uuidFromId('endpoint', place.endpointId)];
  const [row] = await db.query<{ waiting: number; next_due_ms: number | null }>(READ_WAITING_RETRIES, values);
  return { waiting: row.waiting, nextDueMs: row.next_due_ms };
}
