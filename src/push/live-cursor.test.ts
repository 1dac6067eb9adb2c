import { describe, expect, test } from 'vitest';
import {
  anEndpoint,
  aRetry,
  DELIVERED,
  NOW_MS,
  REJECTED,
  laneAlone as setup,
  UNREACHABLE,
} from '../../test/lane-alone.ts';

const strict = { order: 'strict' as const, retryDelaysSeconds: [5, 60] };

describe('live cursor under strict order', () => {
  test('sends one event at a time, the next when the answer is there', async () => {
    const at = setup({ settledThrough: 0, settings: strict });
    at.lane.wake();
    await at.turn();
    at.offerThrough(3);
    await at.turn();
    expect(at.requests).toEqual([[1]]);
    await at.answer(DELIVERED);
    expect(at.requests).toEqual([[1], [2]]);
  });

  test('an event that failed holds the log until it is delivered', async () => {
    const at = setup({ settledThrough: 0, settings: strict, readsAtOnce: true });
    at.lane.wake();
    await at.turn();
    at.offerThrough(3);
    await at.turn();
    await at.answer(REJECTED);
    await at.wait(4000);
    expect(at.requests).toEqual([[1]]); // its row in retries is not even committed
    await at.settle();
    await at.wait(1600);
    expect(at.requests).toEqual([[1], [1]]);
    await at.answer(DELIVERED);
    expect(at.requests).toEqual([[1], [1]]);
    await at.settle();
    expect(at.requests).toEqual([[1], [1], [2]]);
  });

  test('what its last owner left in retries goes first, as the log has it and not by its time', async () => {
    const retries = [aRetry(4, { dueMs: NOW_MS - 10 }), aRetry(3, { dueMs: NOW_MS + 2000 })];
    const at = setup({ settledThrough: 4, settings: strict, readsAtOnce: true, retries: { total: 2, next: retries } });
    at.lane.wake();
    at.offerThrough(5);
    await at.turn();
    expect(at.requests).toEqual([]);
    await at.wait(2000);
    expect(at.requests).toEqual([[3]]);
    for (const expected of [[4], [5]]) {
      await at.answer(DELIVERED);
      await at.settle();
      expect(at.requests.at(-1)).toEqual(expected);
    }
  });

  test('an endpoint that cannot be reached never uses up the schedule, and is probed with the one event', async () => {
    const at = setup({ settledThrough: 0, settings: { ...strict, retryDelaysSeconds: [1] }, readsAtOnce: true });
    at.lane.wake();
    at.offerThrough(2);
    await at.turn();
    for (let n = 0; n < 20; n++) {
      await at.answer(UNREACHABLE);
      await at.settle();
      await at.wait(120_000);
    }
    expect(at.transitions).toEqual(['opened']);
    expect(new Set(at.requests.flat())).toEqual(new Set([1]));
    expect(at.requests.length).toBeGreaterThan(15);
    expect(at.sent.at(-1)?.attempt.consumed).toBe(0);
    await at.answer(DELIVERED);
    await at.settle();
    expect(at.requests.at(-1)).toEqual([2]);
  });

  test('skip: an event that has used up its schedule is dead, and the next goes on', async () => {
    const at = setup({ settledThrough: 0, settings: { ...strict, retryDelaysSeconds: [1] }, readsAtOnce: true });
    at.lane.wake();
    at.offerThrough(2);
    await at.turn();
    await at.answer(REJECTED);
    await at.settle();
    await at.wait(2000);
    await at.answer(REJECTED);
    expect(at.flushed.map(({ deadRow }) => deadRow?.position)).toEqual([1]);
    await at.settle();
    expect(at.requests).toEqual([[1], [1], [2]]);
    expect(at.died).toEqual(['evt_1 status_4xx']);
  });

  test('block: it holds the others up, is tried now and then, and a change of the endpoint hastens it', async () => {
    const settings = { ...strict, retryDelaysSeconds: [1], onExhausted: 'block' as const };
    const at = setup({ settledThrough: 0, settings, readsAtOnce: true });
    at.lane.wake();
    at.offerThrough(2);
    await at.turn();
    await at.answer(REJECTED);
    await at.settle();
    await at.wait(2000);
    expect(at.lane.isExhausted).toBe(false);
    await at.answer(REJECTED);
    await at.settle();
    expect(at.lane.isExhausted).toBe(true);
    await at.wait(50_000);
    expect(at.requests).toEqual([[1], [1]]);
    await at.wait(15_000);
    expect(at.requests).toEqual([[1], [1], [1]]);
    await at.answer(REJECTED);
    await at.settle();
    at.lane.reconfigure(anEndpoint({ configVersion: 2, settings }));
    await at.turn();
    expect(at.requests).toEqual([[1], [1], [1], [1]]);
    expect(at.died).toEqual([]);
    await at.answer(DELIVERED);
    await at.settle();
    expect(at.requests.at(-1)).toEqual([2]);
  });

  test('resumed from the head, what blocks it is given up', async () => {
    const settings = { ...strict, retryDelaysSeconds: [], onExhausted: 'block' as const };
    const at = setup({ settledThrough: 0, settings, readsAtOnce: true });
    at.lane.wake();
    at.offerThrough(5);
    await at.turn();
    await at.answer(REJECTED);
    await at.settle();
    at.lane.reconfigure(anEndpoint({ configVersion: 2, settings, skipThrough: 5 }));
    expect(at.flushed.map(({ deadRow }) => deadRow)).toMatchObject([{ position: 1, reason: 'skipped' }]);
    await at.settle();
    at.offerThrough(6);
    await at.turn();
    expect(at.requests).toEqual([[1], [6]]);
    expect(at.lane.retryCount).toBe(0);
  });

  test('resumed from the head while the first is in flight, that is given up when it fails', async () => {
    const at = setup({ settledThrough: 0, settings: strict, readsAtOnce: true });
    at.lane.wake();
    at.offerThrough(5);
    await at.turn();
    at.lane.reconfigure(anEndpoint({ configVersion: 2, settings: strict, paused: true }));
    at.lane.reconfigure(anEndpoint({ configVersion: 3, settings: strict, skipThrough: 5 }));
    await at.answer(REJECTED);
    expect(at.flushed.map(({ deadRow }) => deadRow)).toMatchObject([{ position: 1, reason: 'skipped' }]);
    await at.settle();
    at.offerThrough(6);
    await at.turn();
    expect(at.requests).toEqual([[1], [6]]);
  });

  test('turned on, it waits for all that failed before, the first first', async () => {
    const at = setup({ settledThrough: 0, readsAtOnce: true, settings: { retryDelaysSeconds: [600, 10] } });
    at.lane.wake();
    at.offerThrough(3);
    await at.turn();
    await at.answer(([position]) => (position === 2 ? DELIVERED : REJECTED));
    await at.settle();
    at.lane.reconfigure(anEndpoint({ configVersion: 2, settings: { ...strict, retryDelaysSeconds: [600, 10] } }));
    at.offerThrough(4);
    await at.turn();
    expect(at.requests.slice(3)).toEqual([[1]]);
    await at.answer(REJECTED);
    await at.settle();
    await at.wait(9000);
    expect(at.requests.slice(3)).toEqual([[1]]); // 3 is due, and waits
    await at.wait(3000);
    for (const expected of [[3], [4]]) {
      await at.answer(DELIVERED);
      await at.settle();
      expect(at.requests.at(-1)).toEqual(expected);
    }
  });

  test('retries that memory does not hold come before those that it does', async () => {
    const next = Array.from({ length: 256 }, (_, i) => aRetry(1000 - i, { dueMs: NOW_MS - 1000 + i }));
    const at = setup({ settledThrough: 1000, settings: strict, readsAtOnce: true, retries: { total: 300, next } });
    at.lane.wake();
    await at.turn();
    expect(at.requests).toEqual([]);
    at.refills[0].resolve(Array.from({ length: 256 }, (_, i) => aRetry(701 + i)));
    await at.turn();
    expect(at.requests).toEqual([[701]]);
  });
});

describe('live cursor', () => {
  test('is due for a checkpoint a second or a thousand events behind', async () => {
    const at = setup({ settledThrough: 0 });
    at.lane.wake();
    await at.turn();
    at.route(10);
    expect(at.lane.checkpoint(NOW_MS, false)).toMatchObject({ settledThrough: 10 });
    expect(at.lane.behindCheckpoint).toBe(false);
    at.route(20);
    expect(at.lane.checkpoint(NOW_MS + 999, false)).toBeNull();
    expect(at.lane.checkpoint(NOW_MS + 1000, false)).toMatchObject({ settledThrough: 20 });
    at.route(1020);
    expect(at.lane.checkpoint(NOW_MS + 1000, false)).toMatchObject({ settledThrough: 1020 });
  });

  test('its checkpoint stays below what is open, and names the first attempt from there on', async () => {
    const at = setup({ settledThrough: 0 });
    at.lane.wake();
    await at.turn();
    at.offerThrough(3);
    await at.turn();
    const [, second] = at.sent;
    at.sent[0].answer(DELIVERED);
    at.sent[2].answer(DELIVERED);
    const { lane } = await at.settle();
    expect(lane).toMatchObject({ settledThrough: 1, lowAttemptUuid: second.attempt.attemptUuid });
  });
});
