import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { checkSchema } from '../schema/check-schema.ts';
import type { Schema } from '../schema/schema.ts';
import type { EventTypeDefinition } from './event-type-definition.ts';
import { declareTypes } from './type-declarations.ts';

function aType(type: string, schema: unknown, more: Partial<EventTypeDefinition> = {}): EventTypeDefinition {
  if (schema !== null) expect(checkSchema(schema)).toEqual([]);
  const rest = { description: '', examples: [], validation: 'off', deprecated: false, archived: false } as const;
  return { type, schema: schema as Schema | null, ...rest, ...more };
}

/** What the TypeScript compiler says of a program that uses the declarations. */
function faultsOf(declarations: string, program: string): string[] {
  const files: Record<string, string> = { '/events.d.ts': declarations, '/program.ts': program };
  const options: ts.CompilerOptions = { strict: true, noEmit: true, target: ts.ScriptTarget.ES2023, types: [] };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.getSourceFile = (name, target) =>
    name in files ? ts.createSourceFile(name, files[name], target) : getSourceFile(name, target);
  host.fileExists = (name) => name in files || fileExists(name);
  host.readFile = (name) => files[name] ?? readFile(name);
  const compiled = ts.createProgram(Object.keys(files), options, host);
  return ts.getPreEmitDiagnostics(compiled).map(({ file, start, messageText }) => {
    const line = (file?.getLineAndCharacterOfPosition(start ?? 0).line ?? 0) + 1;
    return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

const INVOICE = {
  $defs: {
    money: {
      type: 'object',
      properties: { amount: { type: 'integer' }, currency: { enum: ['eur', 'usd'] } },
      required: ['amount'],
    },
  },
  type: 'object',
  description: 'An invoice */ that ends no comment.',
  properties: {
    id: { type: 'string', description: 'Its number.' },
    total: { $ref: '#/$defs/money' },
    lines: { type: 'array', items: { $ref: '#/$defs/money' } },
    'paid-at': { type: ['string', 'null'], deprecated: true },
    parent: { $ref: '#' },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    place: { type: 'array', prefixItems: [{ type: 'number' }, { type: 'number' }], items: false, minItems: 2 },
  },
  required: ['id', 'total', 'unsaid'],
};

const TYPES = [
  aType('invoice.paid', INVOICE, { description: 'It was paid.\nIn full.' }),
  aType('invoice-paid', { anyOf: [{ type: 'null' }, { const: { a: [1, 'x'] } }] }, { deprecated: true }),
  aType('2.things', { allOf: [{ properties: { a: { type: 'string' } }, required: ['a'] }, { required: ['b'] }] }),
  aType('event.data', { type: 'array', items: { type: ['string', 'boolean'] } }),
  aType('choices', {
    type: 'array',
    items: {
      oneOf: [
        { type: 'object', properties: { c: { const: 'a' } } },
        { type: 'object', properties: { c: { type: 'null' } } },
      ],
    },
  }),
  aType('anything', null),
  aType('nothing', false),
  aType('odd', {
    type: 'object',
    properties: { __proto__: { type: 'string' }, 'a"b': {}, constructor: { type: 'null' } },
    patternProperties: { '^x': { type: 'string' } },
    not: { required: ['z'] },
  }),
];

describe('type declarations', () => {
  const declarations = declareTypes(TYPES);

  test('are taken by TypeScript, and let through data that fits', () => {
    const program = `
      import type { EventData, EventType, InvoicePaid, LogEvent, WebhookPayload } from './events';
      const invoice: InvoicePaid = {
        id: 'in_1', unsaid: 1, total: { amount: 1, currency: 'eur' }, lines: [{ amount: 2 }], 'paid-at': null,
        parent: { id: 'in_0', total: { amount: 0 }, unsaid: null }, labels: { a: 'b' }, place: [1, 2],
      };
      const other: EventData['invoice-paid'] = { a: [1, 'x'] };
      const things: EventData['2.things'] = { a: 'a', b: 0 };
      const list: EventData['event.data'] = ['a', true];
      const choices: EventData['choices'] = [{ c: 'a' }, { c: null }];
      const any: EventData['anything'] = 5;
      const type: EventType = 'nothing';
      export function amountOf(payload: WebhookPayload): number {
        return payload.type === 'invoice.paid' ? payload.data.total.amount : 0;
      }
      export function cursorOf(event: LogEvent): string { return event.cursor; }
      export { invoice, other, things, list, choices, any, type };
    `;
    expect(faultsOf(declarations, program)).toEqual([]);
  });

  test('let nothing through that does not fit', () => {
    const wrong = [
      `EventData['invoice.paid'] = { id: 'in_1', total: { amount: 1 } };`,
      `EventData['invoice.paid'] = { id: 1, unsaid: 1, total: { amount: 1 } };`,
      `EventData['invoice.paid']['total'] = { amount: 1, currency: 'chf' };`,
      `EventData['invoice.paid']['place'] = [1, 2, 3];`,
      `EventData['invoice.paid']['labels'] = { a: 1 };`,
      `EventData['invoice-paid'] = { a: [2, 'x'] };`,
      `EventData['2.things'] = { b: 1 };`,
      `EventData['event.data'] = [1];`,
      `EventData['choices'] = { a: 1 };`,
      `EventData['choices'] = [{ c: 'x' }];`,
      `EventData['nothing'] = 1;`,
      `WebhookPayload = { type: 'unknown', timestamp: '', data: 1 };`,
    ];
    const lines = wrong.map((line, i) => `export const x${i}: ${line}`);
    const program = [`import type { EventData, WebhookPayload } from './events';`, ...lines].join('\n');
    const places = new Set(faultsOf(declarations, program).map((fault) => fault.split(': ')[0]));
    expect([...places].sort()).toEqual(wrong.map((_, i) => `/program.ts:${i + 2}`).sort());
  });

  test('tell what a member is for', () => {
    expect(declarations).toContain('  /** Its number. */\n  id: string;');
    expect(declarations).toContain('  /** @deprecated */\n  "paid-at"?: string | null;');
    expect(declarations).toContain('  /**\n   * It was paid.\n   * In full.\n   */\n  "invoice.paid": InvoicePaid;');
    expect(declarations).toContain('An invoice *\\/ that');
  });

  test('of an empty catalogue are taken too', () => {
    expect(faultsOf(declareTypes([]), `import type { EventType } from './events'; export type T = EventType;`)).toEqual(
      [],
    );
  });
});
