import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadline, Deadlines } from './deadlines.ts';

class Alarm extends Deadline {
  rangMs: number | null = null;
  readonly #onRing: () => void;

  constructor(onRing: () => void = () => {}) {
    super();
    this.#onRing = onRing;
  }

  override onDeadline(): void {
    this.rangMs = performance.now();
    this.#onRing();
  }
}

describe('deadlines', () => {
  let deadlines: Deadlines;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    vi.advanceTimersByTime(123_457.5);
    deadlines = new Deadlines();
  });
  afterEach(() => {
    deadlines.stop();
    vi.useRealTimers();
  });

  test.each([0, 1, 24, 25, 26, 999, 15_000, 25_600, 25_625, 60_000, 120_000])(
    'rings after %i ms: never early, at most 50 ms late',
    (delayMs) => {
      const alarm = new Alarm();
      const atMs = performance.now() + delayMs;
      deadlines.set(alarm, atMs);
      vi.advanceTimersByTime(delayMs + 60);
      expect(alarm.rangMs).not.toBeNull();
      expect(alarm.rangMs! - atMs).toBeGreaterThanOrEqual(0);
      expect(alarm.rangMs! - atMs).toBeLessThanOrEqual(50);
      expect(deadlines.size).toBe(0);
    },
  );

  test('does not ring what was cleared', () => {
    const alarms = Array.from({ length: 5 }, () => new Alarm());
    for (const alarm of alarms) deadlines.set(alarm, performance.now() + 100);
    deadlines.clear(alarms[0]);
    deadlines.clear(alarms[2]);
    deadlines.clear(alarms[2]);
    expect(deadlines.entries()).toEqual([alarms[1], alarms[3], alarms[4]]);
    vi.advanceTimersByTime(200);
    expect(alarms.map((alarm) => alarm.rangMs !== null)).toEqual([false, true, false, true, true]);
  });

  test('moves a deadline that is set again', () => {
    const alarm = new Alarm();
    deadlines.set(alarm, performance.now() + 100);
    deadlines.set(alarm, performance.now() + 1000);
    vi.advanceTimersByTime(900);
    expect(alarm.rangMs).toBeNull();
    vi.advanceTimersByTime(200);
    expect(alarm.rangMs).not.toBeNull();
  });

  test('obeys what an alarm does to the others that are due', () => {
    const second = new Alarm();
    const third = new Alarm();
    const first = new Alarm(() => {
      deadlines.clear(second);
      deadlines.set(third, performance.now() + 1000);
    });
    for (const alarm of [first, second, third]) deadlines.set(alarm, performance.now() + 50);
    vi.advanceTimersByTime(100);
    expect([first, second, third].map((alarm) => alarm.rangMs !== null)).toEqual([true, false, false]);
    vi.advanceTimersByTime(1100);
    expect(third.rangMs).not.toBeNull();
  });

  test('has no timer while nothing is open', () => {
    const alarm = new Alarm();
    deadlines.set(alarm, performance.now() + 100);
    expect(vi.getTimerCount()).toBe(1);
    deadlines.clear(alarm);
    vi.advanceTimersByTime(50);
    expect(vi.getTimerCount()).toBe(0);
    deadlines.set(alarm, performance.now() + 100);
    vi.advanceTimersByTime(200);
    expect(alarm.rangMs).not.toBeNull();
  });
});
