import { describe, expect, test } from 'vitest';
import { Breaker, FIRST_PROBE_MS, MAX_PROBE_MS, SLOW_START_SUCCESSES } from './breaker.ts';
import type { OutcomeKind } from './outcome.ts';

function setup() {
  const breaker = new Breaker();
  let nowMs = 1_000_000;
  const settle = (outcome: OutcomeKind, position: number, more: { isProbe?: boolean; retryAfterMs?: number } = {}) =>
    breaker.settle({ outcome, position, isProbe: false, retryAfterMs: null, nowMs, random: 0.5, ...more });
  return {
    breaker,
    settle,
    now: () => nowMs,
    pass: (ms: number) => {
      nowMs += ms;
    },
    open: () => [1, 2, 3].map((position) => settle('unreachable', position)),
  };
}

describe('breaker', () => {
  test('opens after failures of three different events', () => {
    const { breaker, open } = setup();
    expect(open()).toEqual([null, null, 'opened']);
    expect(breaker.snapshot.state).toBe('open');
  });

  test('is not opened by one event that fails again and again', () => {
    const { breaker, settle } = setup();
    for (let n = 0; n < 20; n++) settle('unreachable', 7);
    expect(breaker.isOpen).toBe(false);
  });

  test('forgets failures at a success, and at a rejection, which proves the endpoint alive', () => {
    for (const alive of ['delivered', 'rejected'] as const) {
      const { breaker, settle } = setup();
      settle('unreachable', 1);
      settle('unreachable', 2);
      settle(alive, 3);
      settle('unreachable', 4);
      settle('unreachable', 5);
      expect(breaker.isOpen).toBe(false);
    }
  });

  test('is not opened by throttling', () => {
    const { breaker, settle } = setup();
    for (let position = 1; position < 20; position++) settle('throttled', position);
    expect(breaker.isOpen).toBe(false);
  });

  test('probes one at a time, and ever more rarely up to a minute', () => {
    const { breaker, settle, open, now, pass } = setup();
    open();
    const delays: number[] = [];
    for (let n = 0; n < 10; n++) {
      const dueMs = breaker.nextAttemptMs();
      delays.push(dueMs - now());
      pass(dueMs - now());
      breaker.probe();
      expect(breaker.nextAttemptMs()).toBe(Number.POSITIVE_INFINITY);
      settle('unreachable', 10 + n, { isProbe: true });
    }
    expect(delays[0]).toBe(FIRST_PROBE_MS);
    expect(delays[1]).toBe(2 * FIRST_PROBE_MS);
    expect(delays.at(-1)).toBe(MAX_PROBE_MS);
  });

  test('starts slowly after a probe succeeded, and opens again at once-failing endpoints with the longer delay', () => {
    const { breaker, settle, open, now, pass } = setup();
    open();
    pass(FIRST_PROBE_MS);
    breaker.probe();
    expect(settle('delivered', 4, { isProbe: true })).toBe('closed');
    expect(breaker.snapshot).toEqual({ state: 'slow_start', openSinceMs: null, nextProbeMs: null });
    for (let n = 0; n < 3; n++) settle('unreachable', 10 + n);
    expect(breaker.isOpen).toBe(true);
    expect(breaker.nextAttemptMs() - now()).toBe(2 * FIRST_PROBE_MS);
  });

  test('is closed wholly after enough successes', () => {
    const { breaker, settle, open } = setup();
    open();
    settle('delivered', 4);
    for (let n = 0; n < SLOW_START_SUCCESSES; n++) settle('delivered', 10 + n);
    expect(breaker.snapshot.state).toBe('closed');
  });

  test('waits as long as a throttling endpoint asks before it probes again', () => {
    const { breaker, settle, open, now } = setup();
    open();
    breaker.probe();
    settle('throttled', 4, { isProbe: true, retryAfterMs: 120_000 });
    expect(breaker.nextAttemptMs() - now()).toBe(120_000);
  });

  test('goes on from what was kept', () => {
    const { breaker, open } = setup();
    open();
    const again = new Breaker(breaker.snapshot);
    expect(again.snapshot).toEqual(breaker.snapshot);
    expect(again.nextAttemptMs()).toBe(breaker.nextAttemptMs());
  });
});
