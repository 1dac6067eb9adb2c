import { describe, expect, test } from 'vitest';
import {
  anEndpoint,
  aRetry,
  DELIVERED,
  NOW_MS,
  REJECTED,
  laneAlone as setup,
  THROTTLED,
  UNREACHABLE,
} from '../../test/lane-alone.ts';
import type { EndpointConfig } from '../core/endpoint.ts';
import { FlowControl, type Lesson } from './flow-control.ts';

const CLOSED = { state: 'closed', openSinceMs: null, nextProbeMs: null } as const;
const aFlow = (settings: Partial<EndpointConfig> = {}) =>
  new FlowControl(anEndpoint({ settings }).config, CLOSED, NOW_MS);
const lesson = (result: Lesson['result'], more: Partial<Lesson> = {}): Lesson => ({
  result,
  position: 1,
  isProbe: false,
  inFlight: 0,
  uncommitted: 0,
  nowMs: NOW_MS,
  random: 0.5,
  ...more,
});

describe('flow control', () => {
  test('gives the times of the token bucket, and tells its tokens', () => {
    const flow = aFlow({ rate: { perSecond: 20 } });
    expect(flow.tokens(NOW_MS)).toBe(2);
    expect(flow.notBeforeMs(NOW_MS)).toBe(0);
    flow.began(NOW_MS, false);
    flow.began(NOW_MS, false);
    expect(flow.tokens(NOW_MS)).toBe(0);
    expect(flow.notBeforeMs(NOW_MS)).toBe(NOW_MS + 50);
    flow.abandoned(false);
    expect(flow.notBeforeMs(NOW_MS)).toBe(0);
    expect(aFlow().tokens(NOW_MS)).toBeNull();
  });

  test('takes a new rate, and none', () => {
    const flow = aFlow({ rate: { perSecond: 1 } });
    flow.began(NOW_MS, false);
    flow.configure(anEndpoint({ settings: { rate: { perSecond: 1 } } }).config, NOW_MS, true);
    expect(flow.notBeforeMs(NOW_MS)).toBe(NOW_MS + 1000);
    flow.configure(anEndpoint({ settings: { rate: { perSecond: 100 } } }).config, NOW_MS, true);
    expect(flow.tokens(NOW_MS)).toBe(10);
    flow.configure(anEndpoint().config, NOW_MS, true);
    expect(flow.tokens(NOW_MS)).toBeNull();
  });

  test('pauses as the endpoint asks for, an hour at most, and a second when it does not say', () => {
    const flow = aFlow();
    flow.learn(lesson({ ...THROTTLED, retryAfterMs: null }));
    expect(flow.notBeforeMs(NOW_MS)).toBe(NOW_MS + 1000);
    flow.learn(lesson(THROTTLED));
    expect(flow.notBeforeMs(NOW_MS)).toBe(NOW_MS + 2000);
    flow.learn(lesson({ ...THROTTLED, retryAfterMs: 24 * 3_600_000 }));
    expect(flow.throttledUntilMs).toBe(NOW_MS + 3_600_000);
    flow.configure(anEndpoint().config, NOW_MS, true);
    expect(flow.notBeforeMs(NOW_MS)).toBe(0);
  });

  test('has one request at a time under strict order and while the breaker is open', () => {
    expect(aFlow({ order: 'strict' }).concurrency).toBe(1);
    const flow = aFlow();
    expect(flow.concurrency).toBe(8);
    for (const position of [1, 2, 3]) flow.learn(lesson(UNREACHABLE, { position }));
    expect(flow.breaker.isOpen).toBe(true);
    expect(flow.concurrency).toBe(1);
    expect(flow.notBeforeMs(NOW_MS)).toBe(NOW_MS + 1000);
    flow.began(NOW_MS + 1000, true);
    expect(flow.notBeforeMs(NOW_MS + 1000)).toBe(Number.POSITIVE_INFINITY);
    flow.abandoned(true);
    expect(flow.notBeforeMs(NOW_MS + 1000)).toBeLessThanOrEqual(NOW_MS + 1000);
  });

  test('bounds what is open by twice the window', () => {
    const flow = aFlow();
    expect(flow.openBound).toBe(2 * flow.window.size);
    expect(flow.openBound).toBeLessThanOrEqual(4 * 8);
  });

  test('is suspicious of who timed out, of who is down, and of a stranger with many requests', () => {
    const flow = aFlow();
    expect(flow.isSuspect(3)).toBe(false);
    expect(flow.isSuspect(4)).toBe(true);
    flow.learn(lesson(DELIVERED));
    expect(flow.isSuspect(100)).toBe(false);
    flow.learn(lesson({ ...UNREACHABLE, reason: 'timeout_total' }));
    expect(flow.isSuspect(0)).toBe(true);
    flow.learn(lesson(REJECTED));
    expect(flow.isSuspect(0)).toBe(false);
    for (const position of [1, 2, 3]) flow.learn(lesson(UNREACHABLE, { position }));
    expect(flow.isSuspect(0)).toBe(true);
    flow.learn(lesson(DELIVERED, { isProbe: true }));
    expect(flow.isSuspect(0)).toBe(true); // a slow start
  });

  test('gives up who was down for longer than that may be', () => {
    const flow = aFlow({ disableAfterSeconds: 60 });
    for (const position of [1, 2, 3]) flow.learn(lesson(UNREACHABLE, { position }));
    expect(flow.isGivenUp(NOW_MS + 60_000)).toBe(false);
    expect(flow.isGivenUp(NOW_MS + 60_001)).toBe(true);
  });
});

describe('flow control of a lane', () => {
  test('new events and retries share the rate, and each wakes the lane when the next may go', async () => {
    const next = [1, 2, 3, 4].map((position) => aRetry(position));
    const settings = { rate: { perSecond: 10 }, maxConcurrency: 64 };
    const at = setup({ settledThrough: 4, retries: { total: 4, next }, settings });
    at.lane.wake();
    await at.turn();
    at.offerThrough(8);
    for (let tenths = 0; tenths < 8; tenths++) {
      const begun = at.sent.length + at.eventReads.length; // a retry counts when it is taken, before its event is read
      expect(begun).toBe(tenths + 1);
      expect(at.wakes).toContain(at.state.nowMs + 100);
      await at.wait(100);
    }
    expect(at.eventReads).toHaveLength(4);
    at.resolveEvents();
    await at.turn();
    expect(at.requests.flat().toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('a retry that could not be made gives its turn back', async () => {
    const at = setup({
      settledThrough: 5,
      retries: { total: 1, next: [aRetry(5)] },
      settings: { rate: { perSecond: 1 } },
    });
    at.lane.wake();
    await at.turn();
    at.eventReads[0].reject(new Error('the database is gone'));
    await at.turn();
    at.offer(6);
    await at.turn();
    expect(at.requests).toEqual([[6]]);
  });

  test('probes count too, and alternate between a due retry and the log, no event twice running', async () => {
    const next = [aRetry(1), aRetry(2)];
    const at = setup({
      settledThrough: 2,
      retries: { total: 2, next },
      settings: { rate: { perSecond: 0.01 }, retryDelaysSeconds: [0.1, 0.1, 0.1] },
      breaker: { state: 'open', openSinceMs: NOW_MS, nextProbeMs: NOW_MS },
      readsAtOnce: true,
    });
    at.lane.wake();
    at.offerThrough(6);
    for (let n = 0; n < 6; n++) {
      await at.turn();
      await at.answer(UNREACHABLE);
      await at.settle();
      await at.wait(60_000);
    }
    expect(at.requests.length).toBeLessThanOrEqual(4); // a probe in a hundred seconds
    for (let n = 0; n < 12; n++) {
      await at.wait(200_000);
      await at.answer(UNREACHABLE);
      await at.settle();
    }
    const probed = at.requests.flat();
    expect(probed.length).toBeGreaterThan(10);
    for (let n = 1; n < probed.length; n++) expect(probed[n]).not.toBe(probed[n - 1]);
    expect(new Set(probed.slice(0, 8)).size).toBeGreaterThan(3);
  });

  test('a change of the endpoint ends a probe that was never sent', async () => {
    const at = setup({
      settledThrough: 5,
      retries: { total: 1, next: [aRetry(5)] },
      breaker: { state: 'open', openSinceMs: NOW_MS, nextProbeMs: NOW_MS },
    });
    at.lane.wake();
    await at.turn();
    expect(at.lane.breaker.nextAttemptMs()).toBe(Number.POSITIVE_INFINITY);
    at.lane.reconfigure(anEndpoint({ configVersion: 2, paused: true }));
    at.resolveEvents();
    await at.turn();
    expect(at.sent).toHaveLength(0);
    at.lane.reconfigure(anEndpoint({ configVersion: 3 }));
    await at.turn();
    at.resolveEvents();
    await at.turn();
    expect(at.requests).toEqual([[5]]);
  });
});
