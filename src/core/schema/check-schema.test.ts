import { describe, expect, test } from 'vitest';
import { checkSchema, DIALECT, MAX_SCHEMA_BYTES } from './check-schema.ts';

const places = (schema: unknown): string[] => checkSchema(schema).map(({ path }) => path);

describe('schema check', () => {
  test('takes what is a schema', () => {
    for (const schema of [
      true,
      {},
      { $schema: DIALECT, $id: 'https://example.com/a', title: 'A' },
      { 'x-own': { $ref: 'anything' }, enum: [{ $ref: 'nowhere' }], properties: { $ref: { type: 'string' } } },
      { $ref: '#/definitions/a%20b', definitions: { 'a b': { $anchor: 'x' } }, items: { $ref: '#x' } },
      { items: { $ref: '#' } },
    ]) {
      expect(checkSchema(schema), JSON.stringify(schema)).toEqual([]);
    }
  });

  test('names the place of what is wrong', () => {
    const schema = {
      type: 'text',
      properties: { a: { type: ['string', 'string'] }, b: 1, 'c/d': { required: true } },
      items: [{}],
      allOf: [],
      minLength: -1,
      multipleOf: 0,
      nullable: true,
      not: { $schema: 'http://json-schema.org/draft-07/schema#' },
    };
    expect(places(schema).sort()).toEqual(
      [
        '/type',
        '/properties/a/type',
        '/properties/b',
        '/properties/c~1d/required',
        '/items',
        '/allOf',
        '/minLength',
        '/multipleOf',
        '/nullable',
        '/not/$schema',
      ].sort(),
    );
    expect(checkSchema([])).toEqual([{ path: '', message: 'A schema must be an object, true or false.' }]);
  });

  test('refers within the schema only', () => {
    for (const ref of ['https://example.com/a.json', 'other.json#/a', '#/$defs/none', '#none', '#/properties', '#/%']) {
      expect(places({ properties: { a: { $ref: ref } } }), ref).toEqual(['/properties/a/$ref']);
    }
    expect(checkSchema({ $ref: 'https://example.com/a.json' })[0].message).toMatch(/nothing is fetched/);
    expect(places({ $defs: { a: { $id: 'https://example.com/b' } } })).toEqual(['/$defs/a/$id']);
    expect(places({ $defs: { a: { $anchor: 'x' }, b: { $anchor: 'x' } } })).toEqual(['/$defs/b/$anchor']);
  });

  test('finds a schema that leads back to itself', () => {
    expect(places({ $ref: '#' })).toEqual(['']);
    const loop = { $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { if: { $ref: '#/$defs/a' } } } };
    expect(places(loop)).toHaveLength(1);
    const tree = { $defs: { a: { properties: { b: { $ref: '#/$defs/a' } } } }, anyOf: [{ $ref: '#/$defs/a' }] };
    expect(places(tree)).toEqual([]);
  });

  test('takes regular expressions that run in linear time', () => {
    expect(places({ pattern: '^\\p{L}+-(?<year>\\d{4})$' })).toEqual([]);
    expect(places({ pattern: '(a)\\1', patternProperties: { '(?=a)': {} } }).sort()).toEqual([
      '/pattern',
      '/patternProperties/(?=a)',
    ]);
    expect(places({ pattern: 'a'.repeat(1001) })).toEqual(['/pattern']);
    expect(places({ pattern: '((a{1,20}){1,20}){1,20}' })).toEqual(['/pattern']);
    const many = { allOf: Array.from({ length: 501 }, (_, i) => ({ pattern: `a${i}` })) };
    expect(places(many)).toEqual(['/allOf/500/pattern']);
  });

  test('bounds size, depth and the number of faults', () => {
    expect(checkSchema({ description: 'x'.repeat(MAX_SCHEMA_BYTES) })[0].message).toMatch(/128 KiB is the most/);
    let deep: object = {};
    for (let i = 0; i < 60; i++) deep = { properties: { a: deep } };
    expect(checkSchema(deep)[0].message).toMatch(/nested too deeply/);
    expect(checkSchema({ prefixItems: Array(100).fill({ type: 'x' }) })).toHaveLength(20);
  });
});
