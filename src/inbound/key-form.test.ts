import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeStrictly, KEY_FORMS, parseKey } from './key-form.ts';

describe('key form', () => {
  test('makes no key of an empty text', () => {
    for (const form of KEY_FORMS) {
      for (const text of ['', ' ', '\n', 'whsec_', 'whpk_']) {
        if (form !== 'text' || text.trim() === '') expect(parseKey(form, text), `${form} ${text}`).toBeNull();
      }
    }
  });

  test('reads a public key as PEM and as base64, in one line or several', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = publicKey.export({ format: 'pem', type: 'spki' }) as string;
    const der = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    for (const text of [pem, der, der.replace(/.{20}/g, '$&\n')]) {
      expect(parseKey('spki', text)?.equals(publicKey)).toBe(true);
    }
    expect(parseKey('spki', der.slice(0, -8))).toBeNull();
  });

  test('reads an Ed25519 key in either form', () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    expect(parseKey('ed25519', raw.toString('hex').toUpperCase())?.equals(publicKey)).toBe(true);
    expect(parseKey('whpk', `whpk_${raw.toString('base64')}`)?.equals(publicKey)).toBe(true);
    expect(parseKey('whpk', raw.toString('base64'))).toBeNull();
  });

  test('decodes what encodes back to itself, and nothing else', () => {
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 1, maxLength: 70 }), (bytes) => {
          const text = Buffer.from(bytes).toString(encoding);
          expect(decodeStrictly(text, encoding)).toEqual(Buffer.from(bytes));
        }),
      );
      fc.assert(
        fc.property(fc.string({ maxLength: 12 }), (text) => {
          const bytes = decodeStrictly(text, encoding);
          if (bytes !== null) expect(bytes.toString(encoding)).toBe(text);
        }),
      );
    }
    // Two texts of the same bytes: the bits that are left over differ.
    expect(decodeStrictly('QQ==', 'base64')).toEqual(Buffer.from('A'));
    expect(decodeStrictly('QR==', 'base64')).toBeNull();
    expect(decodeStrictly('4F', 'hex')).toBeNull();
  });
});
