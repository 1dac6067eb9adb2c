import { describe, expect, test } from 'vitest';
import { anEvent, DAY } from '../../test/lane-alone.ts';
import { ListFeed } from './list-feed.ts';

function aFeed(listed: number[], options: { settled?: number[]; dropped?: number[]; bytes?: number } = {}) {
  const asked: number[] = [];
  const feed = new ListFeed({
    after: { position: 0, day: DAY },
    to: { position: 1000, day: DAY },
    isSettled: (position) => options.settled?.includes(position) ?? false,
    matches: ({ position }) => position !== 13,
    list: async (after, limit) => {
      asked.push(after);
      const places = listed.filter((position) => position > after).map((position) => ({ position, day: DAY }));
      return places.slice(0, limit);
    },
    readAt: async ({ position }) =>
      options.dropped?.includes(position) ? null : anEvent(position, options.bytes ?? 2),
  });
  return { feed, asked };
}

async function all(feed: ListFeed): Promise<number[]> {
  const taken: number[] = [];
  while (feed.isBehind || feed.size > 0) {
    if (feed.needsFill(256)) await feed.fill();
    while (feed.peek()) taken.push(feed.take().position);
  }
  return taken;
}

describe('list feed', () => {
  test('brings what is listed, page by page, and stands at the end of its range then', async () => {
    const listed = Array.from({ length: 150 }, (_, i) => 3 * i + 1);
    const { feed, asked } = aFeed(listed);
    expect(await all(feed)).toEqual(listed.filter((position) => position !== 13));
    expect(asked).toEqual([0, listed[63], listed[127]]);
    expect(feed.scanned()).toEqual({ position: 1000, day: DAY });
  });

  test('leaves out what is settled, does not match or is gone', async () => {
    const { feed } = aFeed([1, 2, 3, 13, 20], { settled: [2], dropped: [3] });
    expect(await all(feed)).toEqual([1, 20]);
  });

  test('ends where nothing is listed', async () => {
    const { feed } = aFeed([]);
    expect(await all(feed)).toEqual([]);
    expect(feed.isBehind).toBe(false);
  });

  test('holds few of large events, and forgets none', async () => {
    const listed = Array.from({ length: 12 }, (_, i) => i + 1);
    const { feed } = aFeed(listed, { bytes: 1024 * 1024 });
    await feed.fill();
    expect(feed.size).toBeLessThanOrEqual(3);
    expect(await all(feed)).toEqual(listed);
  });

  test('what it drops it reads again', async () => {
    const { feed } = aFeed([1, 2, 3, 4]);
    await feed.fill();
    feed.take();
    feed.drop();
    expect(feed.scanned().position).toBe(1);
    expect(await all(feed)).toEqual([2, 3, 4]);
  });
});
