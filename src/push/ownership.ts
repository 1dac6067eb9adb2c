// Who owns which lanes. Every process holds a lease; the process that holds a slot owns the lanes in it. All questions of ownership are
// asked here: may I send, with which identity do I flush, which slots are mine (design, "Slots" and rule 1).
//
// One turn a second, and one more at once when another process hints that something has changed: renew the lease, look who else lives, bury
// whose lease has run out, take what is free, give away what is too much.
import { setTimeout as pause } from 'node:timers/promises';
import { SLOTS } from '../core/endpoint.ts';
import { ROLES, type Role } from '../core/role.ts';
import type { Database, DedicatedConnection } from '../storage/database.ts';
import {
  buryExpired,
  forgetDeadProcesses,
  type LiveProcess,
  liveProcesses,
  type ProcessIdentity,
} from '../storage/processes.ts';
import { Lease, type LeaseOptions } from './lease.ts';
import { RATE_OVER_MS, type SlotLoad } from './slot-meter.ts';
import { SlotSharing } from './slot-sharing.ts';

export interface OwnershipOptions extends LeaseOptions {
  renewEveryMs: number;
  /** Of each statement: a database that does not answer must not hold up the next renewal. */
  statementTimeoutMs: number;
  /** After so long a slot that has moved shows in the rates of its new process. */
  ratesSettleMs: number;
}

export const OWNERSHIP_DEFAULTS: OwnershipOptions = {
  ttlMs: 8000,
  renewEveryMs: 1000,
  marginMs: 2000,
  statementTimeoutMs: 3000,
  ratesSettleMs: 3 * RATE_OVER_MS,
};

const NO_LOAD: SlotLoad = { bySlot: new Float64Array(SLOTS) };

export interface OwnershipParts {
  db: Database;
  newUuid: () => string;
  version: string;
  /** Without `push` it holds a lease and no slots. */
  roles?: readonly Role[];
  /** What the lanes of each slot do; without it slots are shared out by number. */
  load?: () => SlotLoad;
  /** Slots came to this process; lane state may be read now. */
  onTaken: (slots: number[]) => void;
  /** Resolves when this process sends and writes nothing more of these slots' lanes: another process reads them next. Without it none is given away. */
  onRelease?: (slots: number[]) => Promise<void>;
  /** The lease was lost: the lanes belong to another process. */
  onLost: () => void;
  /** The other processes should take a turn: slots became free or were given away, or this process is new. */
  onMoved?: () => void;
  onError: (error: unknown) => void;
  options?: Partial<OwnershipOptions>;
}

export class Ownership {
  readonly #parts: OwnershipParts;
  readonly #options: OwnershipOptions;
  readonly #roles: readonly Role[];
  readonly #connection: DedicatedConnection;
  readonly #lease: Lease;
  readonly #sharing: SlotSharing;
  #others: LiveProcess[] = [];
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<void> | null = null;
  #again = false;
  #ending: Promise<void> | null = null;
  #leaving = false;
  #stopped = true;

  constructor(parts: OwnershipParts) {
    this.#parts = parts;
    this.#options = { ...OWNERSHIP_DEFAULTS, ...parts.options };
    this.#roles = parts.roles ?? ROLES;
    const { statementTimeoutMs, renewEveryMs, ratesSettleMs } = this.#options;
    this.#connection = parts.db.dedicated({ statementTimeoutMs });
    const { newUuid, version, onTaken, onRelease, onError } = parts;
    this.#lease = new Lease({
      db: this.#connection,
      newUuid,
      version,
      options: this.#options,
      onLost: () => this.#leaseLost(),
    });
    this.#sharing = new SlotSharing({
      connection: this.#connection,
      onTaken,
      onRelease,
      onReleased: () => this.turnSoon(),
      onGiven: () => this.#parts.onMoved?.(),
      onError,
      patienceMs: 2 * renewEveryMs,
      ratesSettleMs,
    });
  }

  /** Registers this process and takes what is free. Slots of a process that was killed follow when its lease has run out. */
  async start(): Promise<void> {
    this.#stopped = false;
    this.#leaving = false;
    await this.#takeTurns();
  }

  /**
   * The process is about to stop: it takes nothing more, and lets go of its slots one group after the other while it still lives, so that only
   * lanes that wait for a slow endpoint wait. Resolves when all are let go of, or after `limitMs`.
   */
  async leave(limitMs: number): Promise<void> {
    if (this.#stopped || this.#leaving || !this.#parts.onRelease) return;
    this.#leaving = true;
    await this.#turn; // it may be taking something
    const limit = new AbortController();
    const late = pause(limitMs, undefined, { signal: limit.signal }).catch(() => {});
    await Promise.race([this.#sharing.leave().then(() => this.#oneTurn()), late]);
    limit.abort();
  }

  /** Gives up lease and slots, so that others need not wait for the lease to run out. Flush before. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#ending ??= this.#resign().finally(() => {
      this.#ending = null;
    });
    await this.#ending;
  }

  async #resign(): Promise<void> {
    await this.#turn;
    const had = this.#lease.identity !== null;
    await this.#lease.resign().catch(this.#parts.onError);
    this.#sharing.clear();
    this.#others = [];
    if (had) this.#parts.onMoved?.();
    await this.#connection.reset();
  }

  /** The fence of this process's flushes. */
  identity(): ProcessIdentity {
    if (!this.#lease.identity) throw new Error('this process holds no lease');
    return this.#lease.identity;
  }

  owns(slot: number): boolean {
    return this.#sharing.held.has(slot);
  }

  heldSlots(): ReadonlySet<number> {
    return new Set(this.#sharing.held);
  }

  get slotCount(): number {
    return this.#sharing.held.size;
  }

  /** Slots that this process is handing over. */
  get movingCount(): number {
    return this.#sharing.movingCount;
  }

  /** The other live processes, as of the last turn. */
  get others(): readonly LiveProcess[] {
    return this.#others;
  }

  /** Whether the lease is young enough to begin a send. */
  maySend(): boolean {
    return this.#lease.maySend();
  }

  /** Called when a flush found the fence down. */
  lost(): void {
    this.#lease.lost();
  }

  /** Takes a turn at once, or one more when the one under way has ended: another process has changed something. */
  turnSoon(): void {
    if (this.#stopped) return;
    this.#again = true;
    if (!this.#turn) void this.#takeTurns();
  }

  /** A turn that begins after this call. */
  async #oneTurn(): Promise<void> {
    this.turnSoon();
    await this.#turn;
  }

  #leaseLost(): void {
    this.#sharing.clear();
    this.#parts.onLost();
    this.turnSoon(); // under a new identity
  }

  async #takeTurns(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#turn = (async () => {
      do {
        this.#again = false;
        await this.#takeTurn();
      } while (this.#again && !this.#stopped);
    })();
    await this.#turn;
    this.#turn = null;
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#takeTurns(), this.#options.renewEveryMs);
  }

  async #takeTurn(): Promise<void> {
    try {
      const load = this.#parts.load?.() ?? NO_LOAD;
      const deliveriesPerSecond = this.#sharing.deliveriesPerSecond(load);
      // Nobody is to give slots to a process that leaves.
      const roles = this.#leaving ? this.#roles.filter((role) => role !== 'push') : this.#roles;
      const isNew = await this.#lease.renew({ deliveriesPerSecond, roles });
      await this.#share(load);
      if (isNew) this.#parts.onMoved?.();
    } catch (error) {
      this.#lease.unsteady();
      this.#again = false; // not at once: the database is in trouble
      this.#parts.onError(error);
      await this.#connection.reset();
    }
  }

  async #share(load: SlotLoad): Promise<void> {
    const identity = this.#lease.identity;
    if (!identity) return;
    const isCurrent = (): boolean => this.#lease.identity === identity;
    await this.#sharing.giveReleased(identity);
    let live = await liveProcesses(this.#connection);
    this.#others = live.filter(({ processUuid }) => processUuid !== identity.processUuid);
    if (this.#lease.mayBury && this.#others.some(({ leased }) => !leased)) {
      if ((await buryExpired(this.#connection, identity)) > 0) {
        await forgetDeadProcesses(this.#connection);
        this.#parts.onMoved?.();
        live = await liveProcesses(this.#connection);
        this.#others = live.filter(({ processUuid }) => processUuid !== identity.processUuid);
      }
    }
    if (!this.#roles.includes('push') || this.#stopped) return;
    if (this.#leaving) {
      await this.#sharing.refuse(identity, live);
      return;
    }
    await this.#sharing.take(identity, live, isCurrent);
    if (isCurrent()) await this.#sharing.beginHandOver(identity, live, load);
  }
}
