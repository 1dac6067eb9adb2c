import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExactNumber, parseExact, writeExact } from './exact-json.ts';

const parse = (json: string) => parseExact(Buffer.from(json));

describe('exact JSON', () => {
  test('keeps the digits of numbers', () => {
    const json = '{"price":12.50,"big":12345678901234567890,"small":-0,"e":1E3,"plain":7,"list":[1.0,2]}';
    expect(writeExact(parse(json))).toBe(json);
    const { price, plain } = parse(json) as Record<string, ExactNumber>;
    expect(`${price}`).toBe('12.50');
    expect(Number(price) + 1).toBe(13.5);
    expect(price.gt(12)).toBe(true);
    expect(price.equals(new ExactNumber('12.5'))).toBe(true);
    expect(plain).toBe(7);
  });

  test('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(JSON.parse(writeExact(parse(json)))).toEqual(JSON.parse(json));
      }),
    );
  });

  test('takes __proto__ for a key like others, with and without exact numbers', () => {
    for (const json of ['{"__proto__":{"a":1}}', '{"__proto__":{"a":1.0}}']) {
      const value = parse(json) as object;
      expect(Object.keys(value)).toEqual(['__proto__']);
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(writeExact(value as never)).toBe(json);
    }
  });
});
