import { describe, expect, test } from 'vitest';
import { placeOf } from './error-place.ts';

const CODE = `const of = (x) => x.name;
export default (event) => {
  const a = event.$id;
  return { ...event, data: event.data.user['name'] + nope };
};`;
const at = (line: number, column: number) => `    at f (transform.js:${line}:${column})\n    at begin (harness.js:9)`;
const place = (message: string, stack: string) => placeOf(CODE, 'transform.js', { message, stack });

describe('place of an error', () => {
  test('is the next one after that which the engine noted, that has what was at fault', () => {
    expect(place("TypeError: cannot read property 'name' of undefined", at(1, 1))).toEqual({ line: 1, column: 20 });
    expect(place("TypeError: cannot read property 'name' of undefined", at(2, 16))).toEqual({ line: 4, column: 43 });
    expect(place("TypeError: cannot set property '$id' of null", at(2, 16))).toEqual({ line: 3, column: 18 });
    expect(place('ReferenceError: nope is not defined', at(2, 16))).toEqual({ line: 4, column: 54 });
  });

  test('is as the engine noted it when nothing leads on', () => {
    expect(place('Error: thrown', at(3, 5))).toEqual({ line: 3, column: 5 });
    expect(place("TypeError: cannot read property 'other' of undefined", at(3, 5))).toEqual({ line: 3, column: 5 });
    expect(place('Error: thrown', '    at f (transform.js:3)')).toEqual({ line: 3, column: null });
    expect(place('Error: thrown', '    at begin (harness.js:9)')).toEqual({ line: null, column: null });
  });
});
