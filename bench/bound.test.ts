import { describe, expect, test } from 'vitest';
import { type Bound, boundsToJson, boundsToNotes, isMet } from './bound.ts';

const bounds: Bound[] = [
  { name: 'p99Ratio', words: 'p99 beside holes / without', value: 1.304, atMost: 1.3 },
  { name: 'rate', words: 'Rate, deliveries/s', value: 12_345.6, atLeast: 9000, decimals: 0 },
  { name: 'gapMs', words: 'Gap, ms', value: null, atMost: 1000, decimals: 0 },
];

describe('bound', () => {
  test('is met by its limit itself, and not by what was not measured', () => {
    expect(bounds.map(isMet)).toEqual([false, true, false]);
    expect(isMet({ ...bounds[0], value: 1.3 })).toBe(true);
    expect(isMet({ ...bounds[1], value: 9000 })).toBe(true);
    expect(isMet({ ...bounds[1], value: 8999.9 })).toBe(false);
    expect(isMet({ ...bounds[0], value: Number.NaN })).toBe(false);
  });

  test('stands in the JSON with what was wanted', () => {
    expect(JSON.parse(JSON.stringify(boundsToJson(bounds)))).toEqual({
      p99Ratio: { value: 1.304, atMost: 1.3, met: false },
      rate: { value: 12_346, atLeast: 9000, met: true },
      gapMs: { value: null, atMost: 1000, met: false },
    });
  });

  test('is a sentence in the notes', () => {
    expect(boundsToNotes(bounds)).toEqual([
      'p99 beside holes / without: 1.304; wanted ≤ 1.300: MISSED.',
      'Rate, deliveries/s: 12,346; wanted ≥ 9,000: met.',
      'Gap, ms: –; wanted ≤ 1,000: MISSED.',
    ]);
  });
});
