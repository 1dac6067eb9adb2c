import { describe, expect, test } from 'vitest';
import { Histogram } from './histogram.ts';

describe('histogram', () => {
  test('gives percentiles within one percent of the sorted values', () => {
    const histogram = new Histogram();
    const values: number[] = [];
    let seed = 1;
    for (let i = 0; i < 20_000; i++) {
      seed = (seed * 48271) % 2147483647;
      const ms = 0.01 * 1.0008 ** (seed % 18_000);
      values.push(ms);
      histogram.record(ms);
    }
    values.sort((a, b) => a - b);
    for (const percent of [1, 25, 50, 90, 99, 99.9]) {
      const exact = values[Math.ceil((percent / 100) * values.length) - 1];
      expect(Math.abs(histogram.percentile(percent) / exact - 1), `p${percent}`).toBeLessThan(0.01 + 0.001 / exact);
    }
    expect(histogram.percentile(100)).toBe(values.at(-1));
  });

  test('counts a rank from below: of two values the 50th percentile is the lesser', () => {
    const histogram = new Histogram();
    histogram.record(0.05);
    histogram.record(90);
    expect(histogram.percentile(50)).toBe(0.05);
    expect(histogram.percentile(51)).toBe(90);
  });

  test('keeps what lies beyond its range in the last bucket and its true maximum', () => {
    const histogram = new Histogram();
    histogram.record(1e9);
    histogram.record(-1);
    expect(histogram.maxMs).toBe(1e9);
    expect(histogram.percentile(1)).toBe(0);
    expect(histogram.count).toBe(2);
  });

  test('has no percentile when it is empty', () => {
    expect(new Histogram().percentile(50)).toBeNaN();
    expect(new Histogram().summary().max).toBeNaN();
  });

  test('survives the way through JSON', () => {
    const histogram = new Histogram();
    for (const ms of [0.001, 0.2, 3, 3, 40_000]) histogram.record(ms);
    const copy = Histogram.fromData(JSON.parse(JSON.stringify(histogram.toData())));
    expect(copy.summary()).toEqual(histogram.summary());
    expect(copy.count).toBe(5);
    copy.clear();
    expect(copy.toData()).toEqual(new Histogram().toData());
  });

  test('takes in what others recorded', () => {
    const [a, b, both] = [new Histogram(), new Histogram(), new Histogram()];
    for (const ms of [1, 2, 900]) a.record(ms);
    for (const ms of [2, 30]) b.record(ms);
    for (const ms of [1, 2, 900, 2, 30]) both.record(ms);
    a.add(b.toData());
    a.add(new Histogram().toData());
    expect(a.toData()).toEqual(both.toData());
  });
});
