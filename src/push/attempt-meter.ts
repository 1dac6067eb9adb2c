// Counts a lane's attempts in rings of buckets: ten seconds for the rate, an hour by minutes, a day by hours. Made with the lane's first
// attempt, so idle lanes carry none.

export interface AttemptCount {
  attempts: number;
  delivered: number;
}

class Ring {
  readonly #bucketMs: number;
  readonly #attempts: Uint32Array;
  readonly #delivered: Uint32Array;
  #newest = 0;

  constructor(bucketMs: number, buckets: number) {
    this.#bucketMs = bucketMs;
    this.#attempts = new Uint32Array(buckets);
    this.#delivered = new Uint32Array(buckets);
  }

  count(nowMs: number, delivered: boolean): void {
    const at = this.#advance(nowMs);
    this.#attempts[at]++;
    if (delivered) this.#delivered[at]++;
  }

  sum(nowMs: number): AttemptCount {
    this.#advance(nowMs);
    return {
      attempts: this.#attempts.reduce((a, b) => a + b, 0),
      delivered: this.#delivered.reduce((a, b) => a + b, 0),
    };
  }

  #advance(nowMs: number): number {
    const bucket = Math.floor(nowMs / this.#bucketMs);
    const size = this.#attempts.length;
    for (let i = Math.max(this.#newest + 1, bucket - size + 1); i <= bucket; i++) {
      this.#attempts[i % size] = 0;
      this.#delivered[i % size] = 0;
    }
    this.#newest = Math.max(this.#newest, bucket);
    return this.#newest % size;
  }
}

export class AttemptMeter {
  readonly #seconds = new Ring(1000, 10);
  readonly #minutes = new Ring(60_000, 60);
  readonly #hours = new Ring(3_600_000, 24);

  count(nowMs: number, delivered: boolean): void {
    this.#seconds.count(nowMs, delivered);
    this.#minutes.count(nowMs, delivered);
    this.#hours.count(nowMs, delivered);
  }

  /** Attempts a second over the last ten. */
  perSecond(nowMs: number): number {
    return this.#seconds.sum(nowMs).attempts / 10;
  }

  lastHour(nowMs: number): AttemptCount {
    return this.#minutes.sum(nowMs);
  }

  lastDay(nowMs: number): AttemptCount {
    return this.#hours.sum(nowMs);
  }
}
