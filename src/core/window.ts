// How many attempts a lane has in flight at once: doubles per round trip at first, then grows by one, halves on a timeout or 5xx
// (additive increase, multiplicative decrease: RFC 5681, section 3.1, with attempts for segments).

export const INITIAL_WINDOW = 16;
const HALVE_AT_MOST_EVERY_MS = 500;
/** A success is quick within twice the best time seen, and always within this. */
const QUICK_MS = 10;
/** By so much the best time seen is forgotten with every success, for it may have been of another network path. */
const FORGET = 1.001;

export class Window {
  #size: number;
  #threshold: number;
  #max: number;
  #halvedMs = Number.NEGATIVE_INFINITY;
  #bestMs = Number.POSITIVE_INFINITY;

  constructor(max: number) {
    this.#max = max;
    this.#threshold = max;
    this.#size = Math.min(INITIAL_WINDOW, max);
  }

  get size(): number {
    return Math.floor(this.#size);
  }

  set max(max: number) {
    this.#max = max;
    this.#threshold = Math.min(this.#threshold, max);
    this.#size = Math.min(this.#size, max);
    if (this.#size === this.#threshold) this.#threshold = max;
  }

  /**
   * A success that took so long, and what left no room for more when it came: the attempts in flight, or those whose outcome is not yet
   * committed. In a window full of attempts only a quick success says that there is room for more: above that, more at once only wait
   * longer in the endpoint's own queue. Of the commits' pace its time says nothing.
   */
  succeeded(tookMs: number, full: 'attempts' | 'outcomes' | null): void {
    this.#bestMs = Math.min(this.#bestMs * FORGET, tookMs);
    if (full === null || this.#size >= this.#max) return;
    if (full === 'attempts' && tookMs > Math.max(QUICK_MS, 2 * this.#bestMs)) return;
    this.#size = Math.min(this.#max, this.#size + (this.#size < this.#threshold ? 1 : 1 / this.#size));
  }

  /** A timeout or 5xx. Those that were in flight together count once. */
  halve(nowMs: number): void {
    if (nowMs - this.#halvedMs < HALVE_AT_MOST_EVERY_MS) return;
    this.#halvedMs = nowMs;
    this.#size = Math.max(1, this.#size / 2);
    this.#threshold = Math.max(2, this.#size);
  }

  /** After an outage: begin with one. */
  restart(): void {
    this.#size = 1;
    this.#threshold = this.#max;
  }
}
