import { describe, expect, test } from 'vitest';
import { readTimeMs } from './read-time.ts';

const at = Date.UTC(2026, 10, 21, 9, 0, 0);

describe('time of an item', () => {
  test.each([
    '2026-11-21T09:00:00Z',
    '2026-11-21T10:00:00+01:00',
    '2026-11-21T10:00:00+0100',
    '2026-11-21 09:00:00',
    '2026-11-21 09:00:00 UTC',
    'Sat, 21 Nov 2026 10:00:00 +0100',
    'Sat, 21 Nov 2026 09:00:00 GMT',
    String(at / 1000),
    String(at),
  ])('is read from %s', (text) => {
    expect(readTimeMs(text)).toBe(at);
  });

  test('may be a day', () => expect(readTimeMs('2026-11-21')).toBe(Date.UTC(2026, 10, 21)));

  test.each(['', 'yesterday', '2026-13-01T00:00:00Z', '21/11/2026'])('is not read from "%s"', (text) => {
    expect(readTimeMs(text)).toBeNull();
  });
});
