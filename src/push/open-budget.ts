// What this process may have sent and not yet committed, in requests and in bytes of their events (design rule 8), and the part of it that
// lanes may have together that are likely to hang, so that they leave room for the others (rule 14).
import type { LogEvent } from '../core/event.ts';

export interface OpenBudgetOptions {
  maxRequests: number;
  maxBytes: number;
}

export const OPEN_BUDGET_DEFAULTS: OpenBudgetOptions = { maxRequests: 5000, maxBytes: 128 * 1024 * 1024 };

/** Of all requests and bytes, to suspects together. */
const SUSPECT_SHARE = 0.25;
/** Bodies from this size on count once for all lanes that have them open; smaller ones are not worth the bookkeeping. */
const SHARED_FROM_BYTES = 4096;

/** One request, from its beginning until all its outcomes are committed. */
export interface OpenRequest {
  readonly isSuspect: boolean;
  readonly events: readonly LogEvent[];
}

export class OpenBudget {
  readonly #options: OpenBudgetOptions;
  readonly #holders = new Map<LogEvent, number>();
  #requests = 0;
  #bytes = 0;
  #suspectRequests = 0;
  #suspectBytes = 0;

  constructor(options: OpenBudgetOptions = OPEN_BUDGET_DEFAULTS) {
    this.#options = options;
  }

  get requests(): number {
    return this.#requests;
  }

  /** How many more requests may be opened, by their number; 0 when there is no room for their bytes. */
  room(isSuspect: boolean): number {
    const { maxRequests, maxBytes } = this.#options;
    if (this.#bytes >= maxBytes) return 0;
    const room = maxRequests - this.#requests;
    if (!isSuspect) return Math.max(0, room);
    if (this.#suspectBytes >= maxBytes * SUSPECT_SHARE) return 0;
    return Math.max(0, Math.min(room, maxRequests * SUSPECT_SHARE - this.#suspectRequests));
  }

  open(request: OpenRequest): void {
    this.#requests++;
    let bytes = 0;
    for (const event of request.events) {
      const size = event.data.length;
      bytes += size;
      if (size < SHARED_FROM_BYTES || this.#hold(event)) this.#bytes += size;
    }
    if (!request.isSuspect) return;
    this.#suspectRequests++;
    this.#suspectBytes += bytes;
  }

  close(request: OpenRequest): void {
    this.#requests--;
    let bytes = 0;
    for (const event of request.events) {
      const size = event.data.length;
      bytes += size;
      if (size < SHARED_FROM_BYTES || this.#letGo(event)) this.#bytes -= size;
    }
    if (!request.isSuspect) return;
    this.#suspectRequests--;
    this.#suspectBytes -= bytes;
  }

  /** Whether this is the first to hold it. */
  #hold(event: LogEvent): boolean {
    const holders = this.#holders.get(event) ?? 0;
    this.#holders.set(event, holders + 1);
    return holders === 0;
  }

  #letGo(event: LogEvent): boolean {
    const holders = this.#holders.get(event) ?? 0;
    if (holders > 1) this.#holders.set(event, holders - 1);
    else this.#holders.delete(event);
    return holders <= 1;
  }
}
