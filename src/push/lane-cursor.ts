// A cursor of a lane: the endpoint's own, or a replay's over a past range (design rule 17). What it has handed out stands in order of
// position until it is settled; settled_through = everything up to there is delivered, unmatched, dead, or in `retries`.
import type { LogEvent } from '../core/event.ts';
import type { Cause, Reason, SendResult } from '../core/outcome.ts';
import { versionInUse } from '../core/transformation.ts';
import type { LogPlace } from '../log/event-cache.ts';
import { type ClosedRow, LIVE_CURSOR_UUID } from '../storage/flush.ts';
import type { RetryOrder, StoredRetry } from '../storage/retries.ts';
import { decideFailure, type FailedRequest } from './attempt-failure.ts';
import { MAX_BATCH_BYTES } from './delivery-batch.ts';
import type { HostedLane, LaneHost } from './lane-host.ts';
import type { Feed } from './log-feed.ts';
import type { AttemptOwner, AttemptPlan, OpenAttempt } from './open-attempt.ts';
import { RetryQueue } from './retry-queue.ts';

export const MAX_SPAN_POSITIONS = 8192;
export const MAX_OPEN_RETRIES = 10_000;
const READ_AGAIN_MS = 1000;
/** Events of a batch of retries that are read at once. */
const READS_AT_ONCE = 16;
const DEAD = { kind: 'dead' } as const;

/** What is known of a cursor when a process takes it over. */
export interface CursorState {
  /** Positions above settled_through that are settled nevertheless. */
  settledBeyond: Set<number> | undefined;
  lowAttemptUuid: string | null;
  retries: { total: number; next: StoredRetry[] } | undefined;
}

/** The lane, as its cursors see it. */
export interface CursorOwner extends HostedLane, AttemptOwner {
  readonly host: LaneHost;
  /** Whether it may begin anything. */
  readonly runs: boolean;
  readonly isStopped: boolean;
  /** Something without an attempt is to be written: it counts as open until then. */
  itemOpened(): void;
  itemCommitted(): void;
}

export interface CursorParts<F extends Feed> {
  uuid: string;
  owner: CursorOwner;
  feed: F;
  settledThrough: number;
  state: CursorState;
  /** In which its retries are made. */
  order: RetryOrder;
}

export abstract class LaneCursor<F extends Feed = Feed> {
  readonly uuid: string;
  readonly feed: F;
  readonly retries: RetryQueue;
  /** Requests in flight. */
  inFlight = 0;
  /** Due retries and new events alternate. */
  retryTurn = false;
  protected readonly owner: CursorOwner;
  protected persisted: number;
  /** First failures whose row in `retries` is not yet committed. */
  #failing = 0;
  #isRefilling = false;
  readonly #settledBeyond: Set<number>;
  readonly #lowAttemptUuid: string;
  #open: OpenAttempt[] = [];
  #openAt = 0;

  /** The feed that `parts` brings asks this set's `has` before it hands out an event. */
  constructor(parts: CursorParts<F>) {
    const { state } = parts;
    this.uuid = parts.uuid;
    this.owner = parts.owner;
    this.feed = parts.feed;
    this.persisted = parts.settledThrough;
    this.#settledBeyond = state.settledBeyond ?? new Set();
    this.#lowAttemptUuid = state.lowAttemptUuid ?? LIVE_CURSOR_UUID;
    this.retries = new RetryQueue(parts.order);
    if (state.retries) this.retries.load(state.retries.next, state.retries.total);
  }

  /** Why its attempts are made. */
  abstract causeOf(isRetry: boolean): Cause;
  /** An attempt of it is taken into a flush. */
  abstract taken(attempt: OpenAttempt): void;
  /** An event is taken into a flush that was given up, or put off, without an attempt. */
  protected takenAside(_as: 'dead' | 'parked'): void {}
  /** Retries were read from the table. */
  protected refilled(): void {}
  /** Why an event that has failed is not tried again whatever its schedule says; null = it is. */
  protected overruled(_position: number): Reason | null {
    return null;
  }
  /** Whether nothing may overtake an event of it. */
  get isOrdered(): boolean {
    return false;
  }

  get isFiltered(): boolean {
    return true;
  }

  get isLive(): boolean {
    return this.uuid === LIVE_CURSOR_UUID;
  }

  /** Whether it stops taking new events because too many wait for a retry (design rule 10). */
  get isBlocked(): boolean {
    return this.retries.total >= MAX_OPEN_RETRIES;
  }

  /** Whether there is nothing at hand, under way, or to be read; retries aside. */
  get isIdle(): boolean {
    return this.feed.size === 0 && this.inFlight === 0 && this.#oldestOpen() === null && !this.feed.isBehind;
  }

  /** Whether something failed that will be tried again. */
  get hasFailed(): boolean {
    return this.#failing > 0 || this.retries.total > 0;
  }

  /** The oldest event that is not yet settled, when it is known in memory. */
  get oldestEvent(): LogEvent | null {
    return this.#oldestOpen()?.event ?? this.feed.peek();
  }

  /** As far as outcomes are handed to a flush. */
  get settled(): LogPlace {
    const next = this.oldestEvent;
    const place = next ? { position: next.position - 1, day: next.day } : this.feed.scanned();
    const { floor } = this.feed;
    return place.position < floor.position ? floor : place;
  }

  get isAhead(): boolean {
    return this.settled.position > this.persisted;
  }

  // ---- what is next

  /** The next event of the log, unless it must not be taken now. */
  peekEvent(): LogEvent | null {
    const event = this.feed.peek();
    if (event === null || this.isBlocked) return null;
    const oldest = this.#oldestOpen();
    if (oldest === null || event.position - oldest.event.position < MAX_SPAN_POSITIONS) return event;
    this.#park(oldest);
    return null;
  }

  /** The next retry, unless none must be taken now. */
  peekRetry(): StoredRetry | null {
    return this.isOrdered && (this.#failing > 0 || this.retries.underWay > 0) ? null : this.retries.peek();
  }

  /** Takes the next event. */
  planNext(): AttemptPlan {
    const transformationVersion = versionInUse(this.owner.endpoint.config.transformation);
    return { event: this.feed.take(), cause: this.causeOf(false), attempt: 1, consumed: 0, transformationVersion };
  }

  /** A first attempt begins. */
  opened(attempt: OpenAttempt): void {
    this.#open.push(attempt);
  }

  /** Takes the next due retry, and up to `limit` that are due beside it and are to share its request. */
  takeRetries(nowMs: number, limit: number): StoredRetry[] {
    const first = this.retries.take()!;
    const most = Math.min(limit, first.batchLimit ?? limit);
    const taken = [first];
    for (
      let next = this.retries.peek();
      taken.length < most && next && next.dueMs <= nowMs;
      next = this.retries.peek()
    ) {
      if (next.batchLimit !== first.batchLimit) break;
      taken.push(this.retries.take()!);
    }
    return taken;
  }

  /** Reads the events of retries, as many as fit into one request; the others, and all when they cannot be read, wait on. */
  async planRetries(retries: StoredRetry[]): Promise<{ retry: StoredRetry; plan: AttemptPlan }[]> {
    const { host } = this.owner;
    let events: (LogEvent | null)[];
    try {
      events = await this.#readEvents(retries);
    } catch (error) {
      host.failed(error);
      const dueMs = host.now() + READ_AGAIN_MS;
      this.giveBack(retries.map((retry) => ({ ...retry, dueMs })));
      return [];
    }
    this.giveBack(retries.slice(events.length));
    const planned: { retry: StoredRetry; plan: AttemptPlan }[] = [];
    for (const [i, event] of events.entries()) {
      const retry = retries[i];
      const { attempts, consumed, transformationVersion } = retry;
      const cause = this.causeOf(true);
      const plan = { cause, attempt: attempts + 1, consumed, transformationVersion };
      if (event) planned.push({ retry, plan: { event, ...plan } });
      else if (!this.owner.isStopped) this.giveUp(retry, 'expired');
    }
    return planned;
  }

  /** Retries that were taken and not made wait on, in their order. */
  giveBack(retries: StoredRetry[]): void {
    for (const retry of retries) this.retries.add(retry);
  }

  async #readEvents(retries: StoredRetry[]): Promise<(LogEvent | null)[]> {
    const events: (LogEvent | null)[] = [];
    let bytes = 0;
    for (let from = 0; from < retries.length; from += READS_AT_ONCE) {
      const some = retries.slice(from, from + READS_AT_ONCE);
      for (const event of await Promise.all(some.map((retry) => this.owner.host.readAt(this.owner, retry)))) {
        bytes += event?.data.length ?? 0;
        if (events.length > 0 && bytes > MAX_BATCH_BYTES) return events;
        events.push(event);
      }
    }
    return events;
  }

  /** A retry that will not be made: its event is dead, visibly. */
  giveUp(retry: StoredRetry, reason: Reason): void {
    const { owner } = this;
    const row = this.rowOf(retry);
    owner.itemOpened();
    owner.host.flush({
      lane: owner,
      row: null,
      retry: null,
      closedRetry: row,
      deadRow: { ...row, day: retry.day, eventId: retry.eventId, attempts: retry.attempts, reason },
      closedDead: null,
      taken: () => this.takenAside('dead'),
      committed: () => {
        this.retries.close(retry.position);
        owner.itemCommitted();
      },
    });
    owner.host.died(owner, retry.eventId, reason);
  }

  /** The span is full: its oldest open event gets a retries row, due at its deadline, so that the cursor can pass it (design rule 9). */
  #park(oldest: OpenAttempt): void {
    if (oldest.parked || oldest.settled) return;
    const { owner } = this;
    const { event, startedMs, endpoint, transformationVersion } = oldest;
    oldest.parked = true;
    this.retries.count(event.position);
    owner.itemOpened();
    owner.host.flush({
      lane: owner,
      row: null,
      retry: {
        ...this.rowOf(event),
        day: event.day,
        eventId: event.id,
        attempts: 0,
        consumed: 0,
        dueMs: startedMs + endpoint.config.timeoutMs,
        transformationVersion,
        reason: 'open',
      },
      closedRetry: null,
      deadRow: null,
      closedDead: null,
      taken: () => {
        oldest.done = true;
        this.takenAside('parked');
      },
      committed: () => owner.itemCommitted(), // the next pump finds the cursor moved on
    });
  }

  // ---- outcomes

  /** Takes an outcome into the attempt's rows. `failure` is what decides over it when it was not delivered. */
  record(open: OpenAttempt, result: SendResult, failure: FailedRequest | null): void {
    open.result = result;
    open.settled = true;
    if (failure === null) this.delivered(open);
    else this.#failed(open, failure);
  }

  protected delivered(open: OpenAttempt): void {
    if (open.isInRetries) open.closedRetry = this.rowOf(open.event);
  }

  #failed(open: OpenAttempt, failure: FailedRequest): void {
    const { event } = open;
    const overruled = this.overruled(event.position);
    const reason = overruled ?? open.result.reason;
    const decision = overruled === null ? decideFailure(failure, open.consumed) : DEAD;
    const row = { ...this.rowOf(event), day: event.day, eventId: event.id, attempts: open.attempt, reason };
    if (decision.kind === 'retry') {
      const { consumed, atMs: dueMs, batchLimit } = decision;
      const { transformationVersion } = open;
      open.retry = { ...row, consumed, dueMs, transformationVersion, batchLimit };
      if (!open.isInRetries) this.#failing++;
      return;
    }
    open.dead = true;
    open.deadRow = row;
    if (open.isInRetries) open.closedRetry = this.rowOf(event);
    this.owner.host.died(this.owner, event.id, reason);
  }

  /** The flusher has written an attempt. */
  committed(open: OpenAttempt): void {
    const { retry } = open;
    const { position } = open.event;
    if (retry) {
      this.retries.put({ ...retry, position }, open.isInRetries);
      if (!open.isInRetries) this.#failing--;
    } else if (open.isInRetries) {
      this.retries.close(position);
    }
  }

  rowOf({ position }: { position: number }): ClosedRow {
    return { key: this.owner.key, cursorUuid: this.uuid, position };
  }

  // ---- the log and the table of retries

  /** Reads ahead when few events or retries are at hand. */
  fillIfLow(lowWater: number): void {
    if (!this.isBlocked && this.feed.needsFill(lowWater)) void this.#fill();
    if (this.retries.needsRefill) void this.refillRetries();
  }

  async #fill(): Promise<void> {
    try {
      await this.feed.fill();
      if (this.owner.isStopped) return;
      if (this.owner.runs) this.owner.wake();
      else this.feed.drop();
    } catch (error) {
      this.#readAgain(error);
    }
  }

  async refillRetries(): Promise<void> {
    if (this.#isRefilling) return;
    this.#isRefilling = true;
    try {
      const refill = this.retries.beginRefill();
      this.retries.merge(refill, await this.owner.host.moreRetries(this.owner, this.uuid, refill, RetryQueue.CAPACITY));
      this.refilled();
      this.owner.wake();
    } catch (error) {
      this.#readAgain(error);
    } finally {
      this.#isRefilling = false;
    }
  }

  #readAgain(error: unknown): void {
    const { host } = this.owner;
    host.failed(error);
    host.wakeAt(this.owner, host.now() + READ_AGAIN_MS);
  }

  // ---- the checkpoint

  /** Every attempt made for a position above `settled` has an id from here on. */
  protected lowAttempt(settled: number): string {
    for (const position of this.#settledBeyond) if (position <= settled) this.#settledBeyond.delete(position);
    if (this.#settledBeyond.size > 0) return this.#lowAttemptUuid;
    return this.#oldestOpen()?.attemptUuid ?? this.owner.host.newAttempt().attemptUuid;
  }

  #oldestOpen(): OpenAttempt | null {
    const open = this.#open;
    while (this.#openAt < open.length && open[this.#openAt].done) this.#openAt++;
    if (this.#openAt === open.length) {
      if (open.length > 0) this.#open = [];
      this.#openAt = 0;
      return null;
    }
    if (this.#openAt >= 256) {
      this.#open = open.slice(this.#openAt);
      this.#openAt = 0;
    }
    return this.#open[this.#openAt];
  }
}
