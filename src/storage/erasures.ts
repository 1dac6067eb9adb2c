// What a deletion leaves behind is erased in chunks, and once more a lease later: a writer or flush that was under way while the tombstone
// was set may have written after the first sweep (design rule 21).
import { idFromUuid } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';
import { LIVE_CURSOR_UUID } from './flush.ts';

export interface Erasure {
  appUuid: string;
  /** Zero: the whole app. */
  endpointUuid: string;
  sweptOnce: boolean;
}

/** The endpoint_id of an erasure that concerns the whole app. */
export const WHOLE_APP_UUID = LIVE_CURSOR_UUID;
const CHUNK_ROWS = 5000;

const DUE_ERASURES = {
  name: 'due_erasures',
  text: `
SELECT app_id, endpoint_id, swept_at IS NOT NULL AS swept FROM erasures
WHERE swept_at IS NULL OR swept_at < now() - make_interval(secs => $1) ORDER BY requested_at LIMIT 100`,
} satisfies Query;

/** Erasures to be swept: new ones, and those whose first sweep lies a lease back. */
export async function dueErasures(db: Queryable, secondSweepAfterSeconds: number): Promise<Erasure[]> {
  const rows = await db.query<{ app_id: string; endpoint_id: string; swept: boolean }>(DUE_ERASURES, [
    secondSweepAfterSeconds,
  ]);
  return rows.map((row) => ({ appUuid: row.app_id, endpointUuid: row.endpoint_id, sweptOnce: row.swept }));
}

const APPS_BEING_ERASED = {
  name: 'apps_being_erased',
  text: `SELECT app_id FROM erasures WHERE endpoint_id = '${WHOLE_APP_UUID}'`,
} satisfies Query;

/** Apps that were deleted, until their last sweep: long enough for every process to hear of it. */
export async function appsBeingErased(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ app_id: string }>(APPS_BEING_ERASED);
  return rows.map((row) => idFromUuid('app', row.app_id));
}

// Tables whose rows belong to an endpoint, and those that belong to the app alone. Keys, so that a chunk can be cut on them.
const ENDPOINT_TABLES = {
  attempts: 'app_id, endpoint_id, attempt_id, day',
  retries: 'app_id, endpoint_id, cursor_id, position',
  dead: 'app_id, endpoint_id, cursor_id, position',
  expirations: 'app_id, endpoint_id, from_position',
  replays: 'app_id, endpoint_id, replay_id',
  endpoint_secrets: 'app_id, endpoint_id, secret_id',
  endpoint_credentials: 'app_id, endpoint_id',
  endpoint_versions: 'app_id, endpoint_id, config_version',
  transformations: 'app_id, endpoint_id, version',
  lanes: 'app_id, endpoint_id',
  endpoints: 'app_id, endpoint_id',
};
const APP_TABLES = {
  events: 'app_id, position, day',
  scheduled: 'app_id, event_id',
  consumers: 'app_id, name',
  fetched_items: 'app_id, source_id, item_key',
  fetch_runs: 'app_id, source_id, run_id',
  source_requests: 'app_id, source_id, request_id',
  source_secrets: 'app_id, source_id, secret_id',
  sources: 'app_id, source_id',
  idempotency_keys: 'app_id, key',
  apps: 'app_id',
};

function eraseChunk(table: string, key: string, byEndpoint: boolean): Query {
  const where = byEndpoint ? 'app_id = $1 AND endpoint_id = $2' : 'app_id = $1';
  return {
    name: `erase_${table}${byEndpoint ? '_of_endpoint' : ''}`,
    text: `DELETE FROM ${table} WHERE ${where} AND (${key}) IN (SELECT ${key} FROM ${table} WHERE ${where} LIMIT ${CHUNK_ROWS}) RETURNING 1`,
  };
}

const ERASE_ENDPOINT = Object.entries(ENDPOINT_TABLES).map(([table, key]) => eraseChunk(table, key, true));
const ERASE_APP = Object.entries({ ...ENDPOINT_TABLES, ...APP_TABLES }).map(([table, key]) =>
  eraseChunk(table, key, false),
);

const MARK_SWEPT = {
  name: 'mark_swept',
  text: 'UPDATE erasures SET swept_at = now() WHERE app_id = $1 AND endpoint_id = $2',
} satisfies Query;
const FINISH = {
  name: 'finish_erasure',
  text: 'DELETE FROM erasures WHERE app_id = $1 AND endpoint_id = $2',
} satisfies Query;

/** Erases all rows, chunk by chunk; `pause` is awaited between chunks and ends the sweep early by answering false. */
export async function sweepErasure(db: Queryable, erasure: Erasure, pause: () => Promise<boolean>): Promise<void> {
  const { appUuid, endpointUuid } = erasure;
  const wholeApp = endpointUuid === WHOLE_APP_UUID;
  for (const query of wholeApp ? ERASE_APP : ERASE_ENDPOINT) {
    const values = wholeApp ? [appUuid] : [appUuid, endpointUuid];
    while ((await db.query(query, values)).length === CHUNK_ROWS) if (!(await pause())) return;
  }
  await db.query(erasure.sweptOnce ? FINISH : MARK_SWEPT, [appUuid, endpointUuid]);
}
