// The admin key of `tidings dev`: made at the first start and kept in the data folder, so that a restart prints the same.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IdGenerator } from '../core/id.ts';
import { createKey, findKeyByToken, isToken, PERMISSIONS } from '../storage/api-keys.ts';
import type { Queryable } from '../storage/database.ts';

const FILE = 'admin.key';

/** The kept key if this database knows it, else a new one, with all permissions on the whole instance. */
export async function ensureAdminKey(db: Queryable, dataFolder: string): Promise<string> {
  const file = join(dataFolder, FILE);
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (isToken(kept) && (await findKeyByToken(db, kept)) !== null) return kept;
  const id = new IdGenerator({ now: Date.now, randomBytes }).id('key');
  const permissions = [...PERMISSIONS];
  const { token } = await createKey(db, { id, appId: null, name: 'tidings dev', permissions, expiresAt: null });
  await mkdir(dataFolder, { recursive: true });
  // Renamed into place: a start that is killed leaves a whole key or none.
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${token}\n`, { mode: 0o600 });
  await rename(draft, file);
  return token;
}
