// Group commit. While one transaction is under way the next batch gathers; when nothing is under way the requests of one turn
// of the event loop go at once: no timer. A publisher is answered after COMMIT and never before.
//
// Several connections, and an app always uses the same one: so within the process its events reach the tail in position
// order (design rule 3).

import { TidingsError } from '../core/errors.ts';
import type { NewEvent } from '../core/event.ts';
import type { StateAdvance } from '../storage/fetch-state.ts';
import { IDEMPOTENCY_HOURS, type KeyClaim } from '../storage/idempotency-keys.ts';
import { type Claim, keysClaim, type SourceKey, sourceClaim } from './claim.ts';
import type { AppendedEvent, PendingAppend } from './pending-append.ts';
import { WriterLine, type WriterLineOptions, type WriterLineParts } from './writer-line.ts';

export interface AppendRequest {
  appId: string;
  events: NewEvent[];
  /** The Idempotency-Key header with the hash of the body it came with. */
  idempotency: { key: string; bodyHash: Buffer } | null;
  /** In place of it, for an event that a source gave: when it is known already, the answer says so and nothing is appended. */
  received?: SourceKey;
}

export interface WriterOptions extends WriterLineOptions {
  connections: number;
  /** Beyond these a publisher is told 503 + Retry-After. */
  maxQueueBytes: number;
  maxQueueBytesPerApp: number;
}

export const WRITER_DEFAULTS: WriterOptions = {
  connections: 2,
  maxBatchEvents: 500,
  maxBatchBytes: 4 * 1024 * 1024,
  maxQueueBytes: 64 * 1024 * 1024,
  maxQueueBytesPerApp: 32 * 1024 * 1024,
  statementTimeoutMs: 10_000,
  keyHours: IDEMPOTENCY_HOURS,
};

export class Writer {
  readonly #lines: WriterLine[];
  readonly #options: WriterOptions;
  #queuedBytes = 0;
  readonly #queuedBytesByApp = new Map<string, number>();
  #stopped = false;

  constructor(parts: WriterLineParts & { options?: Partial<WriterOptions> }) {
    this.#options = { ...WRITER_DEFAULTS, ...parts.options };
    this.#lines = Array.from({ length: this.#options.connections }, () => new WriterLine(parts, this.#options));
  }

  async start(): Promise<void> {
    this.#stopped = false;
  }

  /** Waits for what is under way and queued, then closes the connections. Appends after this answer 503. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lines.map((line) => line.close()));
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Appends the events, all or nothing; those with a `deliverAtMs` that is still to come are put by until then. Resolves after COMMIT.
   * @throws TidingsError not_found (no such app), idempotency_conflict, overloaded, unavailable (nothing was stored),
   * unclear (the connection broke during COMMIT).
   */
  append({ appId, events, idempotency, received }: AppendRequest): Promise<AppendedEvent[]> {
    let bytes = 512;
    let timed = false;
    for (const event of events) {
      bytes += event.data.length + (event.origin?.length ?? 0) + 128;
      if (event.deliverAtMs !== undefined) timed = true;
    }
    const claim =
      received === undefined
        ? keysClaim(appId, events, idempotency)
        : sourceClaim(
            appId,
            events.map(({ id }) => id),
            received,
          );
    return this.#enqueue({ appId, events, claim, timed, bytes, weight: events.length });
  }

  /**
   * Appends scheduled events of the app that are due, oldest first, and resolves with how many after COMMIT: 0 when there are none, or
   * when another process is about to. `expected` is how many there may be. @throws TidingsError like `append`
   */
  async appendDue(appId: string, due: { expected: number; maxEvents: number; maxBytes: number }): Promise<number> {
    const { maxEvents, maxBytes } = due;
    const claim: Claim = { kind: 'due', maxEvents, maxBytes };
    const weight = Math.min(due.expected, maxEvents);
    return (await this.#enqueue({ appId, events: [], claim, timed: false, bytes: 512, weight })).length;
  }

  /**
   * Appends what a run of a fetched source found, and moves the source's state on in the same transaction; there may be no events. Resolves
   * with the events that were not known by their key, null = it has none, already.
   * @throws TidingsError like `append`; `conflict` when the source no longer stands where the run began: nothing was stored
   */
  appendFetched(request: {
    appId: string;
    events: NewEvent[];
    keys: (KeyClaim | null)[];
    advance: StateAdvance;
  }): Promise<AppendedEvent[]> {
    const { appId, events, keys, advance } = request;
    const { items } = advance;
    const bytes = events.reduce((sum, { data }) => sum + data.length + 128, 512 + items.remember.length * 64);
    const claim: Claim = { kind: 'state', advance, keys };
    return this.#enqueue({ appId, events, claim, timed: false, bytes, weight: Math.max(1, events.length) });
  }

  #enqueue(
    request: Pick<PendingAppend, 'appId' | 'events' | 'claim' | 'timed' | 'bytes' | 'weight'>,
  ): Promise<AppendedEvent[]> {
    const { appId, bytes } = request;
    const appBytes = this.#queuedBytesByApp.get(appId) ?? 0;
    if (this.#stopped) return Promise.reject(new TidingsError('unavailable', 'The server is stopping. Try again.'));
    if (
      this.#queuedBytes + bytes > this.#options.maxQueueBytes ||
      appBytes + bytes > this.#options.maxQueueBytesPerApp
    ) {
      const detail = 'More is being published than the database takes. Nothing was stored. Try again in a second.';
      return Promise.reject(new TidingsError('overloaded', detail));
    }
    this.#queuedBytes += bytes;
    this.#queuedBytesByApp.set(appId, appBytes + bytes);
    return new Promise<AppendedEvent[]>((resolve, reject) => {
      let answered = false;
      const done = (): void => {
        if (answered) return;
        answered = true;
        this.#queuedBytes -= bytes;
        const left = this.#queuedBytesByApp.get(appId)! - bytes;
        if (left > 0) this.#queuedBytesByApp.set(appId, left);
        else this.#queuedBytesByApp.delete(appId);
      };
      this.#lines[hashText(appId) % this.#lines.length].enqueue({
        ...request,
        appending: request.events,
        deferring: [],
        partial: null,
        resolve(events) {
          done();
          resolve(events);
        },
        reject(error) {
          done();
          reject(error);
        },
      });
    });
  }
}

function hashText(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
  return hash;
}
