import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkSchema } from '../schema/check-schema.ts';
import { compileSchema } from '../schema/compile-schema.ts';
import type { Schema } from '../schema/schema.ts';
import { compareSchemas } from './schema-changes.ts';

/** `receivers /path`, in the order they are told in. */
function changes(before: unknown, after: unknown): string[] {
  for (const schema of [before, after]) expect(checkSchema(schema)).toEqual([]);
  return compareSchemas(before as Schema, after as Schema).map(({ affects, path }) => `${affects} ${path}`.trim());
}
const objectOf = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });

describe('schema changes', () => {
  test('finds none where nothing can break', () => {
    const before = objectOf({ a: { type: 'string' } }, { required: ['a'] });
    expect(changes(before, before)).toEqual([]);
    expect(changes(before, objectOf({ a: { type: 'string', description: 'A' }, b: {} }, { required: ['a'] }))).toEqual(
      [],
    );
    expect(changes(before, { $ref: '#/$defs/x', $defs: { x: before } })).toEqual([]);
    expect(changes({ type: ['string', 'null'] }, { anyOf: [{ type: 'null' }, { type: 'string' }] })).toEqual([]);
    expect(compareSchemas(null, null)).toEqual([]);
  });

  test('tells receivers what may come that could not', () => {
    const before = objectOf(
      { a: { type: 'integer', minimum: 0 }, b: { enum: ['x', 'y'] }, c: {}, d: { type: 'string', pattern: '^a' } },
      { required: ['a', 'b'] },
    );
    const after = objectOf(
      { a: { type: 'number', minimum: -1 }, b: { enum: ['x', 'y', 'z'] }, d: { type: 'string' } },
      { required: ['a'] },
    );
    expect(changes(before, after)).toEqual([
      'receivers /b',
      'receivers /a',
      'receivers /a',
      'receivers /b',
      'receivers /c',
      'receivers /d',
    ]);
    const messages = compareSchemas(before as Schema, after as Schema).map(({ message }) => message);
    expect(messages).toEqual([
      'This may be absent now.',
      'This may be number now.',
      '`minimum` is -1 instead of 0.',
      'This may be "z" now.',
      'This is no longer described: it may be gone, or anything.',
      '`pattern` was taken away.',
    ]);
  });

  test('tells publishers what may no longer be sent', () => {
    const before = objectOf({ a: { type: 'string' }, b: {} });
    const after = objectOf({ a: { type: 'string', maxLength: 5 } }, { required: ['a'], additionalProperties: false });
    expect(changes(before, after)).toEqual([
      'receivers /b',
      'publishers /a',
      'publishers /a',
      'publishers /b',
      'publishers',
    ]);
  });

  test('looks into items, further members and alternatives', () => {
    const of = (item: object) => ({ type: 'array', items: item });
    expect(changes(of({ type: 'string' }), of({ type: 'null' }))).toEqual(['receivers /*', 'publishers /*']);
    const map = (item: object) => ({ type: 'object', additionalProperties: item });
    expect(changes(map({ type: 'string' }), map({ type: ['string', 'null'] }))).toEqual(['receivers /*']);
    const alternatives = (...kinds: string[]) => ({ oneOf: kinds.map((kind) => objectOf({ kind: { const: kind } })) });
    expect(changes(alternatives('a', 'b'), alternatives('a', 'b', 'c'))).toEqual(['receivers']);
    expect(changes(alternatives('a', 'b', 'c'), alternatives('c', 'b'))).toEqual(['publishers']);
    expect(changes(alternatives('a', 'b'), alternatives('c', 'b'))).toEqual(['receivers /kind', 'publishers /kind']);
    expect(changes({ type: 'string' }, { type: ['string', 'null'] })).toEqual(['receivers']);
  });

  test('follows references, also where they lead back', () => {
    const tree = (value: object) => ({
      $ref: '#/$defs/node',
      $defs: { node: objectOf({ value, next: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/node' }] } }) },
    });
    expect(changes(tree({ type: 'string' }), tree({ type: 'string', title: 'x' }))).toEqual([]);
    expect(changes(tree({ type: 'string' }), tree({ type: 'integer' }))).toContain('receivers /value');
    const hidden = (type: string) => ({ not: { $ref: '#/$defs/a' }, $defs: { a: { type } } });
    expect(changes(hidden('string'), hidden('null'))).toEqual(['receivers', 'publishers']);
  });

  test('tells that there is a schema, or none any more', () => {
    expect(compareSchemas(null, {}).map(({ affects }) => affects)).toEqual(['publishers']);
    expect(compareSchemas({}, null).map(({ affects }) => affects)).toEqual(['receivers']);
  });

  test('gives up on what is too large, and says so', () => {
    const wide = (depth: number, leaf: object): object =>
      depth === 0 ? leaf : { anyOf: Array.from({ length: 6 }, () => wide(depth - 1, leaf)) };
    const found = compareSchemas(wide(4, { type: 'string' }) as Schema, wide(4, { type: 'null' }) as Schema);
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThanOrEqual(50);
  });

  test('misses nothing: data that only the new schema takes means a change for receivers', () => {
    const leaf = fc.constantFrom<unknown>(
      { type: 'string' },
      { type: ['string', 'null'] },
      { type: 'integer', minimum: 1 },
      { enum: ['a', 1, null] },
      { const: 'a' },
      { anyOf: [{ type: 'integer' }, { const: 'b' }] },
      { type: 'array', items: { type: 'integer' } },
      { not: { type: 'string' } },
      { minLength: 2 },
      true,
      false,
    );
    const schema = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 2 }, leaf, tie('object'), tie('array'), tie('both')),
      object: fc.record(
        {
          type: fc.constant('object'),
          properties: fc.dictionary(fc.constantFrom('a', 'b'), tie('any'), { maxKeys: 2 }),
          required: fc.uniqueArray(fc.constantFrom('a', 'b')),
          additionalProperties: fc.oneof(fc.boolean(), tie('any')),
        },
        { requiredKeys: [] },
      ),
      array: fc.record(
        { prefixItems: fc.array(tie('any'), { minLength: 1, maxLength: 2 }), items: tie('any'), maxItems: fc.nat(2) },
        { requiredKeys: [] },
      ),
      both: fc.record(
        { allOf: fc.array(tie('any'), { minLength: 1, maxLength: 2 }), minProperties: fc.nat(1) },
        { requiredKeys: ['allOf'] },
      ),
    })).any;
    const data = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 2 },
        fc.constantFrom('a', 'b', '', 'long', 0, 1, 2, -1, 1.5, null, true),
        fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('any'), { maxKeys: 3 }),
        fc.array(tie('any'), { maxLength: 3 }),
      ),
    })).any;
    fc.assert(
      fc.property(schema, schema, fc.array(data, { minLength: 1, maxLength: 10 }), (before, after, values) => {
        const [old, now] = [compileSchema(before as Schema), compileSchema(after as Schema)];
        if (!values.some((value) => old(value).length > 0 && now(value).length === 0)) return;
        const found = compareSchemas(before as Schema, after as Schema);
        expect(found.some(({ affects }) => affects === 'receivers')).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
