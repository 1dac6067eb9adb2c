import { describe, expect, test } from 'vitest';
import { pathFault, readAll, readText } from './item-path.ts';

const value = { a: { b: [{ c: 1 }, { c: 2 }], 'odd key': 'x' }, '@id': 'y', toString: null, flag: false };

describe('item path', () => {
  test('leads to members, indexes and all of a list', () => {
    expect(readText(value, 'a.b[1].c')).toBe('2');
    expect(readText(value, '$.a.b[0].c')).toBe('1');
    expect(readText(value, 'a["odd key"]')).toBe('x');
    expect(readText(value, '@id')).toBe('y');
    expect(readText(value, 'flag')).toBe('false');
    expect(readAll(value, 'a.b[*].c')).toEqual([1, 2]);
    expect(readAll(value, '')).toEqual([value]);
  });

  test('leads nowhere rather than to what an object inherits', () => {
    for (const path of ['constructor', 'a.b.length', 'a.x.y', 'a.b[7]', 'toString', 'a'])
      expect(readText(value, path)).toBeNull();
  });

  test.each(['a[', 'a..b', 'a[x]', 'a"b', '$a', 'a[0]b'])('refuses %s', (path) => {
    expect(pathFault(path)).toMatch(/cannot be read/);
  });
});
