// What waits for a writer's connection. Per app first in, first out; apps take turns, so a flood of one does not hold up the others.
import { holdClaim } from './claim.ts';
import type { PendingAppend } from './pending-append.ts';

/** How many requests of an app go into a batch before the next app has its turn. */
const TURN_REQUESTS = 8;

export class AppendQueue {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  readonly #apps = new Map<string, PendingAppend[]>();

  constructor(batch: { maxEvents: number; maxBytes: number }) {
    this.#maxEvents = batch.maxEvents;
    this.#maxBytes = batch.maxBytes;
  }

  add(pending: PendingAppend): void {
    const queue = this.#apps.get(pending.appId);
    if (queue) queue.push(pending);
    else this.#apps.set(pending.appId, [pending]);
  }

  /** Round robin over apps, a few requests of each a turn; a claim that the batch holds already waits for the next. Empty = nothing waits. */
  takeBatch(): PendingAppend[] {
    const batch: PendingAppend[] = [];
    const held = new Set<string>();
    const single = this.#apps.size === 1;
    let events = 0;
    let bytes = 0;
    for (let progress = true; progress; ) {
      progress = false;
      for (const [appId, queue] of this.#apps) {
        let taken = 0;
        for (const share = single ? queue.length : TURN_REQUESTS; taken < share && taken < queue.length; taken++) {
          const next = queue[taken];
          if (events > 0 && events + next.weight > this.#maxEvents) break;
          if (events > 0 && bytes + next.bytes > this.#maxBytes) break;
          if (next.claim !== null && !holdClaim(held, appId, next.claim)) break;
          batch.push(next);
          events += next.weight;
          bytes += next.bytes;
        }
        if (taken === queue.length) this.#apps.delete(appId);
        else if (taken > 0) queue.splice(0, taken);
        if (taken > 0) progress = true;
      }
    }
    this.#moveToEnd(batch);
    return batch;
  }

  /** Who has had a turn and has more to write comes last in the next batch; otherwise the first apps could fill every one. */
  #moveToEnd(batch: PendingAppend[]): void {
    if (this.#apps.size < 2) return;
    for (const appId of new Set(batch.map((pending) => pending.appId))) {
      const queue = this.#apps.get(appId);
      if (!queue) continue;
      this.#apps.delete(appId);
      this.#apps.set(appId, queue);
    }
  }
}
