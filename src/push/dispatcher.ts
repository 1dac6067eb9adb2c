// All lanes of this process: it hands them events and turns, bounds what is open, and takes them over and lets them go with the slots.
import { setTimeout as pause } from 'node:timers/promises';
import { type DisabledReason, slotOf } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import type { LogEvent } from '../core/event.ts';
import { type IdGenerator, uuidFromId } from '../core/id.ts';
import type { SendResult } from '../core/outcome.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { EventCache } from '../log/event-cache.ts';
import type { Database } from '../storage/database.ts';
import { readEventAt } from '../storage/events.ts';
import type { Head } from '../storage/heads.ts';
import { appsWithWork, disableEndpoint } from '../storage/lanes.ts';
import { nextRetries } from '../storage/retries.ts';
import type { AddressRules } from './address-guard.ts';
import { AppLanes } from './app-lanes.ts';
import { type LoadedApp, loadApp } from './app-loader.ts';
import { buildRequest } from './delivery-request.ts';
import { Flusher, type FlusherOptions } from './flusher.ts';
import type { Lane, SharedHost } from './lane.ts';
import type { AttemptStamp, OpenAttempt } from './open-attempt.ts';
import type { Operations } from './operations.ts';
import type { Ownership } from './ownership.ts';
import type { Sender } from './sender.ts';
import { WakeQueue } from './wake-queue.ts';

export interface DispatcherOptions {
  /** Sent and not committed, in all lanes together (design rule 8). */
  maxOpen: number;
  flusher?: Partial<FlusherOptions>;
}

export const DISPATCHER_DEFAULTS: DispatcherOptions = { maxOpen: 5000 };

/** Attempts that a lane may begin before it is the next one's turn. */
const BURST = 16;
/** Turns taken before other work of the process gets a chance. */
const TURNS = 16;
const LOADS_AT_ONCE = 4;
const DAY_MS = 86_400_000;
/** Time to write the outcomes when the process stops, even if the attempts in flight have used up all of it. */
const MIN_DRAIN_MS = 1000;

export interface DispatcherParts {
  db: Database;
  box: SecretBox;
  rules: AddressRules;
  ids: IdGenerator;
  cache: EventCache;
  sender: Pick<Sender, 'send' | 'inFlight'>;
  ownership: Ownership;
  operations: Operations;
  version: string;
  onAppDeleted: (appId: string) => void;
  onError: (error: unknown) => void;
  options?: Partial<DispatcherOptions>;
}

export class Dispatcher {
  readonly flusher: Flusher;
  readonly #parts: DispatcherParts;
  readonly #options: DispatcherOptions;
  readonly #apps = new Map<string, AppLanes>();
  readonly #wakes = new WakeQueue(() => Date.now());
  #host: SharedHost;
  #ready: Lane[] = [];
  #starved: Lane[] = [];
  #pumping = false;
  #open = 0;
  #stopping = false;
  #dayNumber = 0;
  #day = '';

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#options = { ...DISPATCHER_DEFAULTS, ...parts.options };
    this.flusher = new Flusher({
      db: parts.db,
      identity: () => parts.ownership.identity(),
      now: () => Date.now(),
      onFenced: () => parts.ownership.lost(),
      onError: parts.onError,
      options: parts.options?.flusher,
    });
    this.#host = this.#makeHost();
  }

  async start(): Promise<void> {
    this.#stopping = false;
    await this.flusher.start();
  }

  /** Begins no more attempts, waits up to `drainMs` for those in flight, and writes what came of them. */
  async stop(drainMs = 10_000): Promise<void> {
    this.#stopping = true;
    this.#wakes.clear();
    const deadline = Date.now() + drainMs;
    while (this.#parts.sender.inFlight > 0 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const lanes = [...this.#apps.values()].flatMap((app) => [...app.lanes.values()]);
    if (this.#parts.ownership.slotCount > 0) {
      // A database that cannot be reached must not keep the process from ending: what is not written is sent again.
      const waitMs = Math.max(MIN_DRAIN_MS, deadline - Date.now());
      const limit = new AbortController();
      await Promise.race([
        this.flusher.drain(lanes),
        pause(waitMs, undefined, { signal: limit.signal }).catch(() => {}),
      ]);
      limit.abort();
    }
    this.#dropAll();
    await this.flusher.stop();
  }

  get open(): number {
    return this.#open;
  }

  get laneCount(): number {
    let count = 0;
    for (const app of this.#apps.values()) count += app.lanes.size;
    return count;
  }

  lane(appId: string, endpointId: string): Lane | null {
    return this.#apps.get(appId)?.lanes.get(endpointId) ?? null;
  }

  newAttempt(): AttemptStamp {
    const { ids } = this.#parts;
    const attemptUuid = ids.uuid();
    const dayNumber = Math.floor(ids.lastMs / DAY_MS);
    if (dayNumber !== this.#dayNumber) {
      this.#dayNumber = dayNumber;
      this.#day = new Date(dayNumber * DAY_MS).toISOString().slice(0, 10);
    }
    return { attemptUuid, day: this.#day, startedMs: Date.now() };
  }

  // ---- what the tail tells

  onEvents(appId: string, events: LogEvent[], head: Head): void {
    const app = this.#apps.get(appId);
    if (app) app.route(events);
    else this.#openApp(appId, head);
  }

  onHead(appId: string, head: Head): void {
    const app = this.#apps.get(appId);
    if (app) app.advanceTo(head);
    else this.#openApp(appId, head);
  }

  /** The app's endpoints were changed; no event need have come. */
  configChanged(appId: string): void {
    const app = this.#apps.get(appId);
    if (app) app.reload();
    else this.#openApp(appId, null);
  }

  /** The app is loaded with its lanes, and then catches up from their cursors. */
  #openApp(appId: string, head: Head | null): void {
    if (this.#stopping || this.#parts.ownership.slotCount === 0) return;
    const app: AppLanes = new AppLanes({
      appId,
      host: this.#host,
      read: (from, routed) => this.#parts.cache.read(appId, from, routed),
      load: (isNew) => this.#load(app, isNew),
      owned: () => {
        const slots = this.#parts.ownership.heldSlots();
        return (endpointId) => slots.has(slotOf(uuidFromId('endpoint', endpointId)));
      },
      onDeleted: () => this.#forget(appId),
    });
    this.#apps.set(appId, app);
    if (head) app.advanceTo(head);
    else app.reload();
  }

  // ---- slots

  /** Lanes came to this process: those with work are loaded at once, the others with their app's next event. */
  async takeSlots(slots: number[]): Promise<void> {
    await this.flusher.start();
    for (const app of this.#apps.values()) app.reload(); // an app that is loaded does not load again with its next event
    for (let delayMs = 100; !this.#stopping; delayMs = Math.min(5000, delayMs * 2)) {
      try {
        const appIds = await appsWithWork(this.#parts.db, slots);
        for (let i = 0; i < appIds.length && !this.#stopping; i += LOADS_AT_ONCE) {
          const batch = appIds.slice(i, i + LOADS_AT_ONCE);
          for (const appId of batch) {
            if (!this.#apps.has(appId)) this.#openApp(appId, null);
          }
          await Promise.all(batch.map((appId) => this.#apps.get(appId)?.settledLoading()));
        }
        return;
      } catch (error) {
        this.#parts.onError(error);
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }

  /** The lease was lost: another process sends from here on, and what is not yet written is its to send again. */
  loseAll(): void {
    this.flusher.discard();
    this.#dropAll();
  }

  #dropAll(): void {
    for (const app of this.#apps.values()) app.stop();
    this.#apps.clear();
    this.#wakes.clear();
    for (const lane of this.#ready) lane.isReady = false;
    this.#ready = [];
    this.#starved = [];
    this.#open = 0;
    this.#host = this.#makeHost();
  }

  #forget(appId: string): void {
    this.#apps.delete(appId);
    this.#parts.onAppDeleted(appId);
  }

  async #load(app: AppLanes, isNew: (endpointId: string) => boolean): Promise<LoadedApp | null> {
    const { db, box, rules, ids } = this.#parts;
    const loaded = await loadApp({ db, box, rules }, app.appId, isNew);
    // Ids minted from now on must lie above those that the lanes' recovery starts from.
    for (const { stored } of loaded?.newLanes ?? []) if (stored.lowAttemptUuid) ids.observe(stored.lowAttemptUuid);
    return loaded;
  }

  // ---- turns

  #enqueue(lane: Lane): void {
    this.#ready.push(lane);
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => this.#pump());
  }

  #pump(): void {
    for (let turns = 0; turns < TURNS && this.#ready.length > 0; turns++) {
      const ready = this.#ready;
      this.#ready = [];
      for (const lane of ready) {
        lane.isReady = false;
        if (!this.#stopping) this.#turn(lane);
      }
    }
    this.#pumping = this.#ready.length > 0;
    if (this.#pumping) setImmediate(() => this.#pump());
  }

  /** A lane's turn; one that fails must not take the others' with it. */
  #turn(lane: Lane): void {
    try {
      if (lane.pump(BURST)) lane.wake();
    } catch (error) {
      this.#parts.onError(error);
      this.#wakes.at(lane, Date.now() + 1000);
    }
  }

  #maySend(lane: Lane): boolean {
    if (this.#stopping) return false;
    if (this.#open >= this.#options.maxOpen) {
      this.#starved.push(lane);
      return false;
    }
    if (this.#parts.ownership.maySend()) return true;
    this.#wakes.at(lane, Date.now() + 500); // the renewal is late; if the lease is lost the lane goes with it
    return false;
  }

  #countOpen(change: 1 | -1): void {
    this.#open += change;
    if (change > 0 || this.#starved.length === 0 || this.#open >= this.#options.maxOpen) return;
    for (const lane of this.#starved.splice(0)) lane.wake();
  }

  #send(attempt: OpenAttempt, done: (result: SendResult) => void): void {
    const { endpoint } = attempt;
    if (endpoint.target instanceof TidingsError) {
      setImmediate(done, forbidden(endpoint.target.detail));
      return;
    }
    const request = buildRequest(endpoint, attempt, this.#parts.version);
    this.#parts.sender.send({ target: endpoint.target, ...request, timeoutMs: endpoint.config.timeoutMs }, done);
  }

  /**
   * What the lanes of one lease ask of the process. When the lease is lost, outcomes that still come are nobody's: the next owner sends
   * those events again, so they are neither recorded nor counted under the next lease.
   */
  #makeHost(): SharedHost {
    const { db, operations, onError } = this.#parts;
    const isCurrent = (): boolean => this.#host === host;
    const host: SharedHost = {
      now: () => Date.now(),
      random: () => Math.random(),
      newAttempt: () => this.newAttempt(),
      maySend: (lane) => this.#maySend(lane),
      countOpen: (change) => {
        if (isCurrent()) this.#countOpen(change);
      },
      send: (attempt, done) => this.#send(attempt, done),
      flush: (item) => {
        if (isCurrent()) this.flusher.add(item);
      },
      checkpointSoon: (lane) => this.flusher.checkpointSoon(lane),
      ready: (lane) => this.#enqueue(lane),
      wakeAt: (lane, atMs) => this.#wakes.at(lane, atMs),
      readAt: (lane, place) => readEventAt(db, { appId: lane.appId, ...place }),
      moreRetries: (lane, except, limit) =>
        nextRetries(db, { appId: lane.appId, endpointId: lane.endpoint.id, except, limit }),
      breakerChanged: (lane, transition) => {
        if (!isCurrent()) return;
        if (transition === 'opened') operations.failing(lane.appId, lane.endpoint);
        else operations.recovered(lane.appId, lane.endpoint);
      },
      disable: (lane, reason) => {
        if (isCurrent()) void this.#disable(lane, reason);
      },
      died: (lane, eventId, reason) => {
        if (isCurrent()) operations.died(lane.appId, lane.endpoint, eventId, reason);
      },
      failed: onError,
    };
    return host;
  }

  async #disable(lane: Lane, reason: DisabledReason): Promise<void> {
    const { appId, endpoint } = lane;
    try {
      const { configVersion } = endpoint;
      const disabled = await disableEndpoint(this.#parts.db, { appId, endpointId: endpoint.id, configVersion, reason });
      if (disabled) this.#parts.operations.disabled(appId, endpoint, reason);
      this.configChanged(appId); // if it was not: it is disabled already, or changed, and the lane does not know
    } catch (error) {
      this.#parts.onError(error); // the lane asks again with its next such outcome
    }
  }
}

/** The outcome of an attempt that the server's own rules do not let out. */
function forbidden(detail: string): SendResult {
  return {
    outcome: 'rejected',
    reason: 'address_forbidden',
    status: null,
    timings: { dnsUs: null, connectUs: null, tlsUs: null, firstByteUs: null, totalUs: 0 },
    remoteAddress: null,
    responseHead: null,
    responseBody: null,
    retryAfterMs: null,
    error: detail,
  };
}
