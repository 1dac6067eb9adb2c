import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { writeAsyncApi } from '../core/catalogue/asyncapi-document.ts';
import type { EventTypeDefinition } from '../core/catalogue/event-type-definition.ts';
import { type DocumentedType, writeOpenApi } from '../core/catalogue/openapi-document.ts';
import { checkSchema } from '../core/schema/check-schema.ts';
import type { Schema } from '../core/schema/schema.ts';
import { readDocument } from './document-text.ts';
import { importDocument } from './import-document.ts';
import { writeYaml } from './yaml-text.ts';

const INFO = { title: 'Webhooks', version: '7' };
const WRITERS = [writeOpenApi, writeAsyncApi];

function aType(type: string, schema: unknown, more: Partial<DocumentedType> = {}): DocumentedType {
  if (schema !== null) expect(checkSchema(schema)).toEqual([]);
  return {
    type,
    schema: schema as Schema | null,
    version: schema === null ? null : 3,
    description: '',
    examples: [],
    validation: 'off',
    deprecated: false,
    archived: false,
    ...more,
  };
}

function definitionOf({ version: _, ...definition }: DocumentedType): EventTypeDefinition {
  return definition;
}

const unknown = () => undefined;
/** As it comes over the wire. */
const sent = (document: unknown): unknown => JSON.parse(JSON.stringify(document));
const read = async (document: unknown) => (await importDocument(sent(document), unknown)).definitions;
async function errorsOf(document: unknown): Promise<{ path: string; message: string }[]> {
  return importDocument(sent(document), unknown).then(
    () => [],
    (error) => error.errors,
  );
}

const TYPES = [
  aType(
    'plain',
    { type: 'string' },
    { description: 'A text.\nOf two lines.', examples: ['a', 'b'], validation: 'warn' },
  ),
  aType('none', null, { examples: [1, null], deprecated: true }),
  aType('anything', true),
  aType('open', {}),
  aType('tree', {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'https://example.com/tree',
    $ref: '#/$defs/a%20node~1x',
    $defs: {
      'a node/x': { type: 'object', properties: { 'ü %': { $ref: '#/$defs/a%20node~1x' }, whole: { $ref: '#' } } },
    },
  }),
  aType('a-b_c.D', { properties: { type: { const: 1 }, timestamp: {}, data: { $ref: '#/properties/type' } } }),
  aType('data', { enum: [{ $ref: '#/nowhere' }], default: { $ref: 'x' } }, { validation: 'reject' }),
];

describe('documents of the catalogue', () => {
  test.each(WRITERS)('come back as they were: %o', async (write) => {
    expect(await read(write(TYPES, INFO))).toEqual(TYPES.map(definitionOf));
    expect(await read(parse(writeYaml(write(TYPES, INFO))))).toEqual(TYPES.map(definitionOf));
  });

  test('come back whatever the schemas are', async () => {
    const leaf = fc.constantFrom<unknown>(
      true,
      {},
      { type: 'string' },
      { $ref: '#/$defs/x' },
      { $ref: '#' },
      { const: { $ref: '#' } },
    );
    const schema = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 3 }, leaf, tie('object')),
      object: fc.record(
        {
          properties: fc.dictionary(fc.string({ maxLength: 3 }), tie('any'), { maxKeys: 3 }),
          items: tie('any'),
          anyOf: fc.array(tie('any'), { minLength: 1, maxLength: 2 }),
          $defs: fc.constant({ x: { type: 'integer' } }),
        },
        { requiredKeys: [] },
      ),
    })).object;
    const rooted = schema.map((one) => ({ ...(one as object), $defs: { x: { items: one } } }));
    await fc.assert(
      fc.asyncProperty(rooted, fc.constantFrom(...WRITERS), async (one, write) => {
        fc.pre(checkSchema(one).length === 0);
        const type = aType('x', one);
        expect(await read(write([type], INFO))).toEqual([definitionOf(type)]);
      }),
    );
  });

  test('have references by path where anchors were', async () => {
    const schema = { $defs: { a: { $anchor: 'top', type: 'string' } }, items: { $ref: '#top' } };
    const moved = { $defs: { a: { type: 'string' } }, items: { $ref: '#/$defs/a' } };
    expect((await read(writeOpenApi([aType('x', schema)], INFO)))[0].schema).toEqual(moved);
  });
});

describe('documents of others', () => {
  test('of OpenAPI are read with what they refer to', async () => {
    const pet = {
      type: 'object',
      properties: { owner: { $ref: '#/components/schemas/Person' }, kind: { $ref: '#/components/schemas/Kind' } },
    };
    const document = {
      openapi: '3.1.0',
      info: INFO,
      paths: { '/pets': {} },
      webhooks: {
        newPet: {
          post: {
            summary: 'A pet came',
            requestBody: { $ref: '#/components/requestBodies/Pet' },
            responses: {},
          },
        },
        'pet.gone': { $ref: '#/components/pathItems/gone' },
        ping: { get: {} },
        stripe: {
          post: {
            deprecated: true,
            requestBody: {
              content: {
                'text/xml': {},
                'application/vnd.x+json; charset=utf-8': {
                  schema: { type: 'object', properties: { type: {}, timestamp: {}, data: {}, id: {} } },
                  example: { id: 1 },
                },
              },
            },
          },
        },
      },
      components: {
        pathItems: {
          gone: {
            post: {
              requestBody: {
                content: {
                  'application/json': {
                    schema: {
                      type: 'object',
                      properties: {
                        type: { const: 'pet.died' },
                        timestamp: {},
                        data: { $ref: '#/components/schemas/Pet' },
                      },
                    },
                  },
                },
              },
            },
          },
        },
        requestBodies: {
          Pet: {
            content: {
              'application/json': {
                schema: { $ref: '#/components/schemas/Pet' },
                examples: { a: { value: { kind: 'cat' } }, b: { value: { kind: 1 } }, c: { externalValue: 'x' } },
              },
            },
          },
        },
        schemas: {
          Pet: pet,
          Person: {
            type: 'object',
            properties: {
              pets: { type: 'array', items: { $ref: '#/components/schemas/Pet' } },
              friend: { $ref: '#/components/schemas/Person' },
            },
          },
          Kind: { type: 'string' },
        },
      },
    };
    const { definitions, skipped } = await importDocument(document, () => ({ validation: 'reject', archived: true }));
    const schema = {
      type: 'object',
      properties: { owner: { $ref: '#/$defs/Person' }, kind: { $ref: '#/$defs/Kind' } },
      $defs: {
        Person: {
          type: 'object',
          properties: { pets: { type: 'array', items: { $ref: '#' } }, friend: { $ref: '#/$defs/Person' } },
        },
        Kind: { type: 'string' },
      },
    };
    const rest = { validation: 'reject', archived: true, deprecated: false };
    expect(definitions).toEqual([
      { type: 'newPet', description: 'A pet came', schema, examples: [{ kind: 'cat' }], ...rest },
      { type: 'pet.died', description: '', schema, examples: [], ...rest },
      { type: 'ping', description: '', schema: null, examples: [], ...rest, validation: 'off' },
      {
        type: 'stripe',
        description: '',
        schema: expect.objectContaining({ type: 'object' }),
        examples: [{ id: 1 }],
        ...rest,
        deprecated: true,
      },
    ]);
    expect(skipped).toEqual([
      {
        path: '/components/requestBodies/Pet/content/application~1json/examples/b/value',
        message: 'The example does not fit the schema at /kind: This must be a string, not 1.',
      },
    ]);
  });

  test('of AsyncAPI 2 and 3 are read, with schemas of draft 7', async () => {
    const payload = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      properties: {
        point: { type: 'array', items: [{ type: 'number' }], additionalItems: false },
        a: { $ref: '#/components/schemas/A', type: 'null' },
      },
      dependencies: { a: ['point'], point: { required: ['a'] } },
    };
    const components = {
      schemas: { A: { type: 'string', items: [true] } },
      messages: { Signed: { name: 'user.signed', summary: 'Signed up', payload } },
    };
    const version2 = {
      asyncapi: '2.6.0',
      channels: {
        one: {
          subscribe: {
            message: {
              oneOf: [
                { $ref: '#/components/messages/Signed' },
                { name: 'other', payload: { type: 'integer' }, examples: [{ payload: 1 }] },
              ],
            },
          },
        },
        two: { publish: { message: { $ref: '#/components/messages/Signed' } } },
      },
      components,
    };
    const version3 = {
      asyncapi: '3.0.0',
      channels: {
        one: {
          messages: {
            Signed: { $ref: '#/components/messages/Signed' },
            other: {
              payload: { schemaFormat: 'application/schema+json;version=draft-07', schema: { type: 'integer' } },
              examples: [{ payload: 1 }],
            },
          },
        },
      },
      components,
    };
    const schema = {
      type: 'object',
      properties: {
        point: { type: 'array', prefixItems: [{ type: 'number' }], items: false },
        a: { $ref: '#/$defs/A' },
      },
      dependentRequired: { a: ['point'] },
      dependentSchemas: { point: { required: ['a'] } },
      $defs: { A: { type: 'string', prefixItems: [true] } },
    };
    const rest = { validation: 'off', archived: false, deprecated: false };
    for (const document of [version2, version3]) {
      expect(await read(document)).toEqual([
        { type: 'user.signed', description: 'Signed up', schema, examples: [], ...rest },
        { type: 'other', description: '', schema: { type: 'integer' }, examples: [1], ...rest },
      ]);
    }
    expect(await read({ asyncapi: '3.0.0', components: { messages: { a: {} } } })).toMatchObject([
      { type: 'a', schema: null },
    ]);
  });

  test('are refused with the place of what cannot be read', async () => {
    const webhook = (schema: unknown) => ({ post: { requestBody: { content: { 'application/json': { schema } } } } });
    const at = '/webhooks/a/post/requestBody/content/application~1json/schema';
    const openApi = (webhooks: object, components: object = {}) => ({ openapi: '3.1.0', webhooks, components });
    const place = async (document: unknown) => (await errorsOf(document)).map(({ path }) => path);
    expect(await place(openApi({ a: webhook({ $ref: 'https://example.com/x.json' }) }))).toEqual([at]);
    expect(await place(openApi({ a: webhook({ items: { $ref: '#/none' } }) }))).toEqual([at]);
    expect(await place(openApi({ a: webhook({ items: { type: 'text' } }) }))).toEqual([`${at}/items/type`]);
    const deep = openApi(
      { a: webhook({ items: { $ref: '#/components/schemas/X' } }) },
      { schemas: { X: { minimum: 'x' } } },
    );
    expect(await place(deep)).toEqual(['/components/schemas/X/minimum']);
    expect(
      await place(openApi({ a: webhook({ $ref: '#/webhooks/a/post/requestBody/content/application~1json/schema' }) })),
    ).toEqual([at]);
    expect((await errorsOf(openApi({ 'a b': webhook({}) })))[0].message).toMatch(/"a b" cannot be an event type/);
    expect((await errorsOf(openApi({ a: webhook({}), b: { post: { 'x-tidings': { type: 'a' } } } })))[0].path).toBe(
      '/webhooks/b/post',
    );
    expect(await place({ openapi: '3.0.3', webhooks: {} })).toEqual(['']);
    expect(await place({ openapi: '3.1.0', paths: {} })).toEqual(['/webhooks']);
    expect(await place({ asyncapi: '2.0.0', channels: {} })).toEqual(['/channels']);
    expect(await place([])).toEqual(['']);
    const avro = {
      asyncapi: '2.0.0',
      channels: { a: { publish: { message: { schemaFormat: 'application/vnd.apache.avro', payload: {} } } } },
    };
    expect((await errorsOf(avro))[0].message).toMatch(/avro/);
  });
});

describe('YAML', () => {
  const yaml = (text: string): Promise<unknown> => readDocument(Buffer.from(text), { isYaml: true });

  test('is written so that it is read as the same', async () => {
    const value = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
    const texts = fc.constantFrom(
      'yes',
      'null',
      '~',
      '- a',
      'a: b',
      '1',
      '0x1',
      'a #b',
      '',
      ' a',
      'a b.c/d',
      '2026-11-21',
      '<<',
      '=',
      '*a',
      '&a',
      '!x',
      'a\nb',
      '\u0085\u2028',
    );
    fc.assert(
      fc.property(fc.oneof(value, fc.dictionary(texts, fc.oneof(texts, fc.array(texts)))), (one) => {
        expect(parse(writeYaml(one))).toEqual(sent(one));
      }),
    );
  });

  test('is read as others write it', async () => {
    expect(await yaml('responses:\n  200: ok\n  default: &a {x: 1}\nmore: *a\ntext: |\n  a\n  b\n')).toEqual({
      responses: { 200: 'ok', default: { x: 1 } },
      more: { x: 1 },
      text: 'a\nb\n',
    });
  });

  test('is refused where it is none, has no end, or is nested too deeply', async () => {
    const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefghi'
      .split('')
      .map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(', ')}]`)
      .join('\n')}\n`;
    for (const text of [
      'a: [',
      'a: 1\na: 2',
      bomb,
      '['.repeat(50_000),
      `${'- '.repeat(300)}x`,
      'a: .inf',
      'a: &a [*a]',
      '? [x]\n: 1',
    ]) {
      await expect(yaml(text), text.slice(0, 20)).rejects.toThrow(/can be read/);
    }
  });
});
