// Apps, and the head rows that make them live (design rule 21): an app can be written to as long as its head exists.

import type { Validation } from '../core/catalogue/event-type-definition.ts';
import { TidingsError } from '../core/errors.ts';
import { idFromUuid, parseId, TIDINGS_APP_ID, TIDINGS_APP_UUID, uuidFromId } from '../core/id.ts';
import { uuidArray } from './binary-array.ts';
import { lockCatalogue } from './catalogue-version.ts';
import { type CreationKey, claimCreation } from './creation-claim.ts';
import type { Database, Query, Queryable } from './database.ts';
import { WHOLE_APP_UUID } from './erasures.ts';
import { violates } from './violation.ts';

export interface App {
  id: string;
  uid: string | null;
  name: string;
  metadata: Record<string, string>;
  /** What becomes of data that does not fit the schema of its type; null = what the type says. */
  validation: Validation | null;
  createdAt: Date;
  updatedAt: Date;
}

interface AppRow {
  app_id: string;
  uid: string | null;
  name: string;
  metadata: Record<string, string>;
  validation: Validation | null;
  created_at: Date;
  updated_at: Date;
}

const COLUMNS = 'app_id, uid, name, metadata, validation, created_at, updated_at';

function toApp(row: AppRow): App {
  return {
    id: idFromUuid('app', row.app_id),
    uid: row.uid,
    name: row.name,
    metadata: row.metadata,
    validation: row.validation,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

const INSERT_APP = {
  name: 'insert_app',
  text: `
INSERT INTO apps (${COLUMNS}, validation_version) VALUES ($1, $2, $3, $4, $5, now(), now(), $6) RETURNING ${COLUMNS}`,
} satisfies Query;

const INSERT_HEAD = {
  name: 'insert_head',
  text: `
INSERT INTO heads (app_id, last_position, config_version, changed_at, last_day)
VALUES ($1, 0, 1, now(), (now() AT TIME ZONE 'UTC')::date)`,
} satisfies Query;

export interface NewApp {
  id: string;
  uid: string | null;
  name: string;
  metadata: Record<string, string>;
  validation?: Validation | null;
}

/**
 * Creates an app with an empty log. With an idempotency key that was used for the same body, returns the app made then.
 * @throws TidingsError `uid_taken`, `idempotency_conflict`, or `conflict` when the app made then is deleted.
 */
export async function createApp(db: Database, app: NewApp, idempotency: CreationKey | null = null): Promise<App> {
  try {
    return await db.transaction(async (tx) => {
      const earlierId = await claimCreation(tx, { appId: NO_APP_ID, kind: 'app', id: app.id, idempotency });
      if (earlierId !== null) return await earlierApp(tx, earlierId);
      const uuid = uuidFromId('app', app.id);
      const { validation = null } = app;
      const version = validation === null ? 0 : await lockCatalogue(tx);
      const values = [uuid, app.uid, app.name, JSON.stringify(app.metadata), validation, version];
      const [row] = await tx.query<AppRow>(INSERT_APP, values);
      await tx.query(INSERT_HEAD, [uuid]);
      return toApp(row);
    });
  } catch (error) {
    throw violates(error, 'apps_uid') ? uidTaken(app.uid) : error;
  }
}

/** The owner of claims that belong to no app. */
const NO_APP_ID = idFromUuid('app', '00000000-0000-0000-0000-000000000000');

async function earlierApp(tx: Queryable, appId: string): Promise<App> {
  const app = await findApp(tx, appId);
  if (app === null) {
    throw new TidingsError('conflict', `The app ${appId} that this Idempotency-Key created has been deleted since.`);
  }
  return app;
}

function uidTaken(uid: string | null | undefined): TidingsError {
  return new TidingsError('uid_taken', `Another app has the uid ${uid}. Choose another, or change that app.`);
}

const FIND_APP = {
  name: 'find_app',
  text: `SELECT ${COLUMNS} FROM apps WHERE app_id = $1 AND deleted_at IS NULL`,
} satisfies Query;

const FIND_APP_BY_UID = {
  name: 'find_app_by_uid',
  text: `SELECT ${COLUMNS} FROM apps WHERE uid = $1 AND deleted_at IS NULL`,
} satisfies Query;

/** A live app by its id; null when there is none or the text is not an app's id. */
export async function findApp(db: Queryable, appId: string): Promise<App | null> {
  const uuid = parseId('app', appId);
  if (uuid === null) return null;
  const rows = await db.query<AppRow>(FIND_APP, [uuid]);
  return rows.length === 0 ? null : toApp(rows[0]);
}

export async function findAppByUid(db: Queryable, uid: string): Promise<App | null> {
  const rows = await db.query<AppRow>(FIND_APP_BY_UID, [uid]);
  return rows.length === 0 ? null : toApp(rows[0]);
}

const LIVE_APPS = {
  name: 'live_apps',
  text: `SELECT app_id FROM apps WHERE app_id = ANY ($1::uuid[]) AND deleted_at IS NULL`,
} satisfies Query;

/** Which of these apps are not deleted. */
export async function findLiveApps(db: Queryable, appIds: string[]): Promise<Set<string>> {
  const uuids = uuidArray(appIds, (id) => uuidFromId('app', id));
  const rows = await db.query<{ app_id: string }>(LIVE_APPS, [uuids]);
  return new Set(rows.map(({ app_id }) => idFromUuid('app', app_id)));
}

const CHANGED_VALIDATIONS = {
  name: 'changed_validations',
  text: `SELECT app_id, validation FROM apps WHERE validation_version > $1`,
} satisfies Query;

/** What apps say of validation that have changed it after a version of the catalogue. */
export async function changedValidations(db: Queryable, version: number): Promise<Map<string, Validation | null>> {
  const rows = await db.query<{ app_id: string; validation: Validation | null }>(CHANGED_VALIDATIONS, [version]);
  return new Map(rows.map(({ app_id, validation }) => [idFromUuid('app', app_id), validation]));
}

const LIST_APPS = {
  name: 'list_apps',
  text: `
SELECT ${COLUMNS} FROM apps
WHERE deleted_at IS NULL AND ($2::uuid IS NULL OR app_id < $2::uuid)
ORDER BY app_id DESC LIMIT $1`,
} satisfies Query;

/** Newest first; `before` is the id of the last app of the page before. */
export async function listApps(db: Queryable, page: { limit: number; before: string | null }): Promise<App[]> {
  const before = page.before === null ? null : uuidFromId('app', page.before);
  return (await db.query<AppRow>(LIST_APPS, [page.limit, before])).map(toApp);
}

const UPDATE_APP = {
  name: 'update_app',
  text: `
UPDATE apps
SET uid = CASE WHEN $2::boolean THEN $3::text ELSE uid END, name = coalesce($4, name), metadata = coalesce($5::jsonb, metadata),
    validation = CASE WHEN $6::bigint IS NULL THEN validation ELSE $7::text END,
    validation_version = coalesce($6::bigint, validation_version), updated_at = now()
WHERE app_id = $1 AND deleted_at IS NULL RETURNING ${COLUMNS}`,
} satisfies Query;

export interface AppChange {
  /** null takes the uid away. */
  uid?: string | null | undefined;
  name?: string | undefined;
  metadata?: Record<string, string> | undefined;
  /** null = what the types say. */
  validation?: Validation | null | undefined;
}

/** @throws TidingsError `not_found`, `uid_taken` */
export function updateApp(db: Database, appId: string, change: AppChange): Promise<App> {
  if (change.validation === undefined) return writeChange(db, appId, change, null);
  return db.transaction(async (tx) => writeChange(tx, appId, change, await lockCatalogue(tx)));
}

async function writeChange(db: Queryable, appId: string, change: AppChange, version: number | null): Promise<App> {
  const metadata = change.metadata === undefined ? null : JSON.stringify(change.metadata);
  const values = [
    uuidFromId('app', appId),
    change.uid !== undefined,
    change.uid ?? null,
    change.name ?? null,
    metadata,
    version,
    change.validation ?? null,
  ];
  try {
    const rows = await db.query<AppRow>(UPDATE_APP, values);
    if (rows.length === 0) throw noApp(appId);
    return toApp(rows[0]);
  } catch (error) {
    throw violates(error, 'apps_uid') ? uidTaken(change.uid) : error;
  }
}

/** The one answer for apps that do not exist and apps that the caller may not know of (invariant I4). */
export function noApp(ref: string): TidingsError {
  return new TidingsError('not_found', `There is no app ${ref}.`);
}

// Deleting the head comes first: it waits for the appends under way and refuses those to come. The rest of the app's rows
// are the eraser's; the lanes go at once, so that no flush writes for it any more.
const DELETE_HEAD = {
  name: 'delete_head',
  text: `DELETE FROM heads WHERE app_id = $1 RETURNING app_id`,
} satisfies Query;

const BURY_APP = {
  name: 'bury_app',
  text: `UPDATE apps SET deleted_at = now(), updated_at = now() WHERE app_id = $1`,
} satisfies Query;

const BURY_ENDPOINTS_OF_APP = {
  name: 'bury_endpoints_of_app',
  text: `UPDATE endpoints SET deleted_at = now(), updated_at = now() WHERE app_id = $1 AND deleted_at IS NULL`,
} satisfies Query;

const DELETE_LANES_OF_APP = {
  name: 'delete_lanes_of_app',
  text: `DELETE FROM lanes WHERE app_id = $1`,
} satisfies Query;

const DELETE_SECRETS_OF_APP = {
  name: 'delete_secrets_of_app',
  text: `DELETE FROM endpoint_secrets WHERE app_id = $1`,
} satisfies Query;

const DELETE_CREDENTIALS_OF_APP = {
  name: 'delete_credentials_of_app',
  text: `DELETE FROM endpoint_credentials WHERE app_id = $1`,
} satisfies Query;

const DELETE_KEYS_OF_APP = {
  name: 'delete_keys_of_app',
  text: `DELETE FROM api_keys WHERE app_id = $1`,
} satisfies Query;

const DELETE_SOURCES_OF_APP = {
  name: 'delete_sources_of_app',
  text: `DELETE FROM sources WHERE app_id = $1`,
} satisfies Query;

const DELETE_SOURCE_SECRETS_OF_APP = {
  name: 'delete_source_secrets_of_app',
  text: `DELETE FROM source_secrets WHERE app_id = $1`,
} satisfies Query;

const REQUEST_ERASURE_OF_APP = {
  name: 'request_erasure_of_app',
  text: `
INSERT INTO erasures (app_id, endpoint_id, requested_at)
VALUES ($1, '${WHOLE_APP_UUID}', now())
ON CONFLICT (app_id, endpoint_id) DO NOTHING`,
} satisfies Query;

/** Tombstones the app and all its endpoints at once and leaves its data to the eraser. @throws TidingsError `not_found`, `conflict` */
export async function deleteApp(db: Database, appId: string): Promise<void> {
  if (appId === TIDINGS_APP_ID) {
    throw new TidingsError(
      'conflict',
      `The app ${appId} is built in and cannot be deleted. Delete its endpoints instead.`,
    );
  }
  const uuid = uuidFromId('app', appId);
  await db.transaction(async (tx) => {
    if ((await tx.query(DELETE_HEAD, [uuid])).length === 0) throw noApp(appId);
    for (const query of [
      BURY_APP,
      BURY_ENDPOINTS_OF_APP,
      DELETE_LANES_OF_APP,
      DELETE_SECRETS_OF_APP,
      DELETE_CREDENTIALS_OF_APP,
      DELETE_KEYS_OF_APP,
      DELETE_SOURCES_OF_APP,
      DELETE_SOURCE_SECRETS_OF_APP,
      REQUEST_ERASURE_OF_APP,
    ]) {
      await tx.query(query, [uuid]);
    }
  });
}

const ENSURE_APP = {
  name: 'ensure_builtin_app',
  text: `
INSERT INTO apps (${COLUMNS}) VALUES ($1, NULL, 'Tidings', '{}', NULL, now(), now()) ON CONFLICT (app_id) DO NOTHING`,
} satisfies Query;

const ENSURE_HEAD = {
  name: 'ensure_builtin_head',
  text: `${INSERT_HEAD.text} ON CONFLICT (app_id) DO NOTHING`,
} satisfies Query;

/** Makes the app of the operational events unless it is there. Every process calls it when it starts. */
export async function ensureBuiltinApp(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query(ENSURE_APP, [TIDINGS_APP_UUID]);
    await tx.query(ENSURE_HEAD, [TIDINGS_APP_UUID]);
  });
}
