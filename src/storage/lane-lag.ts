// How far behind lanes are by time, and what was told of it. An endpoint is told to lag once: until all that waited when it was told is
// settled. That is kept with the lane, so that its next owner does not tell it again.
import { uuidFromId } from '../core/id.ts';
import { dateArray, int8Array, uuidArray } from './binary-array.ts';
import type { Query, Queryable } from './database.ts';
import type { LaneKey } from './flush.ts';

/** The first position that a lane has not settled; `day` may be an earlier one. */
export interface OldestPending {
  key: LaneKey;
  position: number;
  day: string;
}

const APPENDED_TIMES = {
  name: 'appended_times_of_pending',
  text: `
SELECT q.number::integer AS number, date_part('epoch', e.appended_at) * 1000 AS appended_ms
FROM unnest($1::uuid[], $2::bigint[], $3::date[]) WITH ORDINALITY AS q(app_id, position, day, number)
JOIN events e ON e.app_id = q.app_id AND e.position = q.position AND e.day >= q.day`,
} satisfies Query;

/** When the events were appended, by index; null for one that retention has dropped. */
export async function appendedTimes(db: Queryable, pending: OldestPending[]): Promise<(number | null)[]> {
  const rows = await db.query<{ number: number; appended_ms: number }>(APPENDED_TIMES, [
    uuidArray(pending, ({ key }) => key.appUuid),
    int8Array(pending, ({ position }) => position),
    dateArray(pending, ({ day }) => day),
  ]);
  const times = new Array<number | null>(pending.length).fill(null);
  for (const row of rows) times[row.number - 1] = row.appended_ms;
  return times;
}

const CLAIM_LAG_ALERT = {
  name: 'claim_lag_alert',
  text: `
UPDATE lanes SET lag_told_through = $4
WHERE app_id = $1 AND endpoint_id = $2 AND lag_told_through <= $3 RETURNING 1`,
} satisfies Query;

/** Whether it is to be told now, by this process, that the lane lags: what waits goes up to `through`. */
export async function claimLagAlert(
  db: Queryable,
  lane: { appId: string; endpointId: string; settled: number; through: number },
): Promise<boolean> {
  const ids = [uuidFromId('app', lane.appId), uuidFromId('endpoint', lane.endpointId)];
  return (await db.query(CLAIM_LAG_ALERT, [...ids, lane.settled, lane.through])).length > 0;
}
