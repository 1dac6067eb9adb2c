import { describe, expect, test } from 'vitest';
import type { HostedLane } from './lane-host.ts';
import { LaneTurns } from './lane-turns.ts';

/** A lane that could send so many requests. */
function aLane(name: string, could: number, log: string[], turns: () => LaneTurns): HostedLane {
  let left = could;
  const lane = {
    isReady: false,
    pump: (burst: number) => {
      const taken = Math.min(burst, left);
      left -= taken;
      log.push(`${name} ${taken}`);
      if (name === 'broken') throw new Error('broken');
      return left > 0;
    },
    wake: () => {
      if (lane.isReady) return;
      lane.isReady = true;
      turns().add(lane);
    },
  } as unknown as HostedLane;
  return lane;
}

const ended = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));

describe('lane turns', () => {
  test('go round, each for a few requests', async () => {
    const log: string[] = [];
    const turns: LaneTurns = new LaneTurns(() => {});
    for (const [name, could] of [
      ['busy', 40],
      ['quiet', 1],
    ] as const)
      aLane(name, could, log, () => turns).wake();
    await ended();
    expect(log).toEqual(['busy 16', 'quiet 1', 'busy 16', 'busy 8']);
  });

  test('that fail do not take the others with them', async () => {
    const log: string[] = [];
    const failed: HostedLane[] = [];
    const turns: LaneTurns = new LaneTurns((lane) => failed.push(lane));
    const broken = aLane('broken', 1, log, () => turns);
    broken.wake();
    aLane('other', 1, log, () => turns).wake();
    await ended();
    expect(log).toEqual(['broken 1', 'other 1']);
    expect(failed).toEqual([broken]);
    expect(broken.isReady).toBe(false);
  });

  test('that were cleared are not taken, and can be asked for again', async () => {
    const log: string[] = [];
    const turns: LaneTurns = new LaneTurns(() => {});
    const lane = aLane('a', 1, log, () => turns);
    lane.wake();
    turns.clear();
    await ended();
    expect(log).toEqual([]);
    lane.wake();
    await ended();
    expect(log).toEqual(['a 1']);
  });
});
