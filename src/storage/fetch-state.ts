// Where a source that is fetched stands, and when it is fetched next. The state moves by compare-and-set on its version, in the transaction that
// appends what was found (design rule 7): of two processes that fetch a source at once, one tells of what it found.
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { SourceKind } from '../core/source.ts';
import type { Query, Queryable } from './database.ts';
import { changeItems, type ItemChanges, type SourcePlace } from './fetched-items.ts';

export interface StoredFetch extends SourcePlace {
  kind: SourceKind;
  config: Readonly<Record<string, unknown>>;
  state: unknown;
  stateVersion: number;
  /** Changes with every change by the user. */
  revision: string;
  failedRuns: number;
  idleRuns: number;
  /** When it was to run, as it is stored; null = not. */
  dueAt: string | null;
  allowDeletions: boolean;
  /** Neither paused nor disabled. */
  isActive: boolean;
}

interface FetchRow {
  app_id: string;
  source_id: string;
  kind: SourceKind;
  config: Record<string, unknown>;
  state: unknown;
  state_version: number;
  revision: string;
  failed_runs: number;
  idle_runs: number;
  due_at: string | null;
  allow_deletions: boolean;
  is_active: boolean;
}

const COLUMNS = `app_id, source_id, kind, config, state, state_version, updated_at::text AS revision, failed_runs, idle_runs,
  next_run_at::text AS due_at, allow_deletions,
  paused_at IS NULL AND disabled_at IS NULL AS is_active`;

function toFetch(row: FetchRow): StoredFetch {
  return {
    appId: idFromUuid('app', row.app_id),
    sourceId: idFromUuid('source', row.source_id),
    kind: row.kind,
    config: row.config,
    state: row.state,
    stateVersion: row.state_version,
    revision: row.revision,
    failedRuns: row.failed_runs,
    idleRuns: row.idle_runs,
    dueAt: row.due_at,
    allowDeletions: row.allow_deletions,
    isActive: row.is_active,
  };
}

const DUE = {
  name: 'due_fetches',
  text: `
SELECT ${COLUMNS} FROM sources
WHERE slot = ANY ($1::smallint[]) AND next_run_at <= now() AND paused_at IS NULL AND disabled_at IS NULL
  AND source_id <> ALL ($3::uuid[])
ORDER BY next_run_at LIMIT $2`,
} satisfies Query;

/** Sources of these slots that are to be fetched now, the longest overdue first. */
export async function dueFetches(
  db: Queryable,
  { slots, limit, except }: { slots: readonly number[]; limit: number; except: readonly string[] },
): Promise<StoredFetch[]> {
  const running = except.map((id) => uuidFromId('source', id));
  return (await db.query<FetchRow>(DUE, [slots, limit, running])).map(toFetch);
}

const FIND = {
  name: 'find_fetch',
  text: `SELECT ${COLUMNS} FROM sources WHERE app_id = $1 AND source_id = $2`,
} satisfies Query;

export async function findFetch(db: Queryable, { appId, sourceId }: SourcePlace): Promise<StoredFetch | null> {
  const [row] = await db.query<FetchRow>(FIND, [uuidFromId('app', appId), uuidFromId('source', sourceId)]);
  return row === undefined ? null : toFetch(row);
}

export interface StateAdvance extends SourcePlace {
  fromVersion: number;
  revision: string;
  state: object;
  items: ItemChanges;
}

const ADVANCE = {
  name: 'advance_fetch_state',
  text: `
UPDATE sources SET state = $5, state_version = state_version + 1
WHERE app_id = $1 AND source_id = $2 AND state_version = $3 AND updated_at = $4::timestamptz RETURNING 1`,
} satisfies Query;

/** Whether the state was still the one that the run began with. If not, nothing is written; roll nothing back. */
export async function advanceState(tx: Queryable, advance: StateAdvance): Promise<boolean> {
  const { appId, sourceId, fromVersion, revision, state, items } = advance;
  const at = [uuidFromId('app', appId), uuidFromId('source', sourceId)];
  const moved = await tx.query(ADVANCE, [...at, fromVersion, revision, JSON.stringify(state)]);
  if (moved.length === 0) return false;
  await changeItems(tx, advance, items);
  return true;
}

// Not when the user has changed it meanwhile: then it is looked at again at once, or not at all. Nor is a run forgotten that was asked for
// while another was under way.
const SCHEDULE = {
  name: 'schedule_fetch',
  text: `
UPDATE sources
SET next_run_at = CASE WHEN $7::text IS NOT NULL THEN NULL WHEN next_run_at = $8::timestamptz THEN now() + make_interval(secs => $4) ELSE next_run_at END,
    allow_deletions = allow_deletions AND next_run_at IS DISTINCT FROM $8::timestamptz,
    failed_runs = $5, idle_runs = $6,
    disabled_at = CASE WHEN $7::text IS NULL THEN disabled_at ELSE now() END,
    disabled_reason = coalesce($7, disabled_reason)
WHERE app_id = $1 AND source_id = $2 AND updated_at = $3::timestamptz AND paused_at IS NULL AND disabled_at IS NULL RETURNING 1`,
} satisfies Query;

export interface FetchSchedule extends SourcePlace {
  revision: string;
  /** When the run that has ended was due. */
  dueAt: string | null;
  inMs: number;
  failedRuns: number;
  idleRuns: number;
  /** It is not fetched any more, for this reason. */
  disabledReason: string | null;
}

/** Says when it is fetched next. Whether it took: not if the source was changed, paused or deleted meanwhile. */
export async function scheduleFetch(db: Queryable, next: FetchSchedule): Promise<boolean> {
  const { appId, sourceId, revision, dueAt, inMs, failedRuns, idleRuns, disabledReason } = next;
  const at = [uuidFromId('app', appId), uuidFromId('source', sourceId)];
  const values = [...at, revision, inMs / 1000, failedRuns, idleRuns, disabledReason, dueAt];
  return (await db.query(SCHEDULE, values)).length > 0;
}

const ASK = {
  name: 'ask_for_fetch',
  text: `
UPDATE sources SET next_run_at = clock_timestamp(), allow_deletions = allow_deletions OR $3
WHERE app_id = $1 AND source_id = $2 AND paused_at IS NULL AND disabled_at IS NULL RETURNING 1`,
} satisfies Query;

/** Has it run now by the process whose it is. Whether it will: not if it is paused, disabled or deleted. */
export async function askForFetch(db: Queryable, place: SourcePlace, allowDeletions: boolean): Promise<boolean> {
  const at = [uuidFromId('app', place.appId), uuidFromId('source', place.sourceId)];
  return (await db.query(ASK, [...at, allowDeletions])).length > 0;
}

const LOCK = {
  name: 'lock_fetch',
  text: `SELECT 1 FROM sources WHERE app_id = $1 AND source_id = $2 AND updated_at = $3::timestamptz FOR UPDATE`,
} satisfies Query;

/** Keeps the source as the user has left it until the transaction ends. Whether it still is. */
export async function lockFetch(
  tx: Queryable,
  { appId, sourceId, revision }: SourcePlace & { revision: string },
): Promise<boolean> {
  return (await tx.query(LOCK, [uuidFromId('app', appId), uuidFromId('source', sourceId), revision])).length > 0;
}
