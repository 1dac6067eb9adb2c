import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WakeQueue } from './wake-queue.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

function aLane(onWake: () => void) {
  return { wakeMs: Number.POSITIVE_INFINITY, wake: onWake };
}

describe('wake queue', () => {
  test('wakes each lane at the earliest time that it asked for', () => {
    const queue = new WakeQueue(Date.now);
    const woken: string[] = [];
    const lanes = ['a', 'b', 'c'].map((name) => aLane(() => woken.push(`${name} ${Date.now()}`)));
    queue.at(lanes[0], 300);
    queue.at(lanes[1], 200);
    queue.at(lanes[0], 100);
    queue.at(lanes[2], 250);
    vi.advanceTimersByTime(1000);
    expect(woken).toEqual(['a 100', 'b 200', 'c 250']);
  });

  test('a lane that waits long for one thing and often for another takes up no more room with time', () => {
    const queue = new WakeQueue(Date.now);
    let wakes = 0;
    const lane = aLane(() => {
      wakes++;
      queue.at(lane, 86_400_000);
      queue.at(lane, Date.now() + 10);
    });
    lane.wake();
    vi.advanceTimersByTime(100_000);
    expect(wakes).toBeGreaterThan(9000);
    expect(queue.size).toBeLessThan(3000);
  });
});
