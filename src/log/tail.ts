// The live end of every log. What this process's writer commits arrives here in memory; what other processes append is found
// by the poll of `heads` and read by position. It accepts only last + 1 per app and otherwise reads the gap, so whoever listens sees
// each position once and in order (design rule 3), whatever the order in which commits of several processes become known.
import type { LogEvent } from '../core/event.ts';
import type { Head } from '../storage/heads.ts';
import type { EventCache } from './event-cache.ts';
import type { GapReader } from './gap-reader.ts';

export interface TailParts {
  cache: EventCache;
  gaps: GapReader;
  /** Whether anybody in this process is to have the app's events; if not, they are not read, and only its end is told. */
  isWanted: (appId: string) => boolean;
  /** Consecutive events of one app, each position once. Positions that retention dropped before they were read are left out. */
  onEvents: (appId: string, events: LogEvent[], head: Head) => void;
  /** The log ends at `head`, and what is before it was not handed on: nothing was known of the app, or nobody wanted it. */
  onHead: (appId: string, head: Head) => void;
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
  /** Commits of this process beyond a gap that is being read, in order. */
  early: LogEvent[][];
  earlyEvents: number;
}

const MAX_APPS = 50_000;
/** Beyond this they are read from the log like the gap before them. */
const MAX_EARLY_EVENTS = 2000;

export class Tail {
  readonly #parts: TailParts;
  readonly #apps = new Map<string, AppTail>();
  readonly #reads = new Set<Promise<void>>();
  #stopped = false;

  constructor(parts: TailParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#stopped = false;
  }

  /** Waits for the reads that are under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#reads);
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
    if (!tail) {
      this.#parts.cache.put(appId, events);
      this.#firstSeen(appId, head);
      return;
    }
    if (head.position > tail.known.position) tail.known = head;
    if (!tail.reading && events[0].position === tail.handedOn.position + 1) {
      this.#handOn(appId, tail, events);
      return;
    }
    if (tail.earlyEvents < MAX_EARLY_EVENTS) {
      tail.early.push(events);
      tail.earlyEvents += events.length;
    }
    if (!tail.reading) this.#catchUp(appId, tail);
  }

  #handOn(appId: string, tail: AppTail, events: LogEvent[]): void {
    const last = events[events.length - 1];
    const head = { position: last.position, day: last.day, configVersion: last.configVersion };
    this.#parts.cache.put(appId, events);
    tail.handedOn = head;
    this.#parts.onEvents(appId, events, head);
  }

  #catchUp(appId: string, tail: AppTail): void {
    if (tail.handedOn.position >= tail.known.position) return;
    if (this.#stopped) return;
    if (this.#parts.isWanted(appId)) {
      const read = this.#readGap(appId, tail).finally(() => this.#reads.delete(read));
      this.#reads.add(read);
      return;
    }
    for (const events of tail.early) this.#parts.cache.put(appId, events);
    tail.early = [];
    tail.earlyEvents = 0;
    tail.handedOn = tail.known;
    this.#parts.onHead(appId, tail.known);
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
    if (head.position > tail.handedOn.position) this.#catchUp(appId, tail);
    else if (configChanged) this.#parts.onConfigChanged(appId, head);
  }

  forget(appId: string): void {
    this.#apps.delete(appId);
    this.#parts.cache.forget(appId);
  }

  #firstSeen(appId: string, head: Head): void {
    if (this.#apps.size >= MAX_APPS) this.#forgetOldest();
    this.#apps.set(appId, { handedOn: head, known: head, reading: false, early: [], earlyEvents: 0 });
    this.#parts.onHead(appId, head);
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
        const next = takeEarly(tail);
        if (next && next[0].position === tail.handedOn.position + 1) {
          this.#handOn(appId, tail, next);
          continue;
        }
        if (next) {
          tail.early.unshift(next);
          tail.earlyEvents += next.length;
        }
        const from = { position: tail.handedOn.position + 1, day: tail.handedOn.day };
        const to = next ? { position: next[0].position - 1, day: next[0].day } : tail.known;
        const { known } = tail;
        const events = await this.#parts.gaps.read(appId, from, to);
        if (this.#apps.get(appId) !== tail) return;
        if (events.length > 0) this.#handOn(appId, tail, events);
        else tail.handedOn = { ...to, configVersion: next ? tail.handedOn.configVersion : known.configVersion }; // retention has dropped it
      }
      if (tail.known.configVersion > tail.handedOn.configVersion) this.#parts.onConfigChanged(appId, tail.known);
    } catch (error) {
      if (!this.#stopped) this.#parts.onError(error); // the next poll or commit tries again
    } finally {
      tail.reading = false;
    }
  }
}

/** The first run beyond what was handed on, without what was; null when there is none. */
function takeEarly(tail: AppTail): LogEvent[] | null {
  for (;;) {
    const run = tail.early.shift();
    if (!run) return null;
    tail.earlyEvents -= run.length;
    const seen = tail.handedOn.position + 1 - run[0].position;
    if (seen <= 0) return run;
    if (seen < run.length) return run.slice(seen);
  }
}
