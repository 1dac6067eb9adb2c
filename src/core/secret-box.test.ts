import { createDecipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TidingsError } from './errors.ts';
import { generateMasterKey, type MasterKey, parseMasterKey, SecretBox } from './secret-box.ts';

const ROW = 'endpoint_secrets/app/endpoint/secret';
const PLAIN = Buffer.from('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');

function aKey(): MasterKey {
  return parseMasterKey(generateMasterKey(randomBytes));
}

function aBox(...keys: MasterKey[]): SecretBox {
  return new SecretBox({ keys: keys.length > 0 ? keys : [aKey()], randomBytes });
}

function detailOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof TidingsError) return error.detail;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('secret box', () => {
  test('opens what it sealed', () => {
    const box = aBox();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, boundTo) => {
        const plain = Buffer.from(bytes);
        expect(box.open(box.seal(plain, boundTo), boundTo).equals(plain)).toBe(true);
      }),
    );
  });

  test('is AES-256-GCM in the documented layout', () => {
    const text = generateMasterKey(randomBytes);
    const sealed = aBox(parseMasterKey(text)).seal(PLAIN, ROW);
    expect(sealed[0]).toBe(1);
    expect(sealed.toString('hex', 1, 9)).toBe(parseMasterKey(text).id);
    expect(sealed.length).toBe(1 + 8 + 12 + 16 + PLAIN.length);
    const decipher = createDecipheriv('aes-256-gcm', Buffer.from(text, 'base64'), sealed.subarray(9, 21));
    decipher.setAAD(Buffer.concat([sealed.subarray(0, 9), Buffer.from(ROW)])).setAuthTag(sealed.subarray(21, 37));
    expect(Buffer.concat([decipher.update(sealed.subarray(37)), decipher.final()]).equals(PLAIN)).toBe(true);
  });

  test('seals the same bytes differently each time', () => {
    const box = aBox();
    expect(box.seal(PLAIN, ROW).equals(box.seal(PLAIN, ROW))).toBe(false);
  });

  test('does not open for another row', () => {
    const box = aBox();
    const sealed = box.seal(PLAIN, ROW);
    expect(detailOf(() => box.open(sealed, `${ROW}2`))).toMatch(/altered, or belongs to another row/);
    expect(detailOf(() => box.open(sealed, ''))).toMatch(/altered, or belongs to another row/);
  });

  test('digests by its key', () => {
    const key = aKey();
    expect(aBox(key).digest(PLAIN)).toEqual(aBox(key).digest(PLAIN));
    expect(aBox(key).digest(PLAIN)).not.toEqual(aBox(key).digest(Buffer.from('else')));
    expect(aBox(key).digest(PLAIN)).not.toEqual(aBox().digest(PLAIN));
  });

  test('does not open when any bit was changed or the end cut off', () => {
    const box = aBox();
    const sealed = box.seal(PLAIN, ROW);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const altered = Buffer.from(sealed);
      altered[bit >> 3] ^= 1 << (bit & 7);
      expect(() => box.open(altered, ROW)).toThrow(TidingsError);
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(() => box.open(sealed.subarray(0, length), ROW)).toThrow(TidingsError);
    }
  });

  test('names both keys when the master key is another', () => {
    const [written, given] = [aKey(), aKey()];
    const sealed = aBox(written).seal(PLAIN, ROW);
    const detail = detailOf(() => aBox(given).open(sealed, ROW));
    expect(detail).toContain(written.id);
    expect(detail).toContain(given.id);
    expect(detail).toContain(ROW);
    expect(detail).toMatch(/Start it with the master key/);
  });

  test('opens with an older key and says that it should be sealed anew', () => {
    const [older, newer] = [aKey(), aKey()];
    const sealed = aBox(older).seal(PLAIN, ROW);
    const box = aBox(newer, older);
    expect(box.open(sealed, ROW).equals(PLAIN)).toBe(true);
    expect(box.needsReseal(sealed)).toBe(true);
    const resealed = box.seal(PLAIN, ROW);
    expect(box.needsReseal(resealed)).toBe(false);
    expect(aBox(newer).open(resealed, ROW).equals(PLAIN)).toBe(true);
  });

  test('needs a key', () => {
    expect(() => new SecretBox({ keys: [], randomBytes })).toThrow(/no master key/);
  });
});

describe('master key', () => {
  test('is the same from base64, hex and with space around it', () => {
    const text = generateMasterKey(randomBytes);
    const hex = Buffer.from(text, 'base64').toString('hex');
    const ids = [text, ` ${text}\n`, hex, hex.toUpperCase()].map((form) => parseMasterKey(form).id);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{16}$/);
    expect(
      aBox(parseMasterKey(hex))
        .open(aBox(parseMasterKey(text)).seal(PLAIN, ROW), ROW)
        .equals(PLAIN),
    ).toBe(true);
  });

  test('has an id of its own that does not begin the key', () => {
    const text = Buffer.alloc(32, 7).toString('base64');
    expect(parseMasterKey(text).id).not.toBe('07'.repeat(8));
    expect(aKey().id).not.toBe(aKey().id);
  });

  test.each([
    ['nothing', ''],
    ['16 bytes', Buffer.alloc(16, 1).toString('base64')],
    ['33 bytes', Buffer.alloc(33, 1).toString('base64')],
    ['hex of 31 bytes', '01'.repeat(31)],
    ['base64 without padding', Buffer.alloc(32, 1).toString('base64').slice(0, -1)],
    ['base64url', Buffer.alloc(32, 255).toString('base64url')],
    ['base64 with stray last bits', `${'A'.repeat(42)}B=`],
    ['a passphrase', 'correct horse battery staple'],
  ])('is not %s', (_, text) => {
    const detail = detailOf(() => parseMasterKey(text));
    expect(detail).toMatch(/must be 32 random bytes.*openssl rand -base64 32/);
    if (text !== '') expect(detail).not.toContain(text);
  });
});
