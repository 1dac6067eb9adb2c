// When the events that wait for an endpoint are enough for a batch: as soon as so many have gathered, or the first has waited for long enough.
import type { EndpointConfig } from '../core/endpoint.ts';
import { MAX_BATCH_BYTES } from './delivery-batch.ts';
import type { Feed } from './log-feed.ts';

export class BatchGathering {
  /** Since when the first event of the next batch waits; 0 = none does. */
  #sinceMs = 0;

  /** Nothing waits any more. */
  reset(): void {
    this.#sinceMs = 0;
  }

  /** How many events of the feed are to be sent now; or until when to wait for more. A probe is of one. */
  look(
    feed: Feed,
    { maxEvents, maxWaitMs }: NonNullable<EndpointConfig['batch']>,
    { nowMs, isLive, probing }: { nowMs: number; isLive: boolean; probing: boolean },
  ): { count: number } | { untilMs: number } {
    const count = feed.countWithin(probing ? 1 : maxEvents, MAX_BATCH_BYTES);
    if (!isLive) return { count };
    const isFull = probing || count >= maxEvents || count < feed.size || feed.bytes >= MAX_BATCH_BYTES;
    if (!isFull) {
      if (this.#sinceMs === 0) this.#sinceMs = nowMs;
      const untilMs = this.#sinceMs + maxWaitMs;
      if (nowMs < untilMs) return { untilMs };
    }
    this.#sinceMs = 0;
    return { count };
  }
}
