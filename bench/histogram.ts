// Latencies in log-linear buckets: 128 to each power of two of microseconds, so a percentile is off by less than 1 %
// however long the tail, in 24 KB, and recording costs a few nanoseconds.

const SUB_BITS = 7;
const SUB_BUCKETS = 1 << SUB_BITS;
const OCTAVES = 24; // up to 2^31 µs, which is 35 minutes
const MAX_MICROS = 2 ** (SUB_BITS + OCTAVES) - 1;

/** What crosses process borders: the filled buckets as [index, count] pairs. */
export interface HistogramData {
  count: number;
  maxMs: number;
  buckets: [number, number][];
}

export interface LatencySummary {
  p50: number;
  p99: number;
  max: number;
}

export class Histogram {
  readonly #counts = new Uint32Array(SUB_BUCKETS * (OCTAVES + 1));
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  record(ms: number): void {
    this.#counts[bucketOf(ms)]++;
    this.#count++;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  /** The least value in ms that `percent` of the recorded values do not exceed, to within 1 %; NaN when empty. */
  percentile(percent: number): number {
    if (this.#count === 0) return Number.NaN;
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#count));
    let seen = 0;
    for (let i = 0; i < this.#counts.length; i++) {
      seen += this.#counts[i];
      if (seen >= rank) return Math.min(upperMicrosOf(i) / 1000, this.#maxMs);
    }
    return this.#maxMs;
  }

  summary(): LatencySummary {
    return { p50: this.percentile(50), p99: this.percentile(99), max: this.#count === 0 ? Number.NaN : this.#maxMs };
  }

  /** Takes in what another histogram recorded. */
  add(data: HistogramData): void {
    for (const [index, count] of data.buckets) this.#counts[index] += count;
    this.#count += data.count;
    this.#maxMs = Math.max(this.#maxMs, data.maxMs);
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#maxMs = 0;
  }

  toData(): HistogramData {
    const buckets: [number, number][] = [];
    for (let i = 0; i < this.#counts.length; i++) if (this.#counts[i] > 0) buckets.push([i, this.#counts[i]]);
    return { count: this.#count, maxMs: this.#maxMs, buckets };
  }

  static fromData(data: HistogramData): Histogram {
    const histogram = new Histogram();
    histogram.add(data);
    return histogram;
  }
}

function bucketOf(ms: number): number {
  const micros = Math.min(MAX_MICROS, Math.max(0, Math.round(ms * 1000)));
  if (micros < SUB_BUCKETS) return micros;
  const octave = 31 - Math.clz32(micros) - SUB_BITS;
  return (octave + 1) * SUB_BUCKETS + ((micros >> octave) - SUB_BUCKETS);
}

function upperMicrosOf(index: number): number {
  if (index < SUB_BUCKETS) return index;
  const octave = Math.floor(index / SUB_BUCKETS) - 1;
  return ((index % SUB_BUCKETS) + SUB_BUCKETS + 1) * 2 ** octave - 1;
}
