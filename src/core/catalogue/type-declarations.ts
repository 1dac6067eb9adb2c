// The types of the catalogue's data in TypeScript: what a receiver may rely on. What TypeScript cannot say (bounds, patterns, `not`,
// conditions) is left out; a type never says more than its schema, but that data without a `type` and with members is an object, and with
// items an array.
import {
  indexSchema,
  isObject,
  refsOf,
  resolveRef,
  type Schema,
  type SchemaIndex,
  type SchemaObject,
} from '../schema/schema.ts';
import type { EventTypeDefinition } from './event-type-definition.ts';
import { isAssertion } from './flat-schema.ts';

const HEAD = `// The data of each type of event, made by \`tidings types\` from the catalogue. Make it again when the catalogue changes.
`;

const TAIL = `
export type EventType = keyof EventData;

/** What an endpoint is sent (format \`standard\`). Its \`type\` tells what its \`data\` is. */
export type WebhookPayload = {
  [Type in EventType]: { type: Type; timestamp: string; data: EventData[Type] };
}[EventType];

/** An event as the log and its streams give it. */
export type LogEvent = {
  [Type in EventType]: {
    id: string;
    type: Type;
    time: string;
    position: number;
    cursor: string;
    channels: string[];
    data: EventData[Type];
  };
}[EventType];
`;

const MAX_DEPTH = 100;
const IDENTIFIER = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** A module of declarations. Schemas are those that `checkSchema` has found nothing wrong with. */
export function declareTypes(types: readonly EventTypeDefinition[]): string {
  const names = new Names(['EventData', 'EventType', 'WebhookPayload', 'LogEvent']);
  const declared: string[] = [];
  const members: string[] = [];
  for (const { type, schema, description, deprecated } of types) {
    const doc = comment(description, { deprecated, indent: '  ' });
    if (schema === null) {
      members.push(`${doc}  ${memberName(type)}: unknown;`);
      continue;
    }
    const declarations = new Declarations({ schema, base: names.take(type), names });
    const root = declarations.declareAll();
    declared.push(...declarations.texts);
    members.push(`${doc}  ${memberName(type)}: ${root};`);
  }
  const data = `/** The data of an event, by its type. */\nexport interface EventData {\n${members.join('\n')}${members.length > 0 ? '\n' : ''}}\n`;
  return [HEAD, ...declared, data].join('\n') + TAIL;
}

/** Names that are not taken yet, in the form of type names. */
class Names {
  readonly #taken: Set<string>;

  constructor(taken: readonly string[]) {
    this.#taken = new Set(taken);
  }

  take(...parts: string[]): string {
    const words = parts.flatMap((part) => part.split(/[^A-Za-z0-9]+/)).filter((word) => word !== '');
    const joined = words.map((word) => word[0].toUpperCase() + word.slice(1)).join('') || 'Data';
    const base = /^[0-9]/.test(joined) ? `Data${joined}` : joined;
    let name = base;
    for (let i = 2; this.#taken.has(name); i++) name = `${base}${i}`;
    this.#taken.add(name);
    return name;
  }
}

/** The declarations that one schema needs: its own, and one for each schema that it refers to. */
class Declarations {
  readonly texts: string[] = [];
  readonly #index: SchemaIndex;
  readonly #names: Names;
  readonly #base: string;
  readonly #byPointer = new Map<string, string>();
  readonly #due: string[] = [''];

  constructor(options: { schema: Schema; base: string; names: Names }) {
    this.#index = indexSchema(options.schema);
    this.#names = options.names;
    this.#base = options.base;
    this.#byPointer.set('', options.base);
  }

  /** Returns the name of the schema's own type. */
  declareAll(): string {
    for (let pointer = this.#due.shift(); pointer !== undefined; pointer = this.#due.shift()) {
      const schema = this.#index.byPointer.get(pointer) as Schema;
      const doc = isObject(schema) ? commentOf(schema, '') : '';
      this.texts.push(`${doc}export type ${this.#byPointer.get(pointer)} = ${bare(this.#typeOf(schema, 0))};\n`);
    }
    return this.#base;
  }

  #nameOf(ref: string): string {
    const pointer = resolveRef(this.#index, ref) as string;
    const known = this.#byPointer.get(pointer);
    if (known !== undefined) return known;
    const name = this.#names.take(this.#base, decodeStep(pointer.slice(pointer.lastIndexOf('/') + 1)));
    this.#byPointer.set(pointer, name);
    this.#due.push(pointer);
    return name;
  }

  #typeOf(schema: Schema, depth: number): string {
    if (schema === false) return 'never';
    if (schema === true || depth > MAX_DEPTH) return 'unknown';
    const below = (child: Schema): string => this.#typeOf(child, depth + 1);
    const parts = [
      ...refsOf(schema).map((ref) => this.#nameOf(ref)),
      this.#ownType(schema, depth),
      ...((schema.allOf ?? []) as Schema[]).map(below),
      ...[schema.anyOf, schema.oneOf].flatMap((list) =>
        list === undefined ? [] : [union((list as Schema[]).map(below))],
      ),
    ];
    return intersection(parts);
  }

  /** What a schema says by itself. */
  #ownType(schema: SchemaObject, depth: number): string {
    if (Object.hasOwn(schema, 'const')) return literal(schema.const);
    if (Array.isArray(schema.enum)) return union(schema.enum.map(literal));
    const types = schema.type === undefined ? impliedTypes(schema) : ([schema.type].flat() as string[]);
    return types === null ? 'unknown' : union(types.map((type) => this.#typeOfKind(type, schema, depth)));
  }

  #typeOfKind(type: string, schema: SchemaObject, depth: number): string {
    if (type === 'integer') return 'number';
    if (type === 'object') return this.#objectType(schema, depth);
    return type === 'array' ? this.#arrayType(schema, depth) : type;
  }

  #objectType(schema: SchemaObject, depth: number): string {
    const properties = (schema.properties ?? {}) as Record<string, Schema>;
    const required = new Set((schema.required ?? []) as string[]);
    const indent = '  '.repeat(depth + 1);
    const lines = Object.entries(properties).map(([name, child]) => {
      const doc = isObject(child) ? commentOf(child, indent) : '';
      const mark = required.delete(name) ? '' : '?';
      return `${doc}${indent}${memberName(name)}${mark}: ${bare(this.#typeOf(child, depth + 1))};`;
    });
    for (const name of required) lines.push(`${indent}${memberName(name)}: unknown;`);
    const further = schema.additionalProperties as Schema | undefined;
    // Members of any name have a type of their own only where nothing else is said of members.
    if (lines.length === 0 && isObject(further) && schema.patternProperties === undefined) {
      lines.push(`${indent}[name: string]: ${bare(this.#typeOf(further, depth + 1))};`);
    } else if (
      schema.patternProperties !== undefined ||
      isObject(further) ||
      (lines.length === 0 && further !== false)
    ) {
      lines.push(`${indent}[name: string]: unknown;`);
    }
    if (lines.length === 0) return '{ [name: string]: never }';
    return `{\n${lines.join('\n')}\n${'  '.repeat(depth)}}`;
  }

  #arrayType(schema: SchemaObject, depth: number): string {
    const first = (schema.prefixItems ?? []) as Schema[];
    const rest = (schema.items ?? true) as Schema;
    const restType = this.#typeOf(rest, depth + 1);
    if (first.length === 0) return rest === false ? '[]' : `${restType}[]`;
    const least = typeof schema.minItems === 'number' ? schema.minItems : 0;
    const items = first.map((item, i) => `${this.#typeOf(item, depth + 1)}${i < least ? '' : '?'}`);
    return `[${[...items, ...(rest === false ? [] : [`...${restType}[]`])].join(', ')}]`;
  }
}

/** Of a schema without `type`; null = it may be anything. */
function impliedTypes(schema: SchemaObject): string[] | null {
  const keywords = Object.keys(schema).filter(isAssertion);
  const ofObjects = ['properties', 'required', 'additionalProperties', 'patternProperties'];
  const ofArrays = ['items', 'prefixItems'];
  const isObjects = keywords.some((keyword) => ofObjects.includes(keyword));
  const isArrays = keywords.some((keyword) => ofArrays.includes(keyword));
  if (isObjects === isArrays) return null;
  return [isObjects ? 'object' : 'array'];
}

function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${memberName(name)}: ${literal(member)}`);
  return members.length === 0 ? '{ [name: string]: never }' : `{ ${members.join('; ')} }`;
}

// Of several parts the whole is in parentheses, so that it can stand anywhere; `bare` takes them off where nothing is beside it.
function union(types: readonly string[]): string {
  if (types.includes('unknown')) return 'unknown';
  const different = [...new Set(types)].filter((type) => type !== 'never');
  if (different.length === 0) return 'never';
  return different.length === 1 ? different[0] : `(${different.join(' | ')})`;
}

function intersection(types: readonly string[]): string {
  const different = [...new Set(types)].filter((type) => type !== 'unknown');
  if (different.length === 0) return 'unknown';
  return different.length === 1 ? different[0] : `(${different.join(' & ')})`;
}

function bare(type: string): string {
  return type.startsWith('(') && type.endsWith(')') ? type.slice(1, -1) : type;
}

function memberName(name: string): string {
  return IDENTIFIER.test(name) ? name : JSON.stringify(name);
}

function decodeStep(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

function commentOf(schema: SchemaObject, indent: string): string {
  const { title, description, deprecated } = schema;
  const text = [title, description].filter((part) => typeof part === 'string' && part !== '').join('\n');
  return comment(text, { deprecated: deprecated === true, indent });
}

function comment(text: string, { deprecated, indent }: { deprecated: boolean; indent: string }): string {
  const lines = text
    .replaceAll('*/', '*\\/')
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map((line) => line.trimEnd());
  if (deprecated) lines.push('@deprecated');
  const told = lines.filter((line, i) => line !== '' || (i > 0 && i < lines.length - 1));
  if (told.length === 0) return '';
  if (told.length === 1) return `${indent}/** ${told[0]} */\n`;
  return `${indent}/**\n${told.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`;
}
