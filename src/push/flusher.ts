// Writes outcomes in batches: one flush at a time, each one fenced transaction (design rules 1 and 2). It lingers for a few milliseconds, for
// nobody waits for an outcome but the open bound. An unclear COMMIT is repeated as it was; the next flush waits for it.

import { failpoint } from '../core/failpoint.ts';
import type { Database, DedicatedConnection } from '../storage/database.ts';
import {
  type AttemptRow,
  type ClosedRow,
  type DeadRow,
  type Flush,
  type LaneRow,
  type ReplayRow,
  type RetryRow,
  writeFlush,
} from '../storage/flush.ts';
import type { ProcessIdentity } from '../storage/processes.ts';

/** What one attempt, or one decision without an attempt, leaves to be written. */
export interface FlushItem {
  readonly lane: FlushedLane | null;
  readonly row: AttemptRow | null;
  readonly retry: RetryRow | null;
  readonly closedRetry: ClosedRow | null;
  readonly deadRow: DeadRow | null;
  readonly closedDead: ClosedRow | null;
  /** Whether others wait for it, so that it does not linger. */
  readonly isUrgent?: boolean;
  /** Called when the item is taken into a flush: from here on settled_through may pass it. */
  taken?(): void;
  /** Called once after COMMIT. */
  committed(): void;
  /** Called instead when the lease was lost, or the process stops, before it was written. */
  dropped?(): void;
}

/** A lane as the flusher sees it. */
export interface FlushedLane {
  /** The checkpoint to write along, or null when none is due. */
  checkpoint(nowMs: number, force: boolean): LaneRow | null;
  /** The progress of its replays, where there is any. */
  replayCheckpoints(): ReplayRow[];
  /** Whether a checkpoint is still to be written. */
  readonly behindCheckpoint: boolean;
}

export interface FlusherOptions {
  lingerMs: number;
  /** A flush goes at once when so many items wait. */
  fullItems: number;
  maxItems: number;
  maxBytes: number;
  checkpointEveryMs: number;
}

export const FLUSHER_DEFAULTS: FlusherOptions = {
  lingerMs: 8,
  fullItems: 200,
  maxItems: 1000,
  maxBytes: 4 * 1024 * 1024,
  checkpointEveryMs: 1000,
};

const MAX_RETRY_DELAY_MS = 1000;
/** A flush takes milliseconds; one that nobody answers is repeated on another connection. */
const STATEMENT_TIMEOUT_MS = 10_000;
const MAX_CHECKPOINTS = 1000;

export interface FlusherParts {
  db: Database;
  identity: () => ProcessIdentity;
  now: () => number;
  /** The fence did not hold: another process has taken over; nothing was or will be written. */
  onFenced: () => void;
  onError: (error: unknown) => void;
  options?: Partial<FlusherOptions>;
}

export class Flusher {
  readonly #parts: FlusherParts;
  readonly #options: FlusherOptions;
  readonly #connection: DedicatedConnection;
  #queue: FlushItem[] = [];
  readonly #dirty = new Set<FlushedLane>();
  /** Of these the next flush writes the checkpoints, however little they are behind. */
  readonly #urgent = new Set<FlushedLane>();
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #immediate = false;
  #checkpointTimer: NodeJS.Timeout | null = null;
  #discarding = false;
  /** Raised with every lease that is lost: a flush begun before is not repeated under the next one. */
  #era = 0;
  /** The next flush writes the checkpoints of all lanes that are behind, not just of those it has outcomes of. */
  #sweepDue = false;

  constructor(parts: FlusherParts) {
    this.#parts = parts;
    this.#options = { ...FLUSHER_DEFAULTS, ...parts.options };
    this.#connection = parts.db.dedicated({ statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  }

  async start(): Promise<void> {
    this.#discarding = false;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  add(item: FlushItem): void {
    if (this.#discarding) {
      item.dropped?.();
      return;
    }
    this.#queue.push(item);
    if (item.lane) this.#markDirty(item.lane);
    if (this.#running || this.#immediate) return;
    if (item.isUrgent || this.#queue.length >= this.#options.fullItems) {
      this.#immediate = true;
      setImmediate(() => this.#kick());
    } else {
      this.#timer ??= setTimeout(() => this.#kick(), this.#options.lingerMs);
    }
  }

  /** Writes the lane's checkpoint with one of the next sweeps. */
  checkpointSoon(lane: FlushedLane): void {
    if (!this.#discarding) this.#markDirty(lane);
  }

  /** Writes all that waits, with a checkpoint of every lane that is behind its own. */
  async drain(lanes: Iterable<FlushedLane> = []): Promise<void> {
    for (const lane of lanes) if (lane.behindCheckpoint) this.#dirty.add(lane);
    for (;;) {
      while (this.#running) await this.#running; // a flush that ends may begin the next one itself
      if ((this.#queue.length === 0 && this.#dirty.size === 0) || this.#discarding) return;
      this.#run('all');
    }
  }

  /**
   * Writes the checkpoints of lanes that are at rest. Unlike `drain` it comes to an end while others are busy: it waits for no more than the
   * flush that takes them.
   */
  async settle(lanes: Iterable<FlushedLane>): Promise<void> {
    for (const lane of lanes) {
      if (!lane.behindCheckpoint) continue;
      this.#dirty.add(lane);
      this.#urgent.add(lane);
    }
    while (this.#urgent.size > 0 && !this.#discarding) {
      if (!this.#running) this.#run('items');
      await this.#running;
    }
    await this.#running;
  }

  /** Forgets what waits: it belongs to lanes that another process owns now, which will send it again. */
  discard(): void {
    this.#discarding = true;
    this.#era++;
    this.#dirty.clear();
    this.#urgent.clear();
    for (const item of this.#queue.splice(0)) item.dropped?.();
  }

  async stop(): Promise<void> {
    this.discard();
    this.#clearTimers();
    while (this.#running) await this.#running;
    await this.#connection.reset();
  }

  #clearTimers(): void {
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#checkpointTimer) clearTimeout(this.#checkpointTimer);
    this.#timer = null;
    this.#checkpointTimer = null;
  }

  #markDirty(lane: FlushedLane): void {
    this.#dirty.add(lane);
    this.#checkpointTimer ??= setTimeout(() => {
      this.#checkpointTimer = null;
      this.#sweepDue = true;
      this.#kick();
    }, this.#options.checkpointEveryMs);
  }

  #kick(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#immediate = false;
    if (!this.#running && !this.#discarding) this.#run(this.#sweepDue ? 'sweep' : 'items');
  }

  #run(scope: 'items' | 'sweep' | 'all'): void {
    const { flush, items } = this.#take(scope);
    if (items.length === 0 && flush.lanes.length === 0 && flush.replays.length === 0) {
      this.#rearm();
      return;
    }
    this.#running = this.#write(flush).then((held) => {
      this.#running = null;
      for (const item of items) {
        if (held) item.committed();
        else item.dropped?.();
      }
      this.#rearm();
    });
  }

  #rearm(): void {
    if (this.#discarding || this.#running) return;
    if (this.#queue.length >= this.#options.fullItems || this.#sweepDue) this.#kick();
    else if (this.#queue.length > 0) this.#timer ??= setTimeout(() => this.#kick(), this.#options.lingerMs);
    if (this.#dirty.size > 0 && !this.#checkpointTimer) {
      const lane = this.#dirty.values().next().value!;
      this.#markDirty(lane);
    }
  }

  /**
   * Takes items up to the bounds, and the checkpoints that cover no more than these and earlier flushes. No row of `retries` or `dead`
   * may be touched twice in one statement: a second item for the same one waits for the next flush.
   */
  #take(scope: 'items' | 'sweep' | 'all'): { flush: Flush; items: FlushItem[] } {
    const flush: Flush = {
      attempts: [],
      retries: [],
      closedRetries: [],
      dead: [],
      closedDead: [],
      lanes: [],
      replays: [],
    };
    const urgent = new Set(this.#urgent);
    this.#urgent.clear();
    const own = new Set<FlushedLane>(urgent);
    const lanes = scope === 'items' ? own : this.#dirty;
    const touched = new Set<string>();
    let count = 0;
    let bytes = 0;
    while (count < this.#queue.length && count < this.#options.maxItems && bytes < this.#options.maxBytes) {
      const item = this.#queue[count];
      if (!touchRows(item, touched)) break;
      count++;
      if (item.row) {
        flush.attempts.push(item.row);
        const { responseHead, responseBody } = item.row.result;
        bytes += 256 + (responseHead?.length ?? 0) + (responseBody?.length ?? 0);
      }
      if (item.retry) flush.retries.push(item.retry);
      if (item.closedRetry) flush.closedRetries.push(item.closedRetry);
      if (item.deadRow) flush.dead.push(item.deadRow);
      if (item.closedDead) flush.closedDead.push(item.closedDead);
      if (item.lane) own.add(item.lane);
      item.taken?.();
    }
    const items = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count);
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
    if (scope !== 'items') this.#sweepDue = false;
    const nowMs = this.#parts.now();
    for (const lane of lanes === own ? own : new Set([...own, ...lanes])) {
      // The others follow with the next sweep. A replay's retries are written with its progress, or not at all.
      if (flush.lanes.length >= MAX_CHECKPOINTS && scope !== 'all' && !own.has(lane)) break;
      const row = lane.checkpoint(nowMs, scope === 'all' || urgent.has(lane));
      if (row) flush.lanes.push(row);
      const replays = lane.replayCheckpoints();
      if (replays.length > 0) flush.replays.push(...replays);
      if (row || !lane.behindCheckpoint) this.#dirty.delete(lane);
      else this.#dirty.add(lane);
    }
    return { flush, items };
  }

  /**
   * Repeats the same flush until it is written or the fence falls. When Postgres refuses what it holds, its texts (they come from
   * strangers) are left out the second time: better an attempt without its response than a lane that stands still.
   */
  async #write(flush: Flush): Promise<boolean> {
    const era = this.#era;
    for (let delayMs = 20; ; delayMs = Math.min(MAX_RETRY_DELAY_MS, delayMs * 2)) {
      if (era !== this.#era) return false;
      try {
        await failpoint('flusher.before_flush');
        const held = await writeFlush(this.#connection, this.#parts.identity(), flush);
        await failpoint('flusher.after_flush');
        if (!held && era === this.#era) {
          this.discard();
          this.#parts.onFenced();
        }
        return held;
      } catch (error) {
        this.#parts.onError(error);
        if (/^22/.test(String((error as { code?: unknown }).code))) flush = withoutTexts(flush);
        else await this.#connection.reset();
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }
}

function withoutTexts(flush: Flush): Flush {
  const attempts = flush.attempts.map(
    ({ key, attemptUuid, cursorUuid, batchUuid, day, startedMs, cause, attempt, dead, event, result, ...rest }) => {
      const bare = { ...result, responseHead: null, responseBody: null, error: null, remoteAddress: null };
      const { transformationVersion } = rest;
      const id = { key, attemptUuid, cursorUuid, batchUuid, day, startedMs };
      return { ...id, cause, attempt, transformationVersion, dead, event, result: bare };
    },
  );
  return { ...flush, attempts };
}

/** Notes the rows that an item writes besides its attempt; false, noting none, when one is noted already. */
function touchRows(item: FlushItem, touched: Set<string>): boolean {
  if (!item.retry && !item.closedRetry && !item.deadRow && !item.closedDead) return true;
  const keys = new Set<string>();
  for (const row of [item.retry, item.closedRetry, item.deadRow, item.closedDead]) {
    if (row) keys.add(`${row.key.endpointUuid} ${row.cursorUuid} ${row.position}`);
  }
  for (const key of keys) if (touched.has(key)) return false;
  for (const key of keys) touched.add(key);
  return true;
}
