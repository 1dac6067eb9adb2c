// Lane state as it is kept: read when a process takes lanes over, written by the flush.
import type { BreakerSnapshot, BreakerState } from '../core/breaker.ts';
import type { DisabledReason } from '../core/endpoint.ts';
import { idFromUuid, uuidFromId } from '../core/id.ts';
import { CAUSES, SETTLING_NUMBERS } from '../core/outcome.ts';
import type { Query, Queryable } from './database.ts';
import { LIVE_CURSOR_UUID } from './flush.ts';
import { cursorKey } from './retries.ts';

export interface StoredLane {
  endpointId: string;
  settledThrough: number;
  settledDay: string;
  lowAttemptUuid: string | null;
  breaker: BreakerSnapshot;
}

interface LaneRow {
  endpoint_id: string;
  settled_through: number;
  settled_day: string;
  low_attempt_id: string | null;
  breaker: BreakerState;
  open_since_ms: number | null;
  next_probe_ms: number | null;
}

const LOAD_LANES = {
  name: 'load_lanes',
  text: `
SELECT endpoint_id, settled_through, settled_day, low_attempt_id, breaker,
  date_part('epoch', breaker_open_since) * 1000 AS open_since_ms, date_part('epoch', breaker_next_probe_at) * 1000 AS next_probe_ms
FROM lanes WHERE app_id = $1 AND endpoint_id = ANY ($2::uuid[])`,
} satisfies Query;

/** The lanes of some endpoints of an app, in the snapshot of `db`. */
export async function loadLanes(db: Queryable, appId: string, endpointUuids: string[]): Promise<StoredLane[]> {
  const rows = await db.query<LaneRow>(LOAD_LANES, [uuidFromId('app', appId), endpointUuids]);
  return rows.map((row) => ({
    endpointId: idFromUuid('endpoint', row.endpoint_id),
    settledThrough: row.settled_through,
    settledDay: row.settled_day,
    lowAttemptUuid: row.low_attempt_id,
    breaker: { state: row.breaker, openSinceMs: row.open_since_ms, nextProbeMs: row.next_probe_ms },
  }));
}

// What is settled beyond settled_through. Bounded by the span of a lane (8,192 positions, design rule 9) and, through low_attempt_id,
// by the attempts made since: ids are monotonic per lane, so everything beyond settled_through lies above it.
const SETTLED_BEYOND = {
  name: 'settled_beyond',
  text: `
SELECT l.endpoint_id, a.position
FROM lanes l JOIN attempts a ON a.app_id = l.app_id AND a.endpoint_id = l.endpoint_id
  AND a.attempt_id >= coalesce(l.low_attempt_id, '${LIVE_CURSOR_UUID}')
WHERE l.app_id = $1 AND l.endpoint_id = ANY ($2::uuid[]) AND a.app_id = $1 AND a.position > l.settled_through AND a.cause IN (${CAUSES.indexOf('live')}, ${CAUSES.indexOf('retry')})
  AND (a.outcome IN (${SETTLING_NUMBERS}) OR a.dead)
UNION
SELECT l.endpoint_id, r.position
FROM lanes l JOIN retries r ON r.app_id = l.app_id AND r.endpoint_id = l.endpoint_id
WHERE l.app_id = $1 AND l.endpoint_id = ANY ($2::uuid[]) AND r.app_id = $1 AND r.cursor_id = '${LIVE_CURSOR_UUID}' AND r.position > l.settled_through
UNION
SELECT l.endpoint_id, d.position
FROM lanes l JOIN dead d ON d.app_id = l.app_id AND d.endpoint_id = l.endpoint_id
WHERE l.app_id = $1 AND l.endpoint_id = ANY ($2::uuid[]) AND d.app_id = $1 AND d.cursor_id = '${LIVE_CURSOR_UUID}' AND d.position > l.settled_through`,
} satisfies Query;

/** By endpoint, the positions above settled_through that must not be sent again: delivered, dead, or in `retries`. */
export async function loadSettledBeyond(
  db: Queryable,
  appId: string,
  endpointUuids: string[],
): Promise<Map<string, Set<number>>> {
  const values = [uuidFromId('app', appId), endpointUuids];
  const rows = await db.query<{ endpoint_id: string; position: number }>(SETTLED_BEYOND, values);
  return groupPositions(rows, (row) => idFromUuid('endpoint', row.endpoint_id));
}

// The same for replays, each against its own cursor only (design rule 17).
const REPLAYED_BEYOND = {
  name: 'replayed_beyond',
  text: `
SELECT p.endpoint_id, p.replay_id, a.position
FROM replays p JOIN attempts a ON a.app_id = p.app_id AND a.endpoint_id = p.endpoint_id
  AND a.attempt_id >= coalesce(p.low_attempt_id, '${LIVE_CURSOR_UUID}') AND a.day >= (p.created_at AT TIME ZONE 'UTC')::date - 1
WHERE p.app_id = $1 AND p.endpoint_id = ANY ($2::uuid[]) AND p.state = 'running' AND a.app_id = $1 AND a.cursor_id = p.replay_id
  AND a.position > p.settled_through AND (a.outcome IN (${SETTLING_NUMBERS}) OR a.dead)
UNION
SELECT p.endpoint_id, p.replay_id, r.position
FROM replays p JOIN retries r ON r.app_id = p.app_id AND r.endpoint_id = p.endpoint_id AND r.cursor_id = p.replay_id
WHERE p.app_id = $1 AND p.endpoint_id = ANY ($2::uuid[]) AND p.state = 'running' AND r.app_id = $1 AND r.position > p.settled_through
UNION
SELECT p.endpoint_id, p.replay_id, d.position
FROM replays p JOIN dead d ON d.app_id = p.app_id AND d.endpoint_id = p.endpoint_id AND d.cursor_id = p.replay_id
WHERE p.app_id = $1 AND p.endpoint_id = ANY ($2::uuid[]) AND p.state = 'running' AND d.app_id = $1 AND d.position > p.settled_through`,
} satisfies Query;

/** By endpoint and replay (cursorKey), the positions of running replays that must not be sent again. */
export async function loadReplayedBeyond(
  db: Queryable,
  appId: string,
  endpointUuids: string[],
): Promise<Map<string, Set<number>>> {
  const values = [uuidFromId('app', appId), endpointUuids];
  const rows = await db.query<{ endpoint_id: string; replay_id: string; position: number }>(REPLAYED_BEYOND, values);
  return groupPositions(rows, (row) => cursorKey(idFromUuid('endpoint', row.endpoint_id), row.replay_id));
}

function groupPositions<Row extends { position: number }>(
  rows: Row[],
  keyOf: (row: Row) => string,
): Map<string, Set<number>> {
  const groups = new Map<string, Set<number>>();
  for (const row of rows) {
    const key = keyOf(row);
    const positions = groups.get(key);
    if (positions) positions.add(row.position);
    else groups.set(key, new Set([row.position]));
  }
  return groups;
}

// Keyset order over apps; what is idle stays unread until its app's next event, and retries that are due later are found when they are
// (lanesWithDueRetries).
const APPS_WITH_WORK = {
  name: 'apps_with_work',
  text: `
SELECT app_id FROM (
  SELECT l.app_id FROM lanes l JOIN heads h ON h.app_id = l.app_id WHERE l.slot = ANY ($1::smallint[]) AND l.settled_through < h.last_position
  UNION
  SELECT l.app_id FROM lanes l JOIN retries r ON r.app_id = l.app_id AND r.endpoint_id = l.endpoint_id
  WHERE l.slot = ANY ($1::smallint[]) AND r.due_at < now() + interval '1 minute'
  UNION
  SELECT l.app_id FROM lanes l JOIN replays p ON p.app_id = l.app_id AND p.endpoint_id = l.endpoint_id AND p.state = 'running'
  WHERE l.slot = ANY ($1::smallint[])
) AS work ORDER BY app_id`,
} satisfies Query;

/** The apps in whose lanes of these slots something is pending: a lag, a retry that is due, or a replay. */
export async function appsWithWork(db: Queryable, slots: number[]): Promise<string[]> {
  const rows = await db.query<{ app_id: string }>(APPS_WITH_WORK, [slots]);
  return rows.map((row) => idFromUuid('app', row.app_id));
}

const DISABLE_ENDPOINT = {
  name: 'disable_endpoint',
  text: `
UPDATE endpoints SET disabled_at = now(), disabled_reason = $4, updated_at = now()
WHERE app_id = $1 AND endpoint_id = $2 AND config_version = $3 AND disabled_at IS NULL AND deleted_at IS NULL
RETURNING 1`,
} satisfies Query;

/** Disables an endpoint, unless its configuration has changed since this version (design rule 4); whether it did. */
export async function disableEndpoint(
  db: Queryable,
  endpoint: { appId: string; endpointId: string; configVersion: number; reason: DisabledReason },
): Promise<boolean> {
  const rows = await db.query(DISABLE_ENDPOINT, [
    uuidFromId('app', endpoint.appId),
    uuidFromId('endpoint', endpoint.endpointId),
    endpoint.configVersion,
    endpoint.reason,
  ]);
  return rows.length > 0;
}
