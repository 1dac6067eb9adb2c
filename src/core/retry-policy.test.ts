import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkRetryDelays,
  DEFAULT_RETRY_DELAYS_SECONDS,
  type FailedAttempt,
  MAX_RETRY_AFTER_MS,
  MAX_RETRY_DELAY_SECONDS,
  MAX_RETRY_DELAYS,
  nextRetry,
  RETRY_JITTER,
  THROTTLE_DELAY_MS,
} from './retry-policy.ts';

const NOW_MS = Date.parse('2026-11-21T10:00:00Z');

function aFailure(more: Partial<FailedAttempt> = {}): FailedAttempt {
  return {
    consumed: 0,
    delaysSeconds: null,
    outcome: 'unreachable',
    retryAfterMs: null,
    breakerOpen: false,
    nowMs: NOW_MS,
    random: 0.5,
    ...more,
  };
}

function delayMsOf(failure: FailedAttempt): number {
  const decision = nextRetry(failure);
  if (decision.kind !== 'retry') throw new Error('the event is dead');
  return decision.atMs - failure.nowMs;
}

const outcome = fc.constantFrom<FailedAttempt['outcome'][]>('unreachable', 'throttled', 'rejected');
const anyFailure: fc.Arbitrary<FailedAttempt> = fc.record({
  consumed: fc.nat(31),
  delaysSeconds: fc.option(
    fc.array(fc.double({ min: 0, max: MAX_RETRY_DELAY_SECONDS, noNaN: true }), { maxLength: MAX_RETRY_DELAYS }),
  ),
  outcome,
  retryAfterMs: fc.option(fc.double()),
  breakerOpen: fc.boolean(),
  nowMs: fc.integer({ min: 0, max: 4e12 }),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

describe('retry policy', () => {
  test('follows the default schedule to ten attempts', () => {
    const delaysSeconds: number[] = [];
    let consumed = 0;
    let attempts = 1;
    for (;;) {
      const decision = nextRetry(aFailure({ consumed, outcome: 'rejected' }));
      if (decision.kind === 'dead') break;
      delaysSeconds.push((decision.atMs - NOW_MS) / 1000);
      consumed = decision.consumed;
      attempts++;
    }
    expect(delaysSeconds).toEqual([5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]);
    expect(attempts).toBe(10);
  });

  test('gives up after the last scheduled delay', () => {
    const delaysSeconds = [1, 2];
    expect(nextRetry(aFailure({ delaysSeconds, consumed: 1 })).kind).toBe('retry');
    expect(nextRetry(aFailure({ delaysSeconds, consumed: 2 }))).toEqual({ kind: 'dead', consumed: 2 });
    expect(nextRetry(aFailure({ delaysSeconds: [] }))).toEqual({ kind: 'dead', consumed: 0 });
  });

  test('is dead when the schedule was shortened below what is consumed', () => {
    expect(nextRetry(aFailure({ delaysSeconds: [1], consumed: 7, outcome: 'rejected' })).kind).toBe('dead');
  });

  test('uses up nothing while the breaker is open and the endpoint unreachable', () => {
    for (let consumed = 0; consumed <= 9; consumed++) {
      const decision = nextRetry(aFailure({ consumed, breakerOpen: true }));
      expect(decision).toMatchObject({ kind: 'retry', consumed });
    }
    expect(nextRetry(aFailure({ delaysSeconds: [], breakerOpen: true }))).toMatchObject({ kind: 'retry', consumed: 0 });
  });

  test('is due again within minutes while the breaker is open, late in the schedule too', () => {
    expect(delayMsOf(aFailure({ consumed: 0, breakerOpen: true }))).toBe(5000);
    expect(delayMsOf(aFailure({ consumed: 9, breakerOpen: true }))).toBe(300_000);
  });

  test('a rejection uses up a delay though the breaker is open', () => {
    const rejected = aFailure({ outcome: 'rejected', breakerOpen: true });
    expect(nextRetry(rejected)).toMatchObject({ kind: 'retry', consumed: 1 });
    expect(nextRetry({ ...rejected, consumed: 9 })).toEqual({ kind: 'dead', consumed: 9 });
  });

  test('throttling never uses the schedule', () => {
    fc.assert(
      fc.property(anyFailure, (failure) => {
        const decision = nextRetry({ ...failure, outcome: 'throttled' });
        expect(decision).toMatchObject({ kind: 'retry', consumed: failure.consumed });
      }),
    );
  });

  test('a throttled event is due when Retry-After says', () => {
    const throttled = aFailure({ outcome: 'throttled', random: 0 });
    expect(delayMsOf({ ...throttled, retryAfterMs: 7000 })).toBe(7000);
    expect(delayMsOf({ ...throttled, retryAfterMs: 10_000, random: 0.5 })).toBe(10_500);
    expect(delayMsOf({ ...throttled, retryAfterMs: null })).toBe(THROTTLE_DELAY_MS);
    expect(delayMsOf({ ...throttled, retryAfterMs: 0 })).toBe(1000);
    expect(delayMsOf({ ...throttled, retryAfterMs: 1e15 })).toBe(MAX_RETRY_AFTER_MS);
    expect(delayMsOf({ ...throttled, retryAfterMs: 1e15, random: 0.99 })).toBe(MAX_RETRY_AFTER_MS);
  });

  test('Retry-After is a lower bound for the other outcomes', () => {
    expect(delayMsOf(aFailure({ retryAfterMs: 60_000 }))).toBe(60_000);
    expect(delayMsOf(aFailure({ retryAfterMs: 60_000, consumed: 2 }))).toBe(1_800_000);
    expect(delayMsOf(aFailure({ retryAfterMs: 1e15, outcome: 'rejected' }))).toBe(MAX_RETRY_AFTER_MS);
  });

  test('jitter stays within its bounds and covers them', () => {
    const schedule = [...DEFAULT_RETRY_DELAYS_SECONDS.keys()];
    fc.assert(
      fc.property(
        fc.constantFrom(...schedule),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (i, random) => {
          const delayMs = delayMsOf(aFailure({ consumed: i, random }));
          const scheduledMs = DEFAULT_RETRY_DELAYS_SECONDS[i] * 1000;
          expect(delayMs).toBeGreaterThanOrEqual(Math.floor(scheduledMs * (1 - RETRY_JITTER)));
          expect(delayMs).toBeLessThanOrEqual(Math.ceil(scheduledMs * (1 + RETRY_JITTER)));
        },
      ),
    );
    expect(delayMsOf(aFailure({ consumed: 3, random: 0 }))).toBe(6_480_000);
    expect(delayMsOf(aFailure({ consumed: 3, random: 0.999999 }))).toBeGreaterThan(7_900_000);
  });

  test('is monotone: no retry lies in the past, and consumed grows by at most one', () => {
    fc.assert(
      fc.property(anyFailure, (failure) => {
        const decision = nextRetry(failure);
        const grown = decision.consumed - failure.consumed;
        if (decision.kind === 'dead') {
          expect(grown).toBe(0);
        } else {
          expect(Number.isSafeInteger(decision.atMs)).toBe(true);
          expect(decision.atMs).toBeGreaterThanOrEqual(failure.nowMs);
          expect([0, 1]).toContain(grown);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('is monotone: a greater Retry-After or random number is never due earlier', () => {
    const ms = fc.nat(2 * MAX_RETRY_AFTER_MS);
    const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(anyFailure, ms, ms, share, share, (failure, ms1, ms2, share1, share2) => {
        const early = nextRetry({ ...failure, retryAfterMs: Math.min(ms1, ms2), random: Math.min(share1, share2) });
        const late = nextRetry({ ...failure, retryAfterMs: Math.max(ms1, ms2), random: Math.max(share1, share2) });
        expect(early.kind).toBe(late.kind);
        if (early.kind === 'retry' && late.kind === 'retry') expect(early.atMs).toBeLessThanOrEqual(late.atMs);
      }),
    );
  });

  test('counted failures end: an event is dead after as many retries as the schedule has delays', () => {
    const delays = fc.array(fc.nat(MAX_RETRY_DELAY_SECONDS), { maxLength: MAX_RETRY_DELAYS });
    fc.assert(
      fc.property(delays, (delaysSeconds) => {
        let retries = 0;
        let decision = nextRetry(aFailure({ delaysSeconds }));
        while (decision.kind === 'retry') {
          retries++;
          decision = nextRetry(aFailure({ delaysSeconds, consumed: decision.consumed }));
        }
        expect(retries).toBe(delaysSeconds.length);
      }),
    );
  });
});

describe('retry delays check', () => {
  test('accepts schedules within the limits', () => {
    expect(checkRetryDelays([])).toEqual([]);
    expect(checkRetryDelays([0, 0.5, MAX_RETRY_DELAY_SECONDS])).toEqual([]);
    expect(checkRetryDelays(Array(MAX_RETRY_DELAYS).fill(60))).toEqual([]);
  });

  test.each<[string, unknown, string]>([
    ['no list', 5, '/retry/delaysSeconds'],
    ['too many delays', Array(MAX_RETRY_DELAYS + 1).fill(1), '/retry/delaysSeconds'],
    ['a negative delay', [1, -1], '/retry/delaysSeconds/1'],
    ['a delay beyond 7 days', [MAX_RETRY_DELAY_SECONDS + 1], '/retry/delaysSeconds/0'],
    ['NaN', [Number.NaN], '/retry/delaysSeconds/0'],
    ['text', ['5'], '/retry/delaysSeconds/0'],
  ])('refuses %s', (_, delays, path) => {
    expect(checkRetryDelays(delays).map((error) => error.path)).toEqual([path]);
  });
});
