// The events of a replay that concerns only some positions: those that failed, or are dead. Which they are is read from their tables in
// pages, the events one by one.
import type { LogEvent } from '../core/event.ts';
import type { LogPlace } from '../log/event-cache.ts';
import type { Feed } from './log-feed.ts';

const PAGE_POSITIONS = 64;
const MAX_BYTES = 2 * 1024 * 1024;

export interface ListFeedParts {
  /** Everything up to here is settled. */
  after: LogPlace;
  to: LogPlace;
  isSettled: (position: number) => boolean;
  matches: (event: LogEvent) => boolean;
  /** The next positions after one, in order. */
  list: (after: number, limit: number) => Promise<LogPlace[]>;
  /** Null: retention has dropped it. */
  readAt: (place: LogPlace) => Promise<LogEvent | null>;
}

export class ListFeed implements Feed {
  readonly #parts: ListFeedParts;
  #scanned: LogPlace;
  #isDone = false;
  #filling = false;
  #queue: LogEvent[] = [];

  constructor(parts: ListFeedParts) {
    this.#parts = parts;
    this.#scanned = parts.after;
  }

  get floor(): LogPlace {
    return this.#parts.after;
  }

  get size(): number {
    return this.#queue.length;
  }

  get bytes(): number {
    return this.#queue.reduce((sum, { data }) => sum + data.length, 0);
  }

  get isBehind(): boolean {
    return !this.#isDone;
  }

  peek(): LogEvent | null {
    return this.#queue[0] ?? null;
  }

  take(): LogEvent {
    return this.#queue.shift()!;
  }

  countWithin(limit: number, maxBytes: number): number {
    let bytes = 0;
    let count = 0;
    for (const event of this.#queue.slice(0, limit)) {
      bytes += event.data.length;
      if (count > 0 && bytes > maxBytes) break;
      count++;
    }
    return count;
  }

  scanned(): LogPlace {
    return this.#isDone ? this.#parts.to : this.#scanned;
  }

  drop(): void {
    const next = this.peek();
    if (!next) return;
    this.#scanned = { position: next.position - 1, day: next.day };
    this.#isDone = false;
    this.#queue = [];
  }

  needsFill(wanted: number): boolean {
    return !this.#filling && !this.#isDone && this.size < Math.min(wanted, PAGE_POSITIONS);
  }

  async fill(): Promise<boolean> {
    this.#filling = true;
    const from = this.#scanned;
    try {
      const places = await this.#parts.list(from.position, PAGE_POSITIONS);
      let last = from;
      const events: LogEvent[] = [];
      let bytes = 0;
      for (const place of places) {
        if (bytes > MAX_BYTES) break;
        last = place;
        if (this.#parts.isSettled(place.position)) continue;
        const event = await this.#parts.readAt(place);
        if (!event || !this.#parts.matches(event)) continue;
        events.push(event);
        bytes += event.data.length;
      }
      if (this.#scanned !== from) return false;
      this.#queue.push(...events);
      this.#scanned = { ...last };
      this.#isDone = places.length < PAGE_POSITIONS && last.position === (places[places.length - 1] ?? from).position;
      return true;
    } finally {
      this.#filling = false;
    }
  }
}
