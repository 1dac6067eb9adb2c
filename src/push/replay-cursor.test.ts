import { describe, expect, test } from 'vitest';
import {
  aReplay,
  aRetry,
  DAY,
  DELIVERED,
  NOW_MS,
  REJECTED,
  laneAlone as setup,
  UNREACHABLE,
} from '../../test/lane-alone.ts';
import { LIVE_CURSOR_UUID } from '../storage/flush.ts';

const UUID = aReplay().replay.replayUuid;
const settings = { retryDelaysSeconds: [5] };
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

async function aLane(more: Partial<Parameters<typeof setup>[0]> = {}) {
  const at = setup({ settledThrough: 100, readsAtOnce: true, settings, replays: [aReplay()], ...more });
  at.lane.wake();
  await at.turn();
  return at;
}

/** Answers and commits until nothing more is sent; the replays' last rows. */
async function finish(at: Awaited<ReturnType<typeof aLane>>) {
  const rows = [];
  for (let sent = -1; sent < at.sent.length; ) {
    sent = at.sent.length;
    await at.answer(DELIVERED);
    rows.push(...(await at.settle()).replays, ...(await at.settle()).replays);
  }
  return rows;
}

describe('replay cursor', () => {
  test('sends its range once, tells its progress, and says once that it is done', async () => {
    const at = await aLane({ replays: [aReplay({ fromPosition: 2, settledThrough: 2, toPosition: 10 })] });
    expect(at.sent[0].attempt.cause).toBe('replay');
    expect(at.sent[0].attempt.cursorUuid).toBe(UUID);
    const rows = await finish(at);
    expect(at.requests.flat()).toEqual(range(3, 10));
    expect(rows.at(-1)).toMatchObject({ settledThrough: 10, delivered: 8, dead: 0, isDone: true });
    expect(rows.filter(({ isDone }) => isDone)).toHaveLength(1);
    expect(at.lane.idle).toBe(true);
  });

  test('is not taken for new by a read of the table from before it was written as done', async () => {
    const running = [aReplay({ toPosition: 3 })];
    const at = await aLane({ replays: running });
    await finish(at);
    at.lane.setReplays(running);
    await at.turn();
    expect(at.requests.flat()).toEqual([1, 2, 3]);
    at.lane.setReplays([]);
    expect(at.lane.replayIds).toEqual([]);
  });

  test('what it delivers is neither dead nor to be tried again for the endpoint', async () => {
    const at = await aLane({
      replays: [aReplay({ toPosition: 1 })],
      retries: { total: 1, next: [aRetry(1, { dueMs: NOW_MS + 60_000 })] },
    });
    await at.answer(DELIVERED);
    const own = { cursorUuid: LIVE_CURSOR_UUID, position: 1 };
    expect(at.flushed).toMatchObject([{ closedRetry: own, closedDead: own }]);
    expect(at.lane.retryCount).toBe(0);
  });

  test('that holds for what it delivers with a retry of its own too', async () => {
    const at = await aLane({
      replays: [aReplay({ toPosition: 1 })],
      retries: { total: 1, next: [aRetry(1, { dueMs: NOW_MS + 60_000 })] },
    });
    await at.answer(REJECTED);
    await at.settle();
    await at.wait(6000);
    await at.answer(DELIVERED);
    const closed = at.flushed.map(({ closedRetry }) => closedRetry?.cursorUuid);
    expect(closed.toSorted()).toEqual([LIVE_CURSOR_UUID, UUID]);
    expect(at.lane.retryCount).toBe(0);
  });

  test('counts what it gave up, also when retention has dropped the event', async () => {
    const at = await aLane({ replays: [aReplay({ toPosition: 2 })] });
    await at.answer(REJECTED);
    await at.settle();
    at.expire(1);
    await at.wait(6000);
    await at.answer(REJECTED);
    const rows = [...(await at.settle()).replays, ...(await at.settle()).replays];
    expect(rows.at(-1)).toMatchObject({ dead: 2, delivered: 0, isDone: true });
    expect(at.died.toSorted()).toEqual(['evt_1 expired', 'evt_2 status_4xx']);
  });

  test('is not done while one of its events waits for a retry', async () => {
    const at = await aLane({ replays: [aReplay({ toPosition: 1 })] });
    await at.answer(REJECTED);
    expect((await at.settle()).replays).toMatchObject([{ settledThrough: 1, isDone: false }]);
    await at.wait(6000);
    expect((await finish(at)).at(-1)).toMatchObject({ delivered: 1, isDone: true });
  });

  test('goes on where its last owner stood, by its own record only', async () => {
    const running = aReplay({ toPosition: 10, settledThrough: 4, delivered: 4 });
    running.state = {
      settledBeyond: new Set([6, 7]),
      lowAttemptUuid: null,
      retries: { total: 1, next: [aRetry(7, { dueMs: NOW_MS + 5000 })] },
    };
    const at = await aLane({ replays: [running], settledThrough: 0, settledBeyond: new Set([5, 9]) });
    expect(at.requests.flat()).toEqual([5, 8, 9, 10]);
    await at.wait(5000);
    expect(at.requests.flat().at(-1)).toBe(7);
  });

  test('takes only the types that it asks for', async () => {
    const at = await aLane({
      replays: [aReplay({ toPosition: 10, types: ['odd'] })],
      typeOf: (n) => (n % 2 ? 'odd' : 'even'),
    });
    const rows = await finish(at);
    expect(at.requests.flat()).toEqual([1, 3, 5, 7, 9]);
    expect(rows.at(-1)).toMatchObject({ delivered: 5, isDone: true });
  });

  test('of the failed or dead takes what the tables list, page by page', async () => {
    const at = await aLane({ replays: [aReplay({ toPosition: 100, only: 'dead' })] });
    expect(at.lists).toHaveLength(1);
    at.lists[0].resolve([3, 50].map((position) => ({ position, day: DAY })));
    await at.turn();
    const rows = await finish(at);
    expect(at.requests.flat()).toEqual([3, 50]);
    expect(rows.at(-1)).toMatchObject({ settledThrough: 100, delivered: 2, isDone: true });
  });

  test('is exempt from strict order, in its own failures too', async () => {
    const strict = { ...settings, order: 'strict' as const, onExhausted: 'block' as const, retryDelaysSeconds: [1] };
    const at = await aLane({
      settings: strict,
      replays: [aReplay({ toPosition: 2 })],
      retries: { total: 1, next: [aRetry(90, { dueMs: NOW_MS + 3_600_000 })] },
    });
    expect(at.requests).toEqual([[1]]); // although the log is held up by 90
    await at.answer(REJECTED);
    await at.settle();
    expect(at.requests).toEqual([[1], [2]]);
    await at.answer(REJECTED);
    await at.settle();
    for (let n = 0; n < 3; n++) {
      await at.wait(1100);
      await at.answer(REJECTED);
      await at.settle();
    }
    expect(at.died).toEqual(['evt_1 status_4xx', 'evt_2 status_4xx']);
    expect(at.lane.replayIds).toEqual([]);
  });

  test('one event of it that always fails does not take the endpoint for down, under strict order neither', async () => {
    const at = await aLane({
      settings: { order: 'strict', retryDelaysSeconds: [1, 1, 1, 1, 1] },
      replays: [aReplay({ toPosition: 1 })],
    });
    for (let n = 0; n < 5; n++) {
      await at.answer(UNREACHABLE);
      await at.settle();
      await at.wait(1100);
    }
    expect(at.transitions).toEqual([]);
  });

  test('with a full span its oldest open event is parked, in its own name', async () => {
    const at = await aLane({ settledThrough: 20_000, replays: [aReplay({ toPosition: 20_000 })] });
    const [first] = at.sent;
    for (let n = 0; n < 4000 && at.flushed.every(({ retry }) => retry === null); n++) {
      for (const one of at.sent) {
        if (one === first || one.isAnswered) continue;
        one.isAnswered = true;
        one.answer(DELIVERED);
      }
      if (at.flushed.every(({ retry }) => retry === null)) at.commit();
      await at.turn();
    }
    expect(at.flushed.map(({ retry }) => retry).filter((retry) => retry !== null)).toMatchObject([
      { cursorUuid: UUID, position: 1, reason: 'open' },
    ]);
    expect((await at.settle()).replays[0].settledThrough).toBeGreaterThan(8000);
    first.answer(DELIVERED);
    expect(at.flushed.some(({ closedRetry }) => closedRetry?.cursorUuid === UUID)).toBe(true);
  });
});
