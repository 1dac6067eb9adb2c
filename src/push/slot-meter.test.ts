import { describe, expect, test } from 'vitest';
import { SlotMeter } from './slot-meter.ts';

describe('slot meter', () => {
  test('comes near the rate that is counted, slot by slot', () => {
    const meter = new SlotMeter(0);
    for (let second = 1; second <= 20; second++) {
      for (let n = 0; n < 100; n++) meter.count(3);
      meter.count(255);
      meter.load(second * 1000);
    }
    const { bySlot } = meter.load(20_000);
    expect(bySlot[3]).toBeCloseTo(100, 0);
    expect(bySlot[255]).toBeCloseTo(1, 1);
    expect(bySlot[4]).toBe(0);
  });

  test('forgets what has ended', () => {
    const meter = new SlotMeter(0);
    for (let n = 0; n < 1000; n++) meter.count(0);
    expect(meter.load(1000).bySlot[0]).toBeGreaterThan(200);
    expect(meter.load(31_000).bySlot[0]).toBeLessThan(0.1);
  });

  test('asked twice at once, answers the same', () => {
    const meter = new SlotMeter(0);
    meter.count(0);
    const first = meter.load(1000).bySlot[0];
    meter.count(0);
    expect(meter.load(1100).bySlot[0]).toBe(first);
    expect(meter.load(2000).bySlot[0]).toBeGreaterThan(first);
  });
});
