// Where the events stand that a replay of the failed or the dead sends: what is in `retries` or `dead` for the endpoint's own cursor.
import { uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';
import type { EventPlace } from './events.ts';
import { LIVE_CURSOR_UUID } from './flush.ts';

// Each part walks its primary key from the place on and stops at the limit.
const DEAD_POSITIONS = `
SELECT position, day FROM dead
WHERE app_id = $1 AND endpoint_id = $2 AND cursor_id = '${LIVE_CURSOR_UUID}' AND position > $3 AND position <= $4
  AND ($6::text IS NULL OR reason = $6::text)
ORDER BY position LIMIT $5`;

const REPLAY_DEAD = { name: 'replay_dead_positions', text: DEAD_POSITIONS } satisfies Query;

const REPLAY_FAILED = {
  name: 'replay_failed_positions',
  text: `
SELECT position, day FROM (
  (${DEAD_POSITIONS})
  UNION
  (SELECT position, day FROM retries
   WHERE app_id = $1 AND endpoint_id = $2 AND cursor_id = '${LIVE_CURSOR_UUID}' AND position > $3 AND position <= $4
     AND ($6::text IS NULL OR last_reason = $6::text)
   ORDER BY position LIMIT $5)
) AS failed ORDER BY position LIMIT $5`,
} satisfies Query;

/**
 * Where the events stand that a replay of the failed or the dead sends: those after `after` up to `to`, in order, of the
 * endpoint's own cursor. Whether their types are asked for, or retention has kept them, is not looked at.
 */
export async function positionsToReplay(
  db: Queryable,
  range: {
    appId: string;
    endpointId: string;
    only: 'failed' | 'dead';
    reason: string | null;
    after: number;
    to: number;
    limit: number;
  },
): Promise<EventPlace[]> {
  return await db.query<EventPlace>(range.only === 'dead' ? REPLAY_DEAD : REPLAY_FAILED, [
    uuidFromId('app', range.appId),
    uuidFromId('endpoint', range.endpointId),
    range.after,
    range.to,
    range.limit,
    range.reason,
  ]);
}
