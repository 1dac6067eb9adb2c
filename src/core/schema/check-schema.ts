// Whether a value is a JSON Schema (2020-12) that this program takes. What the standard leaves to whoever reads a schema is bounded here: its
// size and depth, references only within it, regular expressions in linear time, and no reference that leads to itself without going
// further into the data, which would have no end.
import type { FieldError } from '../errors.ts';
import { jsonPointer } from '../json-error.ts';
import { compilePattern } from './pattern.ts';
import {
  indexSchema,
  isObject,
  isSchema,
  type Path,
  placesOf,
  refsOf,
  resolveRef,
  type Schema,
  type SchemaIndex,
  type SchemaObject,
  SUBSCHEMA_KEYWORDS,
  subschemasAt,
} from './schema.ts';

export const MAX_SCHEMA_BYTES = 128 * 1024;
const MAX_SCHEMA_DEPTH = 100;
const MAX_PATTERNS = 500;
const MAX_ERRORS = 20;

export const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
export const TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer'] as const;

const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;
const isText = (value: unknown): boolean => typeof value === 'string';
const isNumber = (value: unknown): boolean => Number.isFinite(value); // 1e400 is read as infinite, and would be kept as null
const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every(isText) && new Set(value).size === value.length;
const isType = (value: unknown): boolean => (TYPES as readonly unknown[]).includes(value);

type Rule = [is: (value: unknown) => boolean, words: string];
const COUNT: Rule = [isCount, 'a whole number from 0 on'];
const NUMBER: Rule = [isNumber, 'a number'];
const FLAG: Rule = [(value) => typeof value === 'boolean', 'true or false'];

/** What the values of keywords must be; those with schemas below them aside. */
const RULES: Record<string, Rule> = {
  type: [
    (value) => isType(value) || (Array.isArray(value) && value.length > 0 && value.every(isType) && isTexts(value)),
    `one of ${TYPES.join(', ')}, or an array of some of them`,
  ],
  enum: [(value) => Array.isArray(value), 'an array of the values that are allowed'],
  multipleOf: [(value) => isNumber(value) && (value as number) > 0, 'a number greater than 0'],
  maximum: NUMBER,
  minimum: NUMBER,
  exclusiveMaximum: NUMBER,
  exclusiveMinimum: NUMBER,
  maxLength: COUNT,
  minLength: COUNT,
  pattern: [isText, 'a regular expression'],
  maxItems: COUNT,
  minItems: COUNT,
  uniqueItems: FLAG,
  maxContains: COUNT,
  minContains: COUNT,
  maxProperties: COUNT,
  minProperties: COUNT,
  required: [isTexts, 'an array of different names'],
  dependentRequired: [
    (value) => isObject(value) && Object.values(value).every(isTexts),
    'an object with an array of different names for each member',
  ],
  format: [isText, 'a text'],
  title: [isText, 'a text'],
  description: [isText, 'a text'],
  examples: [(value) => Array.isArray(value), 'an array of examples'],
  deprecated: FLAG,
  $ref: [isText, 'a text'],
  $dynamicRef: [isText, 'a text'],
  $anchor: [(value) => isText(value) && /^[A-Za-z_][-A-Za-z0-9._]*$/.test(value as string), 'a name'],
  $dynamicAnchor: [(value) => isText(value) && /^[A-Za-z_][-A-Za-z0-9._]*$/.test(value as string), 'a name'],
};

/** Keywords of other drafts, which 2020-12 would ignore without a word. */
const FOREIGN: Record<string, string> = {
  additionalItems: 'Use `prefixItems` for the first items and `items` for the rest.',
  dependencies: 'Use `dependentRequired` or `dependentSchemas`.',
  nullable: 'Name "null" among the types.',
  $recursiveRef: 'Use `$ref`.',
  $recursiveAnchor: 'Use `$ref`.',
};

/** What is wrong with a schema: at most 20 faults, at JSON pointers within it. None = `compileSchema` takes it. */
export function checkSchema(schema: unknown): FieldError[] {
  if (!isSchema(schema)) return [{ path: '', message: 'A schema must be an object, true or false.' }];
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  if (bytes > MAX_SCHEMA_BYTES) {
    const most = `${MAX_SCHEMA_BYTES / 1024} KiB`;
    return [{ path: '', message: `The schema has ${bytes} bytes; ${most} is the most. Leave parts open.` }];
  }
  const checking: Checking = { errors: [], patterns: 0, anchors: new Set() };
  checkNode(checking, schema, []);
  if (checking.errors.length > 0) return checking.errors;
  const index = indexSchema(schema);
  checkRefs(checking, index);
  if (checking.errors.length === 0) checkEndless(checking, index);
  return checking.errors;
}

interface Checking {
  errors: FieldError[];
  patterns: number;
  anchors: Set<string>;
}

function refuse({ errors }: Checking, path: Path | string, message: string): void {
  if (errors.length < MAX_ERRORS) errors.push({ path: typeof path === 'string' ? path : jsonPointer(path), message });
}

function checkNode(checking: Checking, schema: Schema, path: Path): void {
  if (typeof schema === 'boolean') return;
  if (path.length > MAX_SCHEMA_DEPTH) {
    refuse(checking, path, 'The schema is nested too deeply. Move parts to $defs, and refer to them.');
    return;
  }
  for (const [keyword, value] of Object.entries(schema)) {
    const at = [...path, keyword];
    const rule = Object.hasOwn(RULES, keyword) ? RULES[keyword] : undefined;
    if (rule !== undefined && !rule[0](value)) refuse(checking, at, `\`${keyword}\` must be ${rule[1]}.`);
    if (Object.hasOwn(FOREIGN, keyword)) {
      refuse(checking, at, `\`${keyword}\` is of another draft than 2020-12. ${FOREIGN[keyword]}`);
    }
  }
  checkIdentity(checking, schema, path);
  if (typeof schema.pattern === 'string') checkPattern(checking, schema.pattern, [...path, 'pattern']);
  checkSubschemas(checking, schema, path);
}

function checkIdentity(checking: Checking, schema: SchemaObject, path: Path): void {
  const { $schema, $id } = schema;
  if ($schema !== undefined && (typeof $schema !== 'string' || $schema.replace(/#$/, '') !== DIALECT)) {
    refuse(checking, [...path, '$schema'], `The schema must be of JSON Schema 2020-12 (${DIALECT}).`);
  }
  if ($id !== undefined && (typeof $id !== 'string' || path.length > 0)) {
    const message = 'Only the whole schema may have an `$id`, a text. Put parts into $defs without one.';
    refuse(checking, [...path, '$id'], message);
  }
  for (const keyword of ['$anchor', '$dynamicAnchor']) {
    const anchor = schema[keyword];
    if (typeof anchor !== 'string') continue;
    if (checking.anchors.has(anchor)) refuse(checking, [...path, keyword], `The anchor ${anchor} stands twice.`);
    checking.anchors.add(anchor);
  }
}

function checkSubschemas(checking: Checking, schema: SchemaObject, path: Path): void {
  for (const keyword of SUBSCHEMA_KEYWORDS) {
    if (!Object.hasOwn(schema, keyword)) continue;
    const value = schema[keyword];
    const at = [...path, keyword];
    const places = placesOf(keyword);
    if (places === 'one') {
      const hint =
        keyword === 'items' && Array.isArray(value) ? ' For the first items, each its own, use `prefixItems`.' : '';
      if (!isSchema(value)) refuse(checking, at, `\`${keyword}\` must be a schema: an object, true or false.${hint}`);
    } else if (places === 'list' ? !Array.isArray(value) || value.length === 0 : !isObject(value)) {
      const kind = places === 'list' ? 'a non-empty array' : 'an object';
      refuse(checking, at, `\`${keyword}\` must be ${kind} of schemas.`);
    } else {
      for (const [step, child] of Object.entries(value as object)) {
        if (!isSchema(child)) refuse(checking, [...at, step], 'A schema must be an object, true or false.');
        if (keyword === 'patternProperties') checkPattern(checking, step, [...at, step]);
      }
    }
    for (const [steps, child] of subschemasAt(schema, keyword)) checkNode(checking, child, [...path, ...steps]);
  }
}

function checkPattern(checking: Checking, source: string, path: Path): void {
  if (++checking.patterns > MAX_PATTERNS) {
    if (checking.patterns === MAX_PATTERNS + 1)
      refuse(checking, path, `More than ${MAX_PATTERNS} patterns are too many.`);
    return;
  }
  try {
    compilePattern(source);
  } catch (error) {
    const words = (error as Error).message;
    refuse(checking, path, `The regular expression cannot be used: ${words}. It must be one that RE2 takes.`);
  }
}

function checkRefs(checking: Checking, index: SchemaIndex): void {
  for (const [pointer, schema] of index.byPointer) {
    if (typeof schema === 'boolean') continue;
    for (const keyword of ['$ref', '$dynamicRef'] as const) {
      const ref = schema[keyword];
      if (typeof ref !== 'string' || resolveRef(index, ref) !== null) continue;
      const message = ref.startsWith('#')
        ? `There is no schema at ${ref}.`
        : `${ref.slice(0, 200)} is outside of this schema, and nothing is fetched. Copy it to $defs, and refer to #/$defs/….`;
      refuse(checking, `${pointer}/${keyword}`, message);
    }
  }
}

/** The keywords whose schemas are about the same value as the schema they stand in. */
const IN_PLACE = ['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentSchemas'] as const;

/** Looks for a schema that comes back to itself at the same value. */
function checkEndless(checking: Checking, index: SchemaIndex): void {
  const state = new Map<string, 'open' | 'done'>();
  // A stack of its own: a chain of references may be as long as the schema.
  for (const start of index.byPointer.keys()) {
    const stack: [pointer: string, next: string[]][] = [];
    const enter = (pointer: string): void => {
      if (state.get(pointer) === 'done') return;
      if (state.get(pointer) === 'open') {
        refuse(checking, pointer, 'The schema leads back to itself at the same value, without an end.');
        return;
      }
      state.set(pointer, 'open');
      stack.push([pointer, inPlaceOf(index, pointer)]);
    };
    enter(start);
    while (stack.length > 0) {
      const [pointer, next] = stack[stack.length - 1];
      const step = next.pop();
      if (step !== undefined) enter(step);
      else {
        state.set(pointer, 'done');
        stack.pop();
      }
    }
  }
}

function inPlaceOf(index: SchemaIndex, pointer: string): string[] {
  const schema = index.byPointer.get(pointer);
  if (!isObject(schema)) return [];
  const below = IN_PLACE.flatMap((keyword) =>
    subschemasAt(schema, keyword).map(([steps]) => pointer + jsonPointer(steps)),
  );
  return [...below, ...refsOf(schema).map((ref) => resolveRef(index, ref) as string)];
}
