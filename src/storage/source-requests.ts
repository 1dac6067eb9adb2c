// Requests to sources that are kept for a while, to be looked at: those that were refused, and all of a source that captures. They are for people,
// so they may be lost with the process and are dropped when there are too many.
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

export interface SourceRequest {
  id: string;
  receivedMs: number;
  /** Why it did not become an event; null when it did. */
  cause: string | null;
  /** What was wrong, for programs, where the cause is too coarse. */
  reason: string | null;
  detail: string | null;
  method: string;
  /** With its query. */
  path: string;
  /** In the order they came; names as they came. */
  headers: [name: string, value: string][];
  /** The beginning of it. */
  body: Buffer;
  /** Of the whole body. */
  bodyBytes: number;
  remoteAddress: string;
  /** What it was answered. */
  status: number;
  type: string | null;
  eventId: string | null;
  /** How many more like it followed that were only counted. */
  repeats: number;
}

export interface NewSourceRequest extends SourceRequest {
  appId: string;
  sourceId: string;
}

/** So many are kept of a source. */
export const MAX_KEPT_REQUESTS = 1000;

const ZERO_UUID = '00000000-0000-0000-0000-000000000000';
/** The place of requests to addresses that are no source's. */
export const NO_SOURCE_PLACE = { appId: idFromUuid('app', ZERO_UUID), sourceId: idFromUuid('source', ZERO_UUID) };

// By a join: a source that was deleted gets no rows that outlive it.
const INSERT = {
  name: 'insert_source_requests',
  text: `
INSERT INTO source_requests (app_id, source_id, request_id, received_at, cause, reason, detail, method, path, headers, body,
  body_bytes, remote_address, status, type, event_id, repeats)
SELECT r.app_id, r.source_id, r.request_id, to_timestamp(r.received_ms / 1000), r.cause, r.reason, r.detail, r.method, r.path,
  r.headers, r.body, r.body_bytes, r.remote_address, r.status, r.type, r.event_id, r.repeats
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::float8[], $5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[], $10::bytea[],
  $11::integer[], $12::text[], $13::smallint[], $14::text[], $15::text[], $16::integer[],
  $17::text[])
  AS r(app_id, source_id, request_id, received_ms, cause, detail, method, path, headers, body, body_bytes, remote_address, status, type, event_id,
    repeats, reason)
LEFT JOIN sources s ON s.app_id = r.app_id AND s.source_id = r.source_id
WHERE s.source_id IS NOT NULL OR r.source_id = '${ZERO_UUID}'
ON CONFLICT (app_id, source_id, request_id) DO NOTHING`,
} satisfies Query;

export async function insertSourceRequests(db: Queryable, requests: readonly NewSourceRequest[]): Promise<void> {
  await db.query(INSERT, [
    requests.map(({ appId }) => uuidFromId('app', appId)),
    requests.map(({ sourceId }) => uuidFromId('source', sourceId)),
    requests.map(({ id }) => uuidFromId('request', id)),
    requests.map(({ receivedMs }) => receivedMs),
    requests.map(({ cause }) => cause),
    requests.map(({ detail }) => detail),
    requests.map(({ method }) => method),
    requests.map(({ path }) => path),
    requests.map(({ headers }) => JSON.stringify(headers)),
    requests.map(({ body }) => body),
    requests.map(({ bodyBytes }) => bodyBytes),
    requests.map(({ remoteAddress }) => remoteAddress),
    requests.map(({ status }) => status),
    requests.map(({ type }) => type),
    requests.map(({ eventId }) => eventId),
    requests.map(({ repeats }) => repeats),
    requests.map(({ reason }) => reason),
  ]);
}

const COUNT_REPEATS = {
  name: 'count_source_request_repeats',
  text: `
UPDATE source_requests r SET repeats = r.repeats + n.repeats
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[]) AS n(app_id, source_id, request_id, repeats)
WHERE r.app_id = n.app_id AND r.source_id = n.source_id AND r.request_id = n.request_id`,
} satisfies Query;

export interface RequestPlace {
  appId: string;
  sourceId: string;
  requestId: string;
}

/** Counts requests that were like one that is kept. */
export async function countRepeats(
  db: Queryable,
  repeats: readonly (RequestPlace & { count: number })[],
): Promise<void> {
  await db.query(COUNT_REPEATS, [
    repeats.map(({ appId }) => uuidFromId('app', appId)),
    repeats.map(({ sourceId }) => uuidFromId('source', sourceId)),
    repeats.map(({ requestId }) => uuidFromId('request', requestId)),
    repeats.map(({ count }) => count),
  ]);
}

interface RequestRow {
  request_id: string;
  received_ms: number;
  cause: string | null;
  reason: string | null;
  detail: string | null;
  method: string;
  path: string;
  headers: [string, string][];
  body: Buffer;
  body_bytes: number;
  remote_address: string;
  status: number;
  type: string | null;
  event_id: string | null;
  repeats: number;
}

const COLUMNS = `request_id, date_part('epoch', received_at) * 1000 AS received_ms, cause, reason, detail, method, path, headers, body,
  body_bytes, remote_address, status, type, event_id, repeats`;

function toRequest(row: RequestRow): SourceRequest {
  return {
    id: idFromUuid('request', row.request_id),
    receivedMs: Math.round(row.received_ms),
    cause: row.cause,
    reason: row.reason,
    detail: row.detail,
    method: row.method,
    path: row.path,
    headers: row.headers,
    body: row.body,
    bodyBytes: row.body_bytes,
    remoteAddress: row.remote_address,
    status: row.status,
    type: row.type,
    eventId: row.event_id,
    repeats: row.repeats,
  };
}

const LIST = {
  name: 'list_source_requests',
  text: `
SELECT ${COLUMNS} FROM source_requests
WHERE app_id = $1 AND source_id = $2 AND ($4::uuid IS NULL OR request_id < $4::uuid) AND ($5::text IS NULL OR cause = $5)
ORDER BY request_id DESC LIMIT $3`,
} satisfies Query;

/** Newest first; `before` is the id of the last request of the page before, `cause` null = any and none. */
export async function listSourceRequests(
  db: Queryable,
  place: { appId: string; sourceId: string },
  page: { limit: number; before: string | null; cause: string | null },
): Promise<SourceRequest[]> {
  const rows = await db.query<RequestRow>(LIST, [
    uuidFromId('app', place.appId),
    uuidFromId('source', place.sourceId),
    page.limit,
    page.before === null ? null : uuidFromId('request', page.before),
    page.cause,
  ]);
  return rows.map(toRequest);
}

const READ_AFTER = {
  name: 'read_source_requests_after',
  text: `
SELECT ${COLUMNS} FROM source_requests
WHERE app_id = $1 AND source_id = $2 AND request_id > $3::uuid AND request_id <> ALL ($5::uuid[]) ORDER BY request_id LIMIT $4`,
} satisfies Query;

/** Oldest first, without those of `except`; `after` need not be the id of one that is kept. */
export async function readSourceRequestsAfter(
  db: Queryable,
  place: { appId: string; sourceId: string },
  page: { after: string; except: readonly string[]; limit: number },
): Promise<SourceRequest[]> {
  const rows = await db.query<RequestRow>(READ_AFTER, [
    uuidFromId('app', place.appId),
    uuidFromId('source', place.sourceId),
    uuidFromId('request', page.after),
    page.limit,
    page.except.map((id) => uuidFromId('request', id)),
  ]);
  return rows.map(toRequest);
}

const PRUNE = {
  name: 'prune_source_requests',
  text: `
DELETE FROM source_requests
WHERE app_id = $1 AND source_id = $2 AND request_id <= (
  SELECT request_id FROM source_requests WHERE app_id = $1 AND source_id = $2 ORDER BY request_id DESC OFFSET ${MAX_KEPT_REQUESTS} LIMIT 1)`,
} satisfies Query;

/** Drops what a source has beyond MAX_KEPT_REQUESTS, the oldest first. */
export async function pruneSourceRequests(db: Queryable, place: { appId: string; sourceId: string }): Promise<void> {
  await db.query(PRUNE, [uuidFromId('app', place.appId), uuidFromId('source', place.sourceId)]);
}

const DELETE_OLD = {
  name: 'delete_old_source_requests',
  text: `
DELETE FROM source_requests WHERE (app_id, source_id, request_id) IN (
  SELECT app_id, source_id, request_id FROM source_requests WHERE received_at < now() - make_interval(days => $1) ORDER BY received_at LIMIT $2)
RETURNING 1`,
} satisfies Query;

/** Deletes requests older than so many days, at most `limit`; returns how many. */
export async function deleteOldSourceRequests(db: Queryable, days: number, limit: number): Promise<number> {
  return (await db.query(DELETE_OLD, [days, limit])).length;
}
