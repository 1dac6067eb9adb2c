// Operational events: what happens to endpoints, appended to the log of the built-in app, so that an alert is a webhook, a poll or a stream
// like everything else. They never feed themselves: endpoints of that app emit none. An id is made of what happened, so that telling it
// twice appends it once (design rule 19).
import type { DisabledReason } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import type { NewEvent } from '../core/event.ts';
import { TIDINGS_APP_ID } from '../core/id.ts';
import { type Occurrence, operationalEvent } from '../core/operational-event.ts';
import type { Reason } from '../core/outcome.ts';
import { FailingAlerts, type LaneHealth } from './failing-alerts.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';

export const OPERATIONAL_TYPES = [
  'endpoint.failing',
  'endpoint.recovered',
  'endpoint.disabled',
  'endpoint.lagging',
  'event.dead',
] as const;
export type OperationalType = (typeof OPERATIONAL_TYPES)[number];

const COALESCE_MS = 60_000;
const FAILING_AFTER_MS = 60_000;

interface DeadCount {
  appId: string;
  endpointId: string;
  minuteMs: number;
  count: number;
  firstEventId: string;
  reason: Reason;
}

export interface OperationsParts {
  append: (request: { appId: string; events: NewEvent[]; idempotency: null }) => Promise<unknown>;
  now: () => number;
  /** How the lane does that is said to fail; null when this process has it no longer. Without it only what the lanes tell counts. */
  healthOf?: (appId: string, endpointId: string) => LaneHealth | null;
  onError: (error: unknown) => void;
  options?: { failingAfterMs?: number };
}

export class Operations {
  readonly #parts: OperationsParts;
  /** Dead events of the running minute, by endpoint: one event for all of them. */
  readonly #dead = new Map<string, DeadCount>();
  readonly #failing: FailingAlerts;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
    this.#failing = new FailingAlerts({
      afterMs: parts.options?.failingAfterMs ?? FAILING_AFTER_MS,
      now: parts.now,
      healthOf: parts.healthOf ?? (() => 'open'),
      tell: ({ type, appId, endpointId, url, sinceMs, atMs }) => {
        const data = { url, since: new Date(sinceMs).toISOString() };
        void this.#tell({ type, appId, endpointId, which: sinceMs, atMs, data });
      },
    });
  }

  async start(): Promise<void> {}

  /** Tells what has been counted so far. */
  async stop(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#failing.stop();
    await this.#tellDead(Number.POSITIVE_INFINITY);
  }

  /** The breaker is open, from now or since it was written down so: told if it stays open. */
  failing(appId: string, endpoint: LoadedEndpoint, sinceMs = this.#parts.now()): void {
    if (appId !== TIDINGS_APP_ID) this.#failing.opened(appId, endpoint, sinceMs);
  }

  /** Told if it was told that it fails. */
  recovered(_appId: string, endpoint: LoadedEndpoint): void {
    this.#failing.closed(endpoint.id);
  }

  disabled(appId: string, endpoint: LoadedEndpoint, reason: DisabledReason): void {
    this.#failing.forget(endpoint.id);
    const { url } = endpoint.config;
    const which = `${endpoint.configVersion} ${reason}`;
    const atMs = this.#parts.now();
    void this.#tell({ type: 'endpoint.disabled', appId, endpointId: endpoint.id, which, atMs, data: { url, reason } });
  }

  /** The oldest event that it has not been sent is old; `through` = what waited then, which tells one time of lagging from the next. */
  lagging(
    appId: string,
    endpoint: LoadedEndpoint,
    lag: { positions: number; oldestSeconds: number; through: number },
  ): Promise<void> {
    const { positions, oldestSeconds, through } = lag;
    const data = { url: endpoint.config.url, positions, oldestSeconds, expiresAt: null };
    const which = `through ${through}`;
    return this.#tell({
      type: 'endpoint.lagging',
      appId,
      endpointId: endpoint.id,
      which,
      atMs: this.#parts.now(),
      data,
    });
  }

  /** Coalesced per endpoint and minute. */
  died(appId: string, endpoint: LoadedEndpoint, eventId: string, reason: Reason): void {
    if (appId === TIDINGS_APP_ID) return;
    const minuteMs = Math.floor(this.#parts.now() / COALESCE_MS) * COALESCE_MS;
    const key = `${endpoint.id} ${minuteMs}`;
    const known = this.#dead.get(key);
    if (known) known.count++;
    else this.#dead.set(key, { appId, endpointId: endpoint.id, minuteMs, count: 1, firstEventId: eventId, reason });
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#tellDead(this.#parts.now());
    }, COALESCE_MS).unref();
  }

  async #tellDead(nowMs: number): Promise<void> {
    for (const [key, dead] of this.#dead) {
      if (dead.minuteMs + COALESCE_MS > nowMs) continue;
      this.#dead.delete(key);
      const { appId, endpointId, minuteMs, count, firstEventId, reason } = dead;
      // Of one minute two owners may tell, each of its own.
      const which = `${minuteMs} ${firstEventId}`;
      const data = { count, firstEvent: firstEventId, reason };
      await this.#tell({ type: 'event.dead', appId, endpointId, which, atMs: minuteMs, data });
    }
    if (this.#dead.size > 0 && nowMs !== Number.POSITIVE_INFINITY) {
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        void this.#tellDead(this.#parts.now());
      }, COALESCE_MS).unref();
    }
  }

  async #tell(occurrence: Occurrence & { type: OperationalType }): Promise<void> {
    if (occurrence.appId === TIDINGS_APP_ID) return;
    try {
      const event = operationalEvent(occurrence);
      await this.#parts.append({ appId: TIDINGS_APP_ID, events: [event], idempotency: null });
    } catch (error) {
      if (error instanceof TidingsError && error.code === 'idempotency_conflict') return; // another has told it in its words
      this.#parts.onError(error);
    }
  }
}
