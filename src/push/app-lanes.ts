// The lanes of one app in this process: loaded with the app's first event, indexed by type, kept in step with its configuration.
// A lane that an event does not concern is not touched by it: live lanes share one position, `routed`.
import type { LogEvent } from '../core/event.ts';
import type { LogPlace } from '../log/event-cache.ts';
import type { Head } from '../storage/heads.ts';
import type { LoadedApp, Wanted } from './app-loader.ts';
import { Lane } from './lane.ts';
import type { LaneHost, SharedHost } from './lane-host.ts';
import type { RunningReplay } from './lane-replays.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';

export interface AppLanesParts {
  appId: string;
  host: SharedHost;
  /** Events of the app's log from a place on, up to another. */
  read: (from: LogPlace, to: LogPlace) => Promise<LogEvent[]>;
  /** Reads the app as of one snapshot; null when it does not exist. */
  load: (wanted: Wanted) => Promise<LoadedApp | null>;
  /** The replays of an endpoint that run as of now. */
  loadReplays: (endpointId: string) => Promise<RunningReplay[]>;
  /** Which endpoints are this process's, as of now. */
  owned: () => (endpointId: string) => boolean;
  onDeleted: () => void;
}

/** Beyond this the events that arrive during a reload are left to be read from the log. */
const MAX_WAITING_EVENTS = 2000;
const RELOAD_RETRY_MS = 1000;
/** How often is looked whether a lane that begins anew has come to rest. */
const AT_REST_MS = 250;
/** Lanes that nothing matches advance in memory; so often they are written down (design rule 11). */
const PERSIST_EVERY_POSITIONS = 10_000;

export class AppLanes {
  readonly appId: string;
  readonly lanes = new Map<string, Lane>();
  readonly #parts: AppLanesParts;
  readonly #host: LaneHost;
  #routed: LogPlace = { position: 0, day: '' };
  #persistAt = 0;
  /** When its log was last heard of. */
  #movedMs: number;
  #configVersion = -1;
  readonly #byType = new Map<string, Lane[]>();
  #anyType: Lane[] = [];
  #waiting: LogEvent[] = [];
  /** The end that must be reached without events in hand. */
  #waitingHead: Head | null = null;
  #loading: Promise<void> | null = null;
  #reloadWanted = false;
  /** The next load is to read every endpoint, not only what was changed. */
  #wholeWanted = true;
  /** Endpoints whose replays are to be read anew, one after the other, so that no read is overtaken by an older one. */
  readonly #replaysWanted = new Set<string>();
  #loadingReplays = false;
  #again: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(parts: AppLanesParts) {
    this.appId = parts.appId;
    this.#parts = parts;
    this.#movedMs = parts.host.now();
    this.#host = { ...parts.host, read: parts.read, routed: () => this.#routed };
  }

  get routed(): LogPlace {
    return this.#routed;
  }

  /** Whether nothing has come for `afterMs` and forgetting the app loses nothing. Lanes that lack but their checkpoint ask for it. */
  coolDown(nowMs: number, afterMs: number): boolean {
    if (!this.loaded || this.#loading || this.#loadingReplays || this.#waiting.length > 0) return false;
    if (nowMs - this.#movedMs < afterMs) return false;
    let isCold = true;
    for (const lane of this.lanes.values()) isCold = lane.coolDown(nowMs) && isCold;
    return isCold;
  }

  /** Whether it is known that no lane of the app is this process's. */
  get isEmpty(): boolean {
    return this.loaded && this.#loading === null && this.lanes.size === 0;
  }

  get loaded(): boolean {
    return this.#configVersion >= 0;
  }

  /** Hands events on to the lanes that they match. */
  route(events: LogEvent[]): void {
    this.#movedMs = this.#parts.host.now();
    const newest = events[events.length - 1];
    if (this.#loading || newest.configVersion > this.#configVersion) {
      this.#waiting.push(...events);
      if (this.#waiting.length > MAX_WAITING_EVENTS) {
        this.#waitingHead = { position: newest.position, day: newest.day, configVersion: newest.configVersion };
        this.#waiting = [];
      }
      if (!this.#loading) this.catchUp();
      return;
    }
    this.#routeNow(events);
  }

  /** The log ends at `head`, and its events are not at hand. */
  advanceTo(head: Head): void {
    this.#movedMs = this.#parts.host.now();
    if (this.#loading || head.configVersion > this.#configVersion) {
      this.#waitingHead = head;
      this.#waiting = [];
      if (!this.#loading) this.catchUp();
      return;
    }
    this.#jumpTo(head);
  }

  /** Reads the whole configuration again; at once, or when the load under way has ended. */
  reload(): void {
    this.#wholeWanted = true;
    this.catchUp();
  }

  /** Reads what of the configuration was changed: each change leaves the endpoint the configuration version that it made. */
  catchUp(): void {
    if (this.#loading) {
      this.#reloadWanted = true;
      return;
    }
    this.#loading = this.#reload().finally(() => {
      this.#loading = null;
      if (this.#stopped) return;
      if (this.#reloadWanted) {
        this.#reloadWanted = false;
        this.catchUp();
      } else {
        this.#routeWaiting();
      }
    });
  }

  /** Resolves when the load under way has ended, well or not: one that fails is tried again, and nobody waits for that. */
  async settledLoading(): Promise<void> {
    await this.#loading;
  }

  /** An endpoint's replays were created or cancelled. */
  reloadReplays(endpointId: string): void {
    this.#replaysWanted.add(endpointId);
    if (!this.#loadingReplays) void this.#reloadReplays();
  }

  async #reloadReplays(): Promise<void> {
    this.#loadingReplays = true;
    for (const endpointId of this.#replaysWanted) {
      while (this.#loading) await this.#loading; // it may be reading the lane as it was before
      if (this.#stopped) return;
      this.#replaysWanted.delete(endpointId);
      if (!this.lanes.has(endpointId)) continue; // when it comes it brings them
      try {
        const running = await this.#parts.loadReplays(endpointId);
        this.lanes.get(endpointId)?.setReplays(running);
      } catch (error) {
        this.#parts.host.failed(error);
        this.#replaysWanted.add(endpointId);
        await new Promise((resolve) => setTimeout(resolve, RELOAD_RETRY_MS));
      }
    }
    this.#loadingReplays = false;
  }

  /** Lets go of lanes that another process is to have. */
  remove(lanes: Iterable<Lane>): void {
    for (const lane of lanes) {
      if (this.lanes.get(lane.endpoint.id) !== lane) continue;
      lane.stop();
      this.lanes.delete(lane.endpoint.id);
    }
    this.#index();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#again) clearTimeout(this.#again);
    this.#waiting = [];
    for (const lane of this.lanes.values()) lane.stop();
  }

  async #reload(): Promise<void> {
    const since = this.#wholeWanted ? -1 : this.#configVersion;
    this.#wholeWanted = false;
    try {
      // Asked before the snapshot: a lane whose slot is taken while it is read would be of the time before the takeover.
      const owns = this.#parts.owned();
      const isNew = (endpoint: LoadedEndpoint): boolean => owns(endpoint.id) && this.#isNew(endpoint);
      const app = await this.#parts.load({ since, isNew });
      if (this.#stopped) return;
      if (!app) {
        this.stop();
        this.#parts.onDeleted();
        return;
      }
      this.#apply(app, since < 0);
    } catch (error) {
      this.#wholeWanted ||= since < 0;
      this.#parts.host.failed(error);
      await new Promise((resolve) => setTimeout(resolve, RELOAD_RETRY_MS));
      this.#reloadWanted = true;
    }
  }

  /** Also one whose cursor others have moved while its endpoint was in mode pull. */
  #isNew(endpoint: LoadedEndpoint): boolean {
    const lane = this.lanes.get(endpoint.id);
    return lane === undefined || (isMovedByOthers(lane, endpoint) && !lane.isOpen);
  }

  #apply(app: LoadedApp, isWhole: boolean): void {
    if (!this.loaded) {
      this.#routed = { position: app.head.position, day: app.head.day };
      this.#persistAt = app.head.position + PERSIST_EVERY_POSITIONS;
    }
    this.#configVersion = app.head.configVersion;
    for (const state of app.newLanes) {
      this.lanes.get(state.endpoint.id)?.stop();
      const lane = new Lane({ host: this.#host, appId: this.appId, ...state });
      this.lanes.set(state.endpoint.id, lane);
      lane.wake();
    }
    for (const endpoint of app.endpoints) {
      const lane = this.lanes.get(endpoint.id);
      if (lane && isMovedByOthers(lane, endpoint)) {
        lane.hold();
        this.#reloadLater();
      } else {
        lane?.reconfigure(endpoint);
      }
    }
    for (const id of isWhole ? this.#lanesBeside(app.endpoints) : app.deleted) {
      this.lanes.get(id)?.stop();
      this.lanes.delete(id);
    }
    this.#index();
  }

  #lanesBeside(endpoints: LoadedEndpoint[]): string[] {
    const live = new Set(endpoints.map(({ id }) => id));
    return [...this.lanes.keys()].filter((id) => !live.has(id));
  }

  /** Something was sent before the endpoint was turned to pull and has no outcome yet: its lane begins anew when it has. */
  #reloadLater(): void {
    this.#again ??= setTimeout(() => {
      this.#again = null;
      if (!this.#stopped) this.reload();
    }, AT_REST_MS);
  }

  #index(): void {
    this.#byType.clear();
    this.#anyType = [];
    for (const lane of this.lanes.values()) {
      if (lane.endpoint.exactTypes === null) {
        this.#anyType.push(lane);
        continue;
      }
      for (const type of lane.endpoint.exactTypes) {
        const lanes = this.#byType.get(type);
        if (lanes) lanes.push(lane);
        else this.#byType.set(type, [lane]);
      }
    }
  }

  #routeWaiting(): void {
    const waiting = this.#waiting;
    const head = this.#waitingHead;
    this.#waiting = [];
    this.#waitingHead = null;
    if (head) this.advanceTo(head);
    if (waiting.length > 0) this.route(waiting);
  }

  #routeNow(events: LogEvent[]): void {
    const last = events[events.length - 1];
    if (last.position <= this.#routed.position) return;
    if (events[0].position > this.#routed.position + 1) {
      this.#jumpTo({ position: events[0].position - 1, day: events[0].day });
    }
    const from = this.#routed.position;
    // Lanes stand at `routed` while their queues are empty: move it first, then hand over.
    this.#routed = { position: last.position, day: last.day };
    if (last.position >= this.#persistAt) {
      this.#persistAt = last.position + PERSIST_EVERY_POSITIONS;
      for (const lane of this.lanes.values()) this.#host.checkpointSoon(lane);
    }
    for (const event of events) {
      if (event.position <= from) continue;
      if (event.configVersion === this.#configVersion) {
        for (const lane of this.#anyType) if (lane.endpoint.matches(event)) lane.offer(event);
        const lanes = this.#byType.get(event.type);
        if (lanes) for (const lane of lanes) if (lane.endpoint.matches(event)) lane.offer(event);
      } else {
        // Appended before the newest configuration: the index is of the newest, so every lane is asked.
        for (const lane of this.lanes.values()) if (lane.endpoint.matches(event)) lane.offer(event);
      }
    }
  }

  #jumpTo(head: LogPlace): void {
    if (head.position <= this.#routed.position) return;
    const from = { position: this.#routed.position + 1, day: this.#routed.day };
    for (const lane of this.lanes.values()) lane.missed(from);
    this.#routed = { position: head.position, day: head.day };
    for (const lane of this.lanes.values()) lane.wake();
  }
}

/** Its endpoint is back in mode push: what the lane knows of its cursor and retries may be out of date, also when it never heard of the pull. */
function isMovedByOthers(lane: Lane, endpoint: LoadedEndpoint): boolean {
  const wasPulled = lane.isPulled || endpoint.pulledThrough > lane.endpoint.pulledThrough;
  return wasPulled && endpoint.config.mode === 'push';
}
