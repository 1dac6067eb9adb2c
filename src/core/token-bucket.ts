// A rate that is never exceeded for long: tokens come evenly, one for each request, and a tenth of a second's worth may be saved up.

/** Seconds of the rate that a pause may save up. */
const BURST_SECONDS = 0.1;

export class TokenBucket {
  readonly perSecond: number;
  readonly #capacity: number;
  #tokens: number;
  #atMs: number;

  /** `perSecond` > 0. */
  constructor(perSecond: number, nowMs: number) {
    this.perSecond = perSecond;
    this.#capacity = Math.max(1, perSecond * BURST_SECONDS);
    this.#tokens = this.#capacity;
    this.#atMs = nowMs;
  }

  /** Whole tokens at hand. */
  available(nowMs: number): number {
    this.#fill(nowMs);
    return Math.floor(this.#tokens + 1e-9);
  }

  /** When a token is at hand: 0 = now. */
  nextMs(nowMs: number): number {
    if (this.available(nowMs) >= 1) return 0;
    return nowMs + Math.ceil(((1 - this.#tokens) / this.perSecond) * 1000);
  }

  take(nowMs: number): void {
    this.#fill(nowMs);
    this.#tokens -= 1;
  }

  /** A request for which a token was taken was not made. */
  giveBack(): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + 1);
  }

  #fill(nowMs: number): void {
    // A clock that was set back gives nothing and takes nothing.
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    this.#tokens = Math.min(this.#capacity, this.#tokens + (elapsedMs / 1000) * this.perSecond);
  }
}
