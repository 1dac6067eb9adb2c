// What is recorded of one event and one endpoint: what `explain` decides on. Each part is a lookup by key, but for the attempts: these are
// found by the event's position, so their number is that of all endpoints' attempts of this one event.
import { idFromUuid, uuidFromId } from '../core/id.ts';
import { OUTCOMES, type OutcomeKind, REASONS, type Reason } from '../core/outcome.ts';
import type { Query, Queryable } from './database.ts';
import { LIVE_CURSOR_UUID } from './flush.ts';
import { listPartitions, partitionName } from './partitions.ts';

export interface RecordedDelivery {
  retry: { attempts: number; dueMs: number; reason: string } | null;
  dead: { attempts: number; reason: string; diedMs: number } | null;
  /** The range of positions with this one in it that retention dropped before the endpoint came to it. */
  expiration: { fromPosition: number; toPosition: number; expiredMs: number } | null;
  attempts: {
    made: number;
    firstMs: number | null;
    lastMs: number | null;
    /** The first that was delivered. */
    deliveredMs: number | null;
    last: { id: string; outcome: OutcomeKind; reason: Reason; status: number | null; error: string | null } | null;
    /** When it was filtered for the last time. */
    filteredMs: number | null;
    /** Whether none that was made since the event was appended can have been dropped by retention. */
    allKept: boolean;
  };
}

const KEY = 'app_id = $1 AND endpoint_id = $2';
const OWN = `${KEY} AND cursor_id = '${LIVE_CURSOR_UUID}' AND position = $3`;

const RETRY = {
  name: 'retry_of_event',
  text: `SELECT attempts, date_part('epoch', due_at) * 1000 AS due_ms, last_reason AS reason FROM retries WHERE ${OWN}`,
} satisfies Query;

const DEAD = {
  name: 'dead_of_event',
  text: `SELECT attempts, reason, date_part('epoch', died_at) * 1000 AS died_ms FROM dead WHERE ${OWN}`,
} satisfies Query;

const EXPIRATION = {
  name: 'expiration_of_event',
  text: `
SELECT from_position, to_position, date_part('epoch', expired_at) * 1000 AS expired_ms FROM expirations
WHERE ${KEY} AND from_position <= $3 AND to_position >= $3 ORDER BY from_position DESC LIMIT 1`,
} satisfies Query;

// The day of an attempt is by the process's clock, which may be behind the database's around midnight.
const ATTEMPTS = {
  name: 'attempts_of_event_to_endpoint',
  text: `
SELECT count(*) AS made, date_part('epoch', min(started_at)) * 1000 AS first_ms, date_part('epoch', max(started_at)) * 1000 AS last_ms,
  date_part('epoch', min(started_at) FILTER (WHERE outcome = ${OUTCOMES.indexOf('delivered')})) * 1000 AS delivered_ms,
  date_part('epoch', max(started_at) FILTER (WHERE outcome = ${OUTCOMES.indexOf('filtered')})) * 1000 AS filtered_ms,
  (array_agg(error ORDER BY attempt_id DESC))[1] AS last_error,
  (array_agg(attempt_id ORDER BY attempt_id DESC))[1] AS last_id, (array_agg(outcome ORDER BY attempt_id DESC))[1] AS last_outcome,
  (array_agg(reason ORDER BY attempt_id DESC))[1] AS last_reason, (array_agg(status ORDER BY attempt_id DESC))[1] AS last_status
FROM attempts WHERE app_id = $1 AND position = $3 AND endpoint_id = $2 AND day >= $4::date - 1`,
} satisfies Query;

interface AttemptsRow {
  made: number;
  first_ms: number | null;
  last_ms: number | null;
  delivered_ms: number | null;
  filtered_ms: number | null;
  last_error: string | null;
  last_id: string | null;
  last_outcome: number;
  last_reason: number;
  last_status: number | null;
}

/** In the snapshot of `db`. `place` is the event's. */
export async function readRecordedDelivery(
  db: Queryable,
  endpoint: { appId: string; endpointId: string },
  place: { position: number; day: string },
): Promise<RecordedDelivery> {
  const key = [uuidFromId('app', endpoint.appId), uuidFromId('endpoint', endpoint.endpointId), place.position];
  const [retry] = await db.query<{ attempts: number; due_ms: number; reason: string }>(RETRY, key);
  const [dead] = await db.query<{ attempts: number; died_ms: number; reason: string }>(DEAD, key);
  const [expiration] = await db.query<{ from_position: number; to_position: number; expired_ms: number }>(
    EXPIRATION,
    key,
  );
  const [attempts] = await db.query<AttemptsRow>(ATTEMPTS, [...key, place.day]);
  const partitions = await listPartitions(db, 'attempts');
  return {
    retry: retry ? { attempts: retry.attempts, dueMs: retry.due_ms, reason: retry.reason } : null,
    dead: dead ? { attempts: dead.attempts, reason: dead.reason, diedMs: dead.died_ms } : null,
    expiration: expiration
      ? {
          fromPosition: expiration.from_position,
          toPosition: expiration.to_position,
          expiredMs: expiration.expired_ms,
        }
      : null,
    attempts: {
      made: attempts.made,
      firstMs: attempts.first_ms,
      lastMs: attempts.last_ms,
      deliveredMs: attempts.delivered_ms,
      filteredMs: attempts.filtered_ms,
      last:
        attempts.last_id === null
          ? null
          : {
              id: idFromUuid('attempt', attempts.last_id),
              outcome: OUTCOMES[attempts.last_outcome],
              reason: REASONS[attempts.last_reason],
              status: attempts.last_status,
              error: attempts.last_error,
            },
      allKept: partitions.length > 0 && partitions[0] <= partitionName('attempts', place.day),
    },
  };
}
