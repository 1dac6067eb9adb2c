// Claims (design rule 7): whoever inserts the key first owns it. A claim waits for a rival's transaction to end, so after
// losing one the winner's row can be read. An expired key is taken over in place.
import { uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

export interface KeyClaim {
  appId: string;
  /** 'k:' + an Idempotency-Key header, 'e:' + an event's own id, or 's:' + a source's id and what it knows the event by. */
  key: string;
  bodyHash: Buffer;
  /** What the key stands for: the ids of the events, or of the thing created. */
  resultIds: string[];
  /** What the key stands for happens only then: the key's time begins no earlier. Milliseconds since 1970. */
  neededUntilMs?: number;
  /** How long the key is known; as long as any other if absent. */
  keptSeconds?: number;
}

export const IDEMPOTENCY_HOURS = 24;

const CLAIM_KEYS = {
  name: 'claim_keys',
  text: `
INSERT INTO idempotency_keys (app_id, key, body_hash, result_ids, expires_at)
SELECT c.app_id, c.key, decode(c.body_hash, 'hex'), c.result_ids::text[], 
  greatest(now(), to_timestamp(c.needed_until_ms / 1000)) + make_interval(secs => coalesce(c.kept_seconds, $6::float8))
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::float8[], $7::float8[])
  AS c(app_id, key, body_hash, result_ids, needed_until_ms, kept_seconds)
ON CONFLICT (app_id, key) DO UPDATE
SET body_hash = excluded.body_hash, result_ids = excluded.result_ids, expires_at = excluded.expires_at
WHERE idempotency_keys.expires_at < now()
RETURNING app_id, key`,
} satisfies Query;

/** Takes the claims, which must hold no key twice; returns which were won, by index. Sorted, so that rivals do not deadlock. */
export async function claimKeys(db: Queryable, claims: KeyClaim[], hours = IDEMPOTENCY_HOURS): Promise<boolean[]> {
  if (claims.length === 0) return [];
  const uuids = claims.map((claim) => uuidFromId('app', claim.appId));
  const name = (index: number): string => `${uuids[index]} ${claims[index].key}`;
  const order = claims.map((_, index) => index).sort((a, b) => (name(a) < name(b) ? -1 : 1));
  const rows = await db.query<{ app_id: string; key: string }>(CLAIM_KEYS, [
    order.map((i) => uuids[i]),
    order.map((i) => claims[i].key),
    order.map((i) => claims[i].bodyHash.toString('hex')),
    order.map((i) => `{${claims[i].resultIds.map((id) => `"${id}"`).join(',')}}`),
    order.map((i) => claims[i].neededUntilMs ?? null),
    hours * 3600,
    order.map((i) => claims[i].keptSeconds ?? null),
  ]);
  const won = new Set(rows.map((row) => `${row.app_id} ${row.key}`));
  return claims.map((_, index) => won.has(name(index)));
}

const RELEASE_KEYS = {
  name: 'release_keys',
  text: `DELETE FROM idempotency_keys k USING unnest($1::uuid[], $2::text[]) AS r(app_id, key) WHERE k.app_id = r.app_id AND k.key = r.key`,
} satisfies Query;

/** Gives back claims won in the same transaction. */
export async function releaseKeys(db: Queryable, claims: KeyClaim[]): Promise<void> {
  if (claims.length === 0) return;
  await db.query(RELEASE_KEYS, [claims.map((c) => uuidFromId('app', c.appId)), claims.map((c) => c.key)]);
}

const FIND_KEYS = {
  name: 'find_keys',
  text: `SELECT key, body_hash, result_ids FROM idempotency_keys WHERE app_id = $1 AND key = ANY ($2::text[]) AND expires_at >= now()`,
} satisfies Query;

export interface KeyRow {
  key: string;
  bodyHash: Buffer;
  resultIds: string[];
}

export async function findKeys(db: Queryable, appId: string, keys: string[]): Promise<Map<string, KeyRow>> {
  const rows = await db.query<{ key: string; body_hash: Buffer; result_ids: string[] }>(FIND_KEYS, [
    uuidFromId('app', appId),
    keys,
  ]);
  return new Map(rows.map((row) => [row.key, { key: row.key, bodyHash: row.body_hash, resultIds: row.result_ids }]));
}

const DELETE_EXPIRED_KEYS = {
  name: 'delete_expired_keys',
  text: `
DELETE FROM idempotency_keys
WHERE (app_id, key) IN (SELECT app_id, key FROM idempotency_keys WHERE expires_at < now() - interval '1 hour' ORDER BY expires_at LIMIT $1)
RETURNING 1`,
} satisfies Query;

/** Deletes expired keys, at most `limit`; returns how many. */
export async function deleteExpiredKeys(db: Queryable, limit: number): Promise<number> {
  return (await db.query(DELETE_EXPIRED_KEYS, [limit])).length;
}
