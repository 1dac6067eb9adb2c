import { describe, expect, test } from 'vitest';
import { marksOf, ratesOf } from './backlog.ts';

describe('backlog', () => {
  test('times each quarter of what follows the start', () => {
    expect(marksOf(10_000)).toEqual([2000, 4000, 6000, 8000, 10_000]);
    expect(marksOf(1_000_000).at(-1)).toBe(1_000_000);
  });

  test('takes the rates between the marks', () => {
    const rates = ratesOf([2000, 4000, 6000, 8000, 10_000], [500, 600, 700, 900, 1300]);
    expect(rates).toEqual({ deliveriesPerSecond: 10_000, quarters: [20_000, 20_000, 10_000, 5000] });
  });
});
