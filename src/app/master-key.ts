// The master key of an installation: given, or for the embedded server made at the first start and kept beside its data.
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateMasterKey, type MasterKey, parseMasterKey } from '../core/secret-box.ts';

/** @throws Error in words when the key cannot be read. */
export async function loadMasterKey(given: string | null, dataFolder: string): Promise<MasterKey> {
  if (given !== null) return parseMasterKey(given);
  const file = join(dataFolder, 'master.key');
  try {
    await writeFile(file, `${generateMasterKey(randomBytes)}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return parseMasterKey((await readFile(file, 'utf8')).trim());
}
