// Leases (design rule 1): one row per started process, and the fence of all that it writes. Slots only assign lanes to it (slots.ts).
import { ROLES, type Role } from '../core/role.ts';
import type { Query, Queryable } from './database.ts';

export interface ProcessIdentity {
  processUuid: string;
  epoch: number;
}

const REGISTER = {
  name: 'register_process',
  text: `
INSERT INTO processes (process_id, epoch, state, leased_until, started_at, host, pid, version, roles)
VALUES ($1, $2, 'live', now() + make_interval(secs => $3), now(), $4, $5, $6, $7)`,
} satisfies Query;

export async function registerProcess(
  db: Queryable,
  process: ProcessIdentity & {
    ttlSeconds: number;
    host: string;
    pid: number;
    version: string;
    roles?: readonly Role[];
  },
): Promise<void> {
  const { processUuid, epoch, ttlSeconds, host, pid, version, roles = ROLES } = process;
  await db.query(REGISTER, [processUuid, epoch, ttlSeconds, host, pid, version, roles]);
}

const RENEW = {
  name: 'renew_lease',
  text: `
UPDATE processes SET leased_until = now() + make_interval(secs => $3), deliveries_per_second = $4, roles = coalesce($5, roles)
WHERE process_id = $1 AND epoch = $2 AND state = 'live' RETURNING 1`,
} satisfies Query;

/** Extends the lease; false when another process has taken over. An owner may renew late if nobody has. */
export async function renewLease(
  db: Queryable,
  process: ProcessIdentity,
  ttlSeconds: number,
  { deliveriesPerSecond = 0, roles = null }: { deliveriesPerSecond?: number; roles?: readonly Role[] | null } = {},
): Promise<boolean> {
  const values = [process.processUuid, process.epoch, ttlSeconds, deliveriesPerSecond, roles];
  return (await db.query(RENEW, values)).length > 0;
}

export interface LiveProcess {
  processUuid: string;
  roles: Role[];
  /** By its last renewal. */
  deliveriesPerSecond: number;
  /** Slots assigned to it. */
  slotCount: number;
  /** Its lease runs; if not, it is dead or cannot reach the database, and is about to be buried. */
  leased: boolean;
}

const LIVE_PROCESSES = {
  name: 'live_processes',
  text: `
SELECT p.process_id, p.roles, p.deliveries_per_second, p.leased_until > now() AS leased, count(s.slot)::integer AS slot_count
FROM processes p LEFT JOIN slots s ON s.process_id = p.process_id
WHERE p.state = 'live' GROUP BY p.process_id ORDER BY p.process_id`,
} satisfies Query;

/** All that are not known to be dead, this one among them. */
export async function liveProcesses(db: Queryable): Promise<LiveProcess[]> {
  const rows = await db.query<{
    process_id: string;
    roles: Role[];
    deliveries_per_second: number;
    leased: boolean;
    slot_count: number;
  }>(LIVE_PROCESSES);
  return rows.map((row) => ({
    processUuid: row.process_id,
    roles: row.roles,
    deliveriesPerSecond: row.deliveries_per_second,
    slotCount: row.slot_count,
    leased: row.leased,
  }));
}

// One statement, so that whoever is halted in the middle of it holds no lock. FOR UPDATE keeps off while a flush of theirs is under way,
// which holds the row; SKIP LOCKED leaves that one, and those that another survivor is burying, to the next turn: nobody waits.
const BURY = {
  name: 'bury_processes',
  text: `
WITH expired AS MATERIALIZED (
  SELECT process_id FROM processes WHERE state = 'live' AND leased_until < now() AND process_id <> $1
  ORDER BY process_id FOR UPDATE SKIP LOCKED
)
UPDATE processes p SET state = 'dead' FROM expired e WHERE p.process_id = e.process_id RETURNING 1`,
} satisfies Query;

/** Marks processes whose lease has run out as dead, but for those whose flush is under way; how many. */
export async function buryExpired(db: Queryable, self: ProcessIdentity): Promise<number> {
  return (await db.query(BURY, [self.processUuid])).length;
}

// The lock waits for a flush of this process that is still under way: one whose reply was lost may be.
const RESIGN = {
  name: 'resign',
  text: `
WITH self AS MATERIALIZED (SELECT process_id FROM processes WHERE process_id = $1 FOR UPDATE),
freed AS (UPDATE slots s SET process_id = NULL, moving_to = NULL FROM self WHERE s.process_id = self.process_id)
UPDATE processes p SET state = 'dead' FROM self WHERE p.process_id = self.process_id`,
} satisfies Query;

/** Gives up lease and slots at once, so that the next process need not wait for the lease to run out. */
export async function resign(db: Queryable, self: ProcessIdentity): Promise<void> {
  await db.query(RESIGN, [self.processUuid]);
}

const FORGET_DEAD = {
  name: 'forget_dead_processes',
  text: `DELETE FROM processes p WHERE state = 'dead' AND leased_until < now() - interval '1 day'
    AND NOT EXISTS (SELECT 1 FROM slots s WHERE s.process_id = p.process_id)`,
} satisfies Query;

export async function forgetDeadProcesses(db: Queryable): Promise<void> {
  await db.query(FORGET_DEAD);
}
