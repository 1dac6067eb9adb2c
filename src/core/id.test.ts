import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeBase32,
  formatUuid,
  ID_PREFIXES,
  IdGenerator,
  type IdKind,
  idFromUuid,
  looksLikeId,
  parseId,
  TIDINGS_APP_ID,
  TIDINGS_APP_UUID,
  uuidFromId,
} from './id.ts';

const KINDS = Object.keys(ID_PREFIXES) as IdKind[];
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const START_MS = Date.parse('2026-11-21T10:00:00Z');

const sixteenBytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
const kind = fc.constantFrom(...KINDS);

function aGenerator(clock: { nowMs: number } = { nowMs: START_MS }): IdGenerator {
  return new IdGenerator({ now: () => clock.nowMs, randomBytes });
}

function msOf(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}

describe('id', () => {
  test('goes to a UUID and back', () => {
    fc.assert(
      fc.property(kind, sixteenBytes, (kind, bytes) => {
        const uuid = formatUuid(bytes);
        const id = idFromUuid(kind, uuid);
        expect(id).toBe(ID_PREFIXES[kind] + encodeBase32(bytes));
        expect(id).toMatch(/^[a-z]{2,3}_[0-7][0-9a-hjkmnp-tv-z]{25}$/);
        expect(parseId(kind, id)).toBe(uuid);
      }),
    );
  });

  test('is the 128-bit number in base32', () => {
    fc.assert(
      fc.property(sixteenBytes, (bytes) => {
        let rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
        let text = '';
        for (let i = 0; i < 26; i++, rest >>= 5n) text = ALPHABET[Number(rest & 31n)] + text;
        expect(encodeBase32(bytes)).toBe(text);
      }),
    );
    expect(encodeBase32(new Uint8Array(16).fill(255))).toBe('7zzzzzzzzzzzzzzzzzzzzzzzzz');
  });

  test('sorts like its bytes', () => {
    fc.assert(
      fc.property(sixteenBytes, sixteenBytes, (a, b) => {
        const [idA, idB] = [encodeBase32(a), encodeBase32(b)];
        expect(idA < idB ? -1 : idA > idB ? 1 : 0).toBe(Buffer.compare(a, b));
      }),
    );
  });

  test('is of one kind only', () => {
    const id = aGenerator().id('endpoint');
    for (const kind of KINDS) expect(parseId(kind, id) !== null).toBe(kind === 'endpoint');
  });

  test('is not read from garbage', () => {
    const { length } = encodeBase32(new Uint8Array(16));
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...ALPHABET), maxLength: 40 }));
    fc.assert(
      fc.property(kind, text, (kind, text) => {
        const isOne = text.length === length && /^[0-7][0-9a-hjkmnp-tv-z]*$/.test(text);
        expect(parseId(kind, ID_PREFIXES[kind] + text) !== null).toBe(isOne);
        expect(parseId(kind, text)).toBeNull();
      }),
    );
  });

  test.each([
    ['nothing', ''],
    ['the prefix alone', 'ep_'],
    ['a character too few', 'ep_0000000000000000000000000'],
    ['a character too many', 'ep_000000000000000000000000000'],
    ['more than 128 bits', 'ep_80000000000000000000000000'],
    ['upper case', 'ep_0000000000000000000000000A'],
    ['a letter that is left out', 'ep_0000000000000000000000000l'],
    ['a character beyond ASCII', 'ep_0000000000000000000000000é'],
    ['a character that is ASCII in its low bits', 'ep_0000000000000000000000000\u0130'],
    ['a UUID', '00000000-0000-7000-8000-000000000000'],
  ])('is not %s', (_, text) => {
    expect(parseId('endpoint', text)).toBeNull();
  });

  test('has one spelling for the built-in app', () => {
    expect(parseId('app', TIDINGS_APP_ID)).toBe(TIDINGS_APP_UUID);
    expect(idFromUuid('app', TIDINGS_APP_UUID)).toBe(TIDINGS_APP_ID);
    expect(parseId('app', `app_${idFromUuid('event', TIDINGS_APP_UUID).slice(4)}`)).toBeNull();
    expect(parseId('event', TIDINGS_APP_ID)).toBeNull();
  });

  test('that is unknown is answered with not_found', () => {
    expect(() => uuidFromId('endpoint', 'ep_x')).toThrow(expect.objectContaining({ code: 'not_found' }));
    expect(uuidFromId('app', TIDINGS_APP_ID)).toBe(TIDINGS_APP_UUID);
  });

  test('is told from a uid by its prefix', () => {
    const ids = aGenerator();
    for (const kind of KINDS) expect(looksLikeId(ids.id(kind))).toBe(true);
    expect(looksLikeId('app_anything')).toBe(true);
    expect(looksLikeId('acme')).toBe(false);
    expect(looksLikeId('my_app_1')).toBe(false);
  });
});

describe('id generator', () => {
  test('mints UUIDs of version 7 with the time in front', () => {
    const uuid = aGenerator().uuid();
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(msOf(uuid)).toBe(START_MS);
  });

  test('is monotonic within a millisecond', () => {
    const ids = aGenerator();
    let last = ids.id('event');
    for (let i = 0; i < 5000; i++) {
      const next = ids.id('event');
      expect(next > last).toBe(true);
      last = next;
    }
  });

  test('is monotonic whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5000, max: 5000 }), { maxLength: 100 }), (stepsMs) => {
        const clock = { nowMs: START_MS };
        const ids = aGenerator(clock);
        let last = ids.uuid();
        for (const stepMs of stepsMs) {
          clock.nowMs += stepMs;
          const next = ids.uuid();
          expect(next > last).toBe(true);
          last = next;
        }
      }),
    );
  });

  test('follows the clock again when it has caught up', () => {
    const clock = { nowMs: START_MS };
    const ids = aGenerator(clock);
    ids.uuid();
    clock.nowMs -= 10_000;
    expect(msOf(ids.uuid())).toBe(START_MS);
    clock.nowMs = START_MS + 7;
    expect(msOf(ids.uuid())).toBe(START_MS + 7);
  });

  test('never repeats itself', () => {
    const ids = aGenerator();
    const seen = new Set(Array.from({ length: 20_000 }, () => ids.uuid()));
    expect(seen.size).toBe(20_000);
  });

  test('is above everything observed, though another clock was ahead', () => {
    fc.assert(
      fc.property(sixteenBytes, (bytes) => {
        bytes[0] &= 127; // below the last millisecond there is
        bytes[6] = 0x70 | (bytes[6] & 15);
        bytes[8] = 0x80 | (bytes[8] & 63);
        const ids = aGenerator();
        const before = ids.uuid();
        ids.observe(formatUuid(bytes));
        const after = ids.uuid();
        expect(after > formatUuid(bytes)).toBe(true);
        expect(after > before).toBe(true);
      }),
    );
  });

  test('is not moved by what lies behind it', () => {
    const clock = { nowMs: START_MS };
    const early = aGenerator(clock).uuid();
    clock.nowMs += 1000;
    const ids = aGenerator(clock);
    ids.uuid();
    ids.observe(early);
    expect(msOf(ids.uuid())).toBe(START_MS + 1000);
  });

  test('still mints after observing the last UUID there is, or no UUID', () => {
    const ids = aGenerator();
    ids.observe('ffffffff-ffff-7fff-bfff-ffffffffffff');
    ids.observe('garbage');
    expect(msOf(ids.uuid())).toBe(START_MS);
  });
});
