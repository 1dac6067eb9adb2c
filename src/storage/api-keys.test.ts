import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { generateToken, isToken } from './api-keys.ts';

describe('api key', () => {
  test('has the prefix, one length, and a checksum that holds', () => {
    for (let i = 0; i < 200; i++) {
      const token = generateToken(randomBytes);
      expect(token).toMatch(/^tdg_[0-9a-z]{40}$/);
      expect(isToken(token)).toBe(true);
    }
  });

  test('spells its bytes out: all zero bits are all zero digits but for the checksum', () => {
    expect(generateToken((size) => Buffer.alloc(size))).toMatch(/^tdg_0{33}/);
  });

  test('with any one character changed is no key', () => {
    const token = generateToken(randomBytes);
    for (let i = 4; i < token.length; i++) {
      const other = token[i] === 'a' ? 'b' : 'a';
      expect(isToken(token.slice(0, i) + other + token.slice(i + 1))).toBe(false);
    }
  });

  test.each(['', 'tdg_', 'tdg_short', `tdg_${'u'.repeat(40)}`, `${generateToken(randomBytes)}0`])(
    'is not %j',
    (text) => {
      expect(isToken(text)).toBe(false);
    },
  );
});
