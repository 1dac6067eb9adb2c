// Reading the attempt log, newest first. A filter on the outcome may pass over many rows: a page looks at a bounded number of
// them, so it can be short, or even empty, and still have a next page.
import { idFromUuid, uuidFromId } from '../core/id.ts';
import {
  type AttemptTimings,
  CAUSES,
  type Cause,
  OUTCOMES,
  type OutcomeKind,
  REASONS,
  type Reason,
} from '../core/outcome.ts';
import type { Query, Queryable } from './database.ts';

/** One HTTP request made for one event to one endpoint, with its outcome. */
export interface Attempt {
  id: string;
  appId: string;
  endpointId: string;
  eventId: string;
  /** 0 for a test event, which is in no log. */
  position: number;
  cause: Cause;
  /** 1 for the first attempt of this event to this endpoint. */
  attempt: number;
  /** Of the endpoint's transformation, which it ran; null = none. */
  transformationVersion: number | null;
  outcome: OutcomeKind;
  reason: Reason;
  status: number | null;
  startedAt: Date;
  timings: AttemptTimings;
  /** Whether the event was given up with this attempt. */
  dead: boolean;
  remoteAddress: string | null;
  responseHead: string | null;
  responseBody: Buffer | null;
  error: string | null;
}

interface AttemptRow {
  endpoint_id: string;
  attempt_id: string;
  position: number;
  started_at: Date;
  cause: number;
  attempt: number;
  outcome: number;
  reason: number;
  status: number | null;
  dns_us: number | null;
  connect_us: number | null;
  tls_us: number | null;
  first_byte_us: number | null;
  total_us: number;
  dead: boolean;
  event_id: string;
  remote_address: string | null;
  /** As latin1. */
  response_head: Buffer | null;
  response_body: Buffer | null;
  error: string | null;
  transformation_version: number | null;
}

const COLUMNS = `endpoint_id, attempt_id, position, started_at, cause, attempt, outcome, reason, status, dns_us, connect_us,
  tls_us, first_byte_us, total_us, dead, event_id, remote_address, response_head, response_body, error,
  transformation_version`;

function toAttempt(appId: string, row: AttemptRow): Attempt {
  return {
    id: idFromUuid('attempt', row.attempt_id),
    appId,
    endpointId: idFromUuid('endpoint', row.endpoint_id),
    eventId: row.event_id,
    position: row.position,
    cause: CAUSES[row.cause],
    attempt: row.attempt,
    transformationVersion: row.transformation_version,
    outcome: OUTCOMES[row.outcome],
    reason: REASONS[row.reason],
    status: row.status,
    startedAt: row.started_at,
    timings: {
      dnsUs: row.dns_us,
      connectUs: row.connect_us,
      tlsUs: row.tls_us,
      firstByteUs: row.first_byte_us,
      totalUs: row.total_us,
    },
    dead: row.dead,
    remoteAddress: row.remote_address,
    responseHead: row.response_head?.toString('latin1') ?? null,
    responseBody: row.response_body,
    error: row.error,
  };
}

/** Rows that one page looks at, whatever it finds among them. */
export const MAX_SCANNED_ATTEMPTS = 5000;

interface AttemptPage<Key> {
  attempts: Attempt[];
  /** Where the next page begins; null when there is none. */
  next: Key | null;
}

interface Listing<Key> {
  limit: number;
  before: Key | null;
  outcome: OutcomeKind | null;
}

// The inner LIMIT bounds the scan; both levels have the index's order, so the outer LIMIT ends it early.
const LIST_ENDPOINT_ATTEMPTS = {
  name: 'list_endpoint_attempts',
  text: `
SELECT ${COLUMNS} FROM (
  SELECT * FROM attempts
  WHERE app_id = $1 AND endpoint_id = $2 AND ($3::uuid IS NULL OR attempt_id < $3::uuid)
  ORDER BY attempt_id DESC LIMIT ${MAX_SCANNED_ATTEMPTS}
) AS scanned
WHERE $4::smallint IS NULL OR outcome = $4::smallint ORDER BY attempt_id DESC LIMIT $5`,
} satisfies Query;

const LAST_SCANNED_OF_ENDPOINT = {
  name: 'last_scanned_attempt_of_endpoint',
  text: `
SELECT attempt_id FROM attempts
WHERE app_id = $1 AND endpoint_id = $2 AND ($3::uuid IS NULL OR attempt_id < $3::uuid)
ORDER BY attempt_id DESC OFFSET ${MAX_SCANNED_ATTEMPTS - 1} LIMIT 1`,
} satisfies Query;

/** An endpoint's attempts, newest first. */
export async function listEndpointAttempts(
  db: Queryable,
  place: { appId: string; endpointId: string },
  listing: Listing<{ attemptId: string }>,
): Promise<AttemptPage<{ attemptId: string }>> {
  const before = listing.before === null ? null : uuidFromId('attempt', listing.before.attemptId);
  const scope = [uuidFromId('app', place.appId), uuidFromId('endpoint', place.endpointId), before];
  const values = [...scope, outcomeNumber(listing.outcome), listing.limit + 1];
  const rows = await db.query<AttemptRow>(LIST_ENDPOINT_ATTEMPTS, values);
  const attempts = rows.slice(0, listing.limit).map((row) => toAttempt(place.appId, row));
  if (rows.length > listing.limit) return { attempts, next: { attemptId: attempts[attempts.length - 1].id } };
  if (listing.outcome === null) return { attempts, next: null };
  const [last] = await db.query<{ attempt_id: string }>(LAST_SCANNED_OF_ENDPOINT, scope);
  return { attempts, next: last === undefined ? null : { attemptId: idFromUuid('attempt', last.attempt_id) } };
}

function outcomeNumber(outcome: OutcomeKind | null): number | null {
  return outcome === null ? null : OUTCOMES.indexOf(outcome);
}

// By position, which has an index; an index by time would cost every delivery for a list that few look at.
const LIST_APP_ATTEMPTS = {
  name: 'list_app_attempts',
  text: `
SELECT ${COLUMNS} FROM (
  SELECT * FROM attempts
  WHERE app_id = $1 AND ($2::bigint IS NULL OR (position, attempt_id) < ($2::bigint, $3::uuid))
  ORDER BY position DESC, attempt_id DESC LIMIT ${MAX_SCANNED_ATTEMPTS}
) AS scanned
WHERE $4::smallint IS NULL OR outcome = $4::smallint ORDER BY position DESC, attempt_id DESC LIMIT $5`,
} satisfies Query;

const LAST_SCANNED_OF_APP = {
  name: 'last_scanned_attempt_of_app',
  text: `
SELECT position, attempt_id FROM attempts
WHERE app_id = $1 AND ($2::bigint IS NULL OR (position, attempt_id) < ($2::bigint, $3::uuid))
ORDER BY position DESC, attempt_id DESC OFFSET ${MAX_SCANNED_ATTEMPTS - 1} LIMIT 1`,
} satisfies Query;

export interface AppAttemptKey {
  position: number;
  attemptId: string;
}

/** An app's attempts: those of its newest event first, and of one event the newest first. */
export async function listAppAttempts(
  db: Queryable,
  appId: string,
  listing: Listing<AppAttemptKey>,
): Promise<AttemptPage<AppAttemptKey>> {
  const { before, limit } = listing;
  const attemptUuid = before === null ? null : uuidFromId('attempt', before.attemptId);
  const scope = [uuidFromId('app', appId), before?.position ?? null, attemptUuid];
  const rows = await db.query<AttemptRow>(LIST_APP_ATTEMPTS, [...scope, outcomeNumber(listing.outcome), limit + 1]);
  const attempts = rows.slice(0, limit).map((row) => toAttempt(appId, row));
  if (rows.length > limit) {
    const { position, id } = attempts[attempts.length - 1];
    return { attempts, next: { position, attemptId: id } };
  }
  if (listing.outcome === null) return { attempts, next: null };
  const [last] = await db.query<{ position: number; attempt_id: string }>(LAST_SCANNED_OF_APP, scope);
  if (last === undefined) return { attempts, next: null };
  return { attempts, next: { position: last.position, attemptId: idFromUuid('attempt', last.attempt_id) } };
}

const LIST_EVENT_ATTEMPTS = {
  name: 'list_event_attempts',
  text: `
SELECT ${COLUMNS} FROM attempts
WHERE app_id = $1 AND position = $2 AND ($3::uuid IS NULL OR attempt_id < $3::uuid)
ORDER BY attempt_id DESC LIMIT $4`,
} satisfies Query;

/** The attempts for the event at a position, newest first. */
export async function listEventAttempts(
  db: Queryable,
  place: { appId: string; position: number },
  listing: { limit: number; before: { attemptId: string } | null },
): Promise<AttemptPage<{ attemptId: string }>> {
  const { before, limit } = listing;
  const attemptUuid = before === null ? null : uuidFromId('attempt', before.attemptId);
  const values = [uuidFromId('app', place.appId), place.position, attemptUuid, limit + 1];
  const rows = await db.query<AttemptRow>(LIST_EVENT_ATTEMPTS, values);
  const attempts = rows.slice(0, limit).map((row) => toAttempt(place.appId, row));
  return { attempts, next: rows.length > limit ? { attemptId: attempts[attempts.length - 1].id } : null };
}

const LAST_ATTEMPT_NUMBER = {
  name: 'last_attempt_number',
  text: `
SELECT coalesce(max(attempt), 0) AS attempt FROM attempts WHERE app_id = $1 AND position = $2 AND endpoint_id = $3`,
} satisfies Query;

/** The highest number among the attempts for the event at a position to an endpoint; 0 when there is none. */
export async function lastAttemptNumber(
  db: Queryable,
  place: { appId: string; endpointId: string; position: number },
): Promise<number> {
  const values = [uuidFromId('app', place.appId), place.position, uuidFromId('endpoint', place.endpointId)];
  const [row] = await db.query<{ attempt: number }>(LAST_ATTEMPT_NUMBER, values);
  return row.attempt;
}

const FIND_ATTEMPT = {
  name: 'find_attempt',
  text: `SELECT ${COLUMNS} FROM attempts WHERE app_id = $1 AND endpoint_id = $2 AND attempt_id = $3 AND day = $4`,
} satisfies Query;

/** One attempt, by its id and the day inside it; null when it is not (yet) written down. */
export async function findAttempt(
  db: Queryable,
  place: { appId: string; endpointId: string; attemptUuid: string; day: string },
): Promise<Attempt | null> {
  const { appId, endpointId, attemptUuid, day } = place;
  const values = [uuidFromId('app', appId), uuidFromId('endpoint', endpointId), attemptUuid, day];
  const [row] = await db.query<AttemptRow>(FIND_ATTEMPT, values);
  return row ? toAttempt(appId, row) : null;
}
