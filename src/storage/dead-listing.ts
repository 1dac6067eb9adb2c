// Reading the dead: events that were given up for an endpoint, newest first.
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';
import { LIVE_CURSOR_UUID } from './flush.ts';

/** An event that an endpoint will not be sent again of itself. */
export interface DeadEvent {
  endpointId: string;
  eventId: string;
  position: number;
  /** The replay that gave it up; null for the endpoint's own cursor. */
  replayId: string | null;
  attempts: number;
  reason: string;
  diedAt: Date;
}

interface DeadRow {
  endpoint_id: string;
  cursor_id: string;
  position: number;
  event_id: string;
  attempts: number;
  reason: string;
  died_at: Date;
  died_at_us: number;
}

function toDeadEvent(row: DeadRow): DeadEvent {
  return {
    endpointId: idFromUuid('endpoint', row.endpoint_id),
    eventId: row.event_id,
    position: row.position,
    replayId: row.cursor_id === LIVE_CURSOR_UUID ? null : idFromUuid('replay', row.cursor_id),
    attempts: row.attempts,
    reason: row.reason,
    diedAt: row.died_at,
  };
}

/** The place of a row in the listing. Microseconds since 1970, as Postgres keeps time: a Date would round it. */
export interface DeadKey {
  diedAtUs: number;
  endpointUuid: string;
  cursorUuid: string;
  position: number;
}

/** Rows that one page looks at, whatever it finds among them. */
export const MAX_SCANNED_DEAD = 5000;

const KEY = `endpoint_id, cursor_id, position, (extract(epoch FROM died_at) * 1000000)::bigint AS died_at_us`;
const BEFORE = `
app_id = $1 AND ($2::bigint IS NULL OR (died_at, endpoint_id, cursor_id, position) <
  (timestamptz 'epoch' + $2::bigint * interval '1 microsecond', $3::uuid, $4::uuid, $5::bigint))`;
const NEWEST_FIRST = 'ORDER BY died_at DESC, endpoint_id DESC, cursor_id DESC, position DESC';

// The inner LIMIT bounds the scan; both levels have the index's order, so the outer LIMIT ends it early. The type is the event's, which
// retention may have dropped: then it is of no type.
const LIST_DEAD = {
  name: 'list_dead',
  text: `
SELECT ${KEY}, event_id, attempts, reason, died_at FROM (
  SELECT * FROM dead WHERE ${BEFORE} ${NEWEST_FIRST} LIMIT ${MAX_SCANNED_DEAD}
) AS scanned
WHERE ($6::uuid IS NULL OR endpoint_id = $6::uuid) AND ($7::text IS NULL OR reason = $7::text)
  AND ($8::text IS NULL OR EXISTS (
    SELECT 1 FROM events e WHERE e.app_id = $1 AND e.day = scanned.day AND e.position = scanned.position AND e.type = $8::text))
${NEWEST_FIRST} LIMIT $9`,
} satisfies Query;

const LAST_SCANNED_DEAD = {
  name: 'last_scanned_dead',
  text: `SELECT ${KEY} FROM dead WHERE ${BEFORE} ${NEWEST_FIRST} OFFSET ${MAX_SCANNED_DEAD - 1} LIMIT 1`,
} satisfies Query;

interface DeadListing {
  limit: number;
  before: DeadKey | null;
  /** null = of all endpoints, reasons, types. */
  endpointId?: string | null;
  reason?: string | null;
  type?: string | null;
}

/** The dead of an app, newest first. With something asked for, a page may be short or empty and not the last. */
export async function listDead(
  db: Queryable,
  appId: string,
  listing: DeadListing,
): Promise<{ dead: DeadEvent[]; next: DeadKey | null }> {
  const { before, limit, endpointId = null, reason = null, type = null } = listing;
  const scope = [
    uuidFromId('app', appId),
    before?.diedAtUs ?? null,
    before?.endpointUuid ?? null,
    before?.cursorUuid ?? null,
    before?.position ?? null,
  ];
  const endpointUuid = endpointId === null ? null : uuidFromId('endpoint', endpointId);
  const rows = await db.query<DeadRow>(LIST_DEAD, [...scope, endpointUuid, reason, type, limit + 1]);
  const dead = rows.slice(0, limit).map(toDeadEvent);
  if (rows.length > limit) return { dead, next: toKey(rows[limit - 1]) };
  if (endpointId === null && reason === null && type === null) return { dead, next: null };
  const [last] = await db.query<DeadRow>(LAST_SCANNED_DEAD, scope);
  return { dead, next: last === undefined ? null : toKey(last) };
}

function toKey(row: DeadRow): DeadKey {
  return {
    diedAtUs: row.died_at_us,
    endpointUuid: row.endpoint_id,
    cursorUuid: row.cursor_id,
    position: row.position,
  };
}

// One probe of the primary key for each endpoint: what it costs does not depend on how many are dead, but for a reason that is rare. As
// EXISTS it could be planned as a join that reads all the dead.
const ENDPOINTS_WITH_DEAD = {
  name: 'endpoints_with_dead',
  text: `
SELECT endpoint_id FROM endpoints e
WHERE app_id = $1 AND deleted_at IS NULL AND ($2::uuid IS NULL OR endpoint_id > $2::uuid) AND (
  SELECT true FROM dead d
  WHERE d.app_id = $1 AND d.endpoint_id = e.endpoint_id AND d.cursor_id = '${LIVE_CURSOR_UUID}'
    AND d.position > $3 AND d.position <= $4 AND ($5::text IS NULL OR d.reason = $5::text) LIMIT 1)
ORDER BY endpoint_id LIMIT $6`,
} satisfies Query;

/** The endpoints whose own cursor has given up events after `from` up to `to`, oldest first. */
export async function endpointsWithDead(
  db: Queryable,
  range: { appId: string; after: string | null; from: number; to: number; reason: string | null; limit: number },
): Promise<string[]> {
  const rows = await db.query<{ endpoint_id: string }>(ENDPOINTS_WITH_DEAD, [
    uuidFromId('app', range.appId),
    range.after === null ? null : uuidFromId('endpoint', range.after),
    range.from,
    range.to,
    range.reason,
    range.limit,
  ]);
  return rows.map((row) => idFromUuid('endpoint', row.endpoint_id));
}
