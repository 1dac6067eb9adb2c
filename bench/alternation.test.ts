import { describe, expect, test } from 'vitest';
import { alternate, median } from './alternation.ts';

describe('alternation', () => {
  test('turns the order round with every round', async () => {
    const order: string[] = [];
    const results = await alternate({
      rounds: 3,
      first: async (round) => order.push(`a${round}`),
      second: async (round) => {
        order.push(`b${round}`);
        return `b${round}`;
      },
    });
    expect(order).toEqual(['a0', 'b0', 'b1', 'a1', 'a2', 'b2']);
    expect(results).toEqual({ first: [1, 4, 5], second: ['b0', 'b1', 'b2'] });
  });

  test('takes the median', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });
});
