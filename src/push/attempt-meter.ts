// Counts a lane's attempts in buckets: ten seconds for the rate, an hour by minutes, a day by hours. Only buckets in which something happened
// are kept, for most lanes of a large installation are quiet.

export interface AttemptCount {
  attempts: number;
  delivered: number;
}

/** Numbers of a bucket: which it is, attempts, deliveries. */
const FIELDS = 3;

class Buckets {
  readonly #bucketMs: number;
  readonly #count: number;
  /** Oldest first, FIELDS numbers each. */
  #kept: number[] = [];

  constructor(bucketMs: number, count: number) {
    this.#bucketMs = bucketMs;
    this.#count = count;
  }

  count(nowMs: number, delivered: boolean): void {
    const kept = this.#kept;
    // A clock that was set back counts on in the newest bucket.
    const bucket = Math.max(Math.floor(nowMs / this.#bucketMs), kept[kept.length - FIELDS] ?? 0);
    if (kept[kept.length - FIELDS] !== bucket) {
      kept.push(bucket, 0, 0);
      if (kept.length > this.#count * FIELDS) kept.splice(0, FIELDS);
    }
    kept[kept.length - 2]++;
    if (delivered) kept[kept.length - 1]++;
  }

  sum(nowMs: number): AttemptCount {
    const oldest = Math.floor(nowMs / this.#bucketMs) - this.#count + 1;
    const sum = { attempts: 0, delivered: 0 };
    for (let i = 0; i < this.#kept.length; i += FIELDS) {
      if (this.#kept[i] < oldest) continue;
      sum.attempts += this.#kept[i + 1];
      sum.delivered += this.#kept[i + 2];
    }
    return sum;
  }
}

export class AttemptMeter {
  readonly #seconds = new Buckets(1000, 10);
  readonly #minutes = new Buckets(60_000, 60);
  readonly #hours = new Buckets(3_600_000, 24);

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
