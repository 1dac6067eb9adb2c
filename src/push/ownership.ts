// Who owns which lanes. Every process holds a lease; the process that holds a slot owns the lanes in it. All questions of ownership are
// asked here: may I send, with which identity do I flush, which slots are mine (design, "Slots" and rule 1).
import { hostname } from 'node:os';
import type { Database, DedicatedConnection } from '../storage/database.ts';
import {
  buryExpired,
  forgetDeadProcesses,
  type ProcessIdentity,
  registerProcess,
  renewLease,
  resign,
  takeFreeSlots,
} from '../storage/processes.ts';

const LOCK_NOT_AVAILABLE = '55P03';

export interface OwnershipOptions {
  ttlMs: number;
  renewEveryMs: number;
  /** No send is begun within this time of the lease's end. */
  marginMs: number;
}

export const OWNERSHIP_DEFAULTS: OwnershipOptions = { ttlMs: 8000, renewEveryMs: 1000, marginMs: 2000 };

export interface OwnershipParts {
  db: Database;
  newUuid: () => string;
  version: string;
  /** Slots came to this process; lane state may be read now. */
  onTaken: (slots: number[]) => void;
  /** The lease was lost: the lanes belong to another process. */
  onLost: () => void;
  onError: (error: unknown) => void;
  options?: Partial<OwnershipOptions>;
}

export class Ownership {
  readonly #parts: OwnershipParts;
  readonly #options: OwnershipOptions;
  readonly #connection: DedicatedConnection;
  #identity: ProcessIdentity | null = null;
  #slots = new Set<number>();
  #renewedMonotonicMs = 0;
  #renewedWallMs = 0;
  /** Since when every renewal has succeeded: nobody steals until one TTL after its own first success. */
  #steadySinceMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<void> | null = null;
  #ending: Promise<void> | null = null;
  #stopped = true;

  constructor(parts: OwnershipParts) {
    this.#parts = parts;
    this.#options = { ...OWNERSHIP_DEFAULTS, ...parts.options };
    this.#connection = parts.db.dedicated();
  }

  /** Registers this process and takes what is free. Slots of a process that was killed follow when its lease has run out. */
  async start(): Promise<void> {
    this.#stopped = false;
    this.#turn = this.#takeTurn();
    await this.#turn;
    this.#schedule();
  }

  /** Gives up lease and slots. Flush before. */
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
    if (this.#identity) await resign(this.#connection, this.#identity).catch(this.#parts.onError);
    this.#identity = null;
    this.#slots.clear();
    await this.#connection.reset();
  }

  /** The fence of this process's flushes. */
  identity(): ProcessIdentity {
    if (!this.#identity) throw new Error('this process holds no lease');
    return this.#identity;
  }

  owns(slot: number): boolean {
    return this.#slots.has(slot);
  }

  heldSlots(): ReadonlySet<number> {
    return new Set(this.#slots);
  }

  get slotCount(): number {
    return this.#slots.size;
  }

  /** Whether the lease is young enough to begin a send: by the greater of monotonic and wall time since the renewal was asked for. */
  maySend(): boolean {
    if (this.#identity === null) return false;
    const elapsed = Math.max(performance.now() - this.#renewedMonotonicMs, Date.now() - this.#renewedWallMs);
    return elapsed < this.#options.ttlMs - this.#options.marginMs;
  }

  /** Called when a flush found the fence down. */
  lost(): void {
    if (!this.#identity) return;
    this.#identity = null;
    this.#slots.clear();
    this.#steadySinceMs = Number.POSITIVE_INFINITY;
    this.#parts.onLost();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(async () => {
      this.#turn = this.#takeTurn();
      await this.#turn;
      this.#turn = null;
      this.#schedule();
    }, this.#options.renewEveryMs);
  }

  async #takeTurn(): Promise<void> {
    try {
      await this.#renew();
      await this.#takeSlots();
    } catch (error) {
      this.#steadySinceMs = Number.POSITIVE_INFINITY;
      this.#parts.onError(error);
      await this.#connection.reset();
    }
  }

  async #renew(): Promise<void> {
    const monotonicMs = performance.now();
    const wallMs = Date.now();
    const ttlSeconds = this.#options.ttlMs / 1000;
    if (this.#identity && !(await renewLease(this.#connection, this.#identity, ttlSeconds))) this.lost();
    if (!this.#identity) {
      const identity = { processUuid: this.#parts.newUuid(), epoch: 1 };
      const { version } = this.#parts;
      await registerProcess(this.#connection, { ...identity, ttlSeconds, host: hostname(), pid: process.pid, version });
      this.#identity = identity;
    }
    this.#renewedMonotonicMs = monotonicMs;
    this.#renewedWallMs = wallMs;
    if (this.#steadySinceMs === Number.POSITIVE_INFINITY) this.#steadySinceMs = monotonicMs;
  }

  async #takeSlots(): Promise<void> {
    const identity = this.#identity;
    if (!identity) return;
    if (performance.now() - this.#steadySinceMs >= this.#options.ttlMs && (await this.#bury(identity)) > 0) {
      await forgetDeadProcesses(this.#connection);
    }
    const taken = await takeFreeSlots(this.#connection, identity, [...this.#slots]);
    // A flush may have found the fence down meanwhile: then they are not held, and are taken under the next identity.
    if (taken.length === 0 || this.#identity !== identity) return;
    for (const slot of taken) this.#slots.add(slot);
    this.#parts.onTaken(taken);
  }

  async #bury(identity: ProcessIdentity): Promise<number> {
    try {
      return await this.#parts.db.transaction((tx) => buryExpired(tx, identity));
    } catch (error) {
      if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
      return 0; // a flush of theirs hangs: again with the next turn
    }
  }
}
