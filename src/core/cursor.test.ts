import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { TidingsError } from './errors.ts';

const KEY = Buffer.alloc(32, 7);
const APP = '01890a5d-ac96-774b-bcce-b302099a8057';
const OTHER_APP = '01890a5d-ac96-774b-bcce-b302099a8058';
const CURSOR = { appUuid: APP, generation: 3, position: 1_000_000, day: '2026-11-21' };

const keys = fc.uint8Array({ minLength: 16, maxLength: 100 }).map((bytes) => Buffer.from(bytes));
const uuids = fc.uuid();
const places = fc.record({
  generation: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  position: fc.maxSafeNat().map((n) => n % 2 ** 48),
  day: fc.integer({ min: 0, max: 65_535 }).map((n) => new Date(Date.UTC(2000, 0, 1 + n)).toISOString().slice(0, 10)),
});

function refusal(key: Buffer, appUuid: string, text: string): TidingsError | null {
  try {
    decodeCursor(key, appUuid, text);
    return null;
  } catch (error) {
    if (error instanceof TidingsError && error.code === 'invalid_cursor') return error;
    throw error;
  }
}

describe('cursor', () => {
  test('comes back as it was written', () => {
    fc.assert(
      fc.property(keys, uuids, places, (key, appUuid, place) => {
        const text = encodeCursor(key, { appUuid, ...place });
        expect(text).toMatch(/^[A-Za-z0-9_-]{28}$/);
        expect(decodeCursor(key, appUuid, text)).toEqual(place);
      }),
    );
  });

  test('holds the least and the greatest of every field', () => {
    for (const place of [
      { generation: 0, position: 0, day: '2000-01-01' },
      { generation: 2 ** 32 - 1, position: 2 ** 48 - 1, day: '2179-06-06' },
    ]) {
      expect(decodeCursor(KEY, APP, encodeCursor(KEY, { appUuid: APP, ...place }))).toEqual(place);
    }
  });

  test('is not written for what it cannot hold', () => {
    for (const wrong of [
      { generation: -1 },
      { generation: 2 ** 32 },
      { position: -1 },
      { position: 2 ** 48 },
      { day: '1999-12-31' },
      { day: '2179-06-07' },
      { day: '2026-11-31x' },
      { day: 'yesterday' },
      { appUuid: 'app_tidings' },
    ]) {
      expect(() => encodeCursor(KEY, { ...CURSOR, ...wrong })).toThrow(RangeError);
    }
  });

  test('ends in the first 8 bytes of HMAC-SHA256 as node:crypto computes it, whatever the length of the key', () => {
    fc.assert(
      fc.property(keys, uuids, places, (key, appUuid, place) => {
        const bytes = Buffer.from(encodeCursor(key, { appUuid, ...place }), 'base64url');
        const mac = createHmac('sha256', key).update(appUuid).update(bytes.subarray(0, 13)).digest().subarray(0, 8);
        expect(bytes.subarray(13)).toEqual(mac);
      }),
    );
  });

  test('is refused with any bit flipped', () => {
    fc.assert(
      fc.property(uuids, places, (appUuid, place) => {
        const text = encodeCursor(KEY, { appUuid, ...place });
        for (let bit = 0; bit < 21 * 8; bit++) {
          const bytes = Buffer.from(text, 'base64url');
          bytes[bit >> 3] ^= 1 << (bit & 7);
          expect(refusal(KEY, appUuid, bytes.toString('base64url'))).not.toBeNull();
        }
      }),
      { numRuns: 20 },
    );
  });

  test('is refused for another app, under another key, and says so', () => {
    const text = encodeCursor(KEY, CURSOR);
    expect(refusal(KEY, OTHER_APP, text)?.detail).toMatch(/belongs to another app/);
    expect(refusal(Buffer.alloc(32, 8), APP, text)?.detail).toMatch(/another installation/);
    expect(refusal(KEY, APP, text)).toBeNull();
  });

  test('has one spelling', () => {
    // This one has both of the letters that base64 spells otherwise.
    let text = '';
    for (let position = 0; !(text.includes('-') && text.includes('_')); position++) {
      text = encodeCursor(KEY, { ...CURSOR, position });
    }
    for (const other of [
      text.replaceAll('-', '+').replaceAll('_', '/'),
      `${text}=`,
      `${text}\n`,
      ` ${text}`,
      `${text.slice(0, 14)}.${text.slice(14)}`,
      text.slice(0, -1),
      `${text}A`,
      `${text}AAAA`,
      '',
      'now',
      '42',
      'é'.repeat(28),
    ]) {
      expect(refusal(KEY, APP, other)?.detail).toMatch(/it is not one that this server writes/);
    }
    expect(refusal(KEY, APP, text)).toBeNull();
  });

  test('of an unknown version is told from a broken one', () => {
    const bytes = Buffer.from(encodeCursor(KEY, CURSOR), 'base64url');
    bytes[0] = 2;
    expect(refusal(KEY, APP, bytes.toString('base64url'))?.detail).toMatch(/a version that this server does not know/);
  });

  test('made of any text is refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.base64String({ minLength: 28, maxLength: 28 })),
        (text) => {
          expect(refusal(KEY, APP, text)).not.toBeNull();
        },
      ),
    );
  });
});
