import { describe, expect, test } from 'vitest';
import { parseRetryAfter } from './retry-after.ts';

const NOW = Date.UTC(1994, 10, 6, 8, 49, 0);

describe('retry after', () => {
  test.each([
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7000],
    ['86401', 86_400_000],
    ['99999999999999999999999', 86_400_000],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
    ['Sun Nov  6 08:49:37 1994', 37_000],
    ['Sun, 06 Nov 1994 08:48:00 GMT', 0],
    ['Tue, 08 Nov 1994 08:49:37 GMT', 86_400_000],
  ])('reads %j', (field, ms) => {
    expect(parseRetryAfter(field, NOW)).toBe(ms);
  });

  test.each(['', '-5', '1.5', 'soon', '1e3', '0x10', 'Sun', 'Sun, 99 Foo 1994 99:99:99 GMT'])(
    'takes %j for nothing',
    (field) => {
      expect(parseRetryAfter(field, NOW)).toBeNull();
    },
  );

  test('takes the first of repeated fields', () => {
    expect(parseRetryAfter(['3', '9'], NOW)).toBe(3000);
  });
});
