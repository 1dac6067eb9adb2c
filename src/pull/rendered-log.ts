// The log as its readers get it: aligned chunks of an app's events as bytes, made once and shared by all who read in that format, bounded by
// bytes, the least recently used dropped first. A page is a few slices of them, so reading costs the same however many events a page has;
// and cursors, which are MACs, are made once for an event.
import { cursorWriter } from '../core/cursor.ts';
import type { LogEvent } from '../core/event.ts';
import { uuidFromId } from '../core/id.ts';
import { CHUNK_POSITIONS, type EventCache, type LogPlace } from '../log/event-cache.ts';
import type { LogFormat } from './log-format.ts';
import { RenderedEvents } from './rendered-events.ts';

export interface RenderedLogParts {
  cache: EventCache;
  /** What cursors are made with (storage/instance.ts). */
  instance: { cursorKey: Buffer; generation: number };
  maxBytes?: number;
}

const DEFAULT_MAX_BYTES = 8 * 1024 * 1024;

interface Chunk {
  events: RenderedEvents;
  /** As counted. */
  bytes: number;
}

export class RenderedLog {
  readonly #cache: EventCache;
  readonly #instance: RenderedLogParts['instance'];
  readonly #maxBytes: number;
  readonly #chunks = new Map<string, Chunk>(); // insertion order = order of use
  #bytes = 0;

  constructor({ cache, instance, maxBytes = DEFAULT_MAX_BYTES }: RenderedLogParts) {
    this.#cache = cache;
    this.#instance = instance;
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  cursorsOf(appId: string): (place: LogPlace) => string {
    return cursorWriter(this.#instance, uuidFromId('app', appId));
  }

  /** The rendered events around a position; null when it is not in memory. */
  peek(format: LogFormat, appId: string, position: number): RenderedEvents | null {
    const key = keyOf(format, appId, position);
    const chunk = this.#chunks.get(key);
    if (!chunk?.events.covers(position)) return null;
    this.#chunks.delete(key);
    this.#chunks.set(key, chunk);
    return chunk.events;
  }

  /** The rendered events from a place on, at most to `head`; null when retention has dropped what stands there. */
  async read(format: LogFormat, appId: string, from: LogPlace, head: LogPlace): Promise<RenderedEvents | null> {
    const found = this.peek(format, appId, from.position);
    if (found) return found;
    const events = await this.#cache.read(appId, from, head);
    if (events.length === 0 || events[0].position !== from.position) return null;
    return this.#render(format, appId, events);
  }

  /** Forgets an app that was deleted. */
  forget(appId: string): void {
    for (const [key, chunk] of this.#chunks) if (key.startsWith(`${appId} `)) this.#drop(key, chunk);
  }

  #render(format: LogFormat, appId: string, events: LogEvent[]): RenderedEvents {
    const { position } = events[0];
    const key = keyOf(format, appId, position);
    let chunk = this.#chunks.get(key);
    if (chunk?.events.covers(position)) return chunk.events; // who read at the same time has done it
    if (chunk && chunk.events.end !== position) {
      this.#drop(key, chunk);
      chunk = undefined;
    }
    chunk ??= { events: new RenderedEvents(format, position), bytes: 0 };
    chunk.events.append(events, this.cursorsOf(appId));
    this.#chunks.delete(key);
    this.#chunks.set(key, chunk);
    this.#bytes += chunk.events.bytes - chunk.bytes;
    chunk.bytes = chunk.events.bytes;
    if (this.#bytes > this.#maxBytes) this.#shrink();
    return chunk.events;
  }

  #shrink(): void {
    for (const [key, chunk] of this.#chunks) {
      if (this.#bytes <= this.#maxBytes * 0.9) return;
      this.#drop(key, chunk);
    }
  }

  #drop(key: string, chunk: Chunk): void {
    this.#chunks.delete(key);
    this.#bytes -= chunk.bytes;
  }
}

function keyOf(format: LogFormat, appId: string, position: number): string {
  return `${appId} ${format.name} ${Math.floor(position / CHUNK_POSITIONS)}`;
}
