import type { Logger } from 'pino';
import type { Database } from '../storage/database.ts';
import { migrate, pendingMigrations } from '../storage/migrate.ts';

/** Runs pending migrations, or, where that is not wanted, refuses them. @throws Error in words */
export async function prepareSchema(db: Database, options: { migrate: boolean; log: Logger }): Promise<void> {
  if (options.migrate) {
    for (const name of await migrate(db)) options.log.info(`migrated: ${name}`);
    return;
  }
  const pending = await pendingMigrations(db);
  if (pending.length === 0) return;
  throw new Error(`The database lacks ${pending.length} migrations (${pending.join(', ')}). Run: tidings migrate`);
}
