// Tells of endpoints that lag by time: the oldest event that is not settled is older than a threshold. A look at the lanes in memory every
// half minute at least; the database is asked only for the age of what memory does not hold, and before something is told.
import { TIDINGS_APP_ID } from '../core/id.ts';
import type { LogPlace } from '../log/event-cache.ts';
import type { Database } from '../storage/database.ts';
import type { LaneKey } from '../storage/flush.ts';
import { appendedTimes, claimLagAlert } from '../storage/lane-lag.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import type { Operations } from './operations.ts';

/** A lane, as far as its lag goes. */
export interface LaggingLane {
  readonly appId: string;
  readonly key: LaneKey;
  readonly endpoint: LoadedEndpoint;
  /** Whether it sends: of one that was paused, disabled or is pulled nobody needs to be told. */
  readonly runs: boolean;
  readonly settled: LogPlace;
  readonly oldestOpen: { position: number; appendedMs: number } | null;
}

export interface LagWatchOptions {
  /** 0 = nothing is told. */
  alertAfterSeconds: number;
}

export const LAG_WATCH_DEFAULTS: LagWatchOptions = { alertAfterSeconds: 3600 };

const MAX_EVERY_MS = 30_000;
const MIN_EVERY_MS = 1000;

/** Lanes whose age is asked for in one look; the others' turn comes with the next ones. */
const MAX_ASKED = 500;

export interface LagWatchParts {
  db: Database;
  lanes: () => Iterable<LaggingLane>;
  /** Where an app's log ends, as far as this process knows. */
  headOf: (appId: string) => number | null;
  operations: Pick<Operations, 'lagging'>;
  now: () => number;
  onError: (error: unknown) => void;
  options?: Partial<LagWatchOptions>;
}

interface Candidate {
  lane: LaggingLane;
  settled: LogPlace;
  head: number;
  appendedMs: number | null;
}

export class LagWatch {
  readonly #parts: LagWatchParts;
  readonly #options: LagWatchOptions;
  /** By endpoint: told, until this position is settled. */
  #told = new Map<string, number>();
  /** Asked for last, so that others come first next time. */
  #asked = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<void> | null = null;

  constructor(parts: LagWatchParts) {
    this.#parts = parts;
    this.#options = { ...LAG_WATCH_DEFAULTS, ...parts.options };
  }

  async start(): Promise<void> {
    const { alertAfterSeconds } = this.#options;
    if (alertAfterSeconds === 0) return;
    const everyMs = Math.max(MIN_EVERY_MS, Math.min(MAX_EVERY_MS, alertAfterSeconds * 250));
    this.#timer ??= setInterval(() => {
      this.#turn ??= this.look()
        .catch(this.#parts.onError)
        .finally(() => {
          this.#turn = null;
        });
    }, everyMs).unref();
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    await this.#turn;
  }

  /** One look at all lanes. */
  async look(): Promise<void> {
    const candidates = this.#candidates();
    await this.#findAges(candidates);
    const { db, now, operations } = this.#parts;
    for (const { lane, settled, head, appendedMs } of candidates) {
      if (appendedMs === null) continue;
      const oldestSeconds = Math.round((now() - appendedMs) / 1000);
      if (oldestSeconds < this.#options.alertAfterSeconds) continue;
      const place = { appId: lane.appId, endpointId: lane.endpoint.id };
      const isOurs = await claimLagAlert(db, { ...place, settled: settled.position, through: head });
      this.#told.set(lane.endpoint.id, head);
      if (!isOurs) continue;
      const lag = { positions: head - settled.position, oldestSeconds, through: head };
      await operations.lagging(lane.appId, lane.endpoint, lag);
    }
  }

  /** Lanes that are behind and have not been told of. */
  #candidates(): Candidate[] {
    const candidates: Candidate[] = [];
    const told = new Map<string, number>();
    for (const lane of this.#parts.lanes()) {
      const { settled } = lane;
      const head = this.#parts.headOf(lane.appId);
      if (head === null || settled.position >= head || !lane.runs || lane.appId === TIDINGS_APP_ID) continue;
      const through = this.#told.get(lane.endpoint.id);
      if (through !== undefined && settled.position < through) told.set(lane.endpoint.id, through);
      else candidates.push({ lane, settled, head, appendedMs: lane.oldestOpen?.appendedMs ?? null });
    }
    this.#told = told;
    return candidates;
  }

  async #findAges(candidates: Candidate[]): Promise<void> {
    const unknown = candidates.filter(({ appendedMs }) => appendedMs === null);
    const fresh = unknown.filter(({ lane }) => !this.#asked.has(lane.endpoint.id));
    const asked = (fresh.length > 0 ? fresh : unknown).slice(0, MAX_ASKED);
    if (fresh.length === 0) this.#asked = new Set();
    if (asked.length === 0) return;
    const pending = asked.map(({ lane, settled }) => ({
      key: lane.key,
      position: settled.position + 1,
      day: settled.day,
    }));
    const times = await appendedTimes(this.#parts.db, pending);
    for (const [n, candidate] of asked.entries()) {
      this.#asked.add(candidate.lane.endpoint.id);
      candidate.appendedMs = times[n];
    }
  }
}
