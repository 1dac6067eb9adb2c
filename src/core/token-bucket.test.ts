import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

describe('token bucket', () => {
  test('gives no more than the rate and a tenth of a second in any span of time', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 5000, noNaN: true }),
        fc.array(fc.nat(400), { maxLength: 200 }),
        (perSecond, pauses) => {
          let nowMs = 0;
          const bucket = new TokenBucket(perSecond, nowMs);
          const taken: number[] = [];
          for (const pauseMs of pauses) {
            nowMs += pauseMs;
            while (bucket.nextMs(nowMs) === 0) {
              bucket.take(nowMs);
              taken.push(nowMs);
            }
          }
          for (let from = 0; from < taken.length; from += 7) {
            const spanMs = (taken[taken.length - 1] ?? 0) - taken[from];
            const most = Math.max(1, perSecond / 10) + (spanMs / 1000) * perSecond + 1e-6;
            expect(taken.length - from).toBeLessThanOrEqual(Math.ceil(most));
          }
        },
      ),
    );
  });

  test('gives the whole rate to who asks whenever it says', () => {
    const bucket = new TokenBucket(40, 0);
    let nowMs = 0;
    let taken = 0;
    while (nowMs <= 10_000) {
      const nextMs = bucket.nextMs(nowMs);
      if (nextMs === 0) {
        bucket.take(nowMs);
        taken++;
      } else {
        nowMs = nextMs;
      }
    }
    expect(taken).toBeGreaterThanOrEqual(400);
    expect(taken).toBeLessThanOrEqual(405);
  });

  test('a clock that is set back gives nothing', () => {
    const bucket = new TokenBucket(1, 1000);
    bucket.take(1000);
    expect(bucket.nextMs(500)).toBe(1500);
    expect(bucket.nextMs(1500)).toBe(0);
  });
});
