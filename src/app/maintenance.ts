// The housekeeping of one process, all of it safe to be done by several at once: partitions ahead, expired idempotency keys, erasures, and
// requests to sources that were kept long enough. It goes in chunks, a short transaction each.
import type { Database } from '../storage/database.ts';
import { dueErasures, sweepErasure } from '../storage/erasures.ts';
import { exclusively } from '../storage/exclusive.ts';
import { deleteExpiredKeys } from '../storage/idempotency-keys.ts';
import { ensurePartitions } from '../storage/partitions.ts';
import { deleteOldSourceRequests } from '../storage/source-requests.ts';

export interface MaintenanceOptions {
  partitionsEveryMs: number;
  keysEveryMs: number;
  erasuresEveryMs: number;
  requestsEveryMs: number;
  /** A second sweep follows so long after the first: longer than a lease. */
  secondSweepAfterSeconds: number;
}

export const MAINTENANCE_DEFAULTS: MaintenanceOptions = {
  partitionsEveryMs: 3_600_000,
  keysEveryMs: 60_000,
  erasuresEveryMs: 5000,
  requestsEveryMs: 300_000,
  secondSweepAfterSeconds: 15,
};

const CHUNK_KEYS = 5000;
const CHUNK_REQUESTS = 500;
/** How long requests to sources are kept. */
const REQUEST_DAYS = 7;

export class Maintenance {
  readonly #db: Database;
  readonly #options: MaintenanceOptions;
  readonly #onError: (error: unknown) => void;
  #timers: NodeJS.Timeout[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #stopped = true;

  constructor(parts: { db: Database; onError: (error: unknown) => void; options?: Partial<MaintenanceOptions> }) {
    this.#db = parts.db;
    this.#onError = parts.onError;
    this.#options = { ...MAINTENANCE_DEFAULTS, ...parts.options };
  }

  /** Makes the partitions of the next days, without which nothing can be appended, then works in the background. */
  async start(): Promise<void> {
    this.#stopped = false;
    await ensurePartitions(this.#db, { daysAhead: 7 });
    this.#every(this.#options.partitionsEveryMs, async () => void (await ensurePartitions(this.#db, { daysAhead: 7 })));
    this.#every(this.#options.keysEveryMs, async () => {
      await exclusively(this.#db, 'keys', () => this.#deleteKeys());
    });
    this.#every(this.#options.erasuresEveryMs, () => this.#erase());
    this.#every(this.#options.requestsEveryMs, async () => {
      await exclusively(this.#db, 'requests', () => this.#deleteRequests());
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    await Promise.all(this.#underWay);
  }

  #every(periodMs: number, work: () => Promise<void>): void {
    let running = false;
    const turn = (): void => {
      if (running || this.#stopped) return;
      running = true;
      const done: Promise<void> = work()
        .catch(this.#onError)
        .finally(() => {
          running = false;
          this.#underWay.delete(done);
        });
      this.#underWay.add(done);
    };
    this.#timers.push(setInterval(turn, periodMs).unref());
  }

  /** In chunks, for as long as a turn may take: what is left the next turn finds. */
  async #deleteKeys(): Promise<void> {
    const untilMs = performance.now() + this.#options.keysEveryMs;
    while (!this.#stopped && performance.now() < untilMs) {
      if ((await deleteExpiredKeys(this.#db, CHUNK_KEYS)) < CHUNK_KEYS) return;
    }
  }

  async #deleteRequests(): Promise<void> {
    const untilMs = performance.now() + this.#options.requestsEveryMs;
    while (!this.#stopped && performance.now() < untilMs) {
      if ((await deleteOldSourceRequests(this.#db, REQUEST_DAYS, CHUNK_REQUESTS)) < CHUNK_REQUESTS) return;
    }
  }

  async #erase(): Promise<void> {
    const due = await dueErasures(this.#db, this.#options.secondSweepAfterSeconds);
    if (due.length === 0) return;
    // Rows that two would delete at once they would wait for each other's, in any order.
    await exclusively(this.#db, 'erasures', async () => {
      for (const erasure of due) {
        if (this.#stopped) return;
        await sweepErasure(this.#db, erasure, async () => !this.#stopped);
      }
    });
  }
}
