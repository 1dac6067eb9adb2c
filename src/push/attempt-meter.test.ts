import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AttemptMeter } from './attempt-meter.ts';

describe('attempt meter', () => {
  test('counts what lies within the last hour and day, to the bucket', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ pauseMs: fc.nat(7_200_000), delivered: fc.boolean() }), { maxLength: 100 }),
        (attempts) => {
          const meter = new AttemptMeter();
          let nowMs = 1_800_000_000_000;
          const made = attempts.map(({ pauseMs, delivered }) => {
            nowMs += pauseMs;
            meter.count(nowMs, delivered);
            return { atMs: nowMs, delivered };
          });
          const within = (bucketMs: number, buckets: number) => {
            const oldest = Math.floor(nowMs / bucketMs) - buckets + 1;
            const some = made.filter(({ atMs }) => Math.floor(atMs / bucketMs) >= oldest);
            return { attempts: some.length, delivered: some.filter(({ delivered }) => delivered).length };
          };
          expect(meter.lastHour(nowMs)).toEqual(within(60_000, 60));
          expect(meter.lastDay(nowMs)).toEqual(within(3_600_000, 24));
          expect(meter.perSecond(nowMs)).toBe(within(1000, 10).attempts / 10);
        },
      ),
    );
  });

  test('forgets, and goes on counting when the clock is set back', () => {
    const meter = new AttemptMeter();
    meter.count(10_000_000, true);
    meter.count(9_000_000, false);
    expect(meter.lastHour(10_000_000)).toEqual({ attempts: 2, delivered: 1 });
    expect(meter.lastDay(10_000_000 + 25 * 3_600_000)).toEqual({ attempts: 0, delivered: 0 });
  });
});
