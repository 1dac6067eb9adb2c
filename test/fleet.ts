// Several processes as far as ownership goes, in one: each with a database connection of its own and a naive model of who works on a slot. A
// slot that comes to one while another still works on it, and is alive by the fence, is an overlap; there must be none.
import { setTimeout as delay } from 'node:timers/promises';
import { SLOTS } from '../src/core/endpoint.ts';
import type { Role } from '../src/core/role.ts';
import { Ownership, type OwnershipOptions } from '../src/push/ownership.ts';
import { Database, type DedicatedConnection, type DedicatedOptions, type Query } from '../src/storage/database.ts';
import type { TestDatabase } from './database.ts';
import { testIds } from './event-log.ts';

/** A database that can be cut off: to everybody else the process is then as good as killed. */
class CuttableDatabase extends Database {
  isCut = false;

  override dedicated(options: DedicatedOptions = {}): DedicatedConnection {
    const connection = super.dedicated(options);
    const query = connection.query.bind(connection);
    connection.query = async <Row>(statement: Query, values: unknown[] = []): Promise<Row[]> => {
      if (this.isCut) throw new Error('cut off');
      const rows = await query<Row>(statement, values);
      if (this.isCut) throw new Error('cut off'); // the reply is lost
      return rows;
    };
    return connection;
  }
}

export interface Member {
  readonly ownership: Ownership;
  /** Slots that it works on, which it goes on doing while they are let go of. */
  readonly working: Map<number, string>;
  readonly errors: unknown[];
  /** As SIGKILL: no word to anybody. */
  kill(): void;
  /** As SIGTERM: lets go of its slots, then ends its lease. */
  stop(): Promise<void>;
}

export interface MemberOptions extends Partial<OwnershipOptions> {
  roles?: readonly Role[];
  /** What letting go of slots takes. */
  release?: (slots: number[]) => Promise<void>;
  /** Hints to the others, as if by NOTIFY. */
  hints?: boolean;
}

export class Fleet {
  readonly members = new Set<Member>();
  readonly overlaps: string[] = [];
  /** Attempts a second, by slot. */
  readonly bySlot = new Float64Array(SLOTS);
  readonly #database: TestDatabase;
  readonly #all: { member: Member; db: CuttableDatabase; isStopped: boolean }[] = [];
  readonly #checks: Promise<void>[] = [];
  #statements = 0;

  constructor(database: TestDatabase) {
    this.#database = database;
  }

  async join(options: MemberOptions = {}): Promise<Member> {
    const { roles, release = async () => {}, hints = true, ...times } = options;
    const db = new CuttableDatabase({ connection: this.#database.connection });
    const working = new Map<number, string>();
    const errors: unknown[] = [];
    const ownership: Ownership = new Ownership({
      db,
      newUuid: () => testIds.uuid(),
      version: 'test',
      ...(roles && { roles }),
      load: () => ({ bySlot: this.bySlot }),
      onTaken: (slots) => {
        for (const slot of slots) this.#came(slot, member);
      },
      onRelease: async (slots) => {
        await release(slots);
        for (const slot of slots) working.delete(slot);
      },
      onLost: () => working.clear(),
      onMoved: () => {
        if (!hints) return;
        for (const other of this.members) if (other !== member) other.ownership.turnSoon();
      },
      onError: (error) => errors.push(error),
      options: { renewEveryMs: 20, ttlMs: 5000, marginMs: 100, ratesSettleMs: 0, ...times },
    });
    const member: Member = {
      ownership,
      working,
      errors,
      kill: () => {
        db.isCut = true;
        this.members.delete(member);
      },
      stop: async () => {
        this.members.delete(member);
        await ownership.leave(1000);
        working.clear();
        await ownership.stop();
        known.isStopped = true;
      },
    };
    const known = { member, db, isStopped: false };
    this.#all.push(known);
    this.members.add(member);
    await ownership.start();
    return member;
  }

  /** Slots by live member, sorted. */
  shares(): number[] {
    return [...this.members].map(({ ownership }) => ownership.slotCount).sort((a, b) => a - b);
  }

  /** All slots are held, each by one live member, and nobody is handing over. */
  get isWhole(): boolean {
    const held = [...this.members].flatMap(({ ownership }) => [...ownership.heldSlots()]);
    const moving = [...this.members].some(({ ownership }) => ownership.movingCount > 0);
    return !moving && held.length === SLOTS && new Set(held).size === SLOTS;
  }

  sql<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
    return this.#database.db.query<Row>({ name: `fleet_${this.#statements++}`, text }, values);
  }

  async close(): Promise<void> {
    for (const { member, db, isStopped } of this.#all) {
      if (!isStopped) await member.ownership.stop();
      await db.close();
    }
    await Promise.all(this.#checks);
  }

  /** Resolves when all overlaps so far are known. */
  async checked(): Promise<void> {
    await Promise.all(this.#checks);
  }

  #came(slot: number, to: Member): void {
    const { processUuid } = to.ownership.identity();
    for (const { member } of this.#all) {
      const holder = member === to ? undefined : member.working.get(slot);
      if (holder === undefined) continue;
      const isLive = `SELECT 1 FROM processes WHERE process_id = $1 AND state = 'live'`;
      this.#checks.push(
        this.sql(isLive, [holder]).then((rows) => {
          if (rows.length > 0) this.overlaps.push(`slot ${slot}: ${holder} lives, ${processUuid} took it`);
        }),
      );
    }
    to.working.set(slot, processUuid);
  }
}

/** For `release`: takes its time. */
export function slowly(ms: number): (slots: number[]) => Promise<void> {
  return async () => void (await delay(ms));
}
