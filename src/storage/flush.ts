// One flush = one statement = one transaction, behind the fence (design rules 1 and 2): it holds this process's row with FOR KEY SHARE
// until commit; without that row nothing is written. `attempts` is append only and every other part is an upsert or a delete, so a
// flush whose COMMIT is unclear may be repeated as it was.
//
// All writes join on `lanes`: an endpoint that was deleted meanwhile gets no rows (rule 21).

import type { BreakerSnapshot } from '../core/breaker.ts';
import { CAUSES, type Cause, OUTCOMES, REASONS, type Reason, type SendResult } from '../core/outcome.ts';
import { arrayLiteral, quotedArrayLiteral } from './append.ts';
import type { Query, Queryable } from './database.ts';

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
  /** Partition day: of the time inside the attempt's id. */
  readonly day: string;
  readonly startedMs: number;
  readonly cause: Cause;
  readonly attempt: number;
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

export interface Flush {
  attempts: AttemptRow[];
  retries: RetryRow[];
  closedRetries: ClosedRow[];
  dead: DeadRow[];
  closedDead: ClosedRow[];
  lanes: LaneRow[];
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
    dns_us, connect_us, tls_us, first_byte_us, total_us, dead, event_id, remote_address, response_head, response_body, error)
  SELECT l.app_id, l.endpoint_id, a.attempt_id, a.cursor_id, a.position, to_timestamp(a.started_ms / 1000), a.day, a.cause, a.attempt,
    a.outcome, a.reason, a.status, a.dns_us, a.connect_us, a.tls_us, a.first_byte_us, a.total_us, a.dead, a.event_id, a.remote_address,
    substring($26::bytea FROM a.start FOR a.head_bytes), substring($26::bytea FROM a.start + a.head_bytes FOR a.body_bytes), a.error
  FROM unnest($5::integer[], $6::uuid[], $7::uuid[], $8::bigint[], $9::float8[], $10::date[], $11::smallint[], $12::smallint[], $13::smallint[],
    $14::smallint[], $15::smallint[], $16::integer[], $17::integer[], $18::integer[], $19::integer[], $20::integer[], $21::boolean[],
    $22::text[], $23::text[], $24::integer[], $25::integer[], $27::integer[], $28::text[])
    AS a(lane_number, attempt_id, cursor_id, position, started_ms, day, cause, attempt, outcome, reason, status, dns_us, connect_us,
      tls_us, first_byte_us, total_us, dead, event_id, remote_address, start, head_bytes, body_bytes, error)
  JOIN live l ON l.lane_number = a.lane_number
  ON CONFLICT DO NOTHING
), retried AS (
  INSERT INTO retries (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, consumed, due_at, last_reason, created_at)
  SELECT l.app_id, l.endpoint_id, r.cursor_id, r.position, r.day, r.event_id, r.attempts, r.consumed, to_timestamp(r.due_ms / 1000), r.reason, now()
  FROM unnest($29::integer[], $30::uuid[], $31::bigint[], $32::date[], $33::text[], $34::smallint[], $35::smallint[], $36::float8[], $37::text[])
    AS r(lane_number, cursor_id, position, day, event_id, attempts, consumed, due_ms, reason)
  JOIN live l ON l.lane_number = r.lane_number
  ON CONFLICT (app_id, endpoint_id, cursor_id, position) DO UPDATE
  SET attempts = excluded.attempts, consumed = excluded.consumed, due_at = excluded.due_at, last_reason = excluded.last_reason
), closed_retries AS (
  DELETE FROM retries r
  USING unnest($38::integer[], $39::uuid[], $40::bigint[]) AS c(lane_number, cursor_id, position) JOIN live l ON l.lane_number = c.lane_number
  WHERE r.app_id = l.app_id AND r.endpoint_id = l.endpoint_id AND r.cursor_id = c.cursor_id AND r.position = c.position
), died AS (
  INSERT INTO dead (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, reason, died_at)
  SELECT l.app_id, l.endpoint_id, d.cursor_id, d.position, d.day, d.event_id, d.attempts, d.reason, now()
  FROM unnest($41::integer[], $42::uuid[], $43::bigint[], $44::date[], $45::text[], $46::smallint[], $47::text[])
    AS d(lane_number, cursor_id, position, day, event_id, attempts, reason)
  JOIN live l ON l.lane_number = d.lane_number
  ON CONFLICT DO NOTHING
), closed_dead AS (
  DELETE FROM dead d
  USING unnest($48::integer[], $49::uuid[], $50::bigint[]) AS c(lane_number, cursor_id, position) JOIN live l ON l.lane_number = c.lane_number
  WHERE d.app_id = l.app_id AND d.endpoint_id = l.endpoint_id AND d.cursor_id = c.cursor_id AND d.position = c.position
), advanced AS (
  UPDATE lanes t
  SET settled_through = greatest(t.settled_through, s.settled_through), settled_day = greatest(t.settled_day, s.settled_day),
      low_attempt_id = s.low_attempt_id, breaker = s.breaker, breaker_open_since = to_timestamp(s.open_since_ms / 1000),
      breaker_next_probe_at = to_timestamp(s.next_probe_ms / 1000), updated_at = now()
  FROM unnest($51::integer[], $52::bigint[], $53::date[], $54::uuid[], $55::text[], $56::float8[], $57::float8[])
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
  const laneNumbers = new Map<LaneKey, number>();
  const appUuids: string[] = [];
  const endpointUuids: string[] = [];
  const numberOf = (lane: LaneKey): number => {
    let number = laneNumbers.get(lane);
    if (number === undefined) {
      appUuids.push(lane.appUuid);
      number = endpointUuids.push(lane.endpointUuid);
      laneNumbers.set(lane, number);
    }
    return number;
  };
  const attempts = encodeAttempts(flush.attempts, numberOf);
  const { retries, closedRetries, dead, closedDead, lanes } = flush;
  const rest = [
    column(retries, (r) => numberOf(r.key)),
    column(retries, (r) => r.cursorUuid),
    column(retries, (r) => r.position),
    column(retries, (r) => r.day),
    quotedArrayLiteral(retries.map((r) => r.eventId)),
    column(retries, (r) => Math.min(r.attempts, 32_767)),
    column(retries, (r) => r.consumed),
    column(retries, (r) => r.dueMs),
    column(retries, (r) => r.reason),
    column(closedRetries, (c) => numberOf(c.key)),
    column(closedRetries, (c) => c.cursorUuid),
    column(closedRetries, (c) => c.position),
    column(dead, (d) => numberOf(d.key)),
    column(dead, (d) => d.cursorUuid),
    column(dead, (d) => d.position),
    column(dead, (d) => d.day),
    quotedArrayLiteral(dead.map((d) => d.eventId)),
    column(dead, (d) => Math.min(d.attempts, 32_767)),
    column(dead, (d) => d.reason),
    column(closedDead, (c) => numberOf(c.key)),
    column(closedDead, (c) => c.cursorUuid),
    column(closedDead, (c) => c.position),
    column(lanes, (l) => numberOf(l.key)),
    column(lanes, (l) => l.settledThrough),
    column(lanes, (l) => l.settledDay),
    column(lanes, (l) => l.lowAttemptUuid),
    column(lanes, (l) => l.breaker.state),
    column(lanes, (l) => l.breaker.openSinceMs),
    column(lanes, (l) => l.breaker.nextProbeMs),
  ];
  return [
    process.processUuid,
    process.epoch,
    arrayLiteral(appUuids),
    arrayLiteral(endpointUuids),
    ...attempts,
    ...rest,
  ];
}

function column<Row>(rows: Row[], value: (row: Row) => string | number | boolean | null): string {
  return rows.length === 0 ? '{}' : arrayLiteral(rows.map(value));
}

/** The columns of an attempt in the statement's order, $5 to $28 without the blob of texts ($26). */
const COLUMNS = 23;
/** Columns that are NULL for most attempts; one that is NULL for all is sent empty, for unnest fills the shorter arrays with NULL. */
const SPARSE = [2, 10, 11, 12, 13, 14, 18, 20, 21, 22];

// Written as one loop: this runs for every delivery.
function encodeAttempts(rows: AttemptRow[], numberOf: (lane: LaneKey) => number): unknown[] {
  let textBytes = 0;
  for (const { result } of rows) textBytes += (result.responseHead?.length ?? 0) + (result.responseBody?.length ?? 0);
  const blob = Buffer.allocUnsafe(textBytes);
  const columns: string[] = new Array(COLUMNS).fill('');
  const used: boolean[] = new Array(COLUMNS).fill(false);
  const sparse = (column: number, separator: string, value: string | number | null): void => {
    if (value === null) {
      columns[column] += `${separator}NULL`;
    } else {
      columns[column] += separator + value;
      used[column] = true;
    }
  };
  let at = 0;
  let separator = '{';
  for (const row of rows) {
    const { result } = row;
    const { timings, responseHead, responseBody } = result;
    const start = at + 1;
    if (responseHead !== null) at += blob.write(responseHead, at, 'latin1');
    if (responseBody !== null) at += responseBody.copy(blob, at);
    columns[0] += separator + numberOf(row.key);
    columns[1] += separator + row.attemptUuid;
    sparse(2, separator, row.cursorUuid);
    columns[3] += separator + row.event.position;
    columns[4] += separator + row.startedMs;
    columns[5] += separator + row.day;
    columns[6] += separator + CAUSES.indexOf(row.cause);
    columns[7] += separator + Math.min(row.attempt, 32_767);
    columns[8] += separator + OUTCOMES.indexOf(result.outcome);
    columns[9] += separator + REASONS.indexOf(result.reason);
    sparse(10, separator, result.status);
    sparse(11, separator, timings.dnsUs);
    sparse(12, separator, timings.connectUs);
    sparse(13, separator, timings.tlsUs);
    sparse(14, separator, timings.firstByteUs);
    columns[15] += separator + timings.totalUs;
    columns[16] += separator + row.dead;
    columns[17] += `${separator}"${row.event.id}"`;
    sparse(18, separator, result.remoteAddress === null ? null : `"${result.remoteAddress}"`);
    columns[19] += separator + start;
    sparse(20, separator, responseHead === null ? null : responseHead.length);
    sparse(21, separator, responseBody === null ? null : responseBody.length);
    sparse(22, separator, result.error === null ? null : `"${escapeText(result.error)}"`);
    separator = ',';
  }
  for (const column of SPARSE) if (!used[column]) columns[column] = '{';
  const literals = columns.map((text) => (text === '' ? '{}' : `${text}}`));
  return [...literals.slice(0, 21), blob, ...literals.slice(21)];
}

/** For a quoted array element; Postgres' text holds no NUL. */
function escapeText(text: string): string {
  return text.replaceAll('\0', '').replace(/["\\]/g, '\\$&');
}
