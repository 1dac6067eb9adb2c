// The log of the runs of sources that are fetched. The newest of each source are kept.
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';
import type { SourcePlace } from './fetched-items.ts';

export const RUN_OUTCOMES = ['changed', 'unchanged', 'failed'] as const;

export interface FetchRunRecord {
  id: string;
  startedMs: number;
  durationMs: number;
  outcome: (typeof RUN_OUTCOMES)[number];
  /** Why it failed; null when it did not. */
  cause: string | null;
  detail: string | null;
  /** Of the last answer; null when there was none. */
  status: number | null;
  pages: number;
  items: number;
  bytes: number;
  created: number;
  updated: number;
  deleted: number;
}

const KEPT_RUNS = 200;
const MAX_DETAIL_LENGTH = 1000;

// By a join, as with all that belongs to a source: nothing outlives it.
const INSERT = {
  name: 'insert_fetch_run',
  text: `
INSERT INTO fetch_runs (app_id, source_id, run_id, started_at, duration_ms, outcome, cause, detail, status, pages, items, bytes,
  created, updated, deleted)
SELECT s.app_id, s.source_id, $3, to_timestamp($4::float8 / 1000), $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
FROM sources s WHERE s.app_id = $1 AND s.source_id = $2`,
} satisfies Query;

const PRUNE = {
  name: 'prune_fetch_runs',
  text: `
DELETE FROM fetch_runs WHERE app_id = $1 AND source_id = $2 AND run_id < (
  SELECT run_id FROM fetch_runs WHERE app_id = $1 AND source_id = $2 ORDER BY run_id DESC OFFSET ${KEPT_RUNS - 1} LIMIT 1)`,
} satisfies Query;

export async function recordRun(db: Queryable, place: SourcePlace, run: FetchRunRecord): Promise<void> {
  const at = [uuidFromId('app', place.appId), uuidFromId('source', place.sourceId)];
  await db.query(INSERT, [
    ...at,
    uuidFromId('run', run.id),
    run.startedMs,
    Math.round(run.durationMs),
    run.outcome,
    run.cause,
    run.detail?.slice(0, MAX_DETAIL_LENGTH) ?? null,
    run.status,
    run.pages,
    run.items,
    run.bytes,
    run.created,
    run.updated,
    run.deleted,
  ]);
  await db.query(PRUNE, at);
}

interface RunRow {
  run_id: string;
  started_ms: number;
  duration_ms: number;
  outcome: FetchRunRecord['outcome'];
  cause: string | null;
  detail: string | null;
  status: number | null;
  pages: number;
  items: number;
  bytes: number;
  created: number;
  updated: number;
  deleted: number;
}

const LIST = {
  name: 'list_fetch_runs',
  text: `
SELECT run_id, (date_part('epoch', started_at) * 1000)::float8 AS started_ms, duration_ms, outcome, cause, detail, status, pages, items, bytes,
  created, updated, deleted
FROM fetch_runs WHERE app_id = $1 AND source_id = $2 AND ($4::uuid IS NULL OR run_id < $4::uuid) ORDER BY run_id DESC LIMIT $3`,
} satisfies Query;

/** Newest first; `before` is the id of the last run of the page before. */
export async function listRuns(
  db: Queryable,
  place: SourcePlace,
  { limit, before }: { limit: number; before: string | null },
): Promise<FetchRunRecord[]> {
  const at = [uuidFromId('app', place.appId), uuidFromId('source', place.sourceId)];
  const rows = await db.query<RunRow>(LIST, [...at, limit, before === null ? null : uuidFromId('run', before)]);
  return rows.map(({ run_id, started_ms, duration_ms, ...row }) => ({
    id: idFromUuid('run', run_id),
    startedMs: Math.round(started_ms),
    durationMs: duration_ms,
    ...row,
  }));
}
