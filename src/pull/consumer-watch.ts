// Tells of consumers that lag by time: the oldest event that is not committed is older than a threshold. It is told once, until all that
// waited then is committed; that is kept with the consumer. Told first and noted afterwards, under an id made of the cursor: so a crash in
// between loses nothing, and two processes tell it once.
import { TidingsError } from '../core/errors.ts';
import type { NewEvent } from '../core/event.ts';
import { TIDINGS_APP_ID } from '../core/id.ts';
import { operationalEvent } from '../core/operational-event.ts';
import { consumerLagTold, consumersLaggingFor, type LaggingConsumer } from '../storage/consumer-lag.ts';
import type { Database } from '../storage/database.ts';
import { exclusively } from '../storage/exclusive.ts';

export interface ConsumerWatchParts {
  db: Database;
  /** The writer's. */
  append: (request: { appId: string; events: NewEvent[]; idempotency: null }) => Promise<unknown>;
  now: () => number;
  onError: (error: unknown) => void;
  /** 0 = nothing is told. */
  alertAfterSeconds: number;
}

const MAX_EVERY_MS = 30_000;
const MIN_EVERY_MS = 1000;
const PAGE_CONSUMERS = 500;

export class ConsumerWatch {
  readonly #parts: ConsumerWatchParts;
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<unknown> | null = null;
  #stopped = false;

  constructor(parts: ConsumerWatchParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    const { db, alertAfterSeconds, onError } = this.#parts;
    if (alertAfterSeconds === 0) return;
    const everyMs = Math.max(MIN_EVERY_MS, Math.min(MAX_EVERY_MS, alertAfterSeconds * 250));
    this.#timer ??= setInterval(() => {
      this.#turn ??= exclusively(db, 'consumers', () => this.look())
        .catch(onError)
        .finally(() => {
          this.#turn = null;
        });
    }, everyMs).unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    await this.#turn;
  }

  /** One look at all consumers. */
  async look(): Promise<void> {
    const { db, alertAfterSeconds } = this.#parts;
    for (let after: LaggingConsumer | null = null; !this.#stopped; ) {
      const lagging: LaggingConsumer[] = await consumersLaggingFor(db, alertAfterSeconds, {
        after,
        limit: PAGE_CONSUMERS,
      });
      for (const consumer of lagging) {
        if (consumer.appId !== TIDINGS_APP_ID) await this.#tell(consumer);
        await consumerLagTold(db, consumer);
      }
      if (lagging.length < PAGE_CONSUMERS) return;
      after = lagging[lagging.length - 1];
    }
  }

  async #tell({ appId, name, position, head, appendedMs }: LaggingConsumer): Promise<void> {
    const atMs = this.#parts.now();
    const data = { positions: head - position, oldestSeconds: Math.max(0, Math.round((atMs - appendedMs) / 1000)) };
    const event = operationalEvent({ type: 'consumer.lagging', appId, consumer: name, which: position, atMs, data });
    try {
      await this.#parts.append({ appId: TIDINGS_APP_ID, events: [event], idempotency: null });
    } catch (error) {
      // It was told before, with other figures.
      if (!(error instanceof TidingsError && error.code === 'idempotency_conflict')) throw error;
    }
  }
}
