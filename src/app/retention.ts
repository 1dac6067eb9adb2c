// Retention: past days of `events` and `attempts` are dropped. Never behind an endpoint without a word: within the day before it would lose
// something it is told of as `endpoint.lagging`, and what it does lose is recorded and told of as `endpoint.expired`.
import { TidingsError } from '../core/errors.ts';
import type { NewEvent } from '../core/event.ts';
import { TIDINGS_APP_ID } from '../core/id.ts';
import { type Occurrence, operationalEvent } from '../core/operational-event.ts';
import { consumersLaggingSince, type LaggingConsumer } from '../storage/consumer-lag.ts';
import type { Database } from '../storage/database.ts';
import { exclusively } from '../storage/exclusive.ts';
import {
  expireRetries,
  findLost,
  forgetDead,
  type LaggingLane,
  laggingLanes,
  recordLost,
} from '../storage/expirations.ts';
import { dropPartitions } from '../storage/partition-drop.ts';
import { addDays, dayOf } from '../storage/partitions.ts';

export interface RetentionOptions {
  /** Days that are kept whole beside the one that runs; null = all. */
  eventDays: number | null;
  attemptDays: number | null;
  /** The first time: lanes have had time to catch up after a start. */
  firstAfterMs: number;
  everyMs: number;
}

export const RETENTION_DEFAULTS: RetentionOptions = {
  eventDays: 30,
  attemptDays: 14,
  firstAfterMs: 300_000,
  everyMs: 3_600_000,
};

const DAY_MS = 86_400_000;
/** Lanes, or consumers, that are asked for at once. */
const PAGE_LANES = 500;
const CHUNK_ROWS = 1000;
const TOLD_AT_ONCE = 100;

export interface RetentionParts {
  db: Database;
  /** The writer's. */
  append: (request: { appId: string; events: NewEvent[]; idempotency: null }) => Promise<unknown>;
  /** Has a lane of this process written down where it stands: one to which nothing was sent for long may be further than is known. */
  checkpoint: (appId: string, endpointId: string) => void;
  now: () => number;
  onError: (error: unknown) => void;
  options?: Partial<RetentionOptions>;
}

export class Retention {
  readonly #parts: RetentionParts;
  readonly #options: RetentionOptions;
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<unknown> | null = null;
  #stopped = false;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
    this.#options = { ...RETENTION_DEFAULTS, ...parts.options };
  }

  async start(): Promise<void> {
    this.#stopped = false;
    const { eventDays, attemptDays, firstAfterMs } = this.#options;
    if (eventDays !== null || attemptDays !== null) this.#schedule(firstAfterMs);
  }

  /** Waits for what is under way; what is left of it the next turn of any process finishes. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#turn;
  }

  #schedule(delayMs: number): void {
    if (this.#stopped || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#turn = this.takeTurn()
        .catch(this.#parts.onError)
        .finally(() => {
          this.#turn = null;
          this.#schedule(this.#options.everyMs);
        });
    }, delayMs).unref();
  }

  /** Warns, records and drops what is due; returns the names of the tables dropped, null when another process is at it. */
  async takeTurn(): Promise<string[] | null> {
    const { db } = this.#parts;
    const { eventDays, attemptDays } = this.#options;
    const today = await dayOf(db);
    const events = eventDays === null ? null : addDays(today, -eventDays);
    const attempts = attemptDays === null ? null : addDays(today, -attemptDays);
    if (events !== null) await this.#checkpoint(addDays(events, 2));
    return exclusively(db, 'retention', async (client) => {
      if (events !== null) await this.#warn(addDays(events, 1));
      if (events !== null) await this.#warnConsumers(addDays(events, 1));
      if (events !== null) await this.#forgetDead(events);
      const beforeEvents = (lastDay: string): Promise<void> => this.#expire(lastDay);
      const keptFrom = { events, attempts };
      return dropPartitions({ client, keptFrom, beforeEvents, goesOn: () => !this.#stopped });
    });
  }

  /** A day before it matters, and every turn from then on: so what is written down of a lane is true when it does. */
  async #checkpoint(beforeDay: string): Promise<void> {
    for await (const lanes of this.#lagging(beforeDay)) {
      for (const { appId, endpointId } of lanes) this.#parts.checkpoint(appId, endpointId);
    }
  }

  async #warn(beforeDay: string): Promise<void> {
    for await (const lanes of this.#lagging(beforeDay)) {
      await this.#tell(
        lanes.map(({ appId, endpointId, url, ...lag }) => {
          const data = { url, ...this.#warning(lag) };
          return { type: 'endpoint.lagging', appId, endpointId, which: lag.day, atMs: this.#parts.now(), data };
        }),
      );
    }
  }

  /** What they do lose they hear of when they lease next: 410. */
  async #warnConsumers(beforeDay: string): Promise<void> {
    for (let after: LaggingConsumer | null = null; !this.#stopped; ) {
      const page = { after, limit: PAGE_LANES };
      const consumers: LaggingConsumer[] = await consumersLaggingSince(this.#parts.db, beforeDay, page);
      await this.#tell(
        consumers.map(({ appId, name, position, head, day, appendedMs }) => {
          const data = this.#warning({ positions: head - position, day, appendedMs });
          return { type: 'consumer.lagging', appId, consumer: name, which: day, atMs: this.#parts.now(), data };
        }),
      );
      if (consumers.length < PAGE_LANES) return;
      after = consumers[consumers.length - 1];
    }
  }

  #warning({ positions, day, appendedMs }: { positions: number; day: string; appendedMs: number }) {
    const oldestSeconds = Math.max(0, Math.round((this.#parts.now() - appendedMs) / 1000));
    const expiresMs = Date.parse(day) + (this.#options.eventDays! + 1) * DAY_MS;
    return { positions, oldestSeconds, expiresAt: new Date(expiresMs).toISOString() };
  }

  async *#lagging(beforeDay: string): AsyncGenerator<LaggingLane[]> {
    for (let after: LaggingLane | null = null; !this.#stopped; ) {
      const lanes: LaggingLane[] = await laggingLanes(this.#parts.db, { beforeDay, after, limit: PAGE_LANES });
      if (lanes.length > 0) yield lanes;
      if (lanes.length < PAGE_LANES) return;
      after = lanes[lanes.length - 1];
    }
  }

  /** Told before it is recorded: what is recorded is not found again, and what is told twice is appended once. */
  async #expire(lastDay: string): Promise<void> {
    const { db, now } = this.#parts;
    const lost = await findLost(db, lastDay);
    await this.#tell(
      lost.map(({ appId, endpointId, from, to }) => {
        const data = { events: to - from + 1, from, to };
        return { type: 'endpoint.expired', appId, endpointId, which: to, atMs: now(), data };
      }),
    );
    await recordLost(db, lastDay);
    await this.#expireRetries(lastDay);
  }

  async #expireRetries(lastDay: string): Promise<void> {
    const { db, now } = this.#parts;
    for (let count = CHUNK_ROWS; count === CHUNK_ROWS; ) {
      const expired = await db.transaction((tx) => expireRetries(tx, lastDay, CHUNK_ROWS));
      count = expired.length;
      const byEndpoint = new Map<
        string,
        Occurrence & { data: { count: number; firstEvent: string; reason: string } }
      >();
      for (const { appId, endpointId, eventId } of expired) {
        const known = byEndpoint.get(endpointId);
        if (known) known.data.count++;
        else {
          const data = { count: 1, firstEvent: eventId, reason: 'expired' };
          byEndpoint.set(endpointId, { type: 'event.dead', appId, endpointId, which: eventId, atMs: now(), data });
        }
      }
      await this.#tell([...byEndpoint.values()]);
    }
  }

  /** Dead events are listed for as long as events are kept, counted from their death. */
  async #forgetDead(beforeDay: string): Promise<void> {
    for (let count = CHUNK_ROWS; count === CHUNK_ROWS && !this.#stopped; ) {
      count = await this.#parts.db.transaction((tx) => forgetDead(tx, beforeDay, CHUNK_ROWS));
    }
  }

  async #tell(occurrences: Occurrence[]): Promise<void> {
    const events = occurrences.filter(({ appId }) => appId !== TIDINGS_APP_ID).map(operationalEvent);
    for (let at = 0; at < events.length; at += TOLD_AT_ONCE) {
      await Promise.all(events.slice(at, at + TOLD_AT_ONCE).map((event) => this.#append(event)));
    }
  }

  async #append(event: NewEvent): Promise<void> {
    try {
      await this.#parts.append({ appId: TIDINGS_APP_ID, events: [event], idempotency: null });
    } catch (error) {
      // It was told before, of another moment: with other figures.
      if (!(error instanceof TidingsError && error.code === 'idempotency_conflict')) throw error;
    }
  }
}
