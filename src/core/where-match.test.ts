import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aFilterable } from '../../test/filterable.ts';
import { meets } from '../../test/where-reference.ts';
import { checkFilter, compileFilter } from './filter.ts';
import type { Where } from './where.ts';

function matches(where: Where, data: unknown): boolean {
  expect(checkFilter({ where })).toEqual([]);
  return compileFilter({ where }).matches(aFilterable({ data }));
}

const ORDER = {
  id: 'ord_1',
  amount: 120,
  note: null,
  customer: { country: 'DE', tags: ['vip', 'b2b'], 'first.name': 'Ada', $ref: 'c1' },
  items: [
    { sku: 'a', count: 1 },
    { sku: 'b', count: 5 },
  ],
  matrix: [[1, 2], [3]],
  empty: [],
};

describe('where', () => {
  test.each<[Where, boolean]>([
    // values
    [{ id: 'ord_1' }, true],
    [{ id: 'ord_2' }, false],
    [{ amount: 120 }, true],
    [{ amount: '120' }, false],
    [{ note: null }, true],
    [{ nothing: null }, false],
    [{ customer: { country: 'DE' } }, true],
    [{ 'customer.country': 'DE' }, true],
    [{ 'customer.country': 'FR' }, false],
    [{ customer: { 'first\\.name': 'Ada' } }, true],
    [{ customer: { '\\$ref': 'c1' } }, true],
    [{ customer: { $eq: { ...ORDER.customer } } }, true],
    // comparisons
    [{ amount: { $gt: 119, $lt: 121 } }, true],
    [{ amount: { $gte: 120, $lte: 120 } }, true],
    [{ amount: { $gt: 120 } }, false],
    [{ amount: { $gt: '1' } }, false],
    [{ id: { $gt: 'ord' } }, true],
    [{ id: { $in: ['x', 'ord_1'] } }, true],
    [{ id: { $nin: ['x', 'ord_1'] } }, false],
    [{ id: { $nin: ['x'] } }, true],
    [{ id: { $neq: 'x' } }, true],
    [{ id: { $startsWith: 'ord_', $endsWith: '_1' } }, true],
    [{ id: { $contains: 'rd' } }, true],
    [{ amount: { $contains: '2' } }, false],
    [{ id: { $regex: '^ord_[0-9]+$' } }, true],
    [{ id: { $regex: '^ORD' } }, false],
    [{ id: { $regex: '(?i)^ORD' } }, true],
    [{ id: { $not: { $regex: '^inv' } } }, true],
    // what is missing
    [{ missing: { $exists: false } }, true],
    [{ missing: { $exists: true } }, false],
    [{ note: { $exists: true } }, true],
    [{ missing: { $neq: 'x' } }, false],
    [{ missing: { $nin: ['x'] } }, false],
    [{ missing: { $not: { $eq: 'x' } } }, false],
    [{ $not: { missing: 'x' } }, false],
    [{ $not: { missing: { $exists: true } } }, true],
    [{ 'id.within': { $exists: false } }, true],
    [{ $or: [{ missing: 'x' }, { id: 'ord_1' }] }, true],
    [{ $not: { $or: [{ missing: 'x' }, { id: 'ord_2' }] } }, false],
    [{ $not: { $and: [{ missing: 'x' }, { id: 'ord_2' }] } }, true],
    [{ missing: { $size: 0 } }, false],
    // arrays
    [{ 'customer.tags': 'vip' }, true],
    [{ 'customer.tags': { $in: ['x', 'b2b'] } }, true],
    [{ 'customer.tags': { $neq: 'vip' } }, false],
    [{ 'customer.tags': { $neq: 'x' } }, true],
    [{ 'customer.tags': { $contains: 'vip' } }, true],
    [{ 'customer.tags': { $contains: 'vi' } }, false],
    [{ 'customer.tags': { $eq: ['vip', 'b2b'] } }, true],
    [{ 'customer.tags': { $eq: ['b2b', 'vip'] } }, false],
    [{ 'customer.tags': { $size: 2 } }, true],
    [{ 'customer.tags': { $size: { $gt: 2 } } }, false],
    [{ id: { $size: 5 } }, false],
    [{ 'items.sku': 'b' }, true],
    [{ 'items.1.sku': 'b' }, true],
    [{ 'items.0.sku': 'b' }, false],
    [{ 'items.2.sku': { $exists: false } }, true],
    [{ items: { sku: 'a', count: 5 } }, false],
    [{ items: { sku: 'b', count: { $gte: 5 } } }, true],
    [{ 'items.sku': 'a', 'items.count': 5 }, true],
    [{ items: { sku: { $neq: 'a' } } }, true],
    [{ $not: { items: { sku: 'a' } } }, false],
    [{ matrix: 3 }, true],
    [{ matrix: { $eq: [3] } }, true],
    [{ matrix: { $contains: [1, 2] } }, true],
    [{ empty: { $size: 0 } }, true],
    [{ empty: { $neq: 'x' } }, true],
    [{ empty: 'x' }, false],
    [{ 'empty.key': { $exists: false } }, true],
    [{ 'empty.key': { $neq: 'x' } }, false],
    [{ 'items.length': { $exists: true } }, false],
    // alternatives within a path
    [{ customer: { $or: [{ country: 'FR' }, { tags: 'vip' }] } }, true],
    [{ amount: { $or: [{ $lt: 10 }, { $gt: 100 }] } }, true],
    [{ amount: { $or: [5, 120] } }, true],
  ])('%j is %s of the order', (data, expected) => {
    expect(matches({ data }, ORDER)).toBe(expected);
  });

  test('looks at type, time and channels as well', () => {
    const event = aFilterable({ type: 'invoice.paid', time: '2026-11-21T10:00:00.500Z', channels: ['eu', 'beta'] });
    const is = (where: Where) => {
      expect(checkFilter({ where })).toEqual([]);
      return compileFilter({ where }).matches(event);
    };
    expect(is({ type: 'invoice.paid' })).toBe(true);
    expect(is({ type: { $startsWith: 'user.' } })).toBe(false);
    expect(is({ time: { $gte: '2026-11-21T11:00:00+01:00', $lt: '2026-11-21T10:00:01Z' } })).toBe(true);
    expect(is({ time: '2026-11-21T10:00:00.5Z' })).toBe(true);
    expect(is({ time: { $in: ['2026-11-21T10:00:00Z'] } })).toBe(false);
    expect(is({ time: { $startsWith: '2026-11-21' } })).toBe(true);
    expect(is({ time: { $regex: 'T10:' } })).toBe(true);
    expect(is({ channels: 'eu' })).toBe(true);
    expect(is({ channels: { $size: 2, $neq: 'us' } })).toBe(true);
    expect(is({ $or: [{ type: 'x' }, { channels: { $contains: 'beta' } }] })).toBe(true);
  });

  test('takes data that is no object as it is', () => {
    expect(matches({ data: 'hello' }, 'hello')).toBe(true);
    expect(matches({ data: { $gt: 4 } }, 5)).toBe(true);
    expect(matches({ data: { a: 1 } }, [{ a: 1 }])).toBe(true);
    expect(matches({ data: { a: 1 } }, null)).toBe(false);
    expect(matches({ data: null }, null)).toBe(true);
  });

  test('sees no members but those of the data', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'length']) {
      expect(matches({ data: { [name]: { $exists: true } } }, {}), name).toBe(false);
      const where = { data: JSON.parse(`{"${name}":"x"}`) };
      expect(compileFilter({ where }).matches(aFilterable({ json: `{"${name}":"x"}` })), name).toBe(true);
      expect(compileFilter({ where }).matches(aFilterable({ json: '"x"' })), name).toBe(false);
    }
  });

  test('is what a naive reading of it says', () => {
    const word = fc.constantFrom('', 'a', 'ab', 'b', 'ba');
    const scalar = fc.oneof(word, fc.constantFrom(null, true, false, 0, 1, 2, -1.5));
    const key = fc.constantFrom('a', 'b', 'c', '0', '1');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        scalar,
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
      ),
    }));
    const path = fc.array(key, { minLength: 1, maxLength: 3 }).map((keys) => keys.join('.'));
    const operators = {
      $eq: value,
      $neq: value,
      $in: fc.array(value, { minLength: 1, maxLength: 3 }),
      $nin: fc.array(value, { minLength: 1, maxLength: 3 }),
      $gt: fc.oneof(word, fc.constantFrom(0, 1)),
      $gte: fc.oneof(word, fc.constantFrom(0, 1)),
      $lt: fc.oneof(word, fc.constantFrom(0, 1)),
      $lte: fc.oneof(word, fc.constantFrom(0, 1)),
      $contains: value,
      $startsWith: word,
      $endsWith: word,
      $exists: fc.boolean(),
      $regex: fc.constantFrom('^a', 'b$', 'a.?b', '(a|b)+', ''),
      $size: fc.oneof(fc.nat(3), fc.constant({ $gt: 1 })),
    };
    const someOf = (members: Record<string, fc.Arbitrary<unknown>>) => {
      const one = fc.oneof(...Object.entries(members).map(([name, operand]) => fc.record({ [name]: operand })));
      return fc.tuple(one, one).map(([first, second]) => ({ ...first, ...second }));
    };
    const { condition } = fc.letrec((tie) => {
      const branches = fc.array(tie('condition'), { minLength: 1, maxLength: 2 });
      return {
        condition: fc.oneof(
          { depthSize: 'small', withCrossShrink: true },
          scalar,
          someOf(operators),
          fc.dictionary(path, tie('condition'), { minKeys: 1, maxKeys: 2, noNullPrototype: true }),
          fc.record({ $not: tie('condition') }),
          fc.record({ $and: branches }),
          fc.record({ $or: branches, a: tie('condition') }, { requiredKeys: ['$or'] }),
        ),
      };
    });
    const times = fc.constantFrom('2026-11-21T10:00:00.000Z', '2026-11-21T10:00:00.001Z', '2027-01-01T00:00:00.000Z');
    const where = fc
      .record(
        {
          data: condition,
          type: fc.oneof(word, someOf({ $neq: word, $in: fc.array(word, { minLength: 1 }), $startsWith: word })),
          channels: fc.oneof(word, someOf({ $neq: word, $size: fc.nat(2), $contains: word })),
          time: fc.oneof(times, someOf({ $gt: times, $lte: times, $neq: times })),
        },
        { requiredKeys: ['data'] },
      )
      .chain((plain) => fc.constantFrom<Where>(plain, { $not: plain }, { $or: [plain, { type: 'a' }] }));
    const event = fc.record({ type: word, time: times, channels: fc.array(word, { maxLength: 2 }), data: value });
    let met = 0;
    fc.assert(
      fc.property(where, event, (asked, { data, ...rest }) => {
        fc.pre(checkFilter({ where: asked }).length === 0);
        const filter = compileFilter({ where: asked });
        const filterable = aFilterable({ ...rest, data });
        const expected = meets(asked, { ...rest, data });
        met += Number(expected);
        expect(filter.matches(filterable)).toBe(expected);
        expect(filter.failure(filterable)).toBeNull();
        const { matches: explained, why } = filter.explain(filterable);
        expect(explained).toBe(expected);
        expect(why.length === 0).toBe(expected);
      }),
      { numRuns: 3000 },
    );
    expect(met).toBeGreaterThan(300); // or it would prove nothing
  });

  test('an event that takes too many steps is taken, and told of', () => {
    const where = { data: { items: { a: { $in: Array.from({ length: 200 }, (_, i) => [i]) } } } };
    const filter = compileFilter({ where });
    const small = aFilterable({ data: { items: [{ a: 'x' }] } });
    const large = aFilterable({ data: { items: Array.from({ length: 10_000 }, () => ({ a: 'x' })) } });
    expect([filter.matches(small), filter.failure(small)]).toEqual([false, null]);
    expect(filter.matches(large)).toBe(true);
    expect(filter.failure(large)).toContain('gave up');
    expect(filter.failure(small)).toBeNull();
  });

  test('takes an event whose filter cannot be read, and tells of it', () => {
    const filter = compileFilter({ where: { data: { a: { $later: 1 } } } });
    expect(filter.matches(aFilterable())).toBe(true);
    expect(filter.failure(aFilterable())).toContain('$later');
  });

  test('asks only what type and channels have let through, and parses nothing without need', () => {
    const noJson = { ...aFilterable(), data: Buffer.from('no JSON') };
    const where = { data: { a: 1 } };
    expect(compileFilter({ types: ['x'], where }).matches(noJson)).toBe(false);
    expect(compileFilter({ where: { type: 'x', ...where } }).matches(noJson)).toBe(false);
    expect(compileFilter({ where }).failure(noJson)).toContain('JSON');
  });

  test('is indexed by the types it names', () => {
    expect(compileFilter({ where: { type: 'a' } }).exactTypes).toEqual(['a']);
    expect(compileFilter({ where: { type: { $in: ['b', 'a'] }, data: { x: 1 } } }).exactTypes).toEqual(['a', 'b']);
    expect(compileFilter({ where: { type: { $neq: 'a' } } }).exactTypes).toBeNull();
    expect(compileFilter({ where: { $or: [{ type: 'a' }] } }).exactTypes).toBeNull();
    expect(compileFilter({ types: ['a*'], where: { type: 'a' } }).exactTypes).toBeNull();
  });

  test('ends soon whatever pattern and text', () => {
    const hostile = ['(a*)*$', '(a|a)*b', '(a?){100}a{100}', '([a-z]+)+[0-9]', '(.*)(.*)(.*)x'];
    for (const pattern of hostile) {
      const where = { data: { $regex: pattern } };
      if (checkFilter({ where }).length > 0) continue;
      const event = aFilterable({ data: 'a'.repeat(200_000) });
      const filter = compileFilter({ where });
      const startedMs = performance.now();
      filter.matches(event);
      expect(performance.now() - startedMs, pattern).toBeLessThan(500);
    }
  });
});
