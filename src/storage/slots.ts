// Which process has which slots. A row changes hands only by compare-and-set on the holder that was read: a condition over `processes` in
// the UPDATE itself would be checked against what was read before a rival's commit, and both would believe to have taken the slot.
import type { DedicatedConnection, Query, Queryable } from './database.ts';
import type { ProcessIdentity } from './processes.ts';

/** A slot that may be taken, with the holder that it was found with. */
export interface FreeSlot {
  slot: number;
  holderUuid: string | null;
}

const FREE_SLOTS = {
  name: 'free_slots',
  text: `
SELECT s.slot, s.process_id FROM slots s LEFT JOIN processes p ON p.process_id = s.process_id AND p.state = 'live'
WHERE p.process_id IS NULL OR p.process_id = $1 ORDER BY s.slot`,
} satisfies Query;

/** Slots that no live process holds, and those of this one: it may not know of one that was given to it, or taken with a lost reply. */
export async function freeSlots(db: Queryable, self: ProcessIdentity): Promise<FreeSlot[]> {
  const rows = await db.query<{ slot: number; process_id: string | null }>(FREE_SLOTS, [self.processUuid]);
  return rows.map((row) => ({ slot: row.slot, holderUuid: row.process_id }));
}

// What a rival is taking at the same moment is left to it.
const TAKE_SLOTS = {
  name: 'take_slots',
  text: `
WITH free AS MATERIALIZED (
  SELECT s.slot FROM slots s JOIN unnest($2::smallint[], $3::uuid[]) AS f(slot, holder) ON f.slot = s.slot
  WHERE s.process_id IS NOT DISTINCT FROM f.holder ORDER BY s.slot FOR UPDATE OF s SKIP LOCKED
)
UPDATE slots s SET process_id = $1, moving_to = NULL FROM free WHERE s.slot = free.slot RETURNING s.slot`,
} satisfies Query;

/** Takes what is still as it was found; which. Read lane state only after this has committed. */
export async function takeSlots(db: Queryable, self: ProcessIdentity, free: FreeSlot[]): Promise<number[]> {
  const values = [self.processUuid, free.map(({ slot }) => slot), free.map(({ holderUuid }) => holderUuid)];
  return (await db.query<{ slot: number }>(TAKE_SLOTS, values)).map((row) => row.slot);
}

const MARK_MOVING = {
  name: 'mark_moving_slots',
  text: `UPDATE slots SET moving_to = $3 WHERE process_id = $1 AND slot = ANY ($2::smallint[])`,
} satisfies Query;

/** Shows that the slots are on their way. It decides nothing: if this process dies, they are free like all others of it. */
export async function markMoving(
  db: Queryable,
  self: ProcessIdentity,
  slots: number[],
  receiverUuid: string,
): Promise<void> {
  await db.query(MARK_MOVING, [self.processUuid, slots, receiverUuid]);
}

const LIMIT_IDLE = {
  name: 'limit_idle_hand_over',
  text: `SET LOCAL idle_in_transaction_session_timeout = '3s'`,
} satisfies Query;

const LOCK_SELF = {
  name: 'lock_own_process',
  text: `SELECT 1 FROM processes WHERE process_id = $1 AND epoch = $2 AND state = 'live' FOR UPDATE`,
} satisfies Query;

const GIVE_SLOTS = {
  name: 'give_slots',
  text: `
UPDATE slots SET process_id = $3, moving_to = NULL
WHERE process_id = $1 AND slot = ANY ($2::smallint[])
  AND ($3::uuid IS NULL OR EXISTS (SELECT 1 FROM processes WHERE process_id = $3 AND state = 'live' AND leased_until > now()))
RETURNING slot`,
} satisfies Query;

/**
 * Hands slots over whose lanes this process has let go of, or frees them for whoever comes (null); which. None when this process or the
 * receiver is no longer live.
 *
 * A transaction and not one statement: COMMIT is sent only after the UPDATE has answered, and from then on it holds the rows. So whatever
 * becomes of the connection, no hand-over comes into force after this process has taken the slots back. It holds the process's own row
 * against every flush of its own, also one whose reply was lost; if this process is halted meanwhile, Postgres lets go after 3 seconds.
 */
export async function giveSlots(
  connection: DedicatedConnection,
  self: ProcessIdentity,
  slots: number[],
  receiverUuid: string | null,
): Promise<number[]> {
  await connection.begin();
  await connection.query(LIMIT_IDLE);
  const live = await connection.query(LOCK_SELF, [self.processUuid, self.epoch]);
  const given =
    live.length === 0
      ? []
      : await connection.query<{ slot: number }>(GIVE_SLOTS, [self.processUuid, slots, receiverUuid]);
  await connection.commit();
  return given.map((row) => row.slot);
}
