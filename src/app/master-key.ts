// The master key of an installation: given, or for the embedded server made at the first start and kept beside its data.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateMasterKey, type MasterKey, parseMasterKey } from '../core/secret-box.ts';
import { writeOnce } from './write-once.ts';

/** @throws Error in words when the key cannot be read. */
export async function loadMasterKey(given: string | null, dataFolder: string): Promise<MasterKey> {
  if (given !== null) return parseMasterKey(given);
  const file = join(dataFolder, 'master.key');
  await writeOnce(file, `${generateMasterKey(randomBytes)}\n`);
  return parseMasterKey((await readFile(file, 'utf8')).trim());
}
