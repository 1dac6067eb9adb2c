// API keys. What is stored is the SHA-256 of the key: 168 random bits need no slow hash. The key carries a checksum, so that
// a mistyped one is refused without a look-up and a scanner for leaked secrets can tell real keys from look-alikes.
import { createHash, randomBytes as systemRandomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { idFromUuid, parseId, uuidFromId } from '../core/id.ts';
import { noApp } from './apps.ts';
import { uuidArray } from './binary-array.ts';
import type { Query, Queryable } from './database.ts';

export const PERMISSIONS = ['read', 'publish', 'manage'] as const;
export type Permission = (typeof PERMISSIONS)[number];

export interface ApiKey {
  id: string;
  /** null: the key is for the whole instance. */
  appId: string | null;
  name: string;
  /** The key's beginning, to know it again by. */
  hint: string;
  permissions: Permission[];
  expiresAt: Date | null;
  createdAt: Date;
}

interface ApiKeyRow {
  key_id: string;
  app_id: string | null;
  name: string;
  hint: string;
  permissions: Permission[];
  expires_at: Date | null;
  created_at: Date;
}

const COLUMNS = 'key_id, app_id, name, hint, permissions, expires_at, created_at';

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    id: idFromUuid('key', row.key_id),
    appId: row.app_id === null ? null : idFromUuid('app', row.app_id),
    name: row.name,
    hint: row.hint,
    permissions: row.permissions,
    expiresAt: row.expires_at,
    createdAt: row.created_at,
  };
}

const TOKEN_PREFIX = 'tdg_';
const TOKEN_PATTERN = /^tdg_[0-9a-z]{40}$/;
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const RANDOM_BYTES = 21;

/** A new key: `tdg_` and 40 characters of base32 (21 random bytes and their CRC-32). */
export function generateToken(randomBytes: (size: number) => Buffer): string {
  const random = randomBytes(RANDOM_BYTES);
  return TOKEN_PREFIX + encodeToken(random);
}

function encodeToken(random: Buffer): string {
  const bytes = Buffer.alloc(RANDOM_BYTES + 4);
  random.copy(bytes);
  bytes.writeUInt32BE(crc32(random), RANDOM_BYTES);
  let text = '';
  // 5 bytes are 8 characters.
  for (let at = 0; at < bytes.length; at += 5) {
    const high = bytes.readUIntBE(at, 5);
    for (let shift = 35; shift >= 0; shift -= 5) text += ALPHABET[Math.floor(high / 2 ** shift) % 32];
  }
  return text;
}

/** Whether the text has the form and the checksum of a key. */
export function isToken(text: string): boolean {
  if (!TOKEN_PATTERN.test(text)) return false;
  const bytes = Buffer.alloc(RANDOM_BYTES + 4);
  for (let group = 0; group < 5; group++) {
    let value = 0;
    for (let i = 0; i < 8; i++) {
      const digit = ALPHABET.indexOf(text[TOKEN_PREFIX.length + group * 8 + i]);
      if (digit < 0) return false;
      value = value * 32 + digit;
    }
    bytes.writeUIntBE(value, group * 5, 5);
  }
  return crc32(bytes.subarray(0, RANDOM_BYTES)) === bytes.readUInt32BE(RANDOM_BYTES);
}

function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

// The app's head is held while the key is inserted: an app that is being deleted gets no key that outlives it.
const INSERT_INSTANCE_KEY = {
  name: 'insert_instance_key',
  text: `
INSERT INTO api_keys (key_id, app_id, hash, name, hint, permissions, expires_at, created_at)
VALUES ($1, NULL, $2, $3, $4, $5, $6, now()) RETURNING ${COLUMNS}`,
} satisfies Query;

const INSERT_APP_KEY = {
  name: 'insert_app_key',
  text: `
WITH live AS (SELECT app_id FROM heads WHERE app_id = $7 FOR KEY SHARE)
INSERT INTO api_keys (key_id, app_id, hash, name, hint, permissions, expires_at, created_at)
SELECT $1, live.app_id, $2, $3, $4, $5, $6, now() FROM live RETURNING ${COLUMNS}`,
} satisfies Query;

export interface NewApiKey {
  id: string;
  appId: string | null;
  name: string;
  permissions: Permission[];
  expiresAt: Date | null;
  randomBytes?: (size: number) => Buffer;
}

/** Creates a key; `token` is its only copy. @throws TidingsError `not_found` when the app does not exist. */
export async function createKey(db: Queryable, key: NewApiKey): Promise<{ key: ApiKey; token: string }> {
  const token = generateToken(key.randomBytes ?? systemRandomBytes);
  const hint = token.slice(0, TOKEN_PREFIX.length + 6);
  const values = [uuidFromId('key', key.id), hashToken(token), key.name, hint, key.permissions, key.expiresAt];
  const rows =
    key.appId === null
      ? await db.query<ApiKeyRow>(INSERT_INSTANCE_KEY, values)
      : await db.query<ApiKeyRow>(INSERT_APP_KEY, [...values, uuidFromId('app', key.appId)]);
  if (rows.length === 0) throw noApp(String(key.appId));
  return { key: toApiKey(rows[0]), token };
}

const FIND_KEY_BY_HASH = {
  name: 'find_key_by_hash',
  text: `SELECT ${COLUMNS} FROM api_keys WHERE hash = $1 AND (expires_at IS NULL OR expires_at > now())`,
} satisfies Query;

/** The key that a token is; null when it is unknown or has expired. */
export async function findKeyByToken(db: Queryable, token: string): Promise<ApiKey | null> {
  const rows = await db.query<ApiKeyRow>(FIND_KEY_BY_HASH, [hashToken(token)]);
  return rows.length === 0 ? null : toApiKey(rows[0]);
}

const LIVE_KEYS = {
  name: 'live_keys',
  text: `SELECT key_id FROM api_keys WHERE key_id = ANY ($1::uuid[]) AND (expires_at IS NULL OR expires_at > now())`,
} satisfies Query;

/** Which of these keys are neither deleted nor expired. */
export async function findLiveKeys(db: Queryable, keyIds: string[]): Promise<Set<string>> {
  const uuids = uuidArray(keyIds, (id) => uuidFromId('key', id));
  const rows = await db.query<{ key_id: string }>(LIVE_KEYS, [uuids]);
  return new Set(rows.map(({ key_id }) => idFromUuid('key', key_id)));
}

const LIST_KEYS = {
  name: 'list_keys',
  text: `
SELECT ${COLUMNS} FROM api_keys WHERE $2::uuid IS NULL OR key_id < $2::uuid ORDER BY key_id DESC LIMIT $1`,
} satisfies Query;

/** Newest first, expired ones included; `before` is the id of the last key of the page before. */
export async function listKeys(db: Queryable, page: { limit: number; before: string | null }): Promise<ApiKey[]> {
  const before = page.before === null ? null : uuidFromId('key', page.before);
  return (await db.query<ApiKeyRow>(LIST_KEYS, [page.limit, before])).map(toApiKey);
}

const DELETE_KEY = {
  name: 'delete_key',
  text: `DELETE FROM api_keys WHERE key_id = $1 RETURNING key_id`,
} satisfies Query;

/** Returns whether there was such a key. */
export async function deleteKey(db: Queryable, keyId: string): Promise<boolean> {
  const uuid = parseId('key', keyId);
  return uuid !== null && (await db.query(DELETE_KEY, [uuid])).length > 0;
}
