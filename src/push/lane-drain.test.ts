import { describe, expect, test } from 'vitest';
import { DELIVERED, laneAlone } from '../../test/lane-alone.ts';
import { until } from '../../test/until.ts';
import type { Lane } from './lane.ts';
import { drainLanes } from './lane-drain.ts';

async function aLane(events: number) {
  const at = laneAlone({ settledThrough: 0 });
  at.lane.wake();
  await at.turn();
  at.offerThrough(events);
  await at.turn();
  return at;
}

const drain = (lanes: Lane[], isGone = () => false) => drainLanes(lanes, { now: () => performance.now(), isGone });

describe('lane drain', () => {
  test('ends when all that is open is committed, and lets nothing begin', async () => {
    const at = await aLane(2);
    let rests = false;
    const drained = drain([at.lane]).then((did) => {
      rests = did;
    });
    await until(() => !at.lane.runs);
    at.offerThrough(5);
    await at.turn();
    expect(at.requests).toEqual([[1], [2]]);
    await at.answer(DELIVERED);
    expect(rests).toBe(false);
    await at.settle();
    await drained;
    expect(rests).toBe(true);
    expect(at.lane.settled.position).toBe(2);
    expect(at.requests).toEqual([[1], [2]]);
  });

  test('goes on with quick endpoints while it waits for a slow one', async () => {
    const slow = await aLane(1);
    const quick = await aLane(1);
    await quick.answer(DELIVERED);
    await quick.settle();
    const drained = drain([slow.lane, quick.lane]);
    await until(() => !slow.lane.runs);
    quick.offerThrough(3);
    await quick.turn();
    expect(quick.requests).toEqual([[1], [2], [3]]);
    for (const at of [slow, quick]) {
      await at.answer(DELIVERED);
      await at.settle();
    }
    expect(await drained).toBe(true);
    expect(quick.lane.runs).toBe(false);
  });

  test('gives up when the lanes are no longer its own', async () => {
    const at = await aLane(1);
    let isGone = false;
    const drained = drain([at.lane], () => isGone);
    await until(() => !at.lane.runs);
    isGone = true;
    expect(await drained).toBe(false);
  });

  test('of no lanes is over at once', async () => {
    expect(await drain([])).toBe(true);
  });
});
