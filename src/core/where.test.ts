import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readWhere, WHERE_LIMITS } from './where.ts';

function errorsOf(where: unknown) {
  return readWhere(where, '/filter/where').errors;
}

function nested(depth: number): unknown {
  return depth === 0 ? 1 : { a: nested(depth - 1) };
}

describe('where check', () => {
  test.each<[string, unknown, string]>([
    ['no object', 'x', ''],
    ['a list', [], ''],
    ['an empty condition', {}, ''],
    ['an empty condition within', { data: { a: {} } }, '/data/a'],
    ['what a filter does not look at', { amount: 5 }, '/amount'],
    ['an unknown operator', { data: { a: { $ne: 1 } } }, '/data/a/$ne'],
    ['an operator without a path', { $gt: 1 }, '/$gt'],
    ['a list where a value is meant', { data: { a: [1, 2] } }, '/data/a'],
    ['something within the type', { type: { name: 'x' } }, '/type/name'],
    ['a pattern as the type', { type: 'invoice.*' }, '/type'],
    ['patterns among types', { type: { $in: ['a', 'b*'] } }, '/type/$in'],
    ['something within a count', { data: { a: { $size: { b: 1 } } } }, '/data/a/$size/b'],
    ['a path with two dots', { data: { 'a..b': 1 } }, '/data/a..b'],
    ['a key with a slash, escaped as in RFC 6901', { data: { 'a/b~c': { $x: 1 } } }, '/data/a~1b~0c/$x'],
    ['$in without a list', { data: { $in: 1 } }, '/data/$in'],
    ['$nin with an empty list', { data: { a: { $nin: [] } } }, '/data/a/$nin'],
    ['$exists with a number', { data: { a: { $exists: 1 } } }, '/data/a/$exists'],
    ['$gt with a boolean', { data: { a: { $gt: true } } }, '/data/a/$gt'],
    ['$startsWith with a number', { data: { a: { $startsWith: 1 } } }, '/data/a/$startsWith'],
    ['$size with a fraction', { data: { a: { $size: 1.5 } } }, '/data/a/$size'],
    ['$and with an object', { $and: { data: 1 } }, '/$and'],
    ['$or with nothing', { $or: [] }, '/$or'],
    ['what is wrong in a branch', { $or: [{ data: 1 }, { data: { $nope: 1 } }] }, '/$or/1/data/$nope'],
    ['$not of a value without a path', { $not: 1 }, '/$not'],
    ['a time that is none', { time: { $gt: 'yesterday' } }, '/time/$gt'],
    ['a time among others that is none', { time: { $in: ['2026-11-21T10:00:00Z', 'x'] } }, '/time/$in'],
    ['a number that has neighbours', { data: { id: 2 ** 63 } }, '/data/id'],
    ['such a number within', { data: { a: { $in: [{ id: 1e300 }] } } }, '/data/a/$in'],
    ['a number that is none', { data: { a: Number.POSITIVE_INFINITY } }, '/data/a'],
    ['what is no JSON', { data: { a: undefined } }, '/data/a'],
    ['a character that cannot be stored', { data: { a: 'x\0' } }, '/data/a'],
    ['half a surrogate pair', { data: { a: '\ud800' } }, '/data/a'],
    ['a pattern with a look-ahead', { data: { a: { $regex: '(?=a)b' } } }, '/data/a/$regex'],
    ['a pattern with a back-reference', { data: { a: { $regex: '(a)\\1' } } }, '/data/a/$regex'],
    ['a pattern that is not closed', { data: { a: { $regex: '(a' } } }, '/data/a/$regex'],
    ['a pattern that is too long', { data: { a: { $regex: 'a'.repeat(257) } } }, '/data/a/$regex'],
    ['a pattern that grows too large', { data: { a: { $regex: '[a-c]{500}' } } }, '/data/a/$regex'],
    ['a pattern that grows without end', { data: { a: { $regex: '((a{9}){9}){9}' } } }, '/data/a/$regex'],
    [
      'a long list',
      { data: { a: { $in: Array.from({ length: WHERE_LIMITS.list + 1 }, (_, i) => i) } } },
      '/data/a/$in',
    ],
    ['too much text', { data: { a: 'x'.repeat(WHERE_LIMITS.chars) } }, ''],
    ['too many terms', { $or: Array.from({ length: 101 }, (_, i) => ({ data: i })) }, ''],
    ['too many patterns', { $or: Array.from({ length: 11 }, (_, i) => ({ data: { $regex: `a${i}` } })) }, ''],
  ])('refuses %s', (_, where, path) => {
    const errors = errorsOf(where);
    expect(errors.map((error) => error.path)).toEqual([`/filter/where${path}`]);
  });

  test('names everything that is wrong', () => {
    const where = { data: { a: { $nope: 1 }, b: { $exists: 'x' } }, other: 1 };
    const paths = errorsOf(where).map(({ path }) => path);
    expect(paths).toEqual(['/filter/where/data/a/$nope', '/filter/where/data/b/$exists', '/filter/where/other']);
  });

  test('says what is meant instead', () => {
    expect(errorsOf({ data: { a: { $ne: 1 } } })[0].message).toContain('$neq');
    expect(errorsOf({ data: { $ref: 1 } })[0].message).toContain('\\$ref');
    expect(errorsOf({ data: { a: [1] } })[0].message).toContain('$in');
    expect(errorsOf({ type: 'invoice.*' })[0].message).toContain('`types`');
  });

  test('refuses what is nested too deeply, in braces or in a path', () => {
    expect(errorsOf({ data: nested(WHERE_LIMITS.depth - 2) })).toEqual([]);
    expect(errorsOf({ data: nested(WHERE_LIMITS.depth) })).toHaveLength(1);
    expect(errorsOf({ data: nested(10_000) })).toHaveLength(1);
    expect(
      errorsOf({
        data: {
          [Array(WHERE_LIMITS.depth + 1)
            .fill('a')
            .join('.')]: 1,
        },
      }),
    ).toHaveLength(1);
    expect(errorsOf({ data: { ['a.'.repeat(8000)]: 1 } }).length).toBeGreaterThan(0);
  });

  test('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything(), (garbage) => {
        expect(Array.isArray(errorsOf(garbage))).toBe(true);
        expect(Array.isArray(errorsOf({ data: garbage, $and: garbage, type: garbage }))).toBe(true);
        const operators = { $in: garbage, $regex: garbage, $size: garbage, $exists: garbage, $not: garbage };
        expect(Array.isArray(errorsOf({ time: operators, data: operators }))).toBe(true);
      }),
    );
  });
});
