// Retention: the partitions of past days are detached and dropped. No row is deleted, so it costs the same however many there are.
//
// DETACH … CONCURRENTLY waits for the transactions that may read the partition, and does not stop others meanwhile; a plain DETACH would
// queue every reader and writer behind an ACCESS EXCLUSIVE lock. It runs in two transactions of its own, and may be cut short between them
// or before the DROP: what is to go is marked first, so that whoever comes next finds and finishes it.
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { PARTITIONED_TABLES, type PartitionedTable } from './partitions.ts';

const LOCK_TIMEOUT_MS = 2000;
const TRIES = 5;
const LOCK_NOT_AVAILABLE = '55P03';
const MARK = 'tidings: past retention, to be dropped';

export interface DroppingParts {
  /** A connection of its own, outside of a transaction. */
  client: pg.Client;
  /** From which day on the partitions of a table are kept, as `2026-11-21`; null = all. */
  keptFrom: Record<PartitionedTable, string | null>;
  /** Awaited before partitions of `events` go, with their last day: what is lost with them is to be recorded now. Not called to finish what was begun. */
  beforeEvents: (lastDay: string) => Promise<void>;
  /** Asked before each partition; false = leave the rest to the next call. */
  goesOn: () => boolean;
}

/**
 * Drops what is past retention, and what an earlier call has left half done; one process at a time. Returns the names of the tables.
 * @throws what pg throws when a lock is not to be had for long: call again later
 */
export async function dropPartitions({ client, keptFrom, beforeEvents, goesOn }: DroppingParts): Promise<string[]> {
  await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
  const dropped: string[] = [];
  for (const table of PARTITIONED_TABLES) {
    const partitions = await findPartitions(client, table);
    const from = keptFrom[table];
    const fresh = partitions.filter(({ day, marked }) => !marked && from !== null && day < from);
    if (fresh.length > 0 && table === 'events') await beforeEvents(fresh[fresh.length - 1].day);
    for (const { name } of fresh) {
      await patiently(() => client.query(`COMMENT ON TABLE ${name} IS '${MARK}'`));
    }
    // Those of an earlier call first: only one partition of a table can be half detached.
    for (const { name } of [...partitions.filter(({ marked }) => marked), ...fresh]) {
      if (!goesOn()) return dropped;
      await patiently(() => detach(client, table, name));
      await patiently(() => client.query(`DROP TABLE ${name}`));
      dropped.push(name);
    }
  }
  return dropped;
}

interface Partition {
  name: string;
  day: string;
  /** It is to be dropped, and may be detached or half detached already. */
  marked: boolean;
}

/** Oldest first. Of tables that are not attached only those that were marked: someone may have detached one to keep it. */
async function findPartitions(client: pg.Client, table: PartitionedTable): Promise<Partition[]> {
  const { rows } = await client.query<Partition & { attached: boolean }>(
    `SELECT c.relname AS name, to_date(right(c.relname, 10), 'YYYY_MM_DD') AS day, i.inhrelid IS NOT NULL AS attached,
            coalesce(obj_description(c.oid, 'pg_class') = $2, false) AS marked
       FROM pg_class parent
       JOIN pg_class c ON c.relnamespace = parent.relnamespace AND c.relkind = 'r' AND c.relname ~ ('^' || $1 || '_\\d{4}_\\d\\d_\\d\\d$')
       LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = parent.oid
      WHERE parent.oid = $1::text::regclass
      ORDER BY 1`,
    [table, MARK],
  );
  return rows.filter((row) => row.attached || row.marked);
}

/** Detaches the partition, goes on with a DETACH that was cut short, or does nothing when it is detached. */
async function detach(client: pg.Client, table: PartitionedTable, name: string): Promise<void> {
  const { rows } = await client.query<{ pending: boolean }>(
    'SELECT inhdetachpending AS pending FROM pg_inherits WHERE inhrelid = to_regclass($1)',
    [name],
  );
  if (rows.length === 0) return;
  await client.query(`ALTER TABLE ${table} DETACH PARTITION ${name} ${rows[0].pending ? 'FINALIZE' : 'CONCURRENTLY'}`);
}

/** A lock that is not to be had is waited for in short turns, so that nobody queues behind us. */
async function patiently(work: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await work();
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE || tries === TRIES) throw error;
      await pause(200 * tries);
    }
  }
}
