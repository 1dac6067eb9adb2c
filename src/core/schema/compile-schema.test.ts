import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkSchema } from './check-schema.ts';
import { compileSchema } from './compile-schema.ts';
import type { Schema } from './schema.ts';

function faults(schema: unknown, data: unknown): [string, string][] {
  expect(checkSchema(schema)).toEqual([]);
  return compileSchema(schema as Schema)(data).map(({ path, message }) => [path, message]);
}

describe('compiled schema', () => {
  test('tells every fault with its place', () => {
    const schema = {
      type: 'object',
      required: ['id', 'amount'],
      properties: {
        amount: { type: 'integer', minimum: 0 },
        currency: { enum: ['eur', 'usd'] },
        lines: { type: 'array', items: { type: 'object', properties: { 'a/b': { type: 'string', maxLength: 3 } } } },
      },
      additionalProperties: false,
    };
    const data = { amount: -1.5, currency: 'EUR', lines: [{ 'a/b': 'long 😀' }, 1], extra: null };
    expect(faults(schema, data)).toEqual([
      ['/id', 'This is required.'],
      ['/amount', 'This must be an integer, not -1.5.'],
      ['/amount', 'This must be at least 0.'],
      ['/currency', 'This must be one of "eur","usd".'],
      ['/lines/0/a~1b', 'This must have at most 3 characters, not 6.'],
      ['/lines/1', 'This must be an object, not 1.'],
      ['/extra', 'There must be no such member.'],
    ]);
    expect(faults(schema, { id: 1, amount: 2 })).toEqual([['/id', 'There must be no such member.']]);
  });

  test('tells at most 20 faults', () => {
    expect(faults({ items: { type: 'string' } }, Array(100).fill(1))).toHaveLength(20);
    const nested = { anyOf: [{ items: { type: 'string' } }, { type: 'null' }] };
    expect(faults({ items: nested }, Array(30).fill([1, 2]))).toHaveLength(20);
  });

  test('tells of alternatives what is wrong with the one that was meant', () => {
    const schema = { anyOf: [{ type: 'null' }, { type: 'object', required: ['id'] }] };
    expect(faults(schema, {})).toEqual([['/id', 'This is required.']]);
    expect(faults(schema, 1)).toEqual([['', 'This fits none of the 2 schemas of `anyOf`.']]);
    expect(faults({ oneOf: [{ minimum: 1 }, { maximum: 5 }] }, 3)[0][1]).toMatch(/more than one/);
  });

  test('sees only members that are there', () => {
    const schema = { required: ['constructor'], properties: { toString: { type: 'string' } } };
    expect(faults(schema, {})).toEqual([['/constructor', 'This is required.']]);
    const own = JSON.parse('{"__proto__":1,"constructor":2,"toString":"x"}');
    expect(faults({ ...schema, required: ['constructor', '__proto__'] }, own)).toEqual([]);
    const rules = JSON.parse('{"properties":{"__proto__":{"type":"string"}}}');
    expect(faults(rules, own)).toEqual([['/__proto__', 'This must be a string, not 1.']]);
  });

  test('takes multiples by their decimals', () => {
    const fits = (multipleOf: number, value: number): boolean => faults({ multipleOf }, value).length === 0;
    expect([
      fits(0.1, 0.3),
      fits(0.01, 4.35),
      fits(0.0001, 0.0075),
      fits(2, -4),
      fits(1e-8, 12.34),
      fits(5, 1e300),
    ]).toEqual(Array(6).fill(true));
    expect([fits(0.1, 0.35), fits(2, 3), fits(0.0001, 0.00751), fits(0.123456789, 1e308)]).toEqual(
      Array(4).fill(false),
    );
  });

  test('takes numbers that are too large for it as such', () => {
    const huge = JSON.parse('[1e400]')[0];
    expect(faults({ multipleOf: 2, minimum: 0 }, huge)).toEqual([['', 'This must be a multiple of 2.']]);
    expect(faults({ type: 'integer' }, huge)).toHaveLength(1);
    expect(checkSchema({ multipleOf: huge, maximum: huge })).toHaveLength(2);
  });

  test('checks the formats that it knows and no other', () => {
    const fits = (format: string, text: string): boolean => faults({ format }, text).length === 0;
    const good = {
      'date-time': '2026-02-28T23:59:60Z',
      date: '2024-02-29',
      time: '10:00:00.5+02:00',
      duration: 'P1DT12H',
      email: 'a.b+c@example.com',
      hostname: 'a-b.example',
      ipv4: '10.0.0.255',
      ipv6: '::ffff:10.0.0.1',
      uri: 'https://example.com/a?b=%20#c',
      'uri-reference': '../a',
      uuid: '2EB8AA08-aa98-11ea-b4aa-73b441d16380',
      'json-pointer': '/a~1b/~0',
    };
    for (const [format, text] of Object.entries(good)) expect(fits(format, text), format).toBe(true);
    const bad = {
      'date-time': '2026-02-29T00:00:00Z',
      date: '2025-02-29',
      time: '25:00:00Z',
      duration: 'P',
      email: 'a..b@example.com',
      hostname: '-a.example',
      ipv4: '10.0.0.256',
      ipv6: '1::2::3',
      uri: 'example.com',
      'uri-reference': 'a b',
      uuid: '2eb8aa08-aa98-11ea-b4aa-73b441d1638',
      'json-pointer': 'a',
    };
    for (const [format, text] of Object.entries(bad)) expect(fits(format, text), format).toBe(false);
    expect(fits('color', 'no colour')).toBe(true);
  });

  test('counts what an array contains, and looks at the rest', () => {
    const schema = { contains: { type: 'string' }, minContains: 2, maxContains: 3 };
    const fits = (data: unknown): boolean => faults(schema, data).length === 0;
    expect([[], ['a'], ['a', 1, 'b'], ['a', 'b', 'c', 'd']].map(fits)).toEqual([false, false, true, false]);
    expect(faults({ ...schema, minContains: 0 }, [])).toEqual([]);
    const rest = { prefixItems: [true], contains: { type: 'string' }, unevaluatedItems: false };
    expect(faults(rest, [1, 'a', 2])).toEqual([['/2', 'There must be nothing here.']]);
  });

  test('looks at members that no other schema has looked at', () => {
    const schema = {
      allOf: [{ properties: { a: true } }],
      anyOf: [{ required: ['b'], properties: { b: true } }, { properties: { c: true } }],
      unevaluatedProperties: false,
    };
    expect(faults(schema, { a: 1, b: 1, c: 1 })).toEqual([]);
    expect(faults(schema, { a: 1, d: 1 })).toEqual([['/d', 'There must be nothing here.']]);
    const not = { not: { not: { properties: { a: true } } }, unevaluatedProperties: false };
    expect(faults(not, { a: 1 })).toHaveLength(1);
  });

  test('refers within itself, also to itself', () => {
    const tree = {
      $defs: {
        node: { type: 'object', required: ['name'], properties: { children: { items: { $ref: '#/$defs/node' } } } },
      },
      $ref: '#/$defs/node',
    };
    const data = { name: 'a', children: [{ name: 'b', children: [{}] }] };
    expect(faults(tree, data)).toEqual([['/children/0/children/0/name', 'This is required.']]);
    const anchored = { $defs: { x: { $dynamicAnchor: 'x', type: 'number' } }, items: { $dynamicRef: '#x' } };
    expect(faults(anchored, ['1'])).toHaveLength(1);
  });
});

/** Schemas over few names, so that data hits them. Not of `contains`, which ajv finds in some empty arrays. */
const name = fc.constantFrom('a', 'b', 'c'); // of names such as constructor ajv is not to be asked
const leaf = fc.oneof(
  fc.constantFrom(0, 1, 1.5, -2, '', 'a', 'ab', 'b1', null, true, false),
  fc.constant([]),
  fc.constant({}),
);
const record = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.array(fc.tuple(name, value), { maxLength: 3 }).map((entries) => Object.fromEntries(entries));
const { data } = fc.letrec<{ data: unknown }>((tie) => ({
  data: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('data'), { maxLength: 4 }), record(tie('data'))),
}));
const count = fc.nat({ max: 3 });
const { schema } = fc.letrec<{ schema: Schema }>((tie) => {
  const child = tie('schema');
  const list = fc.array(child, { minLength: 1, maxLength: 3 });
  const keywords: fc.Arbitrary<Record<string, unknown>>[] = [
    fc.record({ type: fc.constantFrom('null', 'boolean', 'object', 'array', 'number', 'string', 'integer') }),
    fc.record({ type: fc.constant(['string', 'integer', 'object']) }),
    fc.record({ enum: fc.array(data, { minLength: 1, maxLength: 3 }) }),
    fc.record({ const: data }),
    fc.record({ minimum: fc.integer({ min: -2, max: 2 }), exclusiveMaximum: fc.integer({ min: -1, max: 3 }) }),
    fc.record({ multipleOf: fc.constantFrom(0.5, 1, 2) }),
    fc.record({ minLength: count, maxLength: count }),
    fc.record({ pattern: fc.constantFrom('^a', 'b', '\\d$') }),
    fc.record({ minItems: count, maxItems: count, uniqueItems: fc.boolean() }),
    fc.record({ prefixItems: list, items: child }),
    fc.record({ properties: record(child), required: fc.uniqueArray(name, { maxLength: 2 }) }),
    fc.record({ properties: record(child), additionalProperties: child }),
    fc.record({ patternProperties: fc.record({ '^[ab]$': child }), propertyNames: child, minProperties: count }),
    fc.record({ dependentRequired: record(fc.uniqueArray(name, { maxLength: 2 })), dependentSchemas: record(child) }),
    fc.record({ allOf: list }),
    fc.record({ anyOf: list }),
    fc.record({ oneOf: list }),
    fc.record({ not: child }),
    // biome-ignore lint/suspicious/noThenProperty: a keyword
    fc.record({ if: child, then: child, else: child }),
  ];
  return { schema: fc.oneof({ depthSize: 'small' }, fc.boolean(), ...keywords) as fc.Arbitrary<Schema> };
});
const both = fc
  .tuple(schema, schema)
  .map(([a, b]) => (typeof a === 'object' && typeof b === 'object' ? { ...a, ...b } : a));

describe('compiled schema, beside ajv', () => {
  const ajv = new Ajv2020({ strict: false, ownProperties: true, validateSchema: false, logger: false });

  test('finds the same data valid', () => {
    fc.assert(
      fc.property(both, fc.array(data, { minLength: 1, maxLength: 6 }), (schema, values) => {
        const own = compileSchema(schema);
        const other = ajv.compile(schema);
        ajv.removeSchema();
        let theirs: boolean[] = [];
        try {
          theirs = values.map((value) => other(value));
        } catch {
          fc.pre(false); // ajv generates programs that fail for some conditions beside members
        }
        expect(values.map((value) => own(value).length === 0)).toEqual(theirs);
      }),
      { numRuns: 300 },
    );
  });
});

describe('compiled schema, of data and schemas made to be slow', () => {
  const fault = [['', 'This takes too long to check. Make it smaller, or its schema simpler.']];
  const timed = (schema: unknown, data: unknown): [unknown, number] => {
    const begin = performance.now();
    const found = faults(schema, data);
    return [found, performance.now() - begin];
  };
  const deep = (levels: number): unknown => (levels === 0 ? {} : { a: deep(levels - 1) });

  test.each([
    [
      'alternatives that are tried again at each level',
      {
        $defs: {
          n: {
            anyOf: [1, 2].map((i) => ({
              allOf: [{ properties: { a: { $ref: '#/$defs/n' } } }, { required: [`x${i}`] }],
            })),
          },
        },
        $ref: '#/$defs/n',
      },
      deep(100),
    ],
    ['a wide schema on a long array', { items: { allOf: Array(2000).fill({ minimum: 0 }) } }, Array(300_000).fill(1)],
    [
      'a long text, again and again',
      { allOf: Array.from({ length: 1000 }, (_, i) => ({ minLength: i })) },
      'x'.repeat(1_000_000),
    ],
    ['a large pattern on a long text', { pattern: '[ab]*a[ab]{100}$' }, 'ab'.repeat(500_000)],
    [
      'references within references',
      {
        $defs: Object.fromEntries(
          Array.from({ length: 40 }, (_, i) => [
            `d${i}`,
            i === 0 ? {} : { allOf: [1, 2].map(() => ({ $ref: `#/$defs/d${i - 1}` })) },
          ]),
        ),
        $ref: '#/$defs/d39',
      },
      1,
    ],
  ])('ends: %s', (_what, schema, data) => {
    const [found, ms] = timed(schema, data);
    expect(found).toEqual(fault);
    expect(ms).toBeLessThan(10_000);
  });

  test('is no slower than its data where items must be different', () => {
    const items = Array.from({ length: 100_000 }, (_, i) => [i % 99_999]);
    const [found, ms] = timed({ uniqueItems: true }, items);
    expect(found).toEqual([['/99999', 'This item is there already; each must be different.']]);
    expect(ms).toBeLessThan(10_000);
  });

  test('does not fill the stack for good', () => {
    const chain = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`d${i}`, { $ref: `#/$defs/d${i + 1}` }]));
    const schema = { $defs: { ...chain, d2000: { properties: { a: { $ref: '#/$defs/d0' } } } }, $ref: '#/$defs/d0' };
    expect(faults(schema, deep(100))).toEqual(fault);
    expect(faults(schema, 1)).toEqual([]);
  });
});
