// Operational events: what happens to endpoints, appended to the log of the built-in app, so that an alert is a webhook, a poll or a stream
// like everything else. They never feed themselves: endpoints of that app emit none. An id is made of what happened, so that telling it
// twice appends it once (design rule 19).
import type { DisabledReason } from '../core/endpoint.ts';
import type { NewEvent } from '../core/event.ts';
import { TIDINGS_APP_ID } from '../core/id.ts';
import { operationalEvent } from '../core/operational-event.ts';
import type { Reason } from '../core/outcome.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';

export const OPERATIONAL_TYPES = ['endpoint.failing', 'endpoint.recovered', 'endpoint.disabled', 'event.dead'] as const;
export type OperationalType = (typeof OPERATIONAL_TYPES)[number];

const COALESCE_MS = 60_000;

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
  onError: (error: unknown) => void;
}

export class Operations {
  readonly #parts: OperationsParts;
  /** Dead events of the running minute, by endpoint: one event for all of them. */
  readonly #dead = new Map<string, DeadCount>();
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {}

  /** Tells what has been counted so far. */
  async stop(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#tellDead(Number.POSITIVE_INFINITY);
  }

  failing(appId: string, endpoint: LoadedEndpoint): void {
    void this.#tell('endpoint.failing', appId, endpoint.id, this.#parts.now(), { url: endpoint.config.url });
  }

  recovered(appId: string, endpoint: LoadedEndpoint): void {
    void this.#tell('endpoint.recovered', appId, endpoint.id, this.#parts.now(), { url: endpoint.config.url });
  }

  disabled(appId: string, endpoint: LoadedEndpoint, reason: DisabledReason): void {
    const { url } = endpoint.config;
    void this.#tell('endpoint.disabled', appId, endpoint.id, this.#parts.now(), { url, reason });
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
      await this.#tell('event.dead', appId, endpointId, minuteMs, { count, firstEvent: firstEventId, reason });
    }
    if (this.#dead.size > 0 && nowMs !== Number.POSITIVE_INFINITY) {
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        void this.#tellDead(this.#parts.now());
      }, COALESCE_MS).unref();
    }
  }

  async #tell(type: OperationalType, appId: string, endpointId: string, atMs: number, more: object): Promise<void> {
    if (appId === TIDINGS_APP_ID) return;
    const event = operationalEvent({ type, appId, endpointId, which: atMs, atMs, data: more });
    try {
      await this.#parts.append({ appId: TIDINGS_APP_ID, events: [event], idempotency: null });
    } catch (error) {
      this.#parts.onError(error);
    }
  }
}
