// The secrets of sources, sealed with the master key and bound to their row: what signs a provider's webhooks, and what an API that is fetched
// wants to be shown.
import { uuidFromId } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { SourceSecret } from '../core/source.ts';
import type { Query, Queryable } from './database.ts';

function boundTo(appUuid: string, sourceUuid: string, secretUuid: string): string {
  return `source_secrets:${appUuid}:${sourceUuid}:${secretUuid}`;
}

const LOAD = {
  name: 'load_source_secrets',
  text: `
SELECT secret_id, name, sealed FROM source_secrets
WHERE app_id = $1 AND source_id = $2 AND (expires_at IS NULL OR expires_at > now()) ORDER BY secret_id`,
} satisfies Query;

/** The secrets of a source that are good now, in the order they were given; empty when there is no such source. */
export async function loadSourceSecrets(
  db: Queryable,
  box: SecretBox,
  place: { appId: string; sourceId: string },
): Promise<SourceSecret[]> {
  const values = [uuidFromId('app', place.appId), uuidFromId('source', place.sourceId)];
  const rows = await db.query<{ secret_id: string; name: string; sealed: Buffer }>(LOAD, values);
  return rows.map(({ secret_id, name, sealed }) => ({
    name,
    secret: box.open(sealed, boundTo(values[0], values[1], secret_id)).toString('utf8'),
  }));
}

const DELETE_NAMED = {
  name: 'delete_named_source_secrets',
  text: `DELETE FROM source_secrets WHERE app_id = $1 AND source_id = $2 AND (name = ANY ($3::text[]) OR expires_at <= now())`,
} satisfies Query;

const EXPIRE_NAMED = {
  name: 'expire_named_source_secrets',
  text: `
UPDATE source_secrets SET expires_at = least(expires_at, now() + make_interval(secs => $4::float8))
WHERE app_id = $1 AND source_id = $2 AND name = ANY ($3::text[])`,
} satisfies Query;

// By a join: a source that is being deleted gets no secret that outlives it.
const INSERT = {
  name: 'insert_source_secret',
  text: `
INSERT INTO source_secrets (app_id, source_id, secret_id, name, sealed, created_at)
SELECT s.app_id, s.source_id, $3, $4, $5, now() FROM sources s WHERE s.app_id = $1 AND s.source_id = $2`,
} satisfies Query;

export interface NamedSecrets {
  /** All secrets with these names are replaced. */
  names: readonly string[];
  /** How long they are good beside the new ones; not at all if absent. */
  graceSeconds?: number;
  secrets: readonly (SourceSecret & { /** A new UUID. */ secretUuid: string })[];
}

/** Replaces the secrets of some names, within the transaction of the change. */
export async function replaceSourceSecrets(
  tx: Queryable,
  box: SecretBox,
  place: { appId: string; sourceId: string },
  { names, secrets, graceSeconds = 0 }: NamedSecrets,
): Promise<void> {
  const appUuid = uuidFromId('app', place.appId);
  const sourceUuid = uuidFromId('source', place.sourceId);
  if (graceSeconds > 0) await tx.query(EXPIRE_NAMED, [appUuid, sourceUuid, names, graceSeconds]);
  await tx.query(DELETE_NAMED, [appUuid, sourceUuid, graceSeconds > 0 ? [] : names]);
  for (const { name, secret, secretUuid } of secrets) {
    const sealed = box.seal(Buffer.from(secret, 'utf8'), boundTo(appUuid, sourceUuid, secretUuid));
    await tx.query(INSERT, [appUuid, sourceUuid, secretUuid, name, sealed]);
  }
}
