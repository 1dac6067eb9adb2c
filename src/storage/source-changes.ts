// Every change of a source by its user.
import { slotOf } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import { parseId, uuidFromId } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { Source, SourceKind } from '../core/source.ts';
import { noApp } from './apps.ts';
import { type CreationKey, claimCreation } from './creation-claim.ts';
import type { Database, Query } from './database.ts';
import { type NamedSecrets, replaceSourceSecrets } from './source-secrets.ts';
import { findSource, hashToken, noSource, SOURCE_COLUMNS, type SourceRow, tokenBoundTo, toSource } from './sources.ts';
import { violates } from './violation.ts';

// The app's head is held while the source is inserted: an app that is being deleted gets none that outlives it.
const INSERT_SOURCE = {
  name: 'insert_source',
  text: `
WITH live AS (SELECT app_id FROM heads WHERE app_id = $1 FOR KEY SHARE)
INSERT INTO sources (app_id, source_id, uid, kind, config, token_hash, sealed_token, slot, next_run_at, created_at, updated_at)
SELECT live.app_id, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $9 THEN now() END, now(), now() FROM live RETURNING 1`,
} satisfies Query;

export interface NewSource {
  id: string;
  appId: string;
  uid: string | null;
  kind: SourceKind;
  config: object;
  /** The end of its URL; null when nobody is to send to it. */
  token: string | null;
  /** Whether its first run is due at once. */
  isFetched: boolean;
  secrets: NamedSecrets;
  idempotency: CreationKey | null;
}

/**
 * Creates a source, or with an idempotency key that was used for the same body returns the one made then.
 * @throws TidingsError `not_found` (app), `uid_taken`, `idempotency_conflict`, `conflict`
 */
export async function createSource(db: Database, box: SecretBox, source: NewSource): Promise<Source> {
  const { appId, id, token, idempotency } = source;
  const appUuid = uuidFromId('app', appId);
  const uuid = uuidFromId('source', id);
  try {
    return await db.transaction(async (tx) => {
      const earlierId = await claimCreation(tx, { appId, kind: 'source', id, idempotency });
      if (earlierId !== null) {
        const earlier = await findSource(tx, box, appId, earlierId);
        if (earlier !== null) return earlier;
        throw new TidingsError(
          'conflict',
          `The source ${earlierId} that this Idempotency-Key created has been deleted since. Use a new key.`,
        );
      }
      const inserted = await tx.query(INSERT_SOURCE, [
        appUuid,
        uuid,
        source.uid,
        source.kind,
        JSON.stringify(source.config),
        token === null ? null : hashToken(token),
        token === null ? null : box.seal(Buffer.from(token, 'utf8'), tokenBoundTo(appUuid, uuid)),
        slotOf(uuid),
        source.isFetched,
      ]);
      if (inserted.length === 0) throw noApp(appId);
      await replaceSourceSecrets(tx, box, { appId, sourceId: id }, source.secrets);
      return (await findSource(tx, box, appId, id))!;
    });
  } catch (error) {
    throw violates(error, 'sources_uid') ? uidTaken(source.uid) : error;
  }
}

function uidTaken(uid: string | null): TidingsError {
  return new TidingsError(
    'uid_taken',
    `Another source of this app has the uid ${uid}. Choose another, or change that source.`,
  );
}

const LOCK_SOURCE = {
  name: 'lock_source',
  text: `SELECT ${SOURCE_COLUMNS} FROM sources WHERE app_id = $1 AND source_id = $2 FOR UPDATE`,
} satisfies Query;

// Who resumes a source enables it too, as with endpoints. What is fetched is looked at again at once, unless it is paused or disabled.
const WRITE_SOURCE = {
  name: 'write_source',
  text: `
UPDATE sources
SET uid = $3, config = $4, updated_at = now(),
    paused_at = CASE $5 WHEN 'pause' THEN coalesce(paused_at, now()) WHEN 'keep' THEN paused_at END,
    disabled_at = CASE WHEN $5 <> 'resume' THEN disabled_at END,
    disabled_reason = CASE WHEN $5 <> 'resume' THEN disabled_reason END,
    next_run_at = CASE WHEN $6 AND ($5 = 'resume' OR $5 = 'keep' AND paused_at IS NULL AND disabled_at IS NULL) THEN now() END
WHERE app_id = $1 AND source_id = $2`,
} satisfies Query;

export interface RevisedSource {
  uid: string | null;
  config: object;
  lifecycle: 'pause' | 'resume' | 'keep';
  isFetched: boolean;
  /** Absent: they stay. */
  secrets?: NamedSecrets;
}

/**
 * Changes a source; `revise` gets it as it is stored. @throws TidingsError `not_found`, `uid_taken`, and what `revise` throws
 */
export async function updateSource(
  db: Database,
  box: SecretBox,
  place: { appId: string; sourceId: string },
  revise: (source: Source) => RevisedSource,
): Promise<Source> {
  const appUuid = uuidFromId('app', place.appId);
  const uuid = parseId('source', place.sourceId);
  if (uuid === null) throw noSource(place.sourceId);
  let uid: string | null = null;
  try {
    return await db.transaction(async (tx) => {
      const [stored] = await tx.query<SourceRow>(LOCK_SOURCE, [appUuid, uuid]);
      if (stored === undefined) throw noSource(place.sourceId);
      const revised = revise(toSource(box, stored));
      uid = revised.uid;
      const values = [appUuid, uuid, uid, JSON.stringify(revised.config), revised.lifecycle, revised.isFetched];
      await tx.query(WRITE_SOURCE, values);
      if (revised.secrets !== undefined) await replaceSourceSecrets(tx, box, place, revised.secrets);
      return (await findSource(tx, box, place.appId, place.sourceId))!;
    });
  } catch (error) {
    throw violates(error, 'sources_uid') ? uidTaken(uid) : error;
  }
}

const DELETE_SOURCE = {
  name: 'delete_source',
  text: `DELETE FROM sources WHERE app_id = $1 AND source_id = $2 RETURNING 1`,
} satisfies Query;

const DELETE_SECRETS = {
  name: 'delete_source_secrets',
  text: `DELETE FROM source_secrets WHERE app_id = $1 AND source_id = $2`,
} satisfies Query;

const DELETE_REQUESTS = {
  name: 'delete_source_requests',
  text: `DELETE FROM source_requests WHERE app_id = $1 AND source_id = $2`,
} satisfies Query;

const DELETE_FETCHED_ITEMS = {
  name: 'delete_source_fetched_items',
  text: `DELETE FROM fetched_items WHERE app_id = $1 AND source_id = $2`,
} satisfies Query;

const DELETE_RUNS = {
  name: 'delete_source_runs',
  text: `DELETE FROM fetch_runs WHERE app_id = $1 AND source_id = $2`,
} satisfies Query;

/** Deletes the source and what is kept of its requests and runs; the events it gave stay. @throws TidingsError `not_found` */
export async function deleteSource(db: Database, place: { appId: string; sourceId: string }): Promise<void> {
  const uuid = parseId('source', place.sourceId);
  if (uuid === null) throw noSource(place.sourceId);
  const values = [uuidFromId('app', place.appId), uuid];
  await db.transaction(async (tx) => {
    if ((await tx.query(DELETE_SOURCE, values)).length === 0) throw noSource(place.sourceId);
    for (const query of [DELETE_SECRETS, DELETE_REQUESTS, DELETE_FETCHED_ITEMS, DELETE_RUNS])
      await tx.query(query, values);
  });
}
