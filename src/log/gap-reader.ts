// Reads what other processes have appended: short runs of many apps' logs, gathered into one statement while another is under way, so that
// a process that follows fifty busy apps asks a few hundred times a second and not thousands. Longer runs go through the cache, in chunks.
import type { LogEvent } from '../core/event.ts';
import type { Queryable } from '../storage/database.ts';
import { type EventRange, readRanges } from '../storage/events.ts';
import { CHUNK_POSITIONS, type EventCache, type LogPlace } from './event-cache.ts';

const MAX_STATEMENTS = 2;
const MAX_RANGES = 200;
const MAX_BYTES = 2 * 1024 * 1024;

interface Waiting {
  range: EventRange;
  resolve(events: LogEvent[]): void;
  reject(error: unknown): void;
}

export class GapReader {
  readonly #parts: { db: Queryable; cache: EventCache };
  #waiting: Waiting[] = [];
  #underWay = 0;

  constructor(parts: { db: Queryable; cache: EventCache }) {
    this.#parts = parts;
  }

  /** The events from a place to another, or the first of them; empty when none is kept. */
  async read(appId: string, from: LogPlace, to: LogPlace): Promise<LogEvent[]> {
    const { cache } = this.#parts;
    const isShort = to.position - from.position < CHUNK_POSITIONS && from.day === to.day;
    const known = isShort ? cache.peek(appId, from.position) : [];
    if (!isShort || known.length > 0) return cache.read(appId, from, to);
    const events = await this.#gather({ appId, day: from.day, from: from.position, to: to.position });
    return events.length > 0 ? events : cache.read(appId, from, to); // not kept, or no room for it in the statement
  }

  #gather(range: EventRange): Promise<LogEvent[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ range, resolve, reject });
      if (this.#underWay < MAX_STATEMENTS && this.#waiting.length === 1) setImmediate(() => void this.#work());
    });
  }

  async #work(): Promise<void> {
    if (this.#underWay >= MAX_STATEMENTS) return;
    this.#underWay++;
    while (this.#waiting.length > 0) await this.#readSome(this.#waiting.splice(0, MAX_RANGES));
    this.#underWay--;
  }

  async #readSome(some: Waiting[]): Promise<void> {
    try {
      const found = await readRanges(
        this.#parts.db,
        some.map(({ range }) => range),
        MAX_BYTES,
      );
      for (const [i, { resolve }] of some.entries()) resolve(found[i]);
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  }
}
