// An endpoint's live state in the process that owns it. A lane takes the next matching event after its cursor, or a retry that is due,
// sends it and hands the outcome to the flusher. There is no row per pending delivery: what is pending is the distance to the log.
//
//   live    events are handed over by the app's tail; with an empty queue the lane stands at the app's routed position
//   behind  the lane reads the log itself from `readFrom`, in chunks, until it has caught up with what is routed
//
// settled_through = everything up to there is delivered, unmatched, dead, or in `retries`. Between it and the first unsent event lie the
// open entries, in order; an entry is done once its outcome is in this or a committed flush.
import { Breaker } from '../core/breaker.ts';
import type { DisabledReason, EndpointState } from '../core/endpoint.ts';
import type { LogEvent } from '../core/event.ts';
import type { OutcomeKind, Reason, SendResult } from '../core/outcome.ts';
import { nextRetry } from '../core/retry-policy.ts';
import { Window } from '../core/window.ts';
import type { LogPlace } from '../log/event-cache.ts';
import { type ClosedRow, type LaneKey, type LaneRow, LIVE_CURSOR_UUID } from '../storage/flush.ts';
import type { StoredLane } from '../storage/lanes.ts';
import type { StoredRetry } from '../storage/retries.ts';
import { AttemptMeter } from './attempt-meter.ts';
import type { FlushItem } from './flusher.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import { type AttemptStamp, OpenAttempt } from './open-attempt.ts';
import { RetryQueue } from './retry-queue.ts';

export const MAX_SPAN_POSITIONS = 8192;
export const MAX_OPEN_RETRIES = 10_000;
const MAX_QUEUE_EVENTS = 512;
const MAX_QUEUE_BYTES = 2 * 1024 * 1024;
const REFILL_BELOW = 256;
const CHECKPOINT_POSITIONS = 1000;
const CHECKPOINT_MS = 1000;
/** The lane's pause after a 429 without Retry-After, and the longest that a Retry-After may ask for. */
const THROTTLE_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 3_600_000;

/** What the lanes of all apps ask of the process. */
export interface SharedHost {
  now(): number;
  random(): number;
  newAttempt(): AttemptStamp;
  /** Whether this process may begin a send: lease and open bound. If not, the lane is woken when it may. */
  maySend(lane: Lane): boolean;
  /** An attempt was begun, or its outcome was committed. */
  countOpen(change: 1 | -1): void;
  send(attempt: OpenAttempt, done: (result: SendResult) => void): void;
  flush(item: FlushItem): void;
  /** Writes the lane's checkpoint with one of the next flushes. */
  checkpointSoon(lane: Lane): void;
  /** Asks to be pumped soon, in turn with the others. */
  ready(lane: Lane): void;
  wakeAt(lane: Lane, atMs: number): void;
  readAt(lane: Lane, place: LogPlace): Promise<LogEvent | null>;
  moreRetries(lane: Lane, except: number[], limit: number): Promise<StoredRetry[]>;
  breakerChanged(lane: Lane, transition: 'opened' | 'closed'): void;
  disable(lane: Lane, reason: DisabledReason): void;
  died(lane: Lane, eventId: string, reason: Reason): void;
  failed(error: unknown): void;
}

/** And what a lane asks of its app. */
export interface LaneHost extends SharedHost {
  /** Events from a place on, up to what is routed; empty when retention has dropped them all. */
  read(from: LogPlace): Promise<LogEvent[]>;
  /** Up to where events were handed to the app's live lanes. */
  routed(): LogPlace;
}

export class Lane {
  readonly appId: string;
  readonly key: LaneKey;
  endpoint: LoadedEndpoint;
  wakeMs = Number.POSITIVE_INFINITY;
  isReady = false;
  lastAttempt: OpenAttempt | null = null;
  meter: AttemptMeter | null = null;
  readonly ownedSinceMs: number;

  readonly #host: LaneHost;
  readonly breaker: Breaker;
  readonly window: Window;
  #stopped = false;

  #mode: 'live' | 'behind' = 'live';
  #readFrom: LogPlace;
  #filling = false;
  #queue: LogEvent[] = [];
  #queueAt = 0;
  #queueBytes = 0;
  /** Positions up to here are not this lane's business: its start, or where it was resumed. */
  #floor: LogPlace;
  /** Positions above settled_through that were settled before this process took the lane over. */
  #skip: Set<number> | null;
  #skipLowAttemptUuid: string | null;

  #open: OpenAttempt[] = [];
  #openAt = 0;
  #inFlight = 0;
  #uncommitted = 0;
  readonly #retries = new RetryQueue();
  #refilling = false;
  #retryTurn = false;
  #lastProbePosition = 0;
  #throttledUntilMs = 0;

  #persisted: number;
  #persistedMs = 0;
  #breakerDirty = false;

  constructor(parts: {
    host: LaneHost;
    appId: string;
    key: LaneKey;
    endpoint: LoadedEndpoint;
    stored: StoredLane;
    settledBeyond: Set<number> | undefined;
    retries: { total: number; next: StoredRetry[] } | undefined;
  }) {
    const { host, key, endpoint, stored } = parts;
    this.#host = host;
    this.appId = parts.appId;
    this.ownedSinceMs = host.now();
    this.key = key;
    this.endpoint = endpoint;
    this.window = new Window(windowFor(endpoint));
    this.breaker = new Breaker(stored.breaker);
    this.#floor = { position: stored.settledThrough, day: stored.settledDay };
    this.#readFrom = { position: stored.settledThrough + 1, day: stored.settledDay };
    this.#mode = 'behind';
    this.#skip = parts.settledBeyond && parts.settledBeyond.size > 0 ? parts.settledBeyond : null;
    this.#skipLowAttemptUuid = this.#skip ? stored.lowAttemptUuid : null;
    this.#persisted = stored.settledThrough;
    if (parts.retries) this.#retries.load(parts.retries.next, parts.retries.total);
    this.#skipTo(endpoint.skipThrough);
  }

  get state(): EndpointState {
    if (this.endpoint.disabled) return 'disabled';
    if (!this.endpoint.paused) return 'active';
    return this.#inFlight > 0 || this.#uncommitted > 0 ? 'pausing' : 'paused';
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get uncommitted(): number {
    return this.#uncommitted;
  }

  get retryCount(): number {
    return this.#retries.total;
  }

  get throttledUntilMs(): number {
    return this.#throttledUntilMs;
  }

  /** Whether it stops taking new events because too many wait for a retry (design rule 10). */
  get blocked(): boolean {
    return this.#retries.total >= MAX_OPEN_RETRIES;
  }

  /** The oldest event that is not yet settled, when it is known in memory. */
  get oldestOpen(): LogEvent | null {
    this.#popDone();
    return this.#open[this.#openAt]?.event ?? this.#queue[this.#queueAt] ?? null;
  }

  /** Everything up to here is delivered, unmatched, dead, or in `retries` — as far as outcomes are handed to a flush. */
  get settled(): LogPlace {
    this.#popDone();
    const next = this.#open[this.#openAt]?.event ?? this.#queue[this.#queueAt];
    const place = next ? { position: next.position - 1, day: next.day } : this.#scanned();
    return place.position < this.#floor.position ? this.#floor : place;
  }

  /** Whether all that is routed was delivered or given up: nothing queued, open or waiting. */
  get idle(): boolean {
    return this.#queueAt >= this.#queue.length && this.#inFlight === 0 && this.#uncommitted === 0 && !this.#behind();
  }

  // ---- what comes in

  /** An event that the app's tail has matched to this lane. Taken only by a live lane: one that is behind will read it. */
  offer(event: LogEvent): void {
    if (this.#mode !== 'live' || event.position <= this.#floor.position || this.#skip?.has(event.position)) return;
    const queued = this.#queue.length - this.#queueAt;
    if (!this.#runs() || queued >= MAX_QUEUE_EVENTS || (queued > 0 && this.#queueBytes > MAX_QUEUE_BYTES)) {
      this.#mode = 'behind';
      this.#readFrom = { position: event.position, day: event.day };
      return;
    }
    this.#enqueue(event);
    this.wake();
  }

  /** The app's routed position is about to jump without events having been handed over: read them from the log. */
  missed(from: LogPlace): void {
    if (this.#mode !== 'live') return;
    this.#mode = 'behind';
    this.#readFrom = from;
  }

  /** Takes a newer configuration; what was unreachable before it may be reachable now. */
  reconfigure(endpoint: LoadedEndpoint): void {
    const changed = endpoint.configVersion !== this.endpoint.configVersion;
    this.endpoint = endpoint;
    this.window.max = windowFor(endpoint);
    if (changed) {
      this.breaker.reset();
      this.#throttledUntilMs = 0;
      this.#breakerDirty = true;
    }
    this.#skipTo(endpoint.skipThrough);
    if (!this.#runs()) this.#dropQueue();
    this.wake();
  }

  /** The lane is no longer this process's, or no longer exists. Outcomes that still come are recorded, nothing more is sent. */
  stop(): void {
    this.#stopped = true;
    this.#dropQueue();
  }

  /** A resend was delivered: the retry that waits is not needed any more. */
  cancelRetry(position: number): void {
    this.#retries.cancel(position);
  }

  wake(): void {
    if (this.isReady || this.#stopped) return;
    this.isReady = true;
    this.#host.ready(this);
  }

  // ---- sending

  /** Begins up to `burst` attempts; true when it could go on at once. */
  pump(burst: number): boolean {
    const now = this.#host.now();
    for (let n = 0; n < burst; n++) {
      if (!this.#canSend(now)) return false;
      if (!this.#sendNext(now)) return false;
    }
    return true;
  }

  #runs(): boolean {
    return !this.#stopped && !this.endpoint.paused && !this.endpoint.disabled;
  }

  #canSend(now: number): boolean {
    if (!this.#runs()) return false;
    const waitMs = Math.max(this.breaker.nextAttemptMs(), this.#throttledUntilMs);
    if (waitMs > now) {
      this.#host.wakeAt(this, waitMs);
      this.#fillIfLow(); // so that a probe has an event at hand
      return false;
    }
    if (this.breaker.isOpen && this.#inFlight > 0) return false;
    const window = this.window.size;
    const inFlight = Math.min(window, this.endpoint.config.maxConcurrency);
    return this.#inFlight < inFlight && this.#uncommitted < 2 * window && this.#host.maySend(this);
  }

  /** Due retries and new events alternate, and so do probes; an open breaker never probes with the same event twice running. */
  #sendNext(now: number): boolean {
    const probing = this.breaker.isOpen;
    const avoid = probing ? this.#lastProbePosition : 0;
    const retryDueMs = this.#retries.nextDueMs;
    const event = this.#peekEvent();
    const retryReady = retryDueMs <= now && !(probing && event && this.#retries.nextPosition === avoid);
    if (retryDueMs > now) this.#host.wakeAt(this, retryDueMs);
    this.#fillIfLow();
    if (retryReady && (this.#retryTurn || !event)) {
      this.#retryTurn = false;
      void this.#sendRetry(this.#retries.take()!, probing);
      return true;
    }
    this.#retryTurn = true;
    if (!event) return false;
    this.#takeEvent();
    this.#begin({ event, cause: 'live', attempt: 1, consumed: 0, isProbe: probing });
    return true;
  }

  #begin(next: {
    event: LogEvent;
    cause: 'live' | 'retry';
    attempt: number;
    consumed: number;
    isProbe: boolean;
  }): void {
    const open = new OpenAttempt(this, next, this.#host.newAttempt());
    if (next.isProbe) {
      this.breaker.probe();
      this.#lastProbePosition = next.event.position;
    }
    if (next.cause === 'live') this.#open.push(open);
    this.#inFlight++;
    this.#uncommitted++;
    this.#host.countOpen(1);
    this.#host.send(open, (result) => this.#settle(open, result));
  }

  async #sendRetry(retry: StoredRetry, probing: boolean): Promise<void> {
    if (probing) this.breaker.probe(); // held from now on: reading the event takes a moment
    this.#inFlight++;
    let event: LogEvent | null = null;
    try {
      event = await this.#host.readAt(this, retry);
    } catch (error) {
      this.#host.failed(error);
      this.#inFlight--;
      if (probing) this.breaker.abandonProbe();
      this.#retries.add({ ...retry, dueMs: this.#host.now() + 1000 });
      this.wake();
      return;
    }
    this.#inFlight--;
    // The read took its time: the lease may have run out meanwhile.
    if (!event || !this.#runs() || !this.#host.maySend(this)) {
      if (probing) this.breaker.abandonProbe();
      if (event) this.#retries.add(retry);
      else if (!this.#stopped) this.#expire(retry);
      return;
    }
    const { attempts, consumed } = retry;
    this.#begin({ event, cause: 'retry', attempt: attempts + 1, consumed, isProbe: probing });
  }

  /** Retention has dropped the event of a retry: it is dead, visibly. */
  #expire(retry: StoredRetry): void {
    const row = { key: this.key, cursorUuid: LIVE_CURSOR_UUID, position: retry.position };
    this.#uncommitted++;
    this.#host.countOpen(1);
    this.#host.flush({
      lane: this,
      row: null,
      retry: null,
      closedRetry: row,
      deadRow: { ...row, day: retry.day, eventId: retry.eventId, attempts: retry.attempts, reason: 'expired' },
      closedDead: null,
      committed: () => {
        this.#retries.close(retry.position);
        this.#committed();
      },
    });
    this.#host.died(this, retry.eventId, 'expired');
  }

  // ---- outcomes

  #settle(open: OpenAttempt, result: SendResult): void {
    const now = this.#host.now();
    this.#inFlight--;
    open.result = result;
    open.settled = true;
    this.lastAttempt = open;
    this.meter ??= new AttemptMeter();
    this.meter.count(now, result.outcome === 'delivered');
    // An outcome of an older configuration says nothing of the newer one (design rule 4).
    const current = open.endpoint.configVersion === this.endpoint.configVersion;
    if (current) this.#learn(open, result, now);
    else if (open.isProbe) this.breaker.abandonProbe();
    if (result.outcome === 'delivered') {
      if (isInRetries(open)) open.closedRetry = this.#rowOf(open.event);
    } else {
      this.#failed(open, { ...result, outcome: result.outcome }, now);
    }
    this.#host.flush(open);
    if (current && result.reason === 'status_410') this.#host.disable(this, 'gone');
    this.wake();
  }

  #failed(open: OpenAttempt, result: SendResult & { outcome: Exclude<OutcomeKind, 'delivered'> }, now: number): void {
    const { event } = open;
    const decision = nextRetry({
      consumed: open.consumed,
      delaysSeconds: open.endpoint.config.retryDelaysSeconds,
      outcome: result.outcome,
      retryAfterMs: result.retryAfterMs,
      breakerOpen: this.breaker.isOpen,
      nowMs: now,
      random: this.#host.random(),
    });
    const details = {
      ...this.#rowOf(event),
      day: event.day,
      eventId: event.id,
      attempts: open.attempt,
      reason: result.reason,
    };
    if (decision.kind === 'retry') {
      open.retry = { ...details, consumed: decision.consumed, dueMs: decision.atMs };
      return;
    }
    open.dead = true;
    open.deadRow = details;
    if (isInRetries(open)) open.closedRetry = this.#rowOf(event);
    this.#host.died(this, event.id, result.reason);
  }

  #rowOf({ position }: { position: number }): ClosedRow {
    return { key: this.key, cursorUuid: LIVE_CURSOR_UUID, position };
  }

  /** The flusher has written an attempt. */
  attemptCommitted(open: OpenAttempt): void {
    const { position } = open.event;
    if (open.retry) this.#retries.put({ ...open.retry, position }, isInRetries(open));
    else if (isInRetries(open)) this.#retries.close(position);
    this.#committed();
  }

  #committed(): void {
    this.#uncommitted--;
    this.#host.countOpen(-1);
    this.wake();
  }

  #learn(open: OpenAttempt, result: SendResult, now: number): void {
    const { outcome, retryAfterMs } = result;
    if (outcome === 'delivered') {
      const size = this.window.size;
      const attempts = this.#inFlight + 1 >= Math.min(size, this.endpoint.config.maxConcurrency);
      const full = this.#uncommitted >= 2 * size ? 'outcomes' : attempts ? 'attempts' : null;
      this.window.succeeded(result.timings.totalUs / 1000, full);
    } else if (outcome !== 'rejected') {
      this.window.halve(now);
    }
    const pauseMs = retryAfterMs ?? (outcome === 'throttled' ? THROTTLE_PAUSE_MS : 0);
    if (pauseMs > 0 && outcome !== 'delivered') {
      this.#throttledUntilMs = Math.max(this.#throttledUntilMs, now + Math.min(pauseMs, MAX_PAUSE_MS));
    }
    const transition = this.breaker.settle({
      outcome,
      position: open.event.position,
      isProbe: open.isProbe,
      retryAfterMs,
      nowMs: now,
      random: this.#host.random(),
    });
    if (open.isProbe || transition) this.#breakerDirty = true;
    if (transition === 'closed') this.window.restart();
    if (transition) this.#host.breakerChanged(this, transition);
    const { openSinceMs } = this.breaker.snapshot;
    if (openSinceMs !== null && now - openSinceMs > open.endpoint.config.disableAfterSeconds * 1000) {
      this.#host.disable(this, 'unreachable');
    }
  }

  // ---- the queue and the log

  #enqueue(event: LogEvent): void {
    this.#queue.push(event);
    this.#queueBytes += event.data.length;
  }

  #peekEvent(): LogEvent | null {
    if (this.#queueAt >= this.#queue.length || this.blocked) return null;
    const event = this.#queue[this.#queueAt];
    if (event.position - this.settled.position > MAX_SPAN_POSITIONS && !this.#park()) return null;
    return event;
  }

  #takeEvent(): void {
    this.#queueBytes -= this.#queue[this.#queueAt].data.length;
    if (++this.#queueAt >= this.#queue.length) {
      this.#queue = [];
      this.#queueAt = 0;
      this.#queueBytes = 0;
    } else if (this.#queueAt >= 256) {
      this.#queue = this.#queue.slice(this.#queueAt);
      this.#queueAt = 0;
    }
  }

  /** The span is full: its oldest open event gets a retries row, due at its deadline, so that the cursor can pass it. */
  #park(): boolean {
    const oldest = this.#open[this.#openAt];
    if (!oldest || oldest.parked || oldest.settled) return false;
    oldest.parked = true;
    this.#retries.count(oldest.event.position);
    this.#uncommitted++;
    this.#host.countOpen(1);
    this.#host.flush({
      lane: this,
      row: null,
      retry: {
        key: this.key,
        cursorUuid: LIVE_CURSOR_UUID,
        position: oldest.event.position,
        day: oldest.event.day,
        eventId: oldest.event.id,
        attempts: 0,
        consumed: 0,
        dueMs: oldest.startedMs + oldest.endpoint.config.timeoutMs,
        reason: 'open',
      },
      closedRetry: null,
      deadRow: null,
      closedDead: null,
      taken: () => {
        oldest.done = true;
      },
      committed: () => this.#committed(),
    });
    return false; // the next pump finds the cursor moved on
  }

  #dropQueue(): void {
    const next = this.#queue[this.#queueAt];
    if (!next) return;
    this.#mode = 'behind';
    this.#readFrom = { position: next.position, day: next.day };
    this.#queue = [];
    this.#queueAt = 0;
    this.#queueBytes = 0;
  }

  #skipTo(position: number): void {
    if (position <= this.#floor.position) return;
    const scanned = this.#scanned();
    this.#floor = { position, day: this.settled.day };
    while (this.#queueAt < this.#queue.length && this.#queue[this.#queueAt].position <= position) this.#takeEvent();
    if (this.#mode === 'behind' && this.#readFrom.position <= position) {
      this.#readFrom = { position: position + 1, day: scanned.day };
    }
  }

  #behind(): boolean {
    if (this.#mode === 'behind' && this.#readFrom.position > this.#host.routed().position) this.#mode = 'live';
    return this.#mode === 'behind';
  }

  /** What was matched against the filter: everything up to here is unmatched, queued, open, or settled. */
  #scanned(): LogPlace {
    if (this.#behind()) return { position: this.#readFrom.position - 1, day: this.#readFrom.day };
    return this.#host.routed();
  }

  #fillIfLow(): void {
    if (this.#queue.length - this.#queueAt < REFILL_BELOW) void this.#fill();
    if (this.#retries.needsRefill && !this.#refilling) void this.#refillRetries();
  }

  /** Reads the next chunk of the log into the queue, while the lane is behind. */
  async #fill(): Promise<void> {
    if (this.#filling || !this.#behind() || !this.#runs() || this.blocked) return;
    this.#filling = true;
    const from = this.#readFrom;
    try {
      const events = await this.#host.read(from);
      if (this.#stopped) return;
      if (this.#readFrom !== from) {
        this.wake(); // sent elsewhere meanwhile, by a skip or a pause: what was read is not used
        return;
      }
      for (const event of events) {
        if (event.position <= this.#floor.position || this.#skip?.has(event.position)) continue;
        if (this.endpoint.matches(event)) this.#enqueue(event);
      }
      const last = events[events.length - 1];
      const routed = this.#host.routed();
      this.#readFrom = last
        ? { position: last.position + 1, day: last.day }
        : { position: Math.min(routed.position, (Math.floor(from.position / 256) + 1) * 256 - 1) + 1, day: from.day };
      this.#behind();
      if (this.#runs()) this.wake();
      else this.#dropQueue();
    } catch (error) {
      this.#host.failed(error);
      this.#host.wakeAt(this, this.#host.now() + 1000);
    } finally {
      this.#filling = false;
    }
  }

  async #refillRetries(): Promise<void> {
    this.#refilling = true;
    try {
      const held = this.#retries.beginRefill();
      this.#retries.merge(await this.#host.moreRetries(this, held, RetryQueue.CAPACITY));
      this.wake();
    } catch (error) {
      this.#host.failed(error);
      this.#host.wakeAt(this, this.#host.now() + 1000);
    } finally {
      this.#refilling = false;
    }
  }

  // ---- the checkpoint

  #popDone(): void {
    const open = this.#open;
    while (this.#openAt < open.length && open[this.#openAt].done) this.#openAt++;
    if (this.#openAt === open.length) {
      if (open.length > 0) this.#open = [];
      this.#openAt = 0;
    } else if (this.#openAt >= 256) {
      this.#open = open.slice(this.#openAt);
      this.#openAt = 0;
    }
  }

  get behindCheckpoint(): boolean {
    return !this.#stopped && (this.#breakerDirty || this.settled.position > this.#persisted);
  }

  /** At most a second or a thousand events behind (design rule 9). */
  checkpoint(nowMs: number, force: boolean): LaneRow | null {
    if (this.#stopped) return null;
    const settled = this.settled;
    const ahead = settled.position - this.#persisted;
    if (ahead <= 0 && !this.#breakerDirty) return null;
    if (!force && !this.#breakerDirty && ahead < CHECKPOINT_POSITIONS && nowMs - this.#persistedMs < CHECKPOINT_MS)
      return null;
    this.#persisted = settled.position;
    this.#persistedMs = nowMs;
    this.#breakerDirty = false;
    return {
      key: this.key,
      settledThrough: settled.position,
      settledDay: settled.day,
      lowAttemptUuid: this.#lowAttempt(settled.position),
      breaker: this.breaker.snapshot,
    };
  }

  /** Every attempt made for a position above `settled` has an id from here on. */
  #lowAttempt(settled: number): string {
    if (this.#skip) {
      for (const position of this.#skip) if (position <= settled) this.#skip.delete(position);
      if (this.#skip.size > 0 && this.#skipLowAttemptUuid) return this.#skipLowAttemptUuid;
      if (this.#skip.size > 0) return LIVE_CURSOR_UUID;
      this.#skip = null;
    }
    return this.#open[this.#openAt]?.attemptUuid ?? this.#host.newAttempt().attemptUuid;
  }
}

/** Twice what may be in flight: an outcome occupies the window until it is committed. */
function windowFor(endpoint: LoadedEndpoint): number {
  return 2 * endpoint.config.maxConcurrency;
}

/** Whether the event has a row in `retries`: it failed before, or stayed open for too long. */
function isInRetries(open: OpenAttempt): boolean {
  return open.cause === 'retry' || open.parked;
}
