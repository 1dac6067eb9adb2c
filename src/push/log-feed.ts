// Where a cursor stands in the log, and the matching events that it has read ahead.
//
//   live    events are handed over by the app's tail; with an empty queue the feed stands at the end
//   behind  the feed reads the log itself from `readFrom`, in chunks, until it has caught up with the end
//
// A lane's feed ends where its app is routed to, and that moves on; a replay's ends where the replay does, and it is never live before.
import type { LogEvent } from '../core/event.ts';
import type { LogPlace } from '../log/event-cache.ts';

const MAX_EVENTS = 512;
const MAX_BYTES = 2 * 1024 * 1024;
const REFILL_BELOW_EVENTS = 256;

/** A source of events in order of position. */
export interface Feed {
  /** The next event, which stays. */
  peek(): LogEvent | null;
  take(): LogEvent;
  /** Events at hand, and the bytes of their data. */
  readonly size: number;
  readonly bytes: number;
  /** Of the first so many events at hand; stops counting beyond `limit`. */
  countWithin(limit: number, maxBytes: number): number;
  /** Everything up to here has been handed out, is at hand, or is none of this cursor's business. */
  scanned(): LogPlace;
  /** Positions up to here are not this cursor's business: its start, or where it was told to skip to. */
  readonly floor: LogPlace;
  /** Whether there is more to be had than what is at hand. */
  readonly isBehind: boolean;
  /** Whether it is worth reading more now. */
  needsFill(wanted: number): boolean;
  /** Reads more; false when nothing came of it because the feed was sent elsewhere meanwhile. */
  fill(): Promise<boolean>;
  /** Forgets what is at hand; it will be read again. */
  drop(): void;
}

export interface LogFeedParts {
  /** Everything up to here is settled. */
  after: LogPlace;
  /** Positions beyond it that are settled nevertheless. */
  isSettled: (position: number) => boolean;
  matches: (event: LogEvent) => boolean;
  read: (from: LogPlace) => Promise<LogEvent[]>;
  /** The end, as of now. */
  end: () => LogPlace;
}

export class LogFeed implements Feed {
  readonly #parts: LogFeedParts;
  #mode: 'live' | 'behind' = 'behind';
  #readFrom: LogPlace;
  #floor: LogPlace;
  #filling = false;
  #queue: LogEvent[] = [];
  #at = 0;
  #bytes = 0;

  constructor(parts: LogFeedParts) {
    this.#parts = parts;
    this.#floor = parts.after;
    this.#readFrom = { position: parts.after.position + 1, day: parts.after.day };
  }

  get size(): number {
    return this.#queue.length - this.#at;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get floor(): LogPlace {
    return this.#floor;
  }

  get isBehind(): boolean {
    if (this.#mode === 'behind' && this.#readFrom.position > this.#parts.end().position) this.#mode = 'live';
    return this.#mode === 'behind';
  }

  peek(): LogEvent | null {
    return this.#at < this.#queue.length ? this.#queue[this.#at] : null;
  }

  countWithin(limit: number, maxBytes: number): number {
    let bytes = 0;
    let count = 0;
    while (count < limit && this.#at + count < this.#queue.length) {
      bytes += this.#queue[this.#at + count].data.length;
      if (count > 0 && bytes > maxBytes) break;
      count++;
    }
    return count;
  }

  take(): LogEvent {
    const event = this.#queue[this.#at];
    this.#bytes -= event.data.length;
    if (++this.#at >= this.#queue.length) {
      this.#queue = [];
      this.#at = 0;
      this.#bytes = 0;
    } else if (this.#at >= 256) {
      this.#queue = this.#queue.slice(this.#at);
      this.#at = 0;
    }
    return event;
  }

  scanned(): LogPlace {
    if (this.isBehind) return { position: this.#readFrom.position - 1, day: this.#readFrom.day };
    return this.#parts.end();
  }

  /** Whether an event that the app's tail has matched belongs here now: a feed that is behind will read it. */
  wants(event: LogEvent): boolean {
    return this.#mode === 'live' && event.position > this.#floor.position && !this.#parts.isSettled(event.position);
  }

  /** Takes an event of the tail, or falls behind when there is no room. */
  offer(event: LogEvent, hasRoom: boolean): boolean {
    const size = this.size;
    if (!hasRoom || size >= MAX_EVENTS || (size > 0 && this.#bytes > MAX_BYTES)) {
      this.#mode = 'behind';
      this.#readFrom = { position: event.position, day: event.day };
      return false;
    }
    this.#enqueue(event);
    return true;
  }

  /** The end is about to jump without events having been handed over: read them from the log. */
  missed(from: LogPlace): void {
    if (this.#mode !== 'live') return;
    this.#mode = 'behind';
    this.#readFrom = from;
  }

  drop(): void {
    const next = this.peek();
    if (!next) return;
    this.#mode = 'behind';
    this.#readFrom = { position: next.position, day: next.day };
    this.#queue = [];
    this.#at = 0;
    this.#bytes = 0;
  }

  /** Positions up to this one are given up; `day` is one not after theirs. */
  skipTo(position: number, day: string): void {
    if (position <= this.#floor.position) return;
    const scanned = this.scanned();
    this.#floor = { position, day };
    for (let next = this.peek(); next && next.position <= position; next = this.peek()) this.take();
    if (this.#mode === 'behind' && this.#readFrom.position <= position) {
      this.#readFrom = { position: position + 1, day: scanned.day };
    }
  }

  needsFill(wanted: number): boolean {
    if (this.#filling || this.#bytes >= MAX_BYTES / 2 || this.size >= Math.max(REFILL_BELOW_EVENTS, wanted))
      return false;
    return this.isBehind;
  }

  async fill(): Promise<boolean> {
    this.#filling = true;
    const from = this.#readFrom;
    const end = this.#parts.end();
    try {
      const events = await this.#parts.read(from);
      if (this.#readFrom !== from) return false; // a skip or a drop
      for (const event of events) {
        if (event.position <= this.#floor.position || this.#parts.isSettled(event.position)) continue;
        if (this.#parts.matches(event)) this.#enqueue(event);
      }
      // Nothing at all: retention has dropped everything up to the end.
      const last = events[events.length - 1] ?? end;
      this.#readFrom = { position: Math.max(from.position, last.position + 1), day: last.day };
      return true;
    } finally {
      this.#filling = false;
    }
  }

  #enqueue(event: LogEvent): void {
    this.#queue.push(event);
    this.#bytes += event.data.length;
  }
}
