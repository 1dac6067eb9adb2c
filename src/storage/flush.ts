// One flush = one statement = one transaction, behind the fence (design rules 1 and 2): it holds this process's row with FOR KEY SHARE
// until commit; without that row nothing is written. `attempts` is append only and every other part is an upsert or a delete, so a
// flush whose COMMIT is unclear may be repeated as it was.
//
// All writes join on `lanes`: an endpoint that was deleted meanwhile gets no rows (rule 21). A replay's retries are written with its
// progress: that row's lock orders them with a cancellation, which deletes them.

import type { BreakerSnapshot } from '../core/breaker.ts';
import { CAUSES, type Cause, OUTCOMES, REASONS, type Reason, type SendResult } from '../core/outcome.ts';
import {
  boolArray,
  dateArray,
  float8Array,
  int2Array,
  int4Array,
  int8Array,
  textArray,
  uuidArray,
} from './binary-array.ts';
import type { Query, Queryable } from './database.ts';

const MAX_INT2 = 32_767;
export const LIVE_CURSOR_UUID = '00000000-0000-0000-0000-000000000000';

/** Which lane a row belongs to: its UUIDs, as Postgres takes them. */
export interface LaneKey {
  appUuid: string;
  endpointUuid: string;
}

export interface AttemptRow {
  readonly key: LaneKey;
  readonly attemptUuid: string;
  /** A replay's id; null for everything else. */
  readonly cursorUuid: string | null;
  /** The request that it shared with other events; null for one of its own. */
  readonly batchUuid: string | null;
  /** Partition day: of the time inside the attempt's id. */
  readonly day: string;
  readonly startedMs: number;
  readonly cause: Cause;
  readonly attempt: number;
  /** Of the endpoint's transformation; null = none. */
  readonly transformationVersion: number | null;
  /** The event was given up with this attempt. */
  readonly dead: boolean;
  readonly event: { readonly id: string; readonly position: number };
  readonly result: SendResult;
}

export interface RetryRow {
  key: LaneKey;
  cursorUuid: string;
  position: number;
  day: string;
  eventId: string;
  attempts: number;
  consumed: number;
  dueMs: number;
  /** That the next attempt is to run; null = none. */
  transformationVersion: number | null;
  reason: Reason | 'open';
}

export interface DeadRow {
  key: LaneKey;
  cursorUuid: string;
  position: number;
  day: string;
  eventId: string;
  attempts: number;
  reason: Reason;
}

/** A retry (or dead row) that is done with. */
export interface ClosedRow {
  key: LaneKey;
  cursorUuid: string;
  position: number;
}

export interface LaneRow {
  key: LaneKey;
  settledThrough: number;
  settledDay: string;
  lowAttemptUuid: string;
  breaker: BreakerSnapshot;
}

/** A replay's progress; absolute figures, so that a flush may be repeated. */
export interface ReplayRow {
  key: LaneKey;
  replayUuid: string;
  settledThrough: number;
  settledDay: string;
  lowAttemptUuid: string;
  delivered: number;
  dead: number;
  isDone: boolean;
}

export interface Flush {
  attempts: AttemptRow[];
  retries: RetryRow[];
  closedRetries: ClosedRow[];
  dead: DeadRow[];
  closedDead: ClosedRow[];
  lanes: LaneRow[];
  replays: ReplayRow[];
}

const FLUSH = {
  name: 'flush',
  text: `
WITH fence AS (
  SELECT 1 AS held FROM processes WHERE process_id = $1 AND epoch = $2 AND state = 'live' FOR KEY SHARE
), live AS MATERIALIZED (
  SELECT u.lane_number, l.app_id, l.endpoint_id
  FROM fence, unnest($3::uuid[], $4::uuid[]) WITH ORDINALITY AS u(app_id, endpoint_id, lane_number)
  JOIN lanes l ON l.app_id = u.app_id AND l.endpoint_id = u.endpoint_id
), attempted AS (
  INSERT INTO attempts (app_id, endpoint_id, attempt_id, cursor_id, position, started_at, day, cause, attempt, outcome, reason, status,
    dns_us, connect_us, tls_us, first_byte_us, total_us, dead, event_id, remote_address, response_head, response_body, error, batch_id, transformation_version)
  SELECT l.app_id, l.endpoint_id, a.attempt_id, a.cursor_id, a.position, to_timestamp(a.started_ms / 1000), a.day, a.cause, a.attempt,
    a.outcome, a.reason, a.status, a.dns_us, a.connect_us, a.tls_us, a.first_byte_us, a.total_us, a.dead, a.event_id, a.remote_address,
    substring($26::bytea FROM a.start FOR a.head_bytes), substring($26::bytea FROM a.start + a.head_bytes FOR a.body_bytes), a.error, a.batch_id, a.transformation_version
  FROM unnest($5::integer[], $6::uuid[], $7::uuid[], $8::bigint[], $9::float8[], $10::date[], $11::smallint[], $12::smallint[], $13::smallint[],
    $14::smallint[], $15::smallint[], $16::integer[], $17::integer[], $18::integer[], $19::integer[], $20::integer[], $21::boolean[],
    $22::text[], $23::text[], $24::integer[], $25::integer[], $27::integer[], $28::text[], $29::uuid[], $67::integer[])
    AS a(lane_number, attempt_id, cursor_id, position, started_ms, day, cause, attempt, outcome, reason, status, dns_us, connect_us,
      tls_us, first_byte_us, total_us, dead, event_id, remote_address, start, head_bytes, body_bytes, error, batch_id, transformation_version)
  JOIN live l ON l.lane_number = a.lane_number
  ON CONFLICT DO NOTHING
), replayed AS (
  UPDATE replays t
  SET settled_through = greatest(t.settled_through, s.settled_through), settled_day = greatest(t.settled_day, s.settled_day),
      low_attempt_id = s.low_attempt_id, delivered = s.delivered, dead = s.dead,
      state = CASE WHEN s.is_done AND t.state = 'running' THEN 'done' ELSE t.state END,
      finished_at = CASE WHEN s.is_done AND t.state = 'running' THEN now() ELSE t.finished_at END
  FROM unnest($59::integer[], $60::uuid[], $61::bigint[], $62::date[], $63::uuid[], $64::bigint[], $65::bigint[], $66::boolean[])
    AS s(lane_number, replay_id, settled_through, settled_day, low_attempt_id, delivered, dead, is_done)
  JOIN live l ON l.lane_number = s.lane_number
  WHERE t.app_id = l.app_id AND t.endpoint_id = l.endpoint_id AND t.replay_id = s.replay_id
  RETURNING t.app_id, t.endpoint_id, t.replay_id, t.state
), retried AS (
  INSERT INTO retries (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, consumed, due_at, last_reason, created_at,
    transformation_version)
  SELECT l.app_id, l.endpoint_id, r.cursor_id, r.position, r.day, r.event_id, r.attempts, r.consumed, to_timestamp(r.due_ms / 1000), r.reason, now(),
    r.transformation_version
  FROM unnest($30::integer[], $31::uuid[], $32::bigint[], $33::date[], $34::text[], $35::smallint[], $36::smallint[], $37::float8[], $38::text[], $68::integer[])
    AS r(lane_number, cursor_id, position, day, event_id, attempts, consumed, due_ms, reason, transformation_version)
  JOIN live l ON l.lane_number = r.lane_number
  LEFT JOIN replayed p ON p.app_id = l.app_id AND p.endpoint_id = l.endpoint_id AND p.replay_id = r.cursor_id
  WHERE r.cursor_id = '${LIVE_CURSOR_UUID}' OR p.state <> 'cancelled'
  ON CONFLICT (app_id, endpoint_id, cursor_id, position) DO UPDATE
  SET attempts = excluded.attempts, consumed = excluded.consumed, due_at = excluded.due_at, last_reason = excluded.last_reason
), closed_retries AS (
  DELETE FROM retries r
  USING unnest($39::integer[], $40::uuid[], $41::bigint[]) AS c(lane_number, cursor_id, position) JOIN live l ON l.lane_number = c.lane_number
  WHERE r.app_id = l.app_id AND r.endpoint_id = l.endpoint_id AND r.cursor_id = c.cursor_id AND r.position = c.position
), died AS (
  INSERT INTO dead (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, reason, died_at)
  SELECT l.app_id, l.endpoint_id, d.cursor_id, d.position, d.day, d.event_id, d.attempts, d.reason, now()
  FROM unnest($42::integer[], $43::uuid[], $44::bigint[], $45::date[], $46::text[], $47::smallint[], $48::text[])
    AS d(lane_number, cursor_id, position, day, event_id, attempts, reason)
  JOIN live l ON l.lane_number = d.lane_number
  ON CONFLICT DO NOTHING
), closed_dead AS (
  DELETE FROM dead d
  USING unnest($49::integer[], $50::uuid[], $51::bigint[]) AS c(lane_number, cursor_id, position) JOIN live l ON l.lane_number = c.lane_number
  WHERE d.app_id = l.app_id AND d.endpoint_id = l.endpoint_id AND d.cursor_id = c.cursor_id AND d.position = c.position
), advanced AS (
  UPDATE lanes t
  SET settled_through = greatest(t.settled_through, s.settled_through), settled_day = greatest(t.settled_day, s.settled_day),
      low_attempt_id = s.low_attempt_id, breaker = s.breaker, breaker_open_since = to_timestamp(s.open_since_ms / 1000),
      breaker_next_probe_at = to_timestamp(s.next_probe_ms / 1000), updated_at = now()
  FROM unnest($52::integer[], $53::bigint[], $54::date[], $55::uuid[], $56::text[], $57::float8[], $58::float8[])
    AS s(lane_number, settled_through, settled_day, low_attempt_id, breaker, open_since_ms, next_probe_ms)
  JOIN live l ON l.lane_number = s.lane_number
  WHERE t.app_id = l.app_id AND t.endpoint_id = l.endpoint_id
)
SELECT held FROM fence`,
} satisfies Query;

/** Writes a flush as the process with this id and epoch; false when the fence did not hold and nothing was written. */
export async function writeFlush(
  db: Queryable,
  process: { processUuid: string; epoch: number },
  flush: Flush,
): Promise<boolean> {
  return (await db.query(FLUSH, encodeFlush(process, flush))).length > 0;
}

function encodeFlush(process: { processUuid: string; epoch: number }, flush: Flush): unknown[] {
  const keys: LaneKey[] = [];
  const numbers = new Map<LaneKey, number>();
  const numberOf = (key: LaneKey): number => {
    let number = numbers.get(key);
    if (number === undefined) {
      number = keys.push(key);
      numbers.set(key, number);
    }
    return number;
  };
  const attempts = encodeAttempts(flush.attempts, numberOf);
  const { retries, closedRetries, dead, closedDead, lanes, replays } = flush;
  const rest = [
    int4Array(retries, (r) => numberOf(r.key)),
    uuidArray(retries, (r) => r.cursorUuid),
    int8Array(retries, (r) => r.position),
    dateArray(retries, (r) => r.day),
    textArray(retries, (r) => r.eventId),
    int2Array(retries, (r) => Math.min(r.attempts, MAX_INT2)),
    int2Array(retries, (r) => r.consumed),
    float8Array(retries, (r) => r.dueMs),
    textArray(retries, (r) => r.reason),
    int4Array(closedRetries, (c) => numberOf(c.key)),
    uuidArray(closedRetries, (c) => c.cursorUuid),
    int8Array(closedRetries, (c) => c.position),
    int4Array(dead, (d) => numberOf(d.key)),
    uuidArray(dead, (d) => d.cursorUuid),
    int8Array(dead, (d) => d.position),
    dateArray(dead, (d) => d.day),
    textArray(dead, (d) => d.eventId),
    int2Array(dead, (d) => Math.min(d.attempts, MAX_INT2)),
    textArray(dead, (d) => d.reason),
    int4Array(closedDead, (c) => numberOf(c.key)),
    uuidArray(closedDead, (c) => c.cursorUuid),
    int8Array(closedDead, (c) => c.position),
    int4Array(lanes, (l) => numberOf(l.key)),
    int8Array(lanes, (l) => l.settledThrough),
    dateArray(lanes, (l) => l.settledDay),
    uuidArray(lanes, (l) => l.lowAttemptUuid),
    textArray(lanes, (l) => l.breaker.state),
    float8Array(lanes, (l) => l.breaker.openSinceMs),
    float8Array(lanes, (l) => l.breaker.nextProbeMs),
    int4Array(replays, (r) => numberOf(r.key)),
    uuidArray(replays, (r) => r.replayUuid),
    int8Array(replays, (r) => r.settledThrough),
    dateArray(replays, (r) => r.settledDay),
    uuidArray(replays, (r) => r.lowAttemptUuid),
    int8Array(replays, (r) => r.delivered),
    int8Array(replays, (r) => r.dead),
    boolArray(replays, (r) => r.isDone),
    versionsOf(flush.attempts),
    versionsOf(retries),
  ];
  const apps = uuidArray(keys, (key) => key.appUuid);
  const endpoints = uuidArray(keys, (key) => key.endpointUuid);
  return [process.processUuid, process.epoch, apps, endpoints, ...attempts, ...rest];
}

/** Null where none has one, which is the rule: unnest then gives null for each. */
function versionsOf(rows: readonly { transformationVersion: number | null }[]): unknown {
  if (rows.every((row) => row.transformationVersion === null)) return null;
  return int4Array(rows, (row) => row.transformationVersion);
}

/** $5 to $29, in the statement's order. */
function encodeAttempts(rows: AttemptRow[], numberOf: (lane: LaneKey) => number): unknown[] {
  const starts: number[] = [];
  let textBytes = 0;
  for (const { result } of rows) {
    starts.push(textBytes + 1);
    textBytes += (result.responseHead?.length ?? 0) + (result.responseBody?.length ?? 0);
  }
  const blob = Buffer.allocUnsafe(textBytes);
  let at = 0;
  for (const { result } of rows) {
    if (result.responseHead !== null) at += blob.write(result.responseHead, at, 'latin1');
    if (result.responseBody !== null) at += result.responseBody.copy(blob, at);
  }
  return [
    int4Array(rows, (row) => numberOf(row.key)),
    uuidArray(rows, (row) => row.attemptUuid),
    uuidArray(rows, (row) => row.cursorUuid),
    int8Array(rows, (row) => row.event.position),
    float8Array(rows, (row) => row.startedMs),
    dateArray(rows, (row) => row.day),
    int2Array(rows, (row) => CAUSES.indexOf(row.cause)),
    int2Array(rows, (row) => Math.min(row.attempt, MAX_INT2)),
    int2Array(rows, (row) => OUTCOMES.indexOf(row.result.outcome)),
    int2Array(rows, (row) => REASONS.indexOf(row.result.reason)),
    int2Array(rows, (row) => row.result.status),
    int4Array(rows, (row) => row.result.timings.dnsUs),
    int4Array(rows, (row) => row.result.timings.connectUs),
    int4Array(rows, (row) => row.result.timings.tlsUs),
    int4Array(rows, (row) => row.result.timings.firstByteUs),
    int4Array(rows, (row) => row.result.timings.totalUs),
    boolArray(rows, (row) => row.dead),
    textArray(rows, (row) => row.event.id),
    textArray(rows, (row) => row.result.remoteAddress),
    int4Array(starts, (start) => start),
    int4Array(rows, (row) => row.result.responseHead?.length ?? null),
    blob,
    int4Array(rows, (row) => row.result.responseBody?.length ?? null),
    textArray(rows, (row) => row.result.error?.replaceAll('\0', '') ?? null),
    uuidArray(rows, (row) => row.batchUuid),
  ];
}
