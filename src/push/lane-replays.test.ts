import { describe, expect, test } from 'vitest';
import { aReplay, DELIVERED, laneAlone as setup } from '../../test/lane-alone.ts';

const SECOND = '0197a000-0000-7000-8000-000000000004';

/** A lane with a backlog as long as its replay, which answers and commits as fast as it is asked. */
async function aBusyLane(maxConcurrency: number) {
  const at = setup({
    settledThrough: 0,
    readsAtOnce: true,
    settings: { maxConcurrency },
    replays: [aReplay({ fromPosition: 0, toPosition: 50_000 })],
  });
  at.route(50_000);
  at.lane.wake();
  await at.turn();
  return at;
}

describe('replays of a lane', () => {
  test.each([
    { maxConcurrency: 1, least: 0.09 },
    { maxConcurrency: 2, least: 0.09 },
    { maxConcurrency: 16, least: 0.09 },
  ])(
    'have a tenth of the window and no more than half of it while live events wait: $maxConcurrency',
    async ({ maxConcurrency, least }) => {
      const at = await aBusyLane(maxConcurrency);
      for (let n = 0; n < 200; n++) {
        const underWay = at.sent.filter(({ isAnswered }) => !isAnswered);
        const replayed = underWay.filter(({ attempt }) => attempt.cause === 'replay').length;
        if (maxConcurrency > 1) expect(replayed / underWay.length).toBeLessThanOrEqual(0.5);
        // One answer at a time, so that every next request is a choice.
        underWay[0].isAnswered = true;
        underWay[0].answer(DELIVERED);
        at.commit();
        await at.turn();
      }
      const share = at.sent.filter(({ attempt }) => attempt.cause === 'replay').length / at.sent.length;
      expect(share).toBeGreaterThanOrEqual(least);
      expect(share).toBeLessThanOrEqual(0.5);
    },
  );

  test('have all of it when nothing else waits', async () => {
    const at = setup({
      settledThrough: 100,
      readsAtOnce: true,
      settings: { maxConcurrency: 8 },
      replays: [aReplay({ toPosition: 100 })],
    });
    at.lane.wake();
    await at.turn();
    expect(at.sent).toHaveLength(8);
  });

  test('take turns', async () => {
    const at = setup({
      settledThrough: 100,
      readsAtOnce: true,
      settings: { maxConcurrency: 4 },
      replays: [aReplay(), aReplay({ replayId: 'rpl_2', replayUuid: SECOND })],
    });
    at.lane.wake();
    await at.turn();
    expect(at.requests).toEqual([[1], [1], [2], [2]]);
  });

  test('begin when they are created and end when they are cancelled; what was in flight is recorded', async () => {
    const at = setup({ settledThrough: 100, readsAtOnce: true, settings: { maxConcurrency: 1 } });
    at.lane.wake();
    await at.turn();
    expect(at.sent).toHaveLength(0);
    at.lane.setReplays([aReplay()]);
    await at.turn();
    expect(at.requests).toEqual([[1]]);
    at.lane.setReplays([]);
    await at.answer(DELIVERED);
    expect(at.requests).toEqual([[1]]);
    expect(at.flushed.map(({ row }) => row?.result.outcome)).toEqual(['delivered']);
    expect((await at.settle()).replays).toEqual([]);
    expect(at.lane.uncommitted).toBe(0);
  });
});
