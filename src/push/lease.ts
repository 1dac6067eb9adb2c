// This process's lease: that it lives, and until when it may send. Whatever it writes of its lanes is fenced by the identity that the lease
// has (design rule 1); an identity that others have declared dead never comes back: the process goes on under a new one.
import { hostname } from 'node:os';
import { failpoint } from '../core/failpoint.ts';
import type { Role } from '../core/role.ts';
import type { Queryable } from '../storage/database.ts';
import { type ProcessIdentity, registerProcess, renewLease, resign } from '../storage/processes.ts';

export interface LeaseOptions {
  ttlMs: number;
  /** No send is begun within this time of the lease's end. */
  marginMs: number;
}

export interface LeaseParts {
  db: Queryable;
  newUuid: () => string;
  version: string;
  options: LeaseOptions;
  /** Another process has taken over. */
  onLost: () => void;
}

export class Lease {
  readonly #parts: LeaseParts;
  #identity: ProcessIdentity | null = null;
  #renewedMonotonicMs = 0;
  #renewedWallMs = 0;
  /** Since when every turn has succeeded. */
  #steadySinceMs = Number.POSITIVE_INFINITY;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
  }

  get identity(): ProcessIdentity | null {
    return this.#identity;
  }

  /**
   * Whether others may be buried: one TTL after this process's own first success. After an outage of the database all leases have run out,
   * and whoever comes first must not take the others for dead.
   */
  get mayBury(): boolean {
    return performance.now() - this.#steadySinceMs >= this.#parts.options.ttlMs;
  }

  /**
   * Whether the lease is young enough to begin a send: by the greater of monotonic and wall time since the renewal was asked for, for the one
   * stands still while the machine sleeps and the other can be set back.
   */
  maySend(): boolean {
    if (this.#identity === null) return false;
    const elapsedMs = Math.max(performance.now() - this.#renewedMonotonicMs, Date.now() - this.#renewedWallMs);
    return elapsedMs < this.#parts.options.ttlMs - this.#parts.options.marginMs;
  }

  /** Extends the lease, or begins one, with what others are to know of this process; true when it is a new one. */
  async renew(told: { deliveriesPerSecond: number; roles: readonly Role[] }): Promise<boolean> {
    await failpoint('ownership.before_renewal');
    const { db, options, newUuid, version } = this.#parts;
    const monotonicMs = performance.now();
    const wallMs = Date.now();
    const ttlSeconds = options.ttlMs / 1000;
    const known = this.#identity;
    if (known && !(await renewLease(db, known, ttlSeconds, told))) this.lost();
    // A flush may have found the fence down meanwhile: that is a loss too.
    const isNew = this.#identity === null;
    if (isNew) {
      const identity = { processUuid: newUuid(), epoch: 1 };
      await registerProcess(db, {
        ...identity,
        ttlSeconds,
        host: hostname(),
        pid: process.pid,
        version,
        roles: told.roles,
      });
      this.#identity = identity;
    }
    this.#renewedMonotonicMs = monotonicMs;
    this.#renewedWallMs = wallMs;
    if (this.#steadySinceMs === Number.POSITIVE_INFINITY) this.#steadySinceMs = monotonicMs;
    await failpoint('ownership.after_renewal');
    return isNew;
  }

  /** The database could not be asked. */
  unsteady(): void {
    this.#steadySinceMs = Number.POSITIVE_INFINITY;
  }

  lost(): void {
    if (!this.#identity) return;
    this.#identity = null;
    this.unsteady();
    this.#parts.onLost();
  }

  /** Ends the lease and frees its slots. */
  async resign(): Promise<void> {
    const identity = this.#identity;
    this.#identity = null;
    this.unsteady();
    if (identity) await resign(this.#parts.db, identity);
  }
}
