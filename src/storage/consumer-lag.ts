// Consumers that lag: behind the time that is watched for, or about to lose something to retention.
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { ConsumerKey } from './consumers.ts';
import type { Query, Queryable } from './database.ts';

export interface LaggingConsumer extends ConsumerKey {
  position: number;
  /** The end of its app's log. */
  head: number;
  /** The day of the next event after its cursor, and when that was appended; milliseconds since 1970. */
  day: string;
  appendedMs: number;
}

interface LaggingRow {
  app_id: string;
  name: string;
  position: number;
  last_position: number;
  day: string;
  appended_ms: number;
}

function toLagging(row: LaggingRow): LaggingConsumer {
  return {
    appId: idFromUuid('app', row.app_id),
    name: row.name,
    position: row.position,
    head: row.last_position,
    day: row.day,
    appendedMs: Math.round(row.appended_ms),
  };
}

// By the next event itself: the cursor's own day may lie far back where the app was quiet for long.
const LAGGING = `
SELECT c.app_id, c.name, c.position, h.last_position, next.day, (date_part('epoch', next.appended_at) * 1000)::float8 AS appended_ms
FROM consumers c
JOIN heads h ON h.app_id = c.app_id
CROSS JOIN LATERAL (
  SELECT e.day, e.appended_at FROM events e
  WHERE e.app_id = c.app_id AND e.position > c.position AND e.day >= c.day ORDER BY e.position LIMIT 1
) AS next
WHERE c.position < h.last_position AND (c.app_id, c.name) > ($1, $2)`;
const IN_ORDER = 'ORDER BY c.app_id, c.name LIMIT $3';

const LAGGING_SINCE_DAY = {
  name: 'consumers_lagging_since_day',
  text: `${LAGGING} AND next.day < $4 ${IN_ORDER}`,
} satisfies Query;

const LAGGING_FOR_SECONDS = {
  name: 'consumers_lagging_for_seconds',
  text: `${LAGGING} AND c.lag_told_through <= c.position AND next.appended_at <= now() - make_interval(secs => $4) ${IN_ORDER}`,
} satisfies Query;

const ZERO_UUID = '00000000-0000-0000-0000-000000000000';

export interface LaggingPage {
  after: ConsumerKey | null;
  limit: number;
}

function pageValues({ after, limit }: LaggingPage): unknown[] {
  return [after === null ? ZERO_UUID : uuidFromId('app', after.appId), after?.name ?? '', limit];
}

/** Consumers whose next event is of a day before `beforeDay`. */
export async function consumersLaggingSince(
  db: Queryable,
  beforeDay: string,
  page: LaggingPage,
): Promise<LaggingConsumer[]> {
  return (await db.query<LaggingRow>(LAGGING_SINCE_DAY, [...pageValues(page), beforeDay])).map(toLagging);
}

/** Consumers whose next event is as old as that, and of whom it was not told; by the database's time. */
export async function consumersLaggingFor(
  db: Queryable,
  seconds: number,
  page: LaggingPage,
): Promise<LaggingConsumer[]> {
  return (await db.query<LaggingRow>(LAGGING_FOR_SECONDS, [...pageValues(page), seconds])).map(toLagging);
}

const LAG_TOLD = {
  name: 'consumer_lag_told',
  text: `UPDATE consumers SET lag_told_through = $3 WHERE app_id = $1 AND name = $2`,
} satisfies Query;

/** It was told: not again before the cursor has come to what was the end then. */
export async function consumerLagTold(db: Queryable, { appId, name, head }: LaggingConsumer): Promise<void> {
  await db.query(LAG_TOLD, [uuidFromId('app', appId), name, head]);
}
