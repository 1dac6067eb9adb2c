// The live end of every log. What this process's writer commits arrives here in memory; what other processes append is found
// by the poll of `heads` and read by position. It accepts only last + 1 per app and otherwise reads the gap, so whoever listens sees
// each position once and in order (design rule 3), whatever the order in which commits of several processes become known.
import type { LogEvent } from '../core/event.ts';
import type { Head } from '../storage/heads.ts';
import type { EventCache } from './event-cache.ts';

export interface TailParts {
  cache: EventCache;
  /** Consecutive events of one app, each position once. Positions that retention dropped before they were read are left out. */
  onEvents: (appId: string, events: LogEvent[], head: Head) => void;
  /** An app of which nothing was known has moved: its log ends at `head`. */
  onFirstSeen: (appId: string, head: Head) => void;
  /** The app's configuration changed without an event. */
  onConfigChanged: (appId: string, head: Head) => void;
  onError: (error: unknown) => void;
}

interface AppTail {
  /** Everything up to here has been handed on. */
  handedOn: Head;
  /** The furthest end that is known. */
  known: Head;
  reading: boolean;
}

const MAX_APPS = 50_000;

export class Tail {
  readonly #parts: TailParts;
  readonly #apps = new Map<string, AppTail>();
  #stopped = false;

  constructor(parts: TailParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#stopped = false;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
  }

  /** The furthest known end of an app's log. */
  head(appId: string): Head | null {
    return this.#apps.get(appId)?.known ?? null;
  }

  /** Consecutive events that this process has committed. */
  committed(appId: string, events: LogEvent[]): void {
    const last = events[events.length - 1];
    const head: Head = { position: last.position, day: last.day, configVersion: last.configVersion };
    const tail = this.#apps.get(appId);
    this.#parts.cache.put(appId, events);
    if (!tail) {
      this.#firstSeen(appId, head);
      return;
    }
    if (head.position > tail.known.position) tail.known = head;
    if (tail.reading) return;
    if (events[0].position === tail.handedOn.position + 1) {
      tail.handedOn = head;
      this.#parts.onEvents(appId, events, head);
    } else if (head.position > tail.handedOn.position) {
      void this.#readGap(appId, tail);
    }
  }

  /** What the poll of `heads`, or a hint from another process, has found. */
  headFound(appId: string, head: Head): void {
    const tail = this.#apps.get(appId);
    if (!tail) {
      this.#firstSeen(appId, head);
      return;
    }
    const configChanged = head.configVersion > tail.known.configVersion;
    if (head.position > tail.known.position) tail.known = head;
    else if (configChanged) tail.known = { ...tail.known, configVersion: head.configVersion };
    if (tail.reading) return;
    if (head.position > tail.handedOn.position) void this.#readGap(appId, tail);
    else if (configChanged) this.#parts.onConfigChanged(appId, head);
  }

  forget(appId: string): void {
    this.#apps.delete(appId);
    this.#parts.cache.forget(appId);
  }

  #firstSeen(appId: string, head: Head): void {
    if (this.#apps.size >= MAX_APPS) this.#forgetOldest();
    this.#apps.set(appId, { handedOn: head, known: head, reading: false });
    this.#parts.onFirstSeen(appId, head);
  }

  /** Who is forgotten is first seen again with its next event: listeners then read from their own cursors. */
  #forgetOldest(): void {
    for (const [appId, tail] of this.#apps) {
      if (tail.reading) continue;
      this.#apps.delete(appId);
      return;
    }
  }

  async #readGap(appId: string, tail: AppTail): Promise<void> {
    tail.reading = true;
    try {
      while (!this.#stopped && this.#apps.get(appId) === tail && tail.handedOn.position < tail.known.position) {
        const from = { position: tail.handedOn.position + 1, day: tail.handedOn.day };
        const events = await this.#parts.cache.read(appId, from, tail.known);
        const known = tail.known;
        if (events.length === 0) {
          // Dropped by retention, or the app was deleted: step over the rest of the chunk.
          const next = Math.min(known.position, (Math.floor(from.position / 256) + 1) * 256 - 1);
          tail.handedOn = { ...tail.handedOn, position: next };
          continue;
        }
        const last = events[events.length - 1];
        tail.handedOn = { position: last.position, day: last.day, configVersion: last.configVersion };
        this.#parts.onEvents(appId, events, tail.handedOn);
      }
      if (tail.known.configVersion > tail.handedOn.configVersion) this.#parts.onConfigChanged(appId, tail.known);
    } catch (error) {
      this.#parts.onError(error); // the next poll or commit tries again
    } finally {
      tail.reading = false;
    }
  }
}
