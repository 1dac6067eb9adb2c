import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTime, MAX_TIME_MS, MIN_TIME_MS, parseTime } from './time.ts';

const times = fc.integer({ min: MIN_TIME_MS, max: MAX_TIME_MS });

describe('formatTime', () => {
  test('writes what Date.toISOString writes', () => {
    fc.assert(
      fc.property(times, fc.array(fc.integer({ min: -100_000, max: 100_000 })), (ms, steps) => {
        // Steps within seconds and over days go through what it remembers of the time before.
        for (const step of [0, ...steps]) {
          const at = Math.min(Math.max(ms + step, MIN_TIME_MS), MAX_TIME_MS);
          expect(formatTime(at)).toBe(new Date(at).toISOString());
        }
      }),
    );
  });

  test.each([
    [0, '1970-01-01T00:00:00.000Z'],
    [-1, '1969-12-31T23:59:59.999Z'],
    [MIN_TIME_MS, '0001-01-01T00:00:00.000Z'],
    [MAX_TIME_MS, '9999-12-31T23:59:59.999Z'],
  ])('writes %d', (ms, text) => {
    expect(formatTime(ms)).toBe(text);
  });
});

describe('parseTime', () => {
  test('reads what formatTime writes', () => {
    fc.assert(
      fc.property(times, (ms) => {
        expect(parseTime(formatTime(ms))).toBe(ms);
      }),
    );
  });

  test('reads any offset', () => {
    fc.assert(
      fc.property(times, fc.integer({ min: -1439, max: 1439 }), (ms, offset) => {
        const local = ms + offset * 60_000;
        fc.pre(local >= MIN_TIME_MS && local <= MAX_TIME_MS);
        const two = (n: number) => String(n).padStart(2, '0');
        const minutes = Math.abs(offset);
        const suffix = `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
        expect(parseTime(new Date(local).toISOString().replace('Z', suffix))).toBe(ms);
      }),
    );
  });

  test.each([
    ['2026-11-21T10:00:00Z', '2026-11-21T10:00:00.000Z'],
    ['2026-11-21t10:00:00z', '2026-11-21T10:00:00.000Z'],
    ['2026-11-21T10:00:00-00:00', '2026-11-21T10:00:00.000Z'],
    ['2026-11-21T10:00:00.5+01:30', '2026-11-21T08:30:00.500Z'],
    ['2026-11-21T10:00:00.123999999Z', '2026-11-21T10:00:00.123Z'],
    ['2024-02-29T23:59:59Z', '2024-02-29T23:59:59.000Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['2017-01-01T00:59:60+01:00', '2017-01-01T00:00:00.000Z'],
    ['2016-12-31T15:59:60.5-08:00', '2017-01-01T00:00:00.500Z'],
    ['0099-01-01T00:00:00Z', '0099-01-01T00:00:00.000Z'],
    ['0000-12-31T23:00:00-01:00', '0001-01-01T00:00:00.000Z'],
  ])('reads %s', (text, iso) => {
    const ms = parseTime(text);
    expect(ms === null ? null : new Date(ms).toISOString()).toBe(iso);
  });

  test.each([
    '',
    'now',
    '2026-11-21',
    '2026-11-21T10:00:00',
    '2026-11-21 10:00:00Z',
    '2026-11-21T10:00Z',
    '2026-11-21T10:00:00.Z',
    '2026-11-21T10:00:00,5Z',
    '2026-11-21T10:00:00+0100',
    '2026-11-21T10:00:00+01',
    '2026-11-21T10:00:00+24:00',
    '2026-11-21T10:00:00+01:60',
    '2026-11-21T24:00:00Z',
    '2026-11-21T10:60:00Z',
    '2026-11-21T10:00:61Z',
    '2026-11-21T10:00:60Z',
    '2016-12-31T23:59:60+01:00',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-11-00T00:00:00Z',
    '0000-12-31T23:59:59Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
    '9999-12-31T23:59:60Z',
    '+002026-11-21T10:00:00Z',
    ' 2026-11-21T10:00:00Z',
    '2026-11-21T10:00:00Z\n',
    '٢٠٢٦-11-21T10:00:00Z',
    '1795255200000',
  ])('refuses %j', (text) => {
    expect(parseTime(text)).toBeNull();
  });
});
