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
import { MAX_BATCH_BYTES } from './delivery-batch.ts';

const batch = { maxEvents: 4, maxWaitMs: 100 };
const settings = { batch, retryDelaysSeconds: [5, 60, 600] };

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Takes all that comes, but for the requests that hold one of these. */
const refusing =
  (...poison: number[]) =>
  (positions: number[]) =>
    positions.some((position) => poison.includes(position)) ? REJECTED : DELIVERED;

async function aLane(more: Partial<Parameters<typeof setup>[0]> = {}) {
  const at = setup({ settledThrough: 0, readsAtOnce: true, settings, ...more });
  at.lane.wake();
  await at.turn();
  return at;
}

describe('delivery batch', () => {
  test('goes when it is full', async () => {
    const at = await aLane();
    at.offerThrough(3);
    await at.turn();
    expect(at.requests).toEqual([]);
    at.offerThrough(9);
    await at.turn();
    expect(at.requests).toEqual([range(1, 4), range(5, 8)]);
  });

  test('goes when its first event has waited for long enough, and the next waits as long again', async () => {
    const at = await aLane();
    at.offerThrough(2);
    await at.turn();
    expect(at.wakes).toContain(NOW_MS + 100);
    await at.wait(99);
    expect(at.requests).toEqual([]);
    await at.wait(1);
    expect(at.requests).toEqual([[1, 2]]);
    at.offerThrough(3);
    await at.turn();
    await at.wait(99);
    expect(at.requests).toEqual([[1, 2]]);
    await at.wait(1);
    expect(at.requests).toEqual([[1, 2], [3]]);
  });

  test('holds no more bytes than it may, and an event that is larger goes alone', async () => {
    const at = await aLane({ sizeOf: (position) => (position === 3 ? 2 * MAX_BATCH_BYTES : MAX_BATCH_BYTES / 2) });
    at.offerThrough(6);
    await at.turn();
    expect(at.requests).toEqual([[1, 2], [3], [4, 5]]);
    await at.wait(100);
    expect(at.requests).toEqual([[1, 2], [3], [4, 5], [6]]);
  });

  test('that fails is halved until the poison stands alone; the innocent are delivered and have used up nothing', async () => {
    const at = await aLane();
    at.offerThrough(4);
    await at.turn();
    for (let n = 0; n < 6; n++) {
      await at.answer(refusing(3));
      await at.settle();
      await at.wait(5000);
    }
    expect(at.requests).toEqual([range(1, 4), [1, 2], [3, 4], [3], [4], [3]]);
    const consumed = at.sent.flatMap((one) => one.batch!.attempts.map((attempt) => attempt.consumed));
    expect(consumed).toEqual([...Array(10).fill(0), 1]);
    expect(at.lane.retryCount).toBe(1);
    expect(at.lane.breaker.isOpen).toBe(false);
  });

  test('has one attempt row for each event, which tell that they shared a request', async () => {
    const at = await aLane();
    at.offerThrough(4);
    await at.turn();
    const { batchUuid } = at.sent[0].batch!;
    await at.answer(DELIVERED);
    expect(at.flushed.map(({ row }) => [row?.event.position, row?.batchUuid, row?.attempt])).toEqual(
      range(1, 4).map((position) => [position, batchUuid, 1]),
    );
    expect(new Set(at.flushed.map(({ row }) => row?.attemptUuid)).size).toBe(4);
    expect(batchUuid).not.toBe(at.flushed[0].row?.attemptUuid);
  });

  test('counts as one request: for the window, the rate and what is open', async () => {
    const at = await aLane({ settings: { ...settings, maxConcurrency: 2, rate: { perSecond: 10 } } });
    at.offerThrough(16);
    await at.turn();
    expect(at.requests).toEqual([range(1, 4)]);
    await at.wait(100);
    expect(at.requests).toEqual([range(1, 4), range(5, 8)]);
    await at.wait(100);
    expect(at.lane.inFlight).toBe(2);
    expect(at.lane.uncommitted).toBe(2);
    await at.answer(DELIVERED);
    await at.settle();
    expect(at.lane.uncommitted).toBe(at.lane.inFlight);
  });

  test('probes are of one event, and what failed together is sent in parts when the endpoint is back', async () => {
    const at = await aLane();
    at.offerThrough(12);
    await at.turn();
    await at.answer(UNREACHABLE);
    await at.settle();
    expect(at.transitions).toEqual(['opened']);
    at.offerThrough(20);
    for (let n = 0; n < 4; n++) {
      await at.wait(70_000);
      await at.answer(UNREACHABLE);
      await at.settle();
    }
    expect(at.requests.slice(3).map((positions) => positions.length)).toEqual([1, 1, 1, 1]);
    const probed = at.requests.slice(3).flat();
    for (let n = 1; n < probed.length; n++) expect(probed[n]).not.toBe(probed[n - 1]);
    for (let n = 0; n < 60; n++) {
      await at.answer(DELIVERED);
      await at.settle();
      await at.wait(70_000);
    }
    expect(new Set(at.requests.flat())).toEqual(new Set(range(1, 20)));
    expect(at.lane.retryCount).toBe(0);
    expect(at.died).toEqual([]);
  });

  test('that was throttled is sent whole again, and has used up nothing', async () => {
    const at = await aLane();
    at.offerThrough(4);
    await at.turn();
    await at.answer(THROTTLED);
    await at.settle();
    await at.wait(3000);
    expect(at.requests).toEqual([range(1, 4), range(1, 4)]);
    expect(at.sent[1].batch!.attempts.map(({ consumed, attempt }) => [consumed, attempt])).toEqual(
      Array(4).fill([0, 2]),
    );
  });

  test('answered with 410 disables the endpoint once', async () => {
    const at = await aLane();
    at.offerThrough(4);
    await at.turn();
    await at.answer({ ...REJECTED, reason: 'status_410', status: 410 });
    expect(at.disabled).toEqual(['gone']);
  });

  test('of retries holds those that are due, without waiting for more', async () => {
    const next = range(1, 6).map((position) => aRetry(position, { dueMs: position < 4 ? NOW_MS : NOW_MS + 9000 }));
    const at = await aLane({ settledThrough: 6, retries: { total: 6, next } });
    expect(at.requests).toEqual([range(1, 3)]);
    await at.wait(9000);
    expect(at.requests).toEqual([range(1, 3), range(4, 6)]);
  });

  test('is no more when the endpoint wants none by the time that its retries were read', async () => {
    const next = range(1, 3).map((position) => aRetry(position));
    const at = await aLane({ settledThrough: 3, retries: { total: 3, next }, readsAtOnce: false });
    expect(at.eventReads).toHaveLength(3);
    at.lane.reconfigure(anEndpoint({ configVersion: 2, settings: { order: 'strict' } }));
    at.resolveEvents();
    await at.turn();
    expect(at.requests).toEqual([[1]]);
    for (const position of [2, 3]) {
      await at.answer(DELIVERED);
      await at.settle();
      at.resolveEvents();
      await at.turn();
      expect(at.requests.at(-1)).toEqual([position]);
    }
  });
});

describe('delivery batch under strict order', () => {
  const strict = { ...settings, order: 'strict' as const, retryDelaysSeconds: [5] };

  test('is halved in order: nothing overtakes, and only the poison is given up', async () => {
    const at = await aLane({ settings: strict });
    at.offerThrough(8);
    await at.turn();
    for (let n = 0; n < 20; n++) {
      await at.answer(refusing(3));
      await at.settle();
      await at.wait(6000);
    }
    expect(at.requests).toEqual([range(1, 4), [1, 2], [3, 4], [3], [3], [4], range(5, 8)]);
    expect(at.died).toEqual(['evt_3 status_4xx']);
  });

  test('that waits for its retry is sent first by its next owner', async () => {
    const next = range(1, 4).map((position) => aRetry(position, { dueMs: NOW_MS + 1000 }));
    const at = await aLane({ settings: strict, settledThrough: 4, retries: { total: 4, next } });
    at.offerThrough(8);
    await at.turn();
    await at.wait(500);
    expect(at.requests).toEqual([]);
    await at.wait(500);
    await at.answer(DELIVERED);
    await at.settle();
    expect(at.requests).toEqual([range(1, 4), range(5, 8)]);
  });
});
