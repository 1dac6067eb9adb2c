// What finds the work that nobody told of: due retries that memory does not hold, and apps with work that are not loaded; and what lets go
// of apps that have been idle (design rules 10 and 12). One statement each for all lanes of the process.
import type { Database } from '../storage/database.ts';
import { appsWithWork } from '../storage/lanes.ts';
import { lanesWithDueRetries } from '../storage/retries.ts';

export interface LaneSweepOptions {
  retriesEveryMs: number;
  workEveryMs: number;
  /** An app of which nothing was heard for so long may be forgotten until something is. */
  coldAfterMs: number;
}

export const LANE_SWEEP_DEFAULTS: LaneSweepOptions = {
  retriesEveryMs: 30_000,
  workEveryMs: 60_000,
  coldAfterMs: 300_000,
};

const MAX_LANES = 10_000;

export interface LaneSweepParts {
  db: Database;
  slots: () => number[];
  /** Retries of this lane are due, or will be before the next sweep. */
  onDue: (appId: string, endpointId: string) => void;
  /** This app has work. */
  onWork: (appId: string) => void;
  /** It is time to let go of what is idle. */
  onUnload: (coldAfterMs: number) => void;
  onError: (error: unknown) => void;
  options?: Partial<LaneSweepOptions>;
}

export class LaneSweep {
  readonly #parts: LaneSweepParts;
  readonly #options: LaneSweepOptions;
  #timers: NodeJS.Timeout[] = [];
  #underWay: Promise<void> = Promise.resolve();

  constructor(parts: LaneSweepParts) {
    this.#parts = parts;
    this.#options = { ...LANE_SWEEP_DEFAULTS, ...parts.options };
  }

  async start(): Promise<void> {
    if (this.#timers.length > 0) return;
    const { retriesEveryMs, workEveryMs } = this.#options;
    this.#timers = [
      setInterval(() => this.#queue(() => this.#findRetries()), retriesEveryMs).unref(),
      setInterval(() => this.#queue(() => this.#findWork()), workEveryMs).unref(),
    ];
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    await this.#underWay;
  }

  #queue(work: () => Promise<void>): void {
    this.#underWay = this.#underWay
      .then(() => (this.#timers.length > 0 ? work() : undefined))
      .catch(this.#parts.onError);
  }

  async #findRetries(): Promise<void> {
    const { db, slots, onDue } = this.#parts;
    const owned = slots();
    if (owned.length === 0) return;
    const withinSeconds = this.#options.retriesEveryMs / 1000;
    for (const lane of await lanesWithDueRetries(db, owned, withinSeconds, MAX_LANES))
      onDue(lane.appId, lane.endpointId);
  }

  async #findWork(): Promise<void> {
    const { db, slots, onWork, onUnload } = this.#parts;
    const owned = slots();
    if (owned.length === 0) return;
    for (const appId of await appsWithWork(db, owned)) onWork(appId);
    onUnload(this.#options.coldAfterMs);
  }
}
