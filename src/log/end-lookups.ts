// Where logs end, for many readers at once: who asks while a lookup is under way shares the next one with all who ask until then. So each
// learns of everything that was committed before it asked, and a crowd of readers of one app costs a query at a time.
import type { Queryable } from '../storage/database.ts';
import { type LogEnd, readLogEnd } from '../storage/heads.ts';

interface Lookup {
  running: Promise<LogEnd | null>;
  next: Promise<LogEnd | null> | null;
}

export class EndLookups {
  readonly #db: Queryable;
  readonly #lookups = new Map<string, Lookup>();

  constructor(parts: { db: Queryable }) {
    this.#db = parts.db;
  }

  /** null when the app does not exist. */
  read(appId: string): Promise<LogEnd | null> {
    const lookup = this.#lookups.get(appId);
    if (lookup === undefined) return this.#start(appId);
    const next = (): Promise<LogEnd | null> => this.#start(appId);
    lookup.next ??= lookup.running.then(next, next);
    return lookup.next;
  }

  #start(appId: string): Promise<LogEnd | null> {
    const running = readLogEnd(this.#db, appId);
    const lookup: Lookup = { running, next: null };
    this.#lookups.set(appId, lookup);
    const settled = (): void => {
      if (lookup.next === null) this.#lookups.delete(appId);
    };
    running.then(settled, settled);
    return running;
  }
}
