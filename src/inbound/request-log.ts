// Keeps requests to be looked at, off the way of those that are answered: gathered in memory and written a few times a second. A flood costs a
// counter: of each source only so many a second are kept, and what comes beyond is counted as more of the last one like it.
import { LRUCache } from 'lru-cache';
import { TokenBucket } from '../core/token-bucket.ts';
import type { Queryable } from '../storage/database.ts';
import {
  countRepeats,
  insertSourceRequests,
  type NewSourceRequest,
  pruneSourceRequests,
  type RequestPlace,
} from '../storage/source-requests.ts';

export interface RequestLogOptions {
  flushEveryMs: number;
  /** Of one source. A tenth of a second's worth is kept at once. */
  keptPerSecond: number;
  /** What may wait to be written; beyond it requests are only counted. */
  maxWaitingBytes: number;
}

export const REQUEST_LOG_DEFAULTS: RequestLogOptions = {
  flushEveryMs: 250,
  keptPerSecond: 50,
  maxWaitingBytes: 16 * 1024 * 1024,
};

/** What a request weighs besides its body, roughly. */
const OVERHEAD_BYTES = 4096;
const MAX_SOURCES = 10_000;
/** The oldest of a source are dropped each time so many were written. */
const PRUNE_EVERY = 100;

interface SourceState {
  readonly bucket: TokenBucket;
  /** By cause; '' = became an event. */
  readonly last: Map<string, RequestPlace>;
  written: number;
}

export interface RequestLogParts {
  db: Queryable;
  now: () => number;
  onError: (error: unknown) => void;
  options?: Partial<RequestLogOptions>;
}

export class RequestLog {
  readonly #parts: RequestLogParts;
  readonly #options: RequestLogOptions;
  readonly #sources = new LRUCache<string, SourceState>({ max: MAX_SOURCES });
  #waiting: NewSourceRequest[] = [];
  #waitingBytes = 0;
  #repeats = new Map<string, RequestPlace & { count: number }>();
  #timer: NodeJS.Timeout | null = null;
  #flushing: Promise<void> | null = null;

  constructor(parts: RequestLogParts) {
    this.#parts = parts;
    this.#options = { ...REQUEST_LOG_DEFAULTS, ...parts.options };
  }

  async start(): Promise<void> {
    this.#timer ??= setInterval(() => void this.flush(), this.#options.flushEveryMs).unref();
  }

  /** Writes what waits. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.flush();
  }

  /** Keeps or counts one; `build` is called only when it is kept. */
  add(sourceId: string, cause: string | null, build: () => NewSourceRequest): void {
    const { now } = this.#parts;
    const nowMs = now();
    let state = this.#sources.get(sourceId);
    if (state === undefined) {
      state = { bucket: new TokenBucket(this.#options.keptPerSecond, nowMs), last: new Map(), written: 0 };
      this.#sources.set(sourceId, state);
    }
    const last = state.last.get(cause ?? '');
    const isFull = this.#waitingBytes >= this.#options.maxWaitingBytes;
    if (isFull || state.bucket.available(nowMs) < 1) {
      if (last !== undefined) this.#count(last);
      return;
    }
    state.bucket.take(nowMs);
    const request = build();
    state.last.set(cause ?? '', { appId: request.appId, sourceId, requestId: request.id });
    this.#waiting.push(request);
    this.#waitingBytes += request.body.length + OVERHEAD_BYTES;
  }

  /** Resolves when all that was added before is written, or lost. */
  async flush(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
    if (this.#waiting.length === 0 && this.#repeats.size === 0) return;
    this.#flushing = this.#write().finally(() => {
      this.#flushing = null;
    });
    await this.#flushing;
  }

  #count(place: RequestPlace): void {
    const known = this.#repeats.get(place.requestId);
    if (known === undefined) this.#repeats.set(place.requestId, { ...place, count: 1 });
    else known.count++;
  }

  // What cannot be written is lost: it would gather while the database is away, and nobody waits for it.
  async #write(): Promise<void> {
    const { db, onError } = this.#parts;
    const requests = this.#waiting;
    const repeats = [...this.#repeats.values()];
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#repeats = new Map();
    try {
      if (requests.length > 0) await insertSourceRequests(db, requests);
      if (repeats.length > 0) await countRepeats(db, repeats);
      for (const { appId, sourceId } of requests) {
        const state = this.#sources.peek(sourceId);
        if (state === undefined || ++state.written % PRUNE_EVERY !== 0) continue;
        await pruneSourceRequests(db, { appId, sourceId });
      }
    } catch (error) {
      onError(error);
    }
  }
}
