import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitText } from './fit-text.ts';

const escapeAnd = (character: string): string => (character === '&' ? '&amp;' : character);

describe('fit text', () => {
  test('leaves what fits as it is, and says where something is missing', () => {
    expect(fitText('abcde', 5)).toBe('abcde');
    expect(fitText('abcdef', 5)).toBe('abcd…');
    expect(fitText('a&b', 7, escapeAnd)).toBe('a&amp;b');
    expect(fitText('a&b', 6, escapeAnd)).toBe('a…');
  });

  test('never exceeds the limit, cuts no character or escape, and mends lone surrogates', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.integer({ min: 1, max: 70 }), (text, max) => {
        const whole = [...text.toWellFormed()].map(escapeAnd);
        const out = fitText(text, max, escapeAnd);
        expect(out.length).toBeLessThanOrEqual(max);
        if (whole.join('').length <= max) expect(out).toBe(whole.join(''));
        else expect(whole.some((_, count) => `${whole.slice(0, count).join('')}…` === out)).toBe(true);
      }),
    );
  });
});
