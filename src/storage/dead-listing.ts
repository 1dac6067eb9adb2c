// Reading the dead: events that were given up for an endpoint, newest first.
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

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

const OWN_CURSOR = '00000000-0000-0000-0000-000000000000';

function toDeadEvent(row: DeadRow): DeadEvent {
  return {
    endpointId: idFromUuid('endpoint', row.endpoint_id),
    eventId: row.event_id,
    position: row.position,
    replayId: row.cursor_id === OWN_CURSOR ? null : idFromUuid('replay', row.cursor_id),
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

const LIST_DEAD = {
  name: 'list_dead',
  text: `
SELECT endpoint_id, cursor_id, position, event_id, attempts, reason, died_at,
  (extract(epoch FROM died_at) * 1000000)::bigint AS died_at_us
FROM dead
WHERE app_id = $1 AND ($2::bigint IS NULL OR (died_at, endpoint_id, cursor_id, position) <
  (timestamptz 'epoch' + $2::bigint * interval '1 microsecond', $3::uuid, $4::uuid, $5::bigint))
ORDER BY died_at DESC, endpoint_id DESC, cursor_id DESC, position DESC LIMIT $6`,
} satisfies Query;

/** The dead of an app, newest first. */
export async function listDead(
  db: Queryable,
  appId: string,
  page: { limit: number; before: DeadKey | null },
): Promise<{ dead: DeadEvent[]; next: DeadKey | null }> {
  const { before, limit } = page;
  const rows = await db.query<DeadRow>(LIST_DEAD, [
    uuidFromId('app', appId),
    before?.diedAtUs ?? null,
    before?.endpointUuid ?? null,
    before?.cursorUuid ?? null,
    before?.position ?? null,
    limit + 1,
  ]);
  const dead = rows.slice(0, limit).map(toDeadEvent);
  if (rows.length <= limit) return { dead, next: null };
  const last = rows[limit - 1];
  return {
    dead,
    next: {
      diedAtUs: last.died_at_us,
      endpointUuid: last.endpoint_id,
      cursorUuid: last.cursor_id,
      position: last.position,
    },
  };
}
