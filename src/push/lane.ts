// An endpoint's live state in the process that owns it. A lane takes the next matching event after its cursor, or a retry that is due,
// sends it and hands the outcome to the flusher. There is no row per pending delivery: what is pending is the distance to the log.
//
// It has the endpoint's own cursor and one for each replay that runs. Live events go first; a replay gets at least a tenth of the window,
// and what live events leave of it (design rule 14).
import type { Breaker } from '../core/breaker.ts';
import { type EndpointState, slotOf } from '../core/endpoint.ts';
import type { LogEvent } from '../core/event.ts';
import { failpoint } from '../core/failpoint.ts';
import { isSettling, type SendResult } from '../core/outcome.ts';
import type { Window } from '../core/window.ts';
import type { LogPlace } from '../log/event-cache.ts';
import type { LaneKey, LaneRow, ReplayRow } from '../storage/flush.ts';
import type { StoredLane } from '../storage/lanes.ts';
import type { StoredRetry } from '../storage/retries.ts';
import { delaysOf, type FailedRequest, failedRequest, isUnsent } from './attempt-failure.ts';
import { AttemptMeter } from './attempt-meter.ts';
import { BatchGathering } from './batch-gathering.ts';
import { DeliveryBatch } from './delivery-batch.ts';
import { FlowControl } from './flow-control.ts';
import type { CursorOwner, CursorState, LaneCursor } from './lane-cursor.ts';
import type { LaneHost } from './lane-host.ts';
import { LaneReplays, type RunningReplay } from './lane-replays.ts';
import { LiveCursor } from './live-cursor.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import { type AttemptPlan, OpenAttempt } from './open-attempt.ts';
import type { OpenRequest } from './open-budget.ts';
import { ReplayCursor } from './replay-cursor.ts';

/** Bytes of events that one turn may sign and send: more holds up the other lanes. */
const MAX_TURN_BYTES = 256 * 1024;
const LOW_WATER_EVENTS = 256;
/** A retry that falls due within this keeps its lane in memory. */
const WARM_MS = 60_000;

type Request = OpenAttempt | DeliveryBatch;

export interface LaneParts {
  host: LaneHost;
  appId: string;
  key: LaneKey;
  endpoint: LoadedEndpoint;
  stored: StoredLane;
  state: CursorState;
  replays: RunningReplay[];
}

export class Lane implements CursorOwner {
  readonly appId: string;
  readonly key: LaneKey;
  readonly slot: number;
  readonly host: LaneHost;
  endpoint: LoadedEndpoint;
  wakeMs = Number.POSITIVE_INFINITY;
  isReady = false;
  lastAttempt: OpenAttempt | null = null;
  meter: AttemptMeter | null = null;
  readonly ownedSinceMs: number;
  readonly flow: FlowControl;

  readonly #live: LiveCursor;
  readonly #replays: LaneReplays;
  #stopped = false;
  #held = false;
  #inFlight = 0;
  #uncommitted = 0;
  /** Of the requests begun in this turn. */
  #turnBytes = 0;
  #lastProbePosition = 0;
  readonly #gathering = new BatchGathering();
  #breakerDirty = false;

  constructor(parts: LaneParts) {
    const { host, endpoint, stored } = parts;
    this.host = host;
    this.appId = parts.appId;
    this.ownedSinceMs = host.now();
    this.key = parts.key;
    this.slot = slotOf(parts.key.endpointUuid);
    this.endpoint = endpoint;
    this.flow = new FlowControl(endpoint.config, stored.breaker, host.now());
    this.#live = new LiveCursor(this, stored, parts.state);
    this.#replays = new LaneReplays(
      parts.replays,
      ({ replay, state }) => new ReplayCursor({ owner: this, live: this.#live, replay, state }),
    );
    this.#live.skipTo(endpoint.skipThrough);
  }

  // ---- what others see

  get state(): EndpointState {
    if (this.isPulled) return 'pull';
    if (this.endpoint.disabled) return 'disabled';
    if (!this.endpoint.paused) return 'active';
    return this.isOpen ? 'pausing' : 'paused';
  }

  get breaker(): Breaker {
    return this.flow.breaker;
  }

  get window(): Window {
    return this.flow.window;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get uncommitted(): number {
    return this.#uncommitted;
  }

  /** Whether something was sent whose outcome is not yet committed. */
  get isOpen(): boolean {
    return this.#inFlight > 0 || this.#uncommitted > 0;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  get runs(): boolean {
    return !this.#stopped && !this.#held && !this.endpoint.paused && !this.endpoint.disabled && !this.isPulled;
  }

  /** Whether its events are fetched, and others move its cursor: what it knows of that is no longer true. */
  get isPulled(): boolean {
    return this.endpoint.config.mode === 'pull';
  }

  get retryCount(): number {
    return this.#live.retries.total;
  }

  get throttledUntilMs(): number {
    return this.flow.throttledUntilMs;
  }

  /** Whether it stops taking new events because too many wait for a retry (design rule 10). */
  get blocked(): boolean {
    return this.#live.isBlocked;
  }

  /** Whether an event that has used up its schedule holds up the others, as the endpoint asks for. */
  get isExhausted(): boolean {
    const { order, onExhausted } = this.endpoint.config;
    if (order !== 'strict' || onExhausted !== 'block') return false;
    return (this.#live.retries.peek()?.consumed ?? -1) >= delaysOf(this.endpoint.config).length;
  }

  /** Whether its events wait because too many of its app's are to be transformed, or these have used up their share. */
  get waitsForTransforms(): boolean {
    return this.endpoint.config.transformation.code !== null && !this.host.mayTransform(this);
  }

  get isSuspect(): boolean {
    return this.flow.isSuspect(this.#inFlight);
  }

  /** Of the replays that run here. */
  get replayIds(): string[] {
    return this.#replays.cursors.map(({ replay }) => replay.replayId);
  }

  /** The oldest event that is not yet settled, when it is known in memory. */
  get oldestOpen(): LogEvent | null {
    return this.#live.oldestEvent;
  }

  /** Everything up to here is delivered, unmatched, dead, or in `retries` — as far as outcomes are handed to a flush. */
  get settled(): LogPlace {
    return this.#live.settled;
  }

  /** Whether all that is routed was delivered or given up, and no replay runs: nothing queued, open or waiting. */
  get idle(): boolean {
    return !this.isOpen && this.#live.isIdle && this.#replays.isEmpty;
  }

  /**
   * Whether forgetting it loses nothing: it is idle and written down, and nothing that it has learnt of the endpoint is of use. When only
   * its checkpoint is missing, it asks for that.
   */
  coolDown(nowMs: number): boolean {
    if (!this.idle || this.flow.breaker.snapshot.state !== 'closed' || this.flow.throttledUntilMs > nowMs) return false;
    if (this.#live.retries.needsRefill || this.#live.retries.nextDueMs <= nowMs + WARM_MS) return false;
    if (!this.behindCheckpoint) return true;
    this.host.checkpointSoon(this);
    return false;
  }

  // ---- what comes in

  /** An event that the app's tail has matched to this lane. Taken only by a live lane: one that is behind will read it. */
  offer(event: LogEvent): void {
    const { feed } = this.#live;
    if (feed.wants(event) && feed.offer(event, this.runs)) this.wake();
  }

  /** The app's routed position is about to jump without events having been handed over: read them from the log. */
  missed(from: LogPlace): void {
    this.#live.feed.missed(from);
  }

  /** Takes a newer configuration; what was unreachable before it may be reachable now. */
  reconfigure(endpoint: LoadedEndpoint): void {
    const changed = endpoint.configVersion !== this.endpoint.configVersion;
    const now = this.host.now();
    this.endpoint = endpoint;
    this.flow.configure(endpoint.config, now, changed);
    if (changed) {
      this.#breakerDirty = true;
      this.#live.reconfigured(now);
    }
    this.#live.skipTo(endpoint.skipThrough);
    if (!this.runs) this.#dropQueues();
    this.wake();
  }

  /** The replays that run now: new ones begin, and those that are missing were cancelled. */
  setReplays(running: RunningReplay[]): void {
    this.#replays.set(running);
    this.wake();
  }

  /** Begins nothing more, because another process is to have it; outcomes of what is open are still recorded. */
  hold(): void {
    this.#held = true;
    this.#dropQueues();
  }

  /** It stays here after all. */
  goOn(): void {
    this.#held = false;
    this.wake();
  }

  /** The lane is no longer this process's, or no longer exists. Outcomes that still come are recorded, nothing more is sent. */
  stop(): void {
    this.#stopped = true;
    this.#dropQueues();
  }

  /** A resend was delivered: the retry that waits is not needed any more. */
  cancelRetry(position: number): void {
    this.#live.retries.cancel(position);
    this.wake();
  }

  /** The table holds retries that are due; what of them memory lacks is read (design rule 10). */
  retriesDue(): void {
    const now = this.host.now();
    for (const cursor of this.#cursors()) if (cursor.retries.nextDueMs > now) void cursor.refillRetries();
  }

  wake(): void {
    if (this.isReady || this.#stopped) return;
    this.isReady = true;
    this.host.ready(this);
  }

  // ---- sending

  pump(burst: number): boolean {
    const now = this.host.now();
    this.#turnBytes = 0;
    for (let n = 0; n < burst && this.#turnBytes < MAX_TURN_BYTES; n++) {
      if (!this.#canSend(now)) return false;
      if (!this.#sendNext(now)) return false;
    }
    return true;
  }

  #canSend(now: number): boolean {
    if (!this.runs) return false;
    const notBeforeMs = this.flow.notBeforeMs(now);
    if (notBeforeMs > now) {
      this.host.wakeAt(this, notBeforeMs);
      for (const cursor of this.#cursors()) cursor.fillIfLow(this.#lowWater); // so that a probe has an event at hand
      return false;
    }
    if (this.#inFlight >= this.flow.concurrency || this.#uncommitted >= this.flow.openBound) return false;
    return !this.waitsForTransforms && this.host.maySend(this);
  }

  get #lowWater(): number {
    if (this.flow.breaker.isOpen) return 1;
    return Math.max(LOW_WATER_EVENTS, this.endpoint.config.batch?.maxEvents ?? 0);
  }

  #cursors(): LaneCursor[] {
    return this.#replays.isEmpty ? [this.#live] : [this.#live, ...this.#replays.cursors];
  }

  #sendNext(now: number): boolean {
    const probing = this.flow.breaker.isOpen;
    if (this.#replays.isEmpty) return this.#sendFrom(this.#live, now, probing);
    if (this.#replays.isTurn(this.flow.concurrency) && this.#sendFromReplays(now, probing)) return true;
    return this.#sendFrom(this.#live, now, probing) || this.#sendFromReplays(now, probing);
  }

  #sendFromReplays(now: number, probing: boolean): boolean {
    for (const replay of this.#replays.cursors) {
      if (this.#sendFrom(replay, now, probing)) {
        this.#replays.putLast(replay);
        return true;
      }
      if (replay.isComplete) this.host.checkpointSoon(this);
    }
    return false;
  }

  /** Due retries and new events alternate, and so do probes; an open breaker never probes with the same event twice running. */
  #sendFrom(cursor: LaneCursor, now: number, probing: boolean): boolean {
    cursor.fillIfLow(this.#lowWater);
    const retry = cursor.peekRetry();
    const event = cursor.peekEvent();
    const isDue = retry !== null && retry.dueMs <= now;
    if (retry !== null && !isDue) this.host.wakeAt(this, retry.dueMs);
    const isAgain = probing && event !== null && retry?.position === this.#lastProbePosition;
    if (isDue && !isAgain && (cursor.retryTurn || event === null)) {
      cursor.retryTurn = false;
      void this.#sendRetries(cursor, cursor.takeRetries(now, this.#retriesAtOnce(probing)), probing);
      return true;
    }
    cursor.retryTurn = true;
    if (event === null) return false;
    if (this.endpoint.config.batch !== null) return this.#sendBatch(cursor, now, probing);
    const open = this.#open(cursor, cursor.planNext(), { isRetry: false, isProbe: probing });
    cursor.opened(open);
    this.flow.began(now, probing);
    this.#begin(open, cursor);
    return true;
  }

  /** Sends what has gathered, once that is enough or has waited for long enough. */
  #sendBatch(cursor: LaneCursor, now: number, probing: boolean): boolean {
    const { feed, isLive } = cursor;
    const gathered = this.#gathering.look(feed, this.endpoint.config.batch!, { nowMs: now, isLive, probing });
    if ('untilMs' in gathered) {
      this.host.wakeAt(this, gathered.untilMs);
      return false;
    }
    const plans = Array.from({ length: gathered.count }, () => cursor.planNext());
    const attempts = plans.map((plan) => this.#open(cursor, plan, { isRetry: false, isProbe: probing }));
    for (const open of attempts) cursor.opened(open);
    this.flow.began(now, probing);
    this.#begin(new DeliveryBatch({ batchUuid: this.host.newUuid(), attempts }), cursor);
    return true;
  }

  #retriesAtOnce(probing: boolean): number {
    const { batch, order } = this.endpoint.config;
    if (batch === null || (probing && order !== 'strict')) return 1;
    return batch.maxEvents;
  }

  /** Their request counts from now on: reading the events takes a moment. */
  async #sendRetries(cursor: LaneCursor, retries: StoredRetry[], probing: boolean): Promise<void> {
    this.flow.began(this.host.now(), probing);
    this.#inFlight++;
    cursor.inFlight++;
    const planned = await cursor.planRetries(retries);
    this.#inFlight--;
    cursor.inFlight--;
    // The read took its time: the lease may have run out meanwhile.
    if (planned.length === 0 || !this.runs || !this.host.maySend(this)) {
      cursor.giveBack(planned.map(({ retry }) => retry));
      this.flow.abandoned(probing);
      if (planned.length === 0) this.wake();
      return;
    }
    const batched = this.endpoint.config.batch !== null;
    // It may have asked for no more batches meanwhile.
    if (!batched) cursor.giveBack(planned.splice(1).map(({ retry }) => retry));
    const attempts = planned.map(({ plan }) => this.#open(cursor, plan, { isRetry: true, isProbe: probing }));
    this.#begin(batched ? new DeliveryBatch({ batchUuid: this.host.newUuid(), attempts }) : attempts[0], cursor);
  }

  #open(
    cursor: LaneCursor,
    plan: AttemptPlan,
    { isRetry, isProbe }: { isRetry: boolean; isProbe: boolean },
  ): OpenAttempt {
    const flags = { isRetry, isProbe, isSuspect: this.isSuspect };
    return new OpenAttempt({ lane: this, cursor, flags }, plan, this.host.newAttempt());
  }

  #begin(request: Request, cursor: LaneCursor): void {
    if (request.isProbe) this.#lastProbePosition = firstOf(request).event.position;
    this.#inFlight++;
    cursor.inFlight++;
    this.#uncommitted++;
    for (const event of request.events) this.#turnBytes += event.data.length;
    this.host.opened(this, request);
    this.host.send(request, (result) => this.#settle(request, cursor, result));
  }

  // ---- outcomes

  #settle(request: Request, cursor: LaneCursor, result: SendResult): void {
    failpoint('lane.after_send');
    const now = this.host.now();
    this.#inFlight--;
    cursor.inFlight--;
    // An outcome of an older configuration says nothing of the newer one (design rule 4).
    const current = request.endpoint.configVersion === this.endpoint.configVersion;
    const delivered = result.outcome === 'delivered';
    if (!delivered && isUnsent(result.reason)) this.flow.abandoned(request.isProbe);
    else if (current) this.#learn(request, cursor, result, now);
    else if (request.isProbe) this.flow.breaker.abandonProbe();
    const failure = this.#failureOf(request, cursor, result, now);
    if (request instanceof OpenAttempt) this.#record(request, cursor, result, failure);
    else {
      for (const open of request.attempts) {
        const { own } = open;
        if (own === null) this.#record(open, cursor, result, failure);
        else this.#record(open, cursor, own, this.#failureOf(open, cursor, own, now));
      }
    }
    if (current && result.reason === 'status_410') this.host.disable(this, 'gone');
    this.wake();
  }

  #record(open: OpenAttempt, cursor: LaneCursor, result: SendResult, failure: FailedRequest | null): void {
    this.meter ??= new AttemptMeter();
    if (result.outcome !== 'filtered') this.meter.count(this.host.now(), failure === null);
    this.lastAttempt = open;
    cursor.record(open, result, failure);
    this.host.flush(open);
  }

  #failureOf(request: Request, { isOrdered }: LaneCursor, result: SendResult, nowMs: number): FailedRequest | null {
    if (isSettling(result.outcome)) return null;
    const breakerOpen = this.flow.breaker.isOpen;
    return failedRequest(request, result, { isOrdered, breakerOpen, nowMs, random: this.host.random() });
  }

  #learn(request: Request, cursor: LaneCursor, result: SendResult, nowMs: number): void {
    const open = firstOf(request);
    // Strict order has but one event under way: there each attempt of it counts, for nothing can overtake it anyway.
    const position = cursor.isOrdered ? -nowMs - open.attempt : open.event.position;
    const transition = this.flow.learn({
      result,
      position,
      isProbe: request.isProbe,
      inFlight: this.#inFlight,
      uncommitted: this.#uncommitted,
      nowMs,
      random: this.host.random(),
    });
    if (request.isProbe || transition) this.#breakerDirty = true;
    if (transition) this.host.breakerChanged(this, transition);
    if (transition === 'opened') this.#dropQueues(); // a probe needs but one event
    if (this.flow.isGivenUp(nowMs)) this.host.disable(this, 'unreachable');
  }

  requestCommitted(request: OpenRequest): void {
    this.host.closed(request);
    this.itemCommitted();
  }

  itemOpened(): void {
    this.#uncommitted++;
  }

  itemCommitted(): void {
    this.#uncommitted--;
    this.wake();
  }

  #dropQueues(): void {
    this.#gathering.reset();
    for (const cursor of this.#cursors()) cursor.feed.drop();
  }

  // ---- the checkpoint

  get behindCheckpoint(): boolean {
    if (this.#stopped) return false;
    return this.#breakerDirty || this.#live.isAhead || this.#replays.needRows;
  }

  checkpoint(nowMs: number, force: boolean): LaneRow | null {
    if (this.#stopped) return null;
    const isWanted = this.#breakerDirty || (force ? this.#live.isAhead : this.#live.isDue(nowMs));
    if (!isWanted) return null;
    this.#breakerDirty = false;
    return this.#live.checkpoint(nowMs, this.flow.breaker.snapshot);
  }

  replayCheckpoints(): ReplayRow[] {
    return this.#stopped ? [] : this.#replays.rows();
  }
}

function firstOf(request: Request): OpenAttempt {
  return request instanceof OpenAttempt ? request : request.attempts[0];
}
