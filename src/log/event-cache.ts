// The recent log in memory, shared by lanes, replays and readers: aligned chunks of 256 positions per app, bounded by bytes, the
// least recently used dropped first. The tail puts in what was just committed; what is missing is read from the database,
// once for all who ask at the same time, and by two reads at once per process (design rule 11).
import type { LogEvent } from '../core/event.ts';
import type { Queryable } from '../storage/database.ts';
import { firstKept, type ReadRange, readEvents } from '../storage/events.ts';

export const CHUNK_POSITIONS = 256;

/** A run of consecutive positions inside one aligned chunk; `events[i].position === first + i`. */
interface Chunk {
  first: number;
  events: LogEvent[];
  bytes: number;
}

export interface EventCacheOptions {
  maxBytes: number;
  /** Of one read from the database. */
  maxReadBytes: number;
  concurrentReads: number;
}

export const EVENT_CACHE_DEFAULTS: EventCacheOptions = {
  maxBytes: 8 * 1024 * 1024,
  maxReadBytes: 1024 * 1024,
  concurrentReads: 2,
};

export interface LogPlace {
  position: number;
  day: string;
}

/** What an event weighs in memory besides its data, roughly. */
const EVENT_OVERHEAD_BYTES = 400;

export class EventCache {
  readonly #db: Queryable;
  readonly #options: EventCacheOptions;
  readonly #chunks = new Map<string, Chunk>(); // insertion order = order of use
  readonly #reads = new Map<string, Promise<LogEvent[]>>();
  readonly #waiting: (() => void)[] = [];
  #reading = 0;
  #bytes = 0;

  constructor(parts: { db: Queryable; options?: Partial<EventCacheOptions> }) {
    this.#db = parts.db;
    this.#options = { ...EVENT_CACHE_DEFAULTS, ...parts.options };
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Puts in events that were just committed; consecutive positions of one app. */
  put(appId: string, events: LogEvent[]): void {
    let key = '';
    let chunk: Chunk | undefined;
    let chunkEnd = 0;
    for (const event of events) {
      if (event.position >= chunkEnd) {
        const index = chunkIndex(event.position);
        chunkEnd = (index + 1) * CHUNK_POSITIONS;
        key = `${appId} ${index}`;
        chunk = this.#chunks.get(key);
        if (!chunk || chunk.first + chunk.events.length !== event.position) {
          if (chunk) this.#drop(key, chunk);
          chunk = { first: event.position, events: [], bytes: 0 };
          this.#chunks.set(key, chunk);
        }
      }
      const bytes = event.data.length + (event.origin?.length ?? 0) + EVENT_OVERHEAD_BYTES;
      chunk!.events.push(event);
      chunk!.bytes += bytes;
      this.#bytes += bytes;
    }
    if (this.#bytes > this.#options.maxBytes) this.#shrink();
  }

  /** The events from a position to the end of its chunk that are in memory; empty when that position is not. */
  peek(appId: string, position: number): LogEvent[] {
    const key = `${appId} ${chunkIndex(position)}`;
    const chunk = this.#chunks.get(key);
    if (!chunk || position < chunk.first || position >= chunk.first + chunk.events.length) return [];
    this.#chunks.delete(key);
    this.#chunks.set(key, chunk);
    return position === chunk.first ? chunk.events.slice() : chunk.events.slice(position - chunk.first);
  }

  /**
   * The events from a place on, at most to the end of a chunk or to `head`, at least one when there is any. A first event
   * beyond the place asked for means that retention has dropped what is between; nothing at all, that it has dropped all up to `head`.
   */
  async read(appId: string, from: LogPlace, head: LogPlace): Promise<LogEvent[]> {
    if (from.position > head.position) return [];
    const found = this.peek(appId, from.position);
    if (found.length > 0) {
      // What is beyond the head stays unseen: the reader's configuration may be older than those events.
      const beyond = from.position + found.length - 1 - head.position;
      return beyond > 0 ? found.slice(0, -beyond) : found;
    }
    const to = Math.min(head.position, (chunkIndex(from.position) + 1) * CHUNK_POSITIONS - 1);
    const key = `${appId} ${from.position} ${to}`;
    let read = this.#reads.get(key);
    if (!read) {
      const range = {
        appId,
        from: from.position,
        to,
        day: from.day,
        lastDay: head.day,
        maxBytes: this.#options.maxReadBytes,
      };
      read = this.#load(range).finally(() => this.#reads.delete(key));
      this.#reads.set(key, read);
    }
    const events = await read;
    if (events.length > 0 || to >= head.position) return events;
    // Found by each reader for itself: the heads of those who share the read may differ.
    const kept = await firstKept(this.#db, appId, { after: to, upTo: head });
    return kept ? this.read(appId, kept, head) : [];
  }

  async #load(range: ReadRange): Promise<LogEvent[]> {
    if (this.#reading >= this.#options.concurrentReads)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#reading++;
    try {
      const events = await readEvents(this.#db, range);
      if (events.length > 0 && this.peek(range.appId, events[0].position).length === 0) this.put(range.appId, events);
      return events;
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#reading--;
    }
  }

  /** Forgets an app that was deleted. */
  forget(appId: string): void {
    for (const [key, chunk] of this.#chunks) if (key.startsWith(`${appId} `)) this.#drop(key, chunk);
  }

  #shrink(): void {
    for (const [key, chunk] of this.#chunks) {
      if (this.#bytes <= this.#options.maxBytes * 0.9) return;
      this.#drop(key, chunk);
    }
  }

  #drop(key: string, chunk: Chunk): void {
    this.#chunks.delete(key);
    this.#bytes -= chunk.bytes;
  }
}

function chunkIndex(position: number): number {
  return Math.floor(position / CHUNK_POSITIONS);
}
