// `events` and `attempts` have one partition per day (UTC), made ahead. There is no default partition: it would have to be
// scanned, locked, for each new day.
//
// CREATE TABLE … PARTITION OF takes an ACCESS EXCLUSIVE lock on the parent: behind one long reader it stalls every insert.
// So a table of the same shape is made beside it and attached, which takes SHARE UPDATE EXCLUSIVE only; readers and writers go on.
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import type { Database, Query, Queryable } from './database.ts';

export const PARTITIONED_TABLES = ['events', 'attempts'] as const;
export type PartitionedTable = (typeof PARTITIONED_TABLES)[number];

// Any number, as long as nothing else in the program locks it.
const LOCK = 7_416_200_002;
const LOCK_TIMEOUT_MS = 2000;
const TRIES = 10;
const LOCK_NOT_AVAILABLE = '55P03';

const DAY_OF_DATABASE = {
  name: 'day_of_database',
  text: "SELECT (now() AT TIME ZONE 'UTC')::date AS day",
} satisfies Query;

/** The database's day (UTC), as `2026-11-21`. */
export async function dayOf(db: Queryable): Promise<string> {
  return (await db.query<{ day: string }>(DAY_OF_DATABASE))[0].day;
}

const PARTITIONS_OF = {
  name: 'partitions_of',
  text: `SELECT child.relname AS name
           FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
          WHERE inhparent = $1::text::regclass
          ORDER BY 1`,
} satisfies Query;

/** The names of a table's partitions, oldest first. */
export async function listPartitions(db: Queryable, table: PartitionedTable): Promise<string[]> {
  return (await db.query<{ name: string }>(PARTITIONS_OF, [table])).map((row) => row.name);
}

/** The name of the partition that holds a day: `events_2026_11_21`. */
export function partitionName(table: PartitionedTable, day: string): string {
  return `${table}_${day.replaceAll('-', '_')}`;
}

/**
 * Makes the partitions that are missing, from yesterday to `daysAhead` days from now, and returns their names. Several processes may
 * do so at once. A lock that is not to be had is waited for in short turns, so that nobody queues behind us.
 */
export async function ensurePartitions(db: Database, { daysAhead }: { daysAhead: number }): Promise<string[]> {
  const today = await dayOf(db);
  // Statements that differ by the day must not be prepared on the pool's connections.
  const connection = db.dedicated({ statementTimeoutMs: null });
  const made: string[] = [];
  try {
    for (const table of PARTITIONED_TABLES) {
      const present = new Set(await listPartitions(db, table));
      for (let offset = -1; offset <= daysAhead; offset++) {
        const day = addDays(today, offset);
        const name = partitionName(table, day);
        if (!present.has(name) && (await makePartition(await connection.client(), table, day))) made.push(name);
      }
    }
  } finally {
    await connection.reset();
  }
  return made;
}

/** The day so many days after `YYYY-MM-DD`. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

/** False: another process made it meanwhile. */
async function makePartition(client: pg.Client, table: PartitionedTable, day: string): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      return await attachPartition(client, table, day);
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {});
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE || tries === TRIES) throw error;
      await pause(100 * tries);
    }
  }
}

async function attachPartition(client: pg.Client, table: PartitionedTable, day: string): Promise<boolean> {
  const name = partitionName(table, day);
  const from = `'${day}'`;
  const to = `'${addDays(day, 1)}'`;
  await client.query('BEGIN');
  await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
  await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
  const { rowCount } = await client.query(
    'SELECT FROM pg_inherits WHERE inhparent = $1::text::regclass AND inhrelid = to_regclass($2)',
    [table, name],
  );
  if (rowCount === 0) {
    // LIKE … INCLUDING STORAGE keeps `data` uncompressed, and out of line where a row is larger than a page: an event of 7 KB in four pieces
    // beside its row costs a fifth more. ATTACH makes the indexes itself. The CHECK proves the bounds, so that ATTACH need not scan;
    // afterwards the bounds say the same, and it would cost every insert.
    await client.query(
      `CREATE TABLE ${name} (LIKE ${table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) WITH (toast_tuple_target = 8160)`,
    );
    await client.query(`ALTER TABLE ${name} ADD CONSTRAINT ${name}_day CHECK (day >= ${from} AND day < ${to})`);
    await client.query(`ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM (${from}) TO (${to})`);
    await client.query(`ALTER TABLE ${name} DROP CONSTRAINT ${name}_day`);
  }
  await client.query('COMMIT');
  return rowCount === 0;
}
