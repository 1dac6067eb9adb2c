// Leases and slots (design rule 1). A lease is per process; slots only assign lanes to it.
import type { Query, Queryable } from './database.ts';

export interface ProcessIdentity {
  processUuid: string;
  epoch: number;
}

const REGISTER = {
  name: 'register_process',
  text: `
INSERT INTO processes (process_id, epoch, state, leased_until, started_at, host, pid, version)
VALUES ($1, $2, 'live', now() + make_interval(secs => $3), now(), $4, $5, $6)`,
} satisfies Query;

export async function registerProcess(
  db: Queryable,
  process: ProcessIdentity & { ttlSeconds: number; host: string; pid: number; version: string },
): Promise<void> {
  await db.query(REGISTER, [
    process.processUuid,
    process.epoch,
    process.ttlSeconds,
    process.host,
    process.pid,
    process.version,
  ]);
}

const RENEW = {
  name: 'renew_lease',
  text: `
UPDATE processes SET leased_until = now() + make_interval(secs => $3)
WHERE process_id = $1 AND epoch = $2 AND state = 'live' RETURNING 1`,
} satisfies Query;

/** Extends the lease; false when another process has taken over. An owner may renew late if nobody has. */
export async function renewLease(db: Queryable, process: ProcessIdentity, ttlSeconds: number): Promise<boolean> {
  return (await db.query(RENEW, [process.processUuid, process.epoch, ttlSeconds])).length > 0;
}

const EXPIRED = {
  name: 'lock_expired_processes',
  text: `
SELECT process_id FROM processes WHERE state = 'live' AND leased_until < now() AND process_id <> $1
ORDER BY process_id FOR UPDATE`,
} satisfies Query;

const BURY = {
  name: 'bury_processes',
  text: `UPDATE processes SET state = 'dead' WHERE process_id = ANY ($1::uuid[])`,
} satisfies Query;

const LIMIT_WAIT = { name: 'limit_burial_wait', text: `SET LOCAL lock_timeout = '1s'` } satisfies Query;

/**
 * Marks processes whose lease has run out as dead. Waits for flushes of theirs that are under way: they hold the row. But not for long
 * (55P03 then), for whoever waits does not renew its own lease.
 */
export async function buryExpired(tx: Queryable, self: ProcessIdentity): Promise<number> {
  await tx.query(LIMIT_WAIT);
  const rows = await tx.query<{ process_id: string }>(EXPIRED, [self.processUuid]);
  if (rows.length > 0) await tx.query(BURY, [rows.map((row) => row.process_id)]);
  return rows.length;
}

const TAKE_SLOTS = {
  name: 'take_slots',
  text: `
UPDATE slots s SET process_id = $1
WHERE NOT s.slot = ANY ($2::smallint[])
  AND NOT EXISTS (SELECT 1 FROM processes p WHERE p.process_id = s.process_id AND p.process_id <> $1 AND p.state = 'live')
RETURNING slot`,
} satisfies Query;

/**
 * Takes the slots that no other live process holds, but for those that this one knows to be its own: one that was taken with a lost
 * reply is taken again. Read lane state only after this has committed.
 */
export async function takeFreeSlots(db: Queryable, self: ProcessIdentity, held: number[]): Promise<number[]> {
  return (await db.query<{ slot: number }>(TAKE_SLOTS, [self.processUuid, held])).map((row) => row.slot);
}

const RESIGN = {
  name: 'resign',
  text: `
WITH freed AS (UPDATE slots SET process_id = NULL WHERE process_id = $1)
UPDATE processes SET state = 'dead' WHERE process_id = $1`,
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
