// An endpoint in mode pull, as whoever fetches its events sees it: what it is due, and the commit that moves its cursor. The cursor is the
// lane's own. Its owner sends nothing meanwhile, and when the endpoint is turned back to push begins anew from what stands here.
import { uuidFromId } from '../core/id.ts';
import { CAUSES, SETTLING_NUMBERS } from '../core/outcome.ts';
import type { Database, Query, Queryable } from './database.ts';
import type { EventPlace } from './events.ts';
import { LIVE_CURSOR_UUID } from './flush.ts';

export interface EndpointKey {
  appId: string;
  endpointId: string;
}

export interface Due {
  /** Where the endpoint's cursor began: nothing before it was ever due. */
  startPosition: number;
  /** Beyond this everything that matches is due, but for `settledBeyond`; up to it, only `failed`. */
  settled: EventPlace;
  settledBeyond: ReadonlySet<number>;
  /** Events up to `settled` that failed and wait for a retry; the first so many by position. */
  failed: EventPlace[];
}

interface DueRow {
  kind: 'lane' | 'failed' | 'settled';
  position: number;
  day: string;
  start_position: number;
}

// One statement, so one snapshot: what leaves the lane's span between two reads would be in neither. As in lanes.ts, what is settled
// beyond settled_through is found by the attempts made since.
const READ_DUE = {
  name: 'read_due',
  text: `
WITH lane AS (
  SELECT l.app_id, l.endpoint_id, l.settled_through, l.settled_day, l.start_position, coalesce(l.low_attempt_id, '${LIVE_CURSOR_UUID}') AS low_attempt_id,
    greatest(l.settled_through, p.skip_through) AS done_through
  FROM lanes l JOIN endpoints p ON p.app_id = l.app_id AND p.endpoint_id = l.endpoint_id
  WHERE l.app_id = $1 AND l.endpoint_id = $2
)
SELECT 'lane' AS kind, done_through AS position, settled_day AS day, start_position FROM lane
UNION ALL
(SELECT 'failed', r.position, r.day, 0 FROM lane JOIN retries r ON r.app_id = lane.app_id AND r.endpoint_id = lane.endpoint_id
 WHERE r.cursor_id = '${LIVE_CURSOR_UUID}' AND r.position <= lane.done_through ORDER BY r.position LIMIT $3)
UNION ALL
SELECT 'settled', a.position, a.day, 0 FROM lane JOIN attempts a ON a.app_id = lane.app_id AND a.endpoint_id = lane.endpoint_id
  AND a.attempt_id >= lane.low_attempt_id
WHERE a.position > lane.done_through AND a.cause IN (${CAUSES.indexOf('live')}, ${CAUSES.indexOf('retry')})
  AND (a.outcome IN (${SETTLING_NUMBERS}) OR a.dead)
UNION ALL
SELECT 'settled', d.position, d.day, 0 FROM lane JOIN dead d ON d.app_id = lane.app_id AND d.endpoint_id = lane.endpoint_id
WHERE d.cursor_id = '${LIVE_CURSOR_UUID}' AND d.position > lane.done_through`,
} satisfies Query;

/** What an endpoint is due; null when there is no such endpoint. */
export async function readDue(
  db: Queryable,
  key: EndpointKey,
  { maxFailed }: { maxFailed: number },
): Promise<Due | null> {
  const values = [uuidFromId('app', key.appId), uuidFromId('endpoint', key.endpointId), maxFailed];
  const rows = await db.query<DueRow>(READ_DUE, values);
  const lane = rows.find(({ kind }) => kind === 'lane');
  if (lane === undefined) return null;
  const of = (kind: DueRow['kind']): DueRow[] => rows.filter((row) => row.kind === kind);
  return {
    startPosition: lane.start_position,
    settled: { position: lane.position, day: lane.day },
    settledBeyond: new Set(of('settled').map(({ position }) => position)),
    failed: of('failed')
      .map(({ position, day }) => ({ position, day }))
      .sort((a, b) => a.position - b.position),
  };
}

// The endpoint's row is held, so that a commit is either before a turn to push or refused after it. What failed before and was fetched now
// is not sent again. Lane first, then retries: the order in which a flush takes its locks.
const COMMIT_PULLED = {
  name: 'commit_pulled',
  text: `
WITH endpoint AS (
  SELECT app_id, endpoint_id FROM endpoints
  WHERE app_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL AND config->>'mode' = 'pull' FOR SHARE
), moved AS (
  UPDATE lanes l SET settled_through = greatest(l.settled_through, $3), settled_day = greatest(l.settled_day, $4::date),
    pulled_through = greatest(l.pulled_through, $3), updated_at = now()
  FROM endpoint p, heads h
  WHERE l.app_id = p.app_id AND l.endpoint_id = p.endpoint_id AND h.app_id = p.app_id AND h.last_position >= $3
  RETURNING l.app_id, l.endpoint_id, l.settled_through, l.settled_day
), fetched AS (
  DELETE FROM retries r USING moved m
  WHERE r.app_id = m.app_id AND r.endpoint_id = m.endpoint_id AND r.cursor_id = '${LIVE_CURSOR_UUID}' AND r.position <= $3
)
SELECT (SELECT count(*) FROM endpoint) AS pulled, m.settled_through, m.settled_day FROM (VALUES (1)) AS one LEFT JOIN moved m ON true`,
} satisfies Query;

/**
 * Everything up to a place was fetched. Returns the endpoint's cursor, which never goes back; null when the place is ahead of the log, and
 * false when the endpoint is not in mode pull.
 */
export async function commitPulled(
  db: Database,
  key: EndpointKey,
  place: EventPlace,
): Promise<EventPlace | null | false> {
  const values = [uuidFromId('app', key.appId), uuidFromId('endpoint', key.endpointId), place.position, place.day];
  const [row] = await db.transaction((tx) =>
    tx.query<{ pulled: number; settled_through: number | null; settled_day: string }>(COMMIT_PULLED, values),
  );
  if (row.pulled === 0) return false;
  return row.settled_through === null ? null : { position: row.settled_through, day: row.settled_day };
}
