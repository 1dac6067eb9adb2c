// Sources as they are stored. Changing them is source-changes.ts.
import { createHash } from 'node:crypto';
import { TidingsError } from '../core/errors.ts';
import { idFromUuid, parseId, uuidFromId } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { Source, SourceKind } from '../core/source.ts';
import type { Query, Queryable } from './database.ts';

export interface SourceRow {
  app_id: string;
  source_id: string;
  uid: string | null;
  kind: SourceKind;
  config: Record<string, unknown>;
  sealed_token: Buffer | null;
  secret_names: string[];
  paused_at: Date | null;
  disabled_at: Date | null;
  disabled_reason: string | null;
  created_at: Date;
  updated_at: Date;
}

const SECRET_NAMES = `ARRAY(
  SELECT n.name FROM source_secrets n
  WHERE n.app_id = sources.app_id AND n.source_id = sources.source_id AND (n.expires_at IS NULL OR n.expires_at > now())
  ORDER BY n.secret_id) AS secret_names`;

export const SOURCE_COLUMNS = `app_id, source_id, uid, kind, config, sealed_token, ${SECRET_NAMES}, paused_at, disabled_at, disabled_reason,
  created_at, updated_at`;

/** What a sealed token is bound to. */
export function tokenBoundTo(appUuid: string, sourceUuid: string): string {
  return `sources:${appUuid}:${sourceUuid}`;
}

export function toSource(box: SecretBox, row: SourceRow): Source {
  return {
    appId: idFromUuid('app', row.app_id),
    id: idFromUuid('source', row.source_id),
    uid: row.uid,
    kind: row.kind,
    config: row.config,
    token:
      row.sealed_token === null
        ? null
        : box.open(row.sealed_token, tokenBoundTo(row.app_id, row.source_id)).toString('utf8'),
    secretNames: row.secret_names,
    pausedAt: row.paused_at,
    disabledAt: row.disabled_at,
    disabledReason: row.disabled_reason,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** The one answer for sources that do not exist or belong to another app. */
export function noSource(ref: string): TidingsError {
  return new TidingsError('not_found', `There is no source ${ref} in this app.`);
}

const FIND_SOURCE = {
  name: 'find_source',
  text: `SELECT ${SOURCE_COLUMNS} FROM sources WHERE app_id = $1 AND source_id = $2`,
} satisfies Query;

const FIND_SOURCE_BY_UID = {
  name: 'find_source_by_uid',
  text: `SELECT ${SOURCE_COLUMNS} FROM sources WHERE app_id = $1 AND uid = $2`,
} satisfies Query;

/** A source of the app by its id or uid; null when there is none. */
export async function findSource(db: Queryable, box: SecretBox, appId: string, ref: string): Promise<Source | null> {
  const appUuid = uuidFromId('app', appId);
  const uuid = parseId('source', ref);
  const [row] =
    uuid === null
      ? await db.query<SourceRow>(FIND_SOURCE_BY_UID, [appUuid, ref])
      : await db.query<SourceRow>(FIND_SOURCE, [appUuid, uuid]);
  return row === undefined ? null : toSource(box, row);
}

const FIND_SOURCE_BY_TOKEN = {
  name: 'find_source_by_token',
  text: `SELECT ${SOURCE_COLUMNS} FROM sources WHERE token_hash = $1`,
} satisfies Query;

/** The source that a URL with this token is of; null when there is none. */
export async function findSourceByToken(db: Queryable, box: SecretBox, token: string): Promise<Source | null> {
  const [row] = await db.query<SourceRow>(FIND_SOURCE_BY_TOKEN, [hashToken(token)]);
  return row === undefined ? null : toSource(box, row);
}

/** What a token is stored as to be found by. It is random, so that a plain hash will do. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

const LIST_SOURCES = {
  name: 'list_sources',
  text: `
SELECT ${SOURCE_COLUMNS} FROM sources
WHERE app_id = $1 AND ($3::uuid IS NULL OR source_id < $3::uuid) ORDER BY source_id DESC LIMIT $2`,
} satisfies Query;

/** Newest first; `before` is the id of the last source of the page before. */
export async function listSources(
  db: Queryable,
  box: SecretBox,
  appId: string,
  page: { limit: number; before: string | null },
): Promise<Source[]> {
  const before = page.before === null ? null : uuidFromId('source', page.before);
  const rows = await db.query<SourceRow>(LIST_SOURCES, [uuidFromId('app', appId), page.limit, before]);
  return rows.map((row) => toSource(box, row));
}
