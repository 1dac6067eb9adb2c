// Migrations are numbered .sql files, forward only, each in a transaction of its own. One session advisory lock lets several
// processes start at once: the second finds the work done.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import type { Database } from './database.ts';

/** Copied beside the built module too. */
const FOLDER = fileURLToPath(new URL('./migrations/', import.meta.url));
const OLDEST_SERVER = 15;
// Any number, as long as nothing else in the program locks it.
const LOCK = 7_416_200_001;

interface Migration {
  version: number;
  /** The file's name without its ending, as in `0001-initial`. */
  name: string;
  text: string;
  checksum: string;
}

interface AppliedRow {
  version: number;
  name: string;
  checksum: string;
}

/**
 * Applies what is pending, in order, and returns the names of what it applied. Throws in words when the server is too old,
 * when an applied migration was changed, and when the database is newer than this program.
 */
export function migrate(db: Database, folder: string = FOLDER): Promise<string[]> {
  return onOneConnection(db, async (client) => {
    await checkServer(client);
    const migrations = await readMigrations(folder);
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await client.query(
      `CREATE TABLE IF NOT EXISTS migrations (
         version integer PRIMARY KEY,
         name text NOT NULL,
         checksum text NOT NULL,
         applied_at timestamptz NOT NULL DEFAULT now()
       )`,
    );
    const pending = selectPending(migrations, await readApplied(client));
    for (const migration of pending) await apply(client, migration);
    return pending.map((migration) => migration.name);
  });
}

/** The names of what `migrate` would apply. Throws as it does. */
export function pendingMigrations(db: Database, folder: string = FOLDER): Promise<string[]> {
  return onOneConnection(db, async (client) => {
    await checkServer(client);
    const known = await client.query<{ found: boolean }>("SELECT to_regclass('migrations') IS NOT NULL AS found");
    const applied = known.rows[0].found ? await readApplied(client) : [];
    return selectPending(await readMigrations(folder), applied).map((migration) => migration.name);
  });
}

// The advisory lock belongs to the connection, and a script of several statements must not be prepared.
async function onOneConnection<T>(db: Database, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const connection = db.dedicated({ statementTimeoutMs: null });
  try {
    return await work(await connection.client());
  } finally {
    await connection.reset();
  }
}

async function checkServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ number: string; version: string }>(
    "SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS version",
  );
  refuseOldServer(Number(rows[0].number), rows[0].version);
}

/** `number` as in server_version_num (150018 is 15.18). */
export function refuseOldServer(number: number, version: string): void {
  if (number >= OLDEST_SERVER * 10_000) return;
  throw new Error(
    `The database server is Postgres ${version}, which is too old. Use Postgres ${OLDEST_SERVER} or later, ` +
      'or leave DATABASE_URL unset for the embedded server.',
  );
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const migrations: Migration[] = [];
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()) {
    const [, name, digits] = /^((\d{4})-[a-z0-9-]+)\.sql$/.exec(file) ?? [];
    if (name === undefined) throw new Error(`${file} is not named as a migration. Name it like 0002-what-it-does.sql.`);
    const version = Number(digits);
    const twin = migrations.find((other) => other.version === version);
    if (twin) throw new Error(`The migrations ${twin.name} and ${name} have the same number. Renumber the newer one.`);
    // A checkout may turn the ends of lines.
    const text = (await readFile(join(folder, file), 'utf8')).replaceAll('\r\n', '\n');
    migrations.push({ version, name, text, checksum: createHash('sha256').update(text).digest('hex') });
  }
  return migrations;
}

async function readApplied(client: pg.Client): Promise<AppliedRow[]> {
  return (await client.query<AppliedRow>('SELECT version, name, checksum FROM migrations ORDER BY version')).rows;
}

function selectPending(migrations: readonly Migration[], applied: readonly AppliedRow[]): Migration[] {
  for (const row of applied) {
    const known = migrations.find((migration) => migration.version === row.version);
    if (!known) {
      throw new Error(
        `The database has the migration ${row.name}, which this release of Tidings does not know: a newer release ` +
          'has used it. Start that release or a later one.',
      );
    }
    if (known.checksum !== row.checksum) {
      throw new Error(
        `The migration ${known.name} was changed after it had been applied to this database. ` +
          'Restore its file, and put the change into a new migration.',
      );
    }
  }
  const done = new Set(applied.map((row) => row.version));
  return migrations.filter((migration) => !done.has(migration.version));
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.text);
    await client.query('INSERT INTO migrations (version, name, checksum) VALUES ($1, $2, $3)', [
      migration.version,
      migration.name,
      migration.checksum,
    ]);
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => {});
    throw new Error(`The migration ${migration.name} failed, and nothing of it was kept: ${(cause as Error).message}`, {
      cause,
    });
  }
}
