// What retention takes from lanes that have not reached it (design rule 21): who is about to lose something, and the records of what was
// lost. They are written before the partitions go, by whoever drops them; a lane then just steps over the gap.
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

export interface LaggingLane {
  appId: string;
  endpointId: string;
  url: string;
  /** How far it is behind. */
  positions: number;
  /** The day of the next event that it waits for, and when that was appended; milliseconds since 1970. */
  day: string;
  appendedMs: number;
}

// By the next event itself: settled_day may lie far back where the app was quiet for long.
const LAGGING_LANES = {
  name: 'lagging_lanes',
  text: `
SELECT l.app_id, l.endpoint_id, p.config->>'url' AS url, h.last_position - l.settled_through AS positions, next.day,
  (date_part('epoch', next.appended_at) * 1000)::float8 AS appended_ms
FROM lanes l
JOIN heads h ON h.app_id = l.app_id
JOIN endpoints p ON p.app_id = l.app_id AND p.endpoint_id = l.endpoint_id
CROSS JOIN LATERAL (
  SELECT e.day, e.appended_at FROM events e
  WHERE e.app_id = l.app_id AND e.position > greatest(l.settled_through, p.skip_through) AND e.day >= l.settled_day
  ORDER BY e.position LIMIT 1
) AS next
WHERE l.settled_day < $1 AND l.settled_through < h.last_position AND next.day < $1 AND (l.app_id, l.endpoint_id) > ($2, $3)
ORDER BY l.app_id, l.endpoint_id LIMIT $4`,
} satisfies Query;

const ZERO_UUID = '00000000-0000-0000-0000-000000000000';

/** Lanes whose next event is of a day before `beforeDay`, by pages. */
export async function laggingLanes(
  db: Queryable,
  { beforeDay, after, limit }: { beforeDay: string; after: LaggingLane | null; limit: number },
): Promise<LaggingLane[]> {
  const rows = await db.query<{
    app_id: string;
    endpoint_id: string;
    url: string;
    positions: number;
    day: string;
    appended_ms: number;
  }>(LAGGING_LANES, [
    beforeDay,
    after === null ? ZERO_UUID : uuidFromId('app', after.appId),
    after === null ? ZERO_UUID : uuidFromId('endpoint', after.endpointId),
    limit,
  ]);
  return rows.map((row) => ({
    appId: idFromUuid('app', row.app_id),
    endpointId: idFromUuid('endpoint', row.endpoint_id),
    url: row.url,
    positions: row.positions,
    day: row.day,
    appendedMs: Math.round(row.appended_ms),
  }));
}

export interface Expiration {
  appId: string;
  endpointId: string;
  /** The positions that are lost, both included. */
  from: number;
  to: number;
}

interface ExpirationRow {
  app_id: string;
  endpoint_id: string;
  from_position: number;
  to_position: number;
}

function toExpiration(row: ExpirationRow): Expiration {
  return {
    appId: idFromUuid('app', row.app_id),
    endpointId: idFromUuid('endpoint', row.endpoint_id),
    from: row.from_position,
    to: row.to_position,
  };
}

// Of all lanes in one statement. What was recorded before is left out, so a second call finds nothing more.
const LOST = `
SELECT * FROM (
  SELECT l.app_id, l.endpoint_id,
    greatest(l.settled_through, p.skip_through, (
      SELECT max(x.to_position) FROM expirations x WHERE x.app_id = l.app_id AND x.endpoint_id = l.endpoint_id
    )) + 1 AS from_position,
    (SELECT max(e.position) FROM events e WHERE e.app_id = l.app_id AND e.day <= $1 AND e.position > l.settled_through) AS to_position
  FROM lanes l
  JOIN heads h ON h.app_id = l.app_id
  JOIN endpoints p ON p.app_id = l.app_id AND p.endpoint_id = l.endpoint_id
  WHERE l.settled_day <= $1 AND l.settled_through < h.last_position
) AS lost WHERE from_position <= to_position`;

const FIND_LOST = { name: 'find_lost', text: LOST } satisfies Query;

/** What each lane loses when the days up to `lastDay` are dropped. */
export async function findLost(db: Queryable, lastDay: string): Promise<Expiration[]> {
  return (await db.query<ExpirationRow>(FIND_LOST, [lastDay])).map(toExpiration);
}

const RECORD_LOST = {
  name: 'record_lost',
  text: `
INSERT INTO expirations (app_id, endpoint_id, from_position, to_position, expired_at)
SELECT app_id, endpoint_id, from_position, to_position, now() FROM (${LOST}) AS lost ON CONFLICT DO NOTHING`,
} satisfies Query;

/** Writes down what is lost. */
export async function recordLost(db: Queryable, lastDay: string): Promise<void> {
  await db.query(RECORD_LOST, [lastDay]);
}

const EXPIRE_RETRIES = {
  name: 'expire_retries',
  text: `
WITH gone AS (
  DELETE FROM retries WHERE (app_id, endpoint_id, cursor_id, position) IN (
    SELECT app_id, endpoint_id, cursor_id, position FROM retries WHERE day <= $1 ORDER BY app_id, endpoint_id, cursor_id, position LIMIT $2
  ) RETURNING app_id, endpoint_id, cursor_id, position, day, event_id, attempts
), died AS (
  INSERT INTO dead (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, reason, died_at)
  SELECT app_id, endpoint_id, cursor_id, position, day, event_id, attempts, 'expired', now() FROM gone ON CONFLICT DO NOTHING
)
SELECT app_id, endpoint_id, event_id FROM gone ORDER BY app_id, endpoint_id, position`,
} satisfies Query;

export interface ExpiredRetry {
  appId: string;
  endpointId: string;
  eventId: string;
}

/** Retries of events up to `lastDay` become dead events; at most `limit` at a time. */
export async function expireRetries(db: Queryable, lastDay: string, limit: number): Promise<ExpiredRetry[]> {
  const rows = await db.query<{ app_id: string; endpoint_id: string; event_id: string }>(EXPIRE_RETRIES, [
    lastDay,
    limit,
  ]);
  return rows.map((row) => ({
    appId: idFromUuid('app', row.app_id),
    endpointId: idFromUuid('endpoint', row.endpoint_id),
    eventId: row.event_id,
  }));
}

const FORGET_DEAD = {
  name: 'forget_dead',
  text: `
DELETE FROM dead WHERE (app_id, endpoint_id, cursor_id, position) IN (
  SELECT app_id, endpoint_id, cursor_id, position FROM dead WHERE died_at < $1::date ORDER BY app_id, endpoint_id, cursor_id, position LIMIT $2
) RETURNING position`,
} satisfies Query;

/** Forgets events that died before `day`, at most `limit` of them; returns how many. */
export async function forgetDead(db: Queryable, day: string, limit: number): Promise<number> {
  return (await db.query(FORGET_DEAD, [day, limit])).length;
}

const READ_EXPIRED = {
  name: 'read_expired',
  text: `
SELECT sum(to_position - from_position + 1)::bigint AS events, min(from_position) AS from_position, max(to_position) AS to_position,
  max(expired_at) AS expired_at
FROM expirations WHERE app_id = $1 AND endpoint_id = $2`,
} satisfies Query;

export interface Expired {
  events: number;
  from: number;
  to: number;
  /** When the last of them went. */
  at: Date;
}

/** What an endpoint has lost to retention so far; null = nothing. */
export async function readExpired(
  db: Queryable,
  place: { appId: string; endpointId: string },
): Promise<Expired | null> {
  const values = [uuidFromId('app', place.appId), uuidFromId('endpoint', place.endpointId)];
  const [row] = await db.query<{ events: number | null; from_position: number; to_position: number; expired_at: Date }>(
    READ_EXPIRED,
    values,
  );
  if (row.events === null) return null;
  return { events: row.events, from: row.from_position, to: row.to_position, at: row.expired_at };
}
