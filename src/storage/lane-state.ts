// A lane as it was last written down: what the API tells of an endpoint's status when its owner cannot be asked.
import type { BreakerState } from '../core/breaker.ts';
import { uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

export interface LaneState {
  position: number;
  day: string;
  /** Positions of the log beyond the cursor, matching or not. */
  behind: number;
  /** Age of the oldest of them; 0 when there is none. */
  behindSeconds: number;
  breaker: BreakerState;
}

interface LaneStateRow {
  settled_through: number;
  settled_day: string;
  breaker: BreakerState;
  behind: number;
  behind_seconds: number;
}

const READ_LANE_STATE = {
  name: 'read_lane_state',
  text: `
SELECT l.settled_through, l.settled_day, l.breaker, h.last_position - l.settled_through AS behind,
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
    breaker: row.breaker,
  };
}
