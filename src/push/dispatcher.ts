// All lanes of this process: it hands them events and turns, bounds what is open, and takes them over and lets them go with the slots.
import { setTimeout as pause } from 'node:timers/promises';
import { type DisabledReason, slotOf } from '../core/endpoint.ts';
import type { LogEvent } from '../core/event.ts';
import { type IdGenerator, uuidFromId } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { EventCache, LogPlace } from '../log/event-cache.ts';
import type { Database } from '../storage/database.ts';
import { readEventAt } from '../storage/events.ts';
import type { Head } from '../storage/heads.ts';
import { appsWithWork, disableEndpoint } from '../storage/lanes.ts';
import { positionsToReplay } from '../storage/replay-positions.ts';
import type { StoredReplay } from '../storage/replays.ts';
import { nextRetries } from '../storage/retries.ts';
import { AccessTokens } from './access-tokens.ts';
import { AppLanes } from './app-lanes.ts';
import { type LoadedApp, loadApp, loadReplaysOf, type Wanted } from './app-loader.ts';
import { AttemptSender, type Leave } from './attempt-sender.ts';
import { filterFailure } from './filter-failure.ts';
import { Flusher, type FlusherOptions } from './flusher.ts';
import type { Lane } from './lane.ts';
import { drainLanes } from './lane-drain.ts';
import type { HostedLane, SharedHost } from './lane-host.ts';
import type { RunningReplay } from './lane-replays.ts';
import { LaneSweep, type LaneSweepOptions } from './lane-sweep.ts';
import { LaneTurns } from './lane-turns.ts';
import type { ServerRules } from './loaded-endpoint.ts';
import type { AttemptStamp } from './open-attempt.ts';
import { OPEN_BUDGET_DEFAULTS, OpenBudget, type OpenBudgetOptions, type OpenRequest } from './open-budget.ts';
import type { Operations } from './operations.ts';
import type { Ownership } from './ownership.ts';
import type { Sender } from './sender.ts';
import { type SlotLoad, SlotMeter } from './slot-meter.ts';
import { Transformer, type TransformerParts } from './transformer.ts';
import { unsent } from './unsent.ts';
import { WakeQueue } from './wake-queue.ts';

export interface DispatcherOptions {
  open?: Partial<OpenBudgetOptions>;
  flusher?: Partial<FlusherOptions>;
  sweep?: Partial<LaneSweepOptions>;
}

const LOADS_AT_ONCE = 4;
const DAY_MS = 86_400_000;
/** Time to write the outcomes when the process stops, even if the attempts in flight have used up all of it. */
const MIN_DRAIN_MS = 1000;

export interface DispatcherParts {
  db: Database;
  box: SecretBox;
  rules: ServerRules;
  ids: IdGenerator;
  cache: EventCache;
  sender: Pick<Sender, 'send' | 'inFlight'>;
  transforms: TransformerParts['pool'];
  ownership: Ownership;
  operations: Operations;
  version: string;
  onAppDeleted: (appId: string) => void;
  onError: (error: unknown) => void;
  options?: DispatcherOptions;
}

export class Dispatcher {
  readonly flusher: Flusher;
  readonly tokens: AccessTokens;
  readonly attempts: AttemptSender;
  readonly #parts: DispatcherParts;
  readonly #transformer: Transformer;
  readonly #apps = new Map<string, AppLanes>();
  readonly #wakes = new WakeQueue(() => Date.now());
  readonly #turns: LaneTurns;
  readonly #sweep: LaneSweep;
  readonly #meter = new SlotMeter(Date.now());
  readonly #releasing = new Set<number>();
  #host: SharedHost;
  #budget: OpenBudget;
  /** Lanes that wait for room in the budget; suspects apart, for they wait longer. */
  readonly #starved = { suspect: new Set<HostedLane>(), other: new Set<HostedLane>() };
  #stopping = false;
  #dayNumber = 0;
  #day = '';

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    const { db, sender, version, onError } = parts;
    this.#transformer = new Transformer({ db, pool: parts.transforms, onError });
    this.tokens = new AccessTokens({ sender, version });
    const { tokens } = this;
    this.attempts = new AttemptSender({ sender, tokens, transformer: this.#transformer, version, onError });
    this.#budget = this.#makeBudget();
    this.#turns = new LaneTurns((lane, error) => {
      parts.onError(error);
      this.#wakes.at(lane, Date.now() + 1000);
    });
    this.#sweep = new LaneSweep({
      db: parts.db,
      slots: () => [...parts.ownership.heldSlots()],
      onDue: (appId, endpointId) => this.#retriesDue(appId, endpointId),
      onWork: (appId) => {
        if (!this.#apps.has(appId)) this.#openApp(appId, null);
      },
      onUnload: (coldAfterMs) => this.#unload(coldAfterMs),
      onError: parts.onError,
      options: parts.options?.sweep,
    });
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
    await this.#sweep.start();
  }

  /** Begins no more attempts, waits up to `drainMs` for those in flight, and writes what came of them. */
  async stop(drainMs = 10_000): Promise<void> {
    this.#stopping = true;
    await this.#sweep.stop();
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

  /** Requests sent and not yet committed. */
  get open(): number {
    return this.#budget.requests;
  }

  get laneCount(): number {
    let count = 0;
    for (const app of this.#apps.values()) count += app.lanes.size;
    return count;
  }

  /** All lanes in memory. */
  *lanes(): Generator<Lane> {
    for (const app of this.#apps.values()) yield* app.lanes.values();
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

  /** Whether lanes here are to have the app's events. One that is not loaded reads them from its lanes' cursors on. */
  wants(appId: string): boolean {
    const app = this.#apps.get(appId);
    return app !== undefined && !app.isEmpty;
  }

  /** The app's endpoints were changed; no event need have come. */
  configChanged(appId: string): void {
    const app = this.#apps.get(appId);
    if (app) app.catchUp();
    else this.#openApp(appId, null);
  }

  /** The app is loaded with its lanes, and then catches up from their cursors. */
  #openApp(appId: string, head: Head | null): void {
    if (this.#stopping || this.#parts.ownership.slotCount === 0) return;
    const app: AppLanes = new AppLanes({
      appId,
      host: this.#host,
      read: (from, routed) => this.#parts.cache.read(appId, from, routed),
      load: (wanted) => this.#load(app, wanted),
      loadReplays: (endpointId) => this.#loadReplays(appId, endpointId),
      owned: () => {
        const slots = new Set(this.#parts.ownership.heldSlots());
        for (const slot of this.#releasing) slots.delete(slot);
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

  /**
   * Lets the lanes of these slots come to rest, writes what came of them, and forgets them: another process is to have them. Resolves when
   * nothing of them is under way. Slots that are kept after all are taken anew.
   */
  async releaseSlots(slots: number[]): Promise<void> {
    for (const slot of slots) this.#releasing.add(slot);
    const host = this.#host;
    try {
      // A load that began before may yet bring lanes of these slots.
      await Promise.all([...this.#apps.values()].map((app) => app.settledLoading()));
      const lanes = this.#lanesOf(new Set(slots));
      const isAtRest = await drainLanes(lanes, { now: host.now, isGone: () => this.#stopping || this.#host !== host });
      if (this.#host !== host) return;
      if (!isAtRest && !this.#stopping) {
        // An outcome that came after the next owner had begun would be written all the same: the slots stay here.
        for (const lane of lanes) lane.goOn();
        throw new Error(`The lanes of ${slots.length} slots did not come to rest, so the slots are kept.`);
      }
      await this.flusher.settle(lanes);
      for (const app of this.#apps.values()) app.remove(lanes);
    } finally {
      for (const slot of slots) this.#releasing.delete(slot);
    }
  }

  #lanesOf(slots: ReadonlySet<number>): Lane[] {
    return [...this.#apps.values()].flatMap((app) => [...app.lanes.values()].filter((lane) => slots.has(lane.slot)));
  }

  /** What the lanes of each slot do: by it slots are shared out. */
  load(): SlotLoad {
    return this.#meter.load(Date.now());
  }

  /** An endpoint's replays were created or cancelled. */
  reloadReplays(appId: string, endpointId: string): void {
    const app = this.#apps.get(appId);
    if (app) app.reloadReplays(endpointId);
    else this.#openApp(appId, null);
  }

  #retriesDue(appId: string, endpointId: string): void {
    const app = this.#apps.get(appId);
    if (app) app.lanes.get(endpointId)?.retriesDue();
    else this.#openApp(appId, null);
  }

  /** Forgets apps of which nothing has been heard for a while; their next event, or a retry that falls due, brings them back. */
  #unload(coldAfterMs: number): void {
    const now = Date.now();
    for (const [appId, app] of this.#apps) {
      if (!app.coolDown(now, coldAfterMs)) continue;
      app.stop();
      this.#apps.delete(appId);
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
    this.#turns.clear();
    this.#starved.suspect.clear();
    this.#starved.other.clear();
    this.#budget = this.#makeBudget();
    this.#host = this.#makeHost();
  }

  #forget(appId: string): void {
    this.#apps.delete(appId);
    this.#parts.onAppDeleted(appId);
  }

  async #load(app: AppLanes, wanted: Wanted): Promise<LoadedApp | null> {
    const { db, box, rules, operations } = this.#parts;
    const loaded = await loadApp({ db, box, rules }, app.appId, wanted);
    for (const { endpoint, stored, replays } of loaded?.newLanes ?? []) {
      this.#observe(stored.lowAttemptUuid);
      const { openSinceMs } = stored.breaker;
      if (openSinceMs !== null && !endpoint.disabled) operations.failing(app.appId, endpoint, openSinceMs);
      for (const { replay } of replays) this.#observe(replay.lowAttemptUuid);
    }
    return loaded;
  }

  async #loadReplays(appId: string, endpointId: string): Promise<RunningReplay[]> {
    const running = await loadReplaysOf(this.#parts.db, { appId, endpointId });
    for (const { replay } of running) this.#observe(replay.lowAttemptUuid);
    return running;
  }

  /** Ids minted from now on must lie above those that a cursor's recovery starts from. */
  #observe(attemptUuid: string | null): void {
    if (attemptUuid !== null) this.#parts.ids.observe(attemptUuid);
  }

  // ---- what lanes ask

  #makeBudget(): OpenBudget {
    return new OpenBudget({ ...OPEN_BUDGET_DEFAULTS, ...this.#parts.options?.open });
  }

  #maySend(lane: HostedLane): boolean {
    if (this.#stopping) return false;
    const { isSuspect } = lane;
    if (this.#budget.room(isSuspect) < 1) {
      this.#starved[isSuspect ? 'suspect' : 'other'].add(lane);
      return false;
    }
    if (this.#parts.ownership.maySend()) return true;
    this.#wakes.at(lane, Date.now() + 500); // the renewal is late; if the lease is lost the lane goes with it
    return false;
  }

  #closed(request: OpenRequest): void {
    this.#budget.close(request);
    const { suspect, other } = this.#starved;
    if (other.size > 0) wakeSome(other, this.#budget.room(false));
    if (suspect.size > 0) wakeSome(suspect, this.#budget.room(true));
  }

  /**
   * What the lanes of one lease ask of the process. When the lease is lost, outcomes that still come are nobody's: the next owner sends
   * those events again, so they are neither recorded nor counted under the next lease.
   */
  #makeHost(): SharedHost {
    const { db, ids, operations, ownership, onError } = this.#parts;
    const isCurrent = (): boolean => this.#host === host;
    const mayLeave = (): Leave => {
      if (!isCurrent() || this.#stopping) return 'never';
      return ownership.maySend() ? 'now' : 'later';
    };
    const host: SharedHost = {
      now: () => Date.now(),
      random: () => Math.random(),
      newUuid: () => ids.uuid(),
      newAttempt: () => this.newAttempt(),
      maySend: (lane) => this.#maySend(lane),
      mayTransform: (lane) => this.#transformer.hasRoom(lane),
      opened: (lane, request) => {
        if (!isCurrent()) return;
        this.#budget.open(request);
        this.#meter.count(lane.slot);
      },
      closed: (request) => {
        if (isCurrent()) this.#closed(request);
      },
      send: (request, done) => {
        const failure = filterFailure(request);
        if (failure === null) this.attempts.send(request, done, mayLeave);
        else setImmediate(done, unsent('rejected', 'filter_error', failure));
      },
      flush: (item) => {
        if (isCurrent()) this.flusher.add(item);
      },
      checkpointSoon: (lane) => this.flusher.checkpointSoon(lane),
      ready: (lane) => this.#turns.add(lane),
      wakeAt: (lane, atMs) => this.#wakes.at(lane, atMs),
      readAt: (lane, place) => readEventAt(db, { appId: lane.appId, ...place }),
      moreRetries: ({ appId, endpoint }, cursorUuid, { order, held }, limit) =>
        nextRetries(db, { appId, endpointId: endpoint.id, cursorUuid, order, except: held, limit }),
      listFailed: (lane, replay, after, limit) => listFailed(db, lane.appId, replay, after, limit),
      breakerChanged: (lane, transition) => {
        if (!isCurrent()) return;
        const { breaker } = this.lane(lane.appId, lane.endpoint.id) ?? {};
        if (transition === 'opened') {
          operations.failing(lane.appId, lane.endpoint, breaker?.snapshot.openSinceMs ?? undefined);
        } else operations.recovered(lane.appId, lane.endpoint);
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

  async #disable(lane: HostedLane, reason: DisabledReason): Promise<void> {
    const { appId, endpoint } = lane;
    try {
      const { configVersion } = endpoint;
      const disabled = await disableEndpoint(this.#parts.db, { appId, endpointId: endpoint.id, configVersion, reason });
      if (disabled) this.#parts.operations.disabled(appId, endpoint, reason);
      // Whole, for disabling raises no version. If it was not disabled: it is already, or was changed, and the lane does not know.
      this.#apps.get(appId)?.reload();
    } catch (error) {
      this.#parts.onError(error); // the lane asks again with its next such outcome
    }
  }
}

/** Wakes up to so many of the lanes that wait, the first first. */
function wakeSome(lanes: Set<HostedLane>, count: number): void {
  for (const lane of lanes) {
    if (count-- <= 0) return;
    lanes.delete(lane);
    lane.wake();
  }
}

function listFailed(
  db: Database,
  appId: string,
  replay: StoredReplay,
  after: number,
  limit: number,
): Promise<LogPlace[]> {
  const { endpointId, only, reason, toPosition: to } = replay;
  if (only === 'all') return Promise.resolve([]);
  return positionsToReplay(db, { appId, endpointId, only, reason, after, to, limit });
}
