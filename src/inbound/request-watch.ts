// Looks for new requests of one source, for whoever watches it live. Any process may have taken them in, so the database is asked, a few times a
// second. Processes mint ids by their own clocks and write what they gathered late: so each turn looks back a little, past what was shown.
import { idAt } from '../core/id.ts';
import type { Queryable } from '../storage/database.ts';
import { readSourceRequestsAfter, type SourceRequest } from '../storage/source-requests.ts';

export interface RequestWatchParts {
  db: Queryable;
  now: () => number;
  place: { appId: string; sourceId: string };
  /** The id of the last request that was seen; null = only what comes from now on. */
  after: string | null;
  /** Not called while `isBusy` says so. */
  onRequests: (requests: SourceRequest[]) => void;
  isBusy: () => boolean;
  onError: (error: unknown) => void;
  options?: { everyMs?: number };
}

const EVERY_MS = 400;
const LOOK_BACK_MS = 3000;
const MAX_REQUESTS = 50;

export class RequestWatch {
  readonly #parts: RequestWatchParts;
  /** Nothing before it is looked for. */
  readonly #beginning: string;
  /** The ids that were shown and would be found again, in their order. */
  #shown: string[] = [];
  #timer: NodeJS.Timeout | null = null;
  #isReading = false;
  #latest: string;

  constructor(parts: RequestWatchParts) {
    this.#parts = parts;
    this.#beginning = parts.after ?? idAt('request', parts.now());
    this.#latest = this.#beginning;
  }

  async start(): Promise<void> {
    this.#timer ??= setInterval(() => void this.#read(), this.#parts.options?.everyMs ?? EVERY_MS);
    void this.#read();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #read(): Promise<void> {
    const { db, place, now, onRequests, isBusy, onError } = this.#parts;
    if (this.#isReading || isBusy()) return;
    this.#isReading = true;
    try {
      // Behind the last one shown where there is more than a turn's worth, else as far back as a request may still turn up.
      const back = idAt('request', now() - LOOK_BACK_MS);
      const [, earliest] = [this.#beginning, back].toSorted();
      const [floor] = [this.#latest, earliest].toSorted();
      this.#shown = this.#shown.filter((id) => id > floor);
      const page = { after: floor, except: this.#shown, limit: MAX_REQUESTS };
      const requests = await readSourceRequestsAfter(db, place, page);
      if (this.#timer === null || requests.length === 0) return;
      for (const { id } of requests) {
        this.#shown.push(id);
        if (id > this.#latest) this.#latest = id;
      }
      onRequests(requests);
    } catch (error) {
      onError(error); // the next turn reads again
    } finally {
      this.#isReading = false;
    }
  }
}
