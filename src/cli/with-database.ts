import type { Config } from '../app/config.ts';
import { openDatabase } from '../app/open-database.ts';
import type { Database } from '../storage/database.ts';

/** Runs `work` on the database of a configuration, beside servers that use it, and closes it whatever happens. */
export async function withDatabase<T>(config: Config, work: (db: Database) => Promise<T>): Promise<T> {
  // A broken idle connection of a command that is about to end: what it meant to do fails by itself.
  const { db, close } = await openDatabase(config, () => {});
  try {
    return await work(db);
  } finally {
    await close();
  }
}
