import { describe, expect, test } from 'vitest';
import { poissonArrivals } from './poisson-arrivals.ts';

const WORKLOAD = { perSecond: 100, seconds: 100, seed: 1 };

describe('Poisson arrivals', () => {
  test('are the same for the same seed, in order and in time', () => {
    const arrivals = poissonArrivals(WORKLOAD);
    expect(poissonArrivals(WORKLOAD)).toEqual(arrivals);
    expect(poissonArrivals({ ...WORKLOAD, seed: 2 })).not.toEqual(arrivals);
    expect(arrivals).toEqual([...arrivals].sort((a, b) => a - b));
    expect(arrivals[0]).toBeGreaterThan(0);
    expect(arrivals.at(-1)).toBeLessThan(100_000);
  });

  test('come at the rate, with gaps that vary as much as they are long', () => {
    const arrivals = poissonArrivals(WORKLOAD);
    // 10,000 ± 4 standard deviations of √10,000
    expect(Math.abs(arrivals.length - 10_000)).toBeLessThan(400);
    const gaps = arrivals.map((atMs, i) => atMs - (arrivals[i - 1] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    expect(deviation / mean).toBeGreaterThan(0.9);
    expect(deviation / mean).toBeLessThan(1.1);
  });
});
