export interface Arrivals {
  perSecond: number;
  seconds: number;
  /** The same seed gives the same arrivals: every kind gets the same workload. */
  seed: number;
}

/** When events are published, in ms from the start: a Poisson process, whose gaps are exponentially distributed. */
export function poissonArrivals({ perSecond, seconds, seed }: Arrivals): number[] {
  const random = mulberry32(seed);
  const arrivals: number[] = [];
  for (let atMs = 0; ; ) {
    atMs += (-Math.log(1 - random()) / perSecond) * 1000;
    if (atMs >= seconds * 1000) return arrivals;
    arrivals.push(atMs);
  }
}

/** Numbers from 0 to 1 without 1, by Tommy Ettinger's generator of 32 bits of state. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
