import { describe, expect, test } from 'vitest';
import { anEvent, DAY } from '../../test/lane-alone.ts';
import type { LogEvent } from '../core/event.ts';
import type { LogPlace } from '../log/event-cache.ts';
import { LogFeed } from './log-feed.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

function aFeed(
  options: {
    after?: number;
    end?: number;
    settled?: number[];
    dropped?: number;
    matches?: (event: LogEvent) => boolean;
  } = {},
) {
  const state = { end: options.end ?? 0 };
  const reads: number[] = [];
  let gate: Promise<void> | null = null;
  const feed = new LogFeed({
    after: { position: options.after ?? 0, day: DAY },
    isSettled: (position) => options.settled?.includes(position) ?? false,
    matches: options.matches ?? (() => true),
    read: async (from: LogPlace) => {
      reads.push(from.position);
      await gate;
      const first = Math.max(from.position, (options.dropped ?? 0) + 1);
      return range(first, Math.min(state.end, first + 99)).map((position) => anEvent(position));
    },
    end: () => ({ position: state.end, day: DAY }),
  });
  const take = (): number[] => {
    const taken: number[] = [];
    while (feed.peek()) taken.push(feed.take().position);
    return taken;
  };
  return {
    feed,
    state,
    reads,
    take,
    hold: () => {
      let release = (): void => {};
      gate = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
  };
}

describe('log feed', () => {
  test('reads until it has caught up, then takes what is handed over', async () => {
    const { feed, state, take } = aFeed({ end: 150 });
    expect(feed.isBehind).toBe(true);
    expect(feed.wants(anEvent(151))).toBe(false);
    await feed.fill();
    await feed.fill();
    expect(feed.isBehind).toBe(false);
    expect(take()).toEqual(range(1, 150));
    expect(feed.scanned().position).toBe(150);
    state.end = 151;
    expect(feed.wants(anEvent(151))).toBe(true);
    expect(feed.offer(anEvent(151), true)).toBe(true);
    expect(take()).toEqual([151]);
  });

  test('leaves out what is settled already and what does not match', async () => {
    const { feed, take } = aFeed({ end: 10, settled: [2, 3], matches: ({ position }) => position % 2 === 1 });
    await feed.fill();
    expect(take()).toEqual([1, 5, 7, 9]);
    expect(feed.scanned().position).toBe(10);
  });

  test('falls behind when it has no room, and reads on from there', async () => {
    const { feed, state, take } = aFeed();
    expect(feed.isBehind).toBe(false);
    for (const position of range(1, 600)) {
      state.end = position;
      if (feed.wants(anEvent(position))) feed.offer(anEvent(position), true);
    }
    expect(feed.size).toBe(512);
    expect(feed.scanned().position).toBe(512);
    expect(take()).toEqual(range(1, 512));
    await feed.fill();
    expect(take()).toEqual(range(513, 600));
    expect(feed.isBehind).toBe(false);
  });

  test('reads what it was not handed over', async () => {
    const { feed, state, take } = aFeed();
    expect(feed.isBehind).toBe(false);
    feed.missed({ position: 1, day: DAY });
    state.end = 20;
    await feed.fill();
    expect(take()).toEqual(range(1, 20));
  });

  test('what it drops it reads again, also when a read was under way', async () => {
    const { feed, state, reads, take, hold } = aFeed({ end: 150 });
    await feed.fill();
    const release = hold();
    const filling = feed.fill();
    feed.drop();
    release();
    expect(await filling).toBe(false);
    state.end = 160;
    while (feed.isBehind) await feed.fill();
    expect(take()).toEqual(range(1, 160));
    expect(reads.slice(0, 3)).toEqual([1, 101, 1]);
  });

  test('skips, also over what a read under way brings', async () => {
    const { feed, take, hold } = aFeed({ end: 90 });
    const release = hold();
    const filling = feed.fill();
    feed.skipTo(50, DAY);
    release();
    await filling;
    while (feed.isBehind) await feed.fill();
    expect(take()).toEqual(range(51, 90));
    expect(feed.floor.position).toBe(50);
  });

  test('goes over what retention has dropped', async () => {
    const { feed, take } = aFeed({ end: 300, dropped: 290 });
    while (feed.isBehind) await feed.fill();
    expect(take()).toEqual(range(291, 300));
    const gone = aFeed({ end: 300, dropped: 300 });
    while (gone.feed.isBehind) await gone.feed.fill();
    expect(gone.feed.scanned().position).toBe(300);
  });

  test('counts what fits into a batch, one at least', () => {
    const { feed, state } = aFeed();
    expect(feed.isBehind).toBe(false);
    for (const [i, bytes] of [900, 60, 60].entries()) {
      state.end = i + 1;
      feed.offer(anEvent(i + 1, bytes), true);
    }
    expect(feed.countWithin(10, 1000)).toBe(2);
    expect(feed.countWithin(10, 100)).toBe(1);
    expect(feed.countWithin(1, 1000)).toBe(1);
    expect(feed.bytes).toBe(1020);
  });
});
