import { describe, expect, test } from 'vitest';
import { nextRunMs, type RunSettled } from './next-run.ts';

const nowMs = Date.UTC(2026, 10, 21, 9, 30);
const inMs = (run: Partial<RunSettled>): number =>
  nextRunMs({
    config: {},
    failure: null,
    failedRuns: 0,
    idleRuns: 0,
    limitedMs: null,
    nowMs,
    random: 0,
    ...run,
  }) - nowMs;
const failure = (reason: 'unreachable' | 'throttled', retryAfterMs: number | null = null) => ({
  reason,
  retryAfterMs,
});

describe('next run', () => {
  test('comes after the interval, with some jitter', () => {
    expect(inMs({})).toBe(300_000);
    expect(inMs({ config: { every: '10m' }, random: 0.999 })).toBeGreaterThan(600_000);
    expect(inMs({ config: { every: '1d' }, random: 0.999 })).toBeLessThanOrEqual(86_400_000 + 30_000);
  });

  test('is slower while nothing is new, if it may be', () => {
    const config = { every: '1m', slowest: '10m' };
    expect([0, 3, 4, 5, 50].map((idleRuns) => inMs({ config, idleRuns }))).toEqual([
      60_000, 60_000, 90_000, 135_000, 600_000,
    ]);
    expect(inMs({ config: { every: '1m' }, idleRuns: 50 })).toBe(60_000);
  });

  test('follows cron in its time zone', () => {
    expect(inMs({ config: { cron: '0 10 * * *' } })).toBe(30 * 60_000);
    expect(inMs({ config: { cron: '0 11 * * *', timeZone: 'Europe/Berlin' } })).toBe(30 * 60_000);
  });

  test('backs off from what fails, up to an hour', () => {
    const runs = [1, 2, 3, 9, 500].map((failedRuns) => inMs({ failure: failure('unreachable'), failedRuns }));
    expect(runs).toEqual([30_000, 60_000, 120_000, 3_600_000, 3_600_000]);
    const config = { every: '1d' };
    expect(inMs({ config, failure: failure('unreachable'), failedRuns: 1 })).toBe(30_000);
  });

  test('waits for as long as the API asks', () => {
    expect(inMs({ failure: failure('throttled', 900_000), failedRuns: 1 })).toBe(900_000);
    expect(inMs({ failure: failure('throttled', 1000), failedRuns: 1 })).toBe(300_000);
    expect(inMs({ limitedMs: 900_000 })).toBe(900_000);
    expect(inMs({ config: { cron: '31 9 * * *' }, limitedMs: 900_000 })).toBe(900_000);
  });
});
