// What a new version of a schema changes for those on both sides of it. A receiver was written for data that fits the old schema: it may
// break where the new one lets something else come. A publisher sends what fitted the old one: it may break where the new one lets less
// come. So both are one question, asked in both directions: what does one schema let through that the other does not?
//
// It is answered keyword by keyword. Where that cannot tell, the change is reported: a report too many is looked at, one too few is not.
import { jsonPointer } from '../json-error.ts';
import { canonicalJson, equalJson } from '../schema/canonical-json.ts';
import { TYPES } from '../schema/check-schema.ts';
import {
  indexSchema,
  isObject,
  type Path,
  refsOf,
  resolveRef,
  type Schema,
  type SchemaObject,
} from '../schema/schema.ts';
import { isAssertion, schemaFlattener } from './flat-schema.ts';

export const AFFECTED = ['receivers', 'publishers'] as const;
export type Affected = (typeof AFFECTED)[number];

export interface SchemaChange {
  /** Whom it may break. */
  affects: Affected;
  /** JSON pointer into the data; `*` stands for every item or member. */
  path: string;
  message: string;
}

const MAX_CHANGES = 50;
const MAX_COMPARISONS = 10_000;
const MAX_DEPTH = 100;
const SHOWN_CHARS = 100;

/** What may break somebody, at most 50 changes; null = no schema, so that anything goes. Both schemas are valid (`checkSchema`). */
export function compareSchemas(before: Schema | null, after: Schema | null): SchemaChange[] {
  if (before === null && after === null) return [];
  if (after === null) {
    return [{ affects: 'receivers', path: '', message: 'The schema was taken away: anything may come.' }];
  }
  if (before === null) {
    return [{ affects: 'publishers', path: '', message: 'There is a schema now: what does not fit it is not valid.' }];
  }
  const forReceivers = new Comparison('receivers', { from: before, to: after });
  const forPublishers = new Comparison('publishers', { from: after, to: before });
  return [...forReceivers.run(), ...forPublishers.run()].slice(0, MAX_CHANGES);
}

class TooLarge extends Error {}

/** Finds what `to` lets through and `from` does not. */
class Comparison {
  readonly #affects: Affected;
  readonly #from: Schema;
  readonly #to: Schema;
  readonly #flattenFrom: (schema: Schema) => Schema;
  readonly #flattenTo: (schema: Schema) => Schema;
  readonly #sameRefs: (value: unknown) => boolean;
  /** Pairs that are being compared: a schema may come back to itself, and then nothing new is found. */
  readonly #open = new Map<Schema, Set<Schema>>();
  /** Pairs whose changes have been told. */
  readonly #told = new Map<Schema, Set<Schema>>();
  #isProbing = false;
  #changes: SchemaChange[] = [];
  #left = MAX_COMPARISONS;

  constructor(affects: Affected, { from, to }: { from: Schema; to: Schema }) {
    this.#affects = affects;
    this.#from = from;
    this.#to = to;
    this.#flattenFrom = schemaFlattener(from);
    this.#flattenTo = schemaFlattener(to);
    this.#sameRefs = refComparison(from, to);
  }

  run(): SchemaChange[] {
    if (equalJson(this.#from, this.#to)) return [];
    try {
      this.#compare(this.#from, this.#to, []);
      return this.#changes;
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error;
      const message = 'The schemas are too large to be compared: what was changed may break something.';
      return [{ affects: this.#affects, path: '', message }];
    }
  }

  /** `more`: how the new schema lets more through, to receivers; `less`: how it lets less through, to publishers. */
  #tell(path: Path, more: string, less: string): void {
    if (this.#changes.length >= MAX_CHANGES) return;
    const message = this.#affects === 'receivers' ? more : less;
    const change = { affects: this.#affects, path: jsonPointer(path), message };
    if (!this.#changes.some((known) => known.path === change.path && known.message === message)) {
      this.#changes.push(change);
    }
  }

  /** Whether `to` lets nothing through that `from` does not. Tells nothing. */
  #isWithin(from: Schema, to: Schema, path: Path): boolean {
    const [changes, isProbing] = [this.#changes, this.#isProbing];
    this.#changes = [];
    this.#isProbing = true;
    this.#compare(from, to, path);
    const isWithin = this.#changes.length === 0;
    this.#changes = changes;
    this.#isProbing = isProbing;
    return isWithin;
  }

  #compare(from: Schema, to: Schema, path: Path): void {
    if (from === true || to === false || has(this.#open, from, to) || has(this.#told, from, to)) return;
    if (--this.#left < 0 || path.length > MAX_DEPTH) throw new TooLarge();
    add(this.#open, from, to);
    this.#compareFlat(this.#flattenFrom(from), this.#flattenTo(to), path);
    this.#open.get(from)!.delete(to);
    if (!this.#isProbing) add(this.#told, from, to);
  }

  #compareFlat(from: Schema, to: Schema, path: Path): void {
    if (from === true || to === false) return;
    if (from === false) {
      this.#tell(path, 'Something may come where nothing could.', 'Nothing may come here any more.');
      return;
    }
    const target = to === true ? {} : to;
    if (isChoice(from) || isChoice(target)) this.#compareChoices(from, target, path);
    else this.#compareKeywords(from, target, path);
  }

  /** Each alternative that `to` has must be within one that `from` has. */
  #compareChoices(from: SchemaObject, to: SchemaObject, path: Path): void {
    const [known, others] = [alternativesOf(from), alternativesOf(to)];
    const unmatched = others.filter((other) => !known.some((one) => this.#isWithin(one, other, path)));
    if (unmatched.length === 0) return;
    const lost = known.filter((one) => !others.some((other) => this.#isWithin(one, other, path)));
    // One alternative became another: what changed within it says more.
    if (unmatched.length === 1 && lost.length === 1) {
      this.#compare(lost[0], unmatched[0], path);
      return;
    }
    for (const one of unmatched) {
      const words = shown(one);
      this.#tell(path, `This may be another alternative now: ${words}`, `This alternative is gone: ${words}`);
    }
  }

  #compareKeywords(from: SchemaObject, to: SchemaObject, path: Path): void {
    this.#compareTypes(from, to, path);
    this.#compareValues(from, to, path);
    this.#compareBounds(from, to, path);
    if (takes(from, 'object') && takes(to, 'object')) this.#compareMembers(from, to, path);
    if (takes(from, 'array') && takes(to, 'array')) this.#compareItems(from, to, path);
    for (const keyword of OPAQUE) {
      if (from[keyword] === undefined) continue;
      if (equalJson(from[keyword], to[keyword]) && this.#sameRefs(from[keyword])) continue;
      const what = `\`${keyword}\``;
      if (to[keyword] === undefined) this.#tell(path, `${what} was taken away.`, `${what} was added.`);
      else this.#tell(path, `${what} was changed.`, `${what} was changed.`);
    }
  }

  #compareTypes(from: SchemaObject, to: SchemaObject, path: Path): void {
    const known = typesOf(from);
    const added = typesOf(to).filter(
      (type) => !known.includes(type) && !(type === 'integer' && known.includes('number')),
    );
    if (added.length === 0) return;
    const words = added.join(' or ');
    this.#tell(path, `This may be ${words} now.`, `This may no longer be ${words}.`);
  }

  #compareValues(from: SchemaObject, to: SchemaObject, path: Path): void {
    const [known, others] = [valuesOf(from), valuesOf(to)];
    if (known === null) return;
    if (others === null) {
      const list = shown(known).slice(1, -1);
      this.#tell(path, `This is no longer one of ${list}.`, `This must be one of ${list} now.`);
      return;
    }
    const texts = new Set(known.map(canonicalJson));
    const added = others.filter((value) => !texts.has(canonicalJson(value)));
    if (added.length === 0) return;
    const list = shown(added).slice(1, -1);
    this.#tell(path, `This may be ${list} now.`, `This may no longer be ${list}.`);
  }

  #compareBounds(from: SchemaObject, to: SchemaObject, path: Path): void {
    for (const [keyword, sign] of BOUNDS) {
      const [bound, other] = [from[keyword], to[keyword]];
      if (typeof bound !== 'number' || (typeof other === 'number' && other * sign >= bound * sign)) continue;
      const none = other === undefined ? 'was taken away' : `is ${other} instead of ${bound}`;
      const less =
        other === undefined ? `\`${keyword}\` is ${bound} now.` : `\`${keyword}\` is ${bound} instead of ${other}.`;
      this.#tell(path, `\`${keyword}\` ${none}.`, less);
    }
    const { multipleOf } = from;
    if (typeof multipleOf === 'number' && !(typeof to.multipleOf === 'number' && to.multipleOf % multipleOf === 0)) {
      this.#tell(
        path,
        `This need not be a multiple of ${multipleOf} any more.`,
        `This must be a multiple of ${multipleOf} now.`,
      );
    }
  }

  #compareMembers(from: SchemaObject, to: SchemaObject, path: Path): void {
    const [known, others] = [membersOf(from), membersOf(to)];
    const isRequired = new Set((to.required as string[] | undefined) ?? []);
    for (const name of (from.required as string[] | undefined) ?? []) {
      if (!isRequired.has(name)) this.#tell([...path, name], 'This may be absent now.', 'This is required now.');
    }
    const isClosed = from.additionalProperties === false;
    for (const [name, schema] of Object.entries(known)) {
      const at = [...path, name];
      if (Object.hasOwn(others, name)) this.#compare(schema, others[name], at);
      else if (this.#affects === 'receivers')
        this.#tell(at, 'This is no longer described: it may be gone, or anything.', '');
    }
    // Without a word about further members they may always come, so one that is described now is nothing new.
    const further = from.additionalProperties as Schema | undefined;
    if (further === undefined) return;
    for (const name of Object.keys(others)) {
      if (Object.hasOwn(known, name)) continue;
      const at = [...path, name];
      if (!isClosed) this.#compare(further, others[name], at);
      else this.#tell(at, 'This may come now, where no further members could.', 'This must not be sent any more.');
    }
    const othersFurther = (to.additionalProperties ?? true) as Schema;
    if (!isClosed) this.#compare(further, othersFurther, [...path, '*']);
    else if (othersFurther !== false) {
      this.#tell(path, 'Further members may come now.', 'No further members may be sent any more.');
    }
  }

  #compareItems(from: SchemaObject, to: SchemaObject, path: Path): void {
    const itemAt = (schema: SchemaObject, i: number): Schema => {
      const first = (schema.prefixItems as Schema[] | undefined) ?? [];
      return first[i] ?? (schema.items as Schema | undefined) ?? true;
    };
    const count = Math.max(...[from, to].map(({ prefixItems }) => (prefixItems as Schema[] | undefined)?.length ?? 0));
    for (let i = 0; i < count; i++) this.#compare(itemAt(from, i), itemAt(to, i), [...path, i]);
    this.#compare(itemAt(from, count), itemAt(to, count), [...path, '*']);
    if (from.uniqueItems === true && to.uniqueItems !== true) {
      this.#tell(path, 'Items may come twice now.', 'Items must be different now.');
    }
  }
}

/** Keywords that are only looked at as a whole. */
const OPAQUE = [
  'pattern',
  'format',
  'patternProperties',
  'propertyNames',
  'dependentRequired',
  'dependentSchemas',
  'unevaluatedProperties',
  'unevaluatedItems',
  'contains',
  'minContains',
  'maxContains',
  'not',
  'if',
  'then',
  'else',
  'allOf',
  'anyOf',
  'oneOf',
];

/** By which sign a greater bound lets less through. */
const BOUNDS: [keyword: string, sign: 1 | -1][] = [
  ['minimum', 1],
  ['exclusiveMinimum', 1],
  ['minLength', 1],
  ['minItems', 1],
  ['minProperties', 1],
  ['maximum', -1],
  ['exclusiveMaximum', -1],
  ['maxLength', -1],
  ['maxItems', -1],
  ['maxProperties', -1],
];

function has(pairs: ReadonlyMap<Schema, Set<Schema>>, from: Schema, to: Schema): boolean {
  return pairs.get(from)?.has(to) === true;
}

function add(pairs: Map<Schema, Set<Schema>>, from: Schema, to: Schema): void {
  const known = pairs.get(from);
  if (known === undefined) pairs.set(from, new Set([to]));
  else known.add(to);
}

/** Whether what a part of both schemas refers to is the same in both. */
function refComparison(from: Schema, to: Schema): (value: unknown) => boolean {
  const [one, other] = [indexSchema(from), indexSchema(to)];
  return (value) => {
    const seen = new Set<string>();
    const queue: unknown[] = [value];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (typeof next !== 'object' || next === null) continue;
      for (const child of Object.values(next)) queue.push(child);
      for (const ref of isObject(next) ? refsOf(next) : []) {
        if (seen.has(ref)) continue;
        seen.add(ref);
        const [target, twin] = [resolveRef(one, ref), resolveRef(other, ref)];
        if (target === null || twin === null) return false;
        if (!equalJson(one.byPointer.get(target), other.byPointer.get(twin))) return false;
        queue.push(one.byPointer.get(target));
      }
    }
    return true;
  };
}

/** Whether a schema is nothing but alternatives. */
function isChoice(schema: SchemaObject): boolean {
  const keywords = Object.keys(schema).filter(isAssertion);
  return keywords.length === 1 && (keywords[0] === 'anyOf' || keywords[0] === 'oneOf');
}

/** Of a schema with several types, one for each. */
function alternativesOf(schema: SchemaObject): Schema[] {
  if (isChoice(schema)) {
    const alternatives = (schema.anyOf ?? schema.oneOf) as Schema[];
    return alternatives.flatMap((one) => (isObject(one) ? alternativesOf(one) : [one]));
  }
  return Array.isArray(schema.type) ? schema.type.map((type) => ({ ...schema, type })) : [schema];
}

function typesOf(schema: SchemaObject): readonly string[] {
  if (schema.type !== undefined) return [schema.type as string | string[]].flat();
  const values = valuesOf(schema);
  return values === null ? TYPES : [...new Set(values.map(typeOfValue))];
}

function typeOfValue(value: unknown): string {
  if (value === null) return 'null';
  if (Number.isInteger(value)) return 'integer';
  return Array.isArray(value) ? 'array' : typeof value;
}

function takes(schema: SchemaObject, type: string): boolean {
  return typesOf(schema).includes(type);
}

/** The values that a schema lists; null = it lists none. */
function valuesOf(schema: SchemaObject): readonly unknown[] | null {
  if (Object.hasOwn(schema, 'const')) return [schema.const];
  return Array.isArray(schema.enum) ? schema.enum : null;
}

function membersOf(schema: SchemaObject): Record<string, Schema> {
  return (schema.properties ?? {}) as Record<string, Schema>;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
