// One Postgres server for a whole run, with fsync on as in production, and in it a migrated database that testDatabase() clones.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { Database } from '../src/storage/database.ts';
import { EmbeddedPostgres } from '../src/storage/embedded-postgres.ts';
import { migrate } from '../src/storage/migrate.ts';
import { ensurePartitions } from '../src/storage/partitions.ts';
import { listUsers } from '../src/storage/postgres-users.ts';
import { findSystemPostgres } from './system-postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The migrated database, which is the template of all others. Nobody stays connected to it. */
    postgres: { host: string; port: number; user: string; password: string; database: string };
  }
}

const PREFIX = 'tidings-test-';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const binFolder = project.name === 'system' ? findSystemPostgres() : null;
  await sweepFolders(binFolder);
  const dataFolder = await mkdtemp(join(tmpdir(), PREFIX));
  const server = new EmbeddedPostgres({ dataFolder, ...(binFolder ? { binFolder } : {}) });
  const teardown = async (): Promise<void> => {
    await server.stop();
    await rm(dataFolder, { recursive: true, force: true });
  };
  try {
    await server.start();
    const db = new Database({ connection: server.connection });
    await migrate(db);
    await ensurePartitions(db, { daysAhead: 7 });
    await db.close();
  } catch (error) {
    await teardown();
    throw error;
  }
  const { host, port, user, password, database } = server.connection as Required<typeof server.connection>;
  project.provide('postgres', { host, port, user, password: String(password), database });
  return teardown;
}

// A run that was killed leaves its server behind. A young folder may be that of a run which has not written itself down yet.
async function sweepFolders(binFolder: string | null): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const dataFolder = join(tmpdir(), name);
    try {
      if (Date.now() - (await stat(dataFolder)).mtimeMs < 600_000) continue;
      if ((await listUsers(join(dataFolder, 'users'))).length > 0) continue;
      const left = new EmbeddedPostgres({ dataFolder, ...(binFolder ? { binFolder } : {}) });
      await left.start();
      await left.stop();
      await rm(dataFolder, { recursive: true, force: true });
    } catch {
      // Another run sweeps it, or it is another release's: the system's own sweep of its temporary folder gets it.
    }
  }
}
