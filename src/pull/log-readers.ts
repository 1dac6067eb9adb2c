// Who waits for the log to go on: long polls and streams. When an app's log has moved its readers are told in passes: while a pass is under
// way further events gather, so that thousands of readers of a busy log are told of many at once rather than of each (the same natural
// batching as the writer's). Waiting costs an entry in a set, and no query.
import type { Head } from '../storage/heads.ts';

export interface LogReader {
  /** The log now ends at `head`. Called again for later ends, as long as the reader is not removed. */
  moved(head: Head): void;
}

interface AppReaders {
  readonly readers: Set<LogReader>;
  head: Head | null;
  /** Who has yet to be told in the pass under way. */
  pass: Iterator<LogReader> | null;
  /** The log moved on while the pass was under way. */
  again: boolean;
}

/** A turn of the event loop goes to readers for so long. */
const TURN_MS = 4;
const LOOK_EVERY_READERS = 16;

export class LogReaders {
  readonly #apps = new Map<string, AppReaders>();
  readonly #onError: (error: unknown) => void;
  #passing: AppReaders[] = [];
  #scheduled = false;
  #count = 0;

  constructor(parts: { onError: (error: unknown) => void }) {
    this.#onError = parts.onError;
  }

  /** Readers that wait, of all apps. */
  get count(): number {
    return this.#count;
  }

  countOf(appId: string): number {
    return this.#apps.get(appId)?.readers.size ?? 0;
  }

  add(appId: string, reader: LogReader): void {
    let app = this.#apps.get(appId);
    if (!app) {
      app = { readers: new Set(), head: null, pass: null, again: false };
      this.#apps.set(appId, app);
    }
    if (app.readers.has(reader)) return;
    app.readers.add(reader);
    this.#count++;
  }

  remove(appId: string, reader: LogReader): void {
    const app = this.#apps.get(appId);
    if (!app?.readers.delete(reader)) return;
    this.#count--;
    if (app.readers.size === 0) this.#apps.delete(appId);
  }

  /** The app's log ends at `head` now. */
  moved(appId: string, head: Head): void {
    const app = this.#apps.get(appId);
    if (!app) return;
    app.head = head;
    if (app.pass) {
      app.again = true;
      return;
    }
    app.pass = app.readers.values();
    this.#passing.push(app);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#takeTurn();
    });
  }

  /** Apps take turns, a few readers each. */
  #takeTurn(): void {
    const endMs = performance.now() + TURN_MS;
    while (this.#passing.length > 0) {
      const app = this.#passing.shift()!;
      if (this.#tellSome(app)) this.#passing.push(app);
      if (performance.now() >= endMs) break;
    }
    if (this.#passing.length > 0) this.#schedule();
  }

  /** Whether the app's readers are not yet all told. */
  #tellSome(app: AppReaders): boolean {
    for (let told = 0; told < LOOK_EVERY_READERS; told++) {
      const next = app.pass!.next();
      if (!next.done) {
        this.#tell(next.value, app.head!);
        continue;
      }
      app.pass = app.again ? app.readers.values() : null;
      app.again = false;
      return app.pass !== null;
    }
    return true;
  }

  #tell(reader: LogReader, head: Head): void {
    try {
      reader.moved(head);
    } catch (error) {
      this.#onError(error); // it must not keep the others waiting
    }
  }
}
