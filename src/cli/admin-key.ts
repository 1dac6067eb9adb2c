// The admin key of `tidings dev`: made at the first start and kept in the data folder, so that a restart prints the same.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeOnce } from '../app/write-once.ts';
import { IdGenerator } from '../core/id.ts';
import { createKey, deleteKey, findKeyByToken, isToken, PERMISSIONS } from '../storage/api-keys.ts';
import type { Queryable } from '../storage/database.ts';

const FILE = 'admin.key';

/** The kept key if this database knows it, else a new one, with all permissions on the whole instance. */
export async function ensureAdminKey(db: Queryable, dataFolder: string): Promise<string> {
  const file = join(dataFolder, FILE);
  await mkdir(dataFolder, { recursive: true });
  for (;;) {
    const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
    if (isToken(kept) && (await findKeyByToken(db, kept)) !== null) return kept;
    if (kept !== '') await rm(file, { force: true }); // of another database
    const id = new IdGenerator({ now: Date.now, randomBytes }).id('key');
    const permissions = [...PERMISSIONS];
    const { token } = await createKey(db, { id, appId: null, name: 'tidings dev', permissions, expiresAt: null });
    if (await writeOnce(file, `${token}\n`)) return token;
    await deleteKey(db, id); // another process was first: its key is as good
  }
}
