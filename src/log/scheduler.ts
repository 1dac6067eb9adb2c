// Appends scheduled events when they are due. Every process may run it: what an append takes it deletes in its own transaction, so an event
// is appended once however many race, and stays where it is when a process dies on the way.
//
// It sleeps until the next event is due, a second at most, as another process may schedule one that is due sooner. Apps with events due
// are drained side by side, oldest first and a bounded lot at a time, so that the backlog of one holds up no other.
import type { Database } from '../storage/database.ts';
import { findDueApps, nextDueMs } from '../storage/scheduled.ts';

export interface SchedulerOptions {
  /** Of one append. */
  maxEvents: number;
  maxBytes: number;
  /** How many apps are drained at once. */
  maxApps: number;
  pollEveryMs: number;
  /** At least so long between two looks at what is due. */
  pauseMs: number;
}

export const SCHEDULER_DEFAULTS: SchedulerOptions = {
  maxEvents: 250,
  maxBytes: 1024 * 1024,
  maxApps: 32,
  pollEveryMs: 1000,
  pauseMs: 100,
};

/** Due events that one look counts. */
const LOOK_EVENTS = 1000;
/** Appends after which an app gives way to others that wait. */
const TURN_APPENDS = 10;
/** A look over a long backlog of a few apps takes a while; no more than one part in so many of the time is spent on looking. */
const LOOK_SHARE = 5;

export interface SchedulerParts {
  db: Database;
  /** The writer's: appends what is due of an app, and says how many events. */
  appendDue: (appId: string, due: { expected: number; maxEvents: number; maxBytes: number }) => Promise<number>;
  onError: (error: unknown) => void;
  options?: Partial<SchedulerOptions>;
}

export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #options: SchedulerOptions;
  readonly #draining = new Map<string, Promise<void>>();
  /** Apps that gave way, and are looked for again when nobody else has events due. */
  readonly #gaveWay = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  #stopped = true;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    this.#options = { ...SCHEDULER_DEFAULTS, ...parts.options };
  }

  async start(): Promise<void> {
    this.#stopped = false;
    this.#lookIn(0);
  }

  /** Lets appends that are under way end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#looking;
    await Promise.all(this.#draining.values());
  }

  #lookIn(delayMs: number): void {
    if (this.#stopped || this.#timer || this.#looking) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#looking = this.#look().then((nextMs) => {
        this.#looking = null;
        this.#lookIn(nextMs);
      });
    }, delayMs);
  }

  /** Begins to drain what is due; resolves with when to look again. */
  async #look(): Promise<number> {
    const { pollEveryMs, pauseMs, maxApps } = this.#options;
    try {
      const dueInMs = await nextDueMs(this.#parts.db);
      if (dueInMs === null) return pollEveryMs;
      if (dueInMs > 0) return Math.min(pollEveryMs, Math.max(pauseMs, dueInMs));
      if (this.#draining.size >= maxApps) return pauseMs;
      const from = performance.now();
      const except = [...this.#draining.keys(), ...this.#gaveWay];
      const found = await findDueApps(this.#parts.db, { except, limit: LOOK_EVENTS });
      if (found.length === 0) this.#gaveWay.clear();
      for (const { appId, events } of found.slice(0, maxApps - this.#draining.size)) this.#drain(appId, events);
      return Math.min(pollEveryMs, Math.max(pauseMs, (performance.now() - from) * LOOK_SHARE));
    } catch (error) {
      this.#parts.onError(error);
      return pollEveryMs;
    }
  }

  #drain(appId: string, events: number): void {
    const drained = this.#appendAll(appId, events)
      .catch(this.#parts.onError)
      .finally(() => this.#draining.delete(appId));
    this.#draining.set(appId, drained);
  }

  async #appendAll(appId: string, events: number): Promise<void> {
    const { maxEvents, maxBytes, maxApps } = this.#options;
    let left = events;
    for (let appends = 0; !this.#stopped; appends++) {
      if (appends >= TURN_APPENDS && this.#draining.size >= maxApps) {
        this.#gaveWay.add(appId);
        return;
      }
      const appended = await this.#parts.appendDue(appId, { expected: Math.max(1, left), maxEvents, maxBytes });
      left -= appended;
      if (appended === 0 || (left <= 0 && appended < maxEvents)) return;
    }
  }
}
