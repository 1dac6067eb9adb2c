// The `where` of a filter: conditions on an event's data, type, time and channels, as JSON. Here it is read and checked; where-match.ts decides
// by it, where-why.ts explains. How it treats arrays and missing values is in docs/guide/filters.md.
//
// What stands in one pair of braces must all hold of the value at its path. At an array, the terms of braces fall into two: `element` terms (steps
// into objects, comparisons) must all hold of one and the same element, `whole` terms (negations, sizes, alternatives) hold of the array itself.
import type { FieldError } from './errors.ts';
import { jsonPointer } from './json-error.ts';
import { isJsonObject, type JsonObject } from './json-value.ts';
import { checkPattern } from './linear-pattern.ts';
import { parseTime } from './time.ts';

export const WHERE_LIMITS = {
  /** As JSON without spaces. */
  chars: 16_384,
  /** Operators in all. */
  terms: 100,
  patterns: 10,
  /** Braces within braces; each step of a dotted path counts as one. */
  depth: 20,
  /** Values of $in or $nin. */
  list: 256,
  /** Of the text that $contains looks for. */
  containedChars: 256,
} as const;

/** As received and stored: `{"data": {"amount": {"$gt": 100}}}`. */
export type Where = JsonObject;

/** What a term is asked of: the event, a part of it, a value within its data, or how many elements that has. */
export type Subject = 'event' | 'data' | 'type' | 'time' | 'channels' | 'size';

const COMPARISONS = ['$eq', '$in', '$gt', '$gte', '$lt', '$lte', '$startsWith', '$endsWith', '$regex'] as const;
export type Comparison = (typeof COMPARISONS)[number];

export type Term =
  | { kind: 'step'; json: JsonObject; name: string; braces: Braces }
  | { kind: 'index'; json: JsonObject; name: string; braces: Braces }
  /** The operand of a time is in milliseconds since 1970, but for operators on text. */
  | { kind: 'comparison'; json: JsonObject; operator: Comparison; operand: unknown }
  | { kind: 'contains'; json: JsonObject; operand: unknown }
  | { kind: 'exists'; json: JsonObject; wanted: boolean }
  | { kind: 'size' | 'not'; json: JsonObject; braces: Braces }
  | { kind: 'and' | 'or'; json: JsonObject; branches: readonly Braces[] };

export interface Braces {
  subject: Subject;
  whole: Term[];
  element: Term[];
}

/** The conditions within a term. */
export function innerOf(term: Term): readonly Braces[] {
  if ('braces' in term) return [term.braces];
  return 'branches' in term ? term.branches : [];
}

const SUBJECTS: readonly string[] = ['data', 'type', 'time', 'channels'];
const OPERATORS: readonly string[] = [
  ...COMPARISONS,
  '$neq',
  '$nin',
  '$contains',
  '$exists',
  '$size',
  '$and',
  '$or',
  '$not',
];
const TEXT_OPERATORS: readonly string[] = ['$contains', '$startsWith', '$endsWith', '$regex'];
const COMMON_MISTAKES: Record<string, string> = { $ne: '$neq', $notIn: '$nin', $elemMatch: '{…} without an operator' };
const INDEX = /^(0|[1-9]\d{0,8})$/;
const MAX_ERRORS = 20;
/** Of any JSON in a filter, operands included. */
const MAX_JSON_DEPTH = 40;

/** Reads a `where` that is as received; without errors it can be decided by. `path` is where it stands in the request. */
export function readWhere(where: unknown, path: string): { braces: Braces; errors: FieldError[] } {
  return new WhereReader(path).read(where);
}

type Path = readonly (string | number)[];

class WhereReader {
  readonly #at: string;
  readonly #errors: FieldError[] = [];
  #terms = 0;
  #patterns = 0;

  constructor(at: string) {
    this.#at = at;
  }

  read(where: unknown): { braces: Braces; errors: FieldError[] } {
    let braces: Braces = { subject: 'event', whole: [], element: [] };
    if (!isJsonObject(where)) {
      this.#refuse([], 'The `where` must be an object such as {"data": {"amount": {"$gt": 100}}}.');
    } else if (this.#isJson(where, [], 0)) {
      const { length } = JSON.stringify(where);
      const { chars, terms, patterns } = WHERE_LIMITS;
      if (length > chars) this.#refuse([], `The \`where\` has ${length} characters of JSON; ${chars} are the most.`);
      else braces = this.#braces(where, [], 'event', 1);
      if (this.#terms > terms) this.#refuse([], `The \`where\` has ${this.#terms} operators; ${terms} are the most.`);
      if (this.#patterns > patterns) {
        this.#refuse([], `The \`where\` has ${this.#patterns} times $regex; ${patterns} are the most.`);
      }
    }
    return { braces, errors: this.#errors };
  }

  #refuse(path: Path, message: string): void {
    if (this.#errors.length < MAX_ERRORS) this.#errors.push({ path: this.#at + jsonPointer(path), message });
  }

  /** Whether a value is JSON that can be stored: Postgres keeps neither U+0000 nor half a surrogate pair. */
  #isJson(value: unknown, path: Path, depth: number): boolean {
    if (depth > MAX_JSON_DEPTH) this.#refuse(path, 'This is nested too deeply.');
    else if (value === null || typeof value === 'boolean') return true;
    else if (typeof value === 'string') return this.#isStorable(value, path);
    else if (typeof value === 'number') {
      if (Number.isFinite(value)) return true;
      this.#refuse(path, 'This number is larger than any that can be compared (about 1.8e308).');
    } else if (Array.isArray(value)) {
      return Array.from(value).every((element, i) => this.#isJson(element, [...path, i], depth + 1));
    } else if (typeof value === 'object') {
      const members = Object.entries(value);
      return members.every(
        ([key, member]) => this.#isStorable(key, path) && this.#isJson(member, [...path, key], depth + 1),
      );
    } else this.#refuse(path, 'This is no JSON.');
    return false;
  }

  #isStorable(text: string, path: Path): boolean {
    if (text.isWellFormed() && !text.includes('\0')) return true;
    this.#refuse(path, 'Text with U+0000 or with half a surrogate pair cannot be looked for.');
    return false;
  }

  #braces(json: JsonObject, path: Path, subject: Subject, depth: number): Braces {
    const braces: Braces = { subject, whole: [], element: [] };
    const keys = Object.keys(json);
    if (depth > WHERE_LIMITS.depth) {
      this.#refuse(path, `Conditions are nested at most ${WHERE_LIMITS.depth} deep, each step of a path included.`);
      return braces;
    }
    if (keys.length === 0) {
      const instead = subject === 'event' ? 'Leave `where` out' : 'Write {"$exists": true} for any value';
      this.#refuse(path, `An empty condition says nothing. ${instead}.`);
    }
    for (const key of keys) {
      const term = key.startsWith('$')
        ? this.#operator(key, json[key], [...path, key], subject, depth)
        : this.#steps(splitKey(key), json[key], [...path, key], subject, depth);
      if (term === null) continue;
      const isOfElement = term.kind === 'step' || term.kind === 'comparison';
      braces[isOfElement ? 'element' : 'whole'].push(term);
    }
    return braces;
  }

  /** What may stand after a key: a condition in braces, or a value that the event's must equal. */
  #condition(json: unknown, path: Path, subject: Subject, depth: number): Braces {
    if (isJsonObject(json)) return this.#braces(json, path, subject, depth);
    const braces: Braces = { subject, whole: [], element: [] };
    if (subject === 'event') {
      this.#refuse(path, 'This must be an object such as {"data": {"amount": {"$gt": 100}}}.');
    } else if (Array.isArray(json)) {
      this.#refuse(path, 'For any of these values write {"$in": […]}, for exactly this list {"$eq": […]}.');
    } else {
      const term = this.#operator('$eq', json, path, subject, depth);
      if (term !== null) braces.element.push(term);
    }
    return braces;
  }

  #steps(names: readonly string[], json: unknown, path: Path, subject: Subject, depth: number): Term | null {
    const [name, ...rest] = names;
    if (subject === 'event' && !SUBJECTS.includes(name)) {
      this.#refuse(path, `A filter looks at ${SUBJECTS.join(', ')}; \`${name}\` is none of them.`);
      return null;
    }
    if (subject !== 'event' && subject !== 'data') {
      this.#refuse(path, `There is nothing within \`${subject}\`: ask for it by an operator such as $eq.`);
      return null;
    }
    if (names.some((one) => one === '')) {
      this.#refuse(path, 'A path has a step of no characters. Two dots stand side by side, or one at an end.');
      return null;
    }
    const inner = subject === 'event' ? (name as Subject) : subject;
    let braces: Braces;
    if (rest.length === 0) braces = this.#condition(json, path, inner, depth + 1);
    else {
      braces = { subject: inner, whole: [], element: [] };
      const term = depth < WHERE_LIMITS.depth ? this.#steps(rest, json, path, inner, depth + 1) : null;
      if (term !== null) braces[term.kind === 'step' ? 'element' : 'whole'].push(term);
      else if (depth >= WHERE_LIMITS.depth) this.#refuse(path, `A path has at most ${WHERE_LIMITS.depth} steps.`);
    }
    const written = rest.length === 0 ? json : { [rest.map(writeName).join('.')]: json };
    const kind = subject === 'data' && INDEX.test(name) ? 'index' : 'step';
    return { kind, json: { [writeName(name)]: written }, name, braces };
  }

  #operator(key: string, operand: unknown, path: Path, subject: Subject, depth: number): Term | null {
    this.#terms++;
    const json = { [key]: operand };
    if (!OPERATORS.includes(key)) {
      const instead = Object.hasOwn(COMMON_MISTAKES, key)
        ? `Did you mean ${COMMON_MISTAKES[key]}?`
        : `The operators are ${OPERATORS.join(' ')}. For a key that begins with $ write \\${key}.`;
      this.#refuse(path, `There is no operator ${key}. ${instead}`);
      return null;
    }
    if (key === '$and' || key === '$or') {
      const branches = this.#branches(operand, path, subject, depth);
      return { kind: key === '$and' ? 'and' : 'or', json, branches };
    }
    if (key === '$not') return { kind: 'not', json, braces: this.#condition(operand, path, subject, depth + 1) };
    if (subject === 'event') {
      this.#refuse(path, `${key} stands after a path, as in {"data": {"amount": {"${key}": …}}}.`);
      return null;
    }
    if (key === '$exists') {
      if (typeof operand === 'boolean') return { kind: 'exists', json, wanted: operand };
      this.#refuse(path, '$exists takes true or false.');
      return null;
    }
    if (key === '$size') return this.#size(operand, json, path, depth);
    if (key === '$neq' || key === '$nin') {
      // The opposite of what it negates: at an array no element may be equal.
      const negated = this.#operator(key === '$neq' ? '$eq' : '$in', operand, path, subject, depth);
      this.#terms--;
      return negated && { kind: 'not', json, braces: { subject, whole: [], element: [negated] } };
    }
    return this.#comparison(key, operand, json, path, subject);
  }

  #branches(operand: unknown, path: Path, subject: Subject, depth: number): Braces[] {
    if (Array.isArray(operand) && operand.length > 0) {
      return operand.map((branch: unknown, i) => this.#condition(branch, [...path, i], subject, depth + 1));
    }
    this.#refuse(path, `${path[path.length - 1]} takes a list of conditions, and at least one.`);
    return [];
  }

  #size(operand: unknown, json: JsonObject, path: Path, depth: number): Term | null {
    const isCount = typeof operand === 'number' && Number.isInteger(operand) && operand >= 0;
    if (!isCount && !isJsonObject(operand)) {
      this.#refuse(path, '$size takes a whole number, or a condition such as {"$gte": 2}.');
      return null;
    }
    return { kind: 'size', json, braces: this.#condition(operand, path, 'size', depth + 1) };
  }

  #comparison(key: string, operand: unknown, json: JsonObject, path: Path, subject: Subject): Term | null {
    const problem = this.#problemOf(key, operand) ?? (subject === 'type' ? typeProblemOf(key, operand) : null);
    if (problem !== null) {
      this.#refuse(path, problem);
      return null;
    }
    if (key === '$contains') return { kind: 'contains', json, operand };
    const operator = key as Comparison;
    if (subject !== 'time' || TEXT_OPERATORS.includes(key)) return { kind: 'comparison', json, operator, operand };
    const times = key === '$in' ? (operand as unknown[]).map(timeOf) : timeOf(operand);
    if (times === null || (Array.isArray(times) && times.includes(null))) {
      this.#refuse(path, 'A time is compared with one in RFC 3339, such as "2026-11-21T10:00:00Z".');
      return null;
    }
    return { kind: 'comparison', json, operator, operand: times };
  }

  #problemOf(key: string, operand: unknown): string | null {
    switch (key) {
      case '$eq':
        return isUnsafe(operand) ? UNSAFE : null;
      case '$contains':
        if (typeof operand === 'string' && operand.length > WHERE_LIMITS.containedChars) {
          return `$contains looks for at most ${WHERE_LIMITS.containedChars} characters.`;
        }
        return isUnsafe(operand) ? UNSAFE : null;
      case '$in':
        if (!Array.isArray(operand) || operand.length === 0)
          return '$in and $nin take a list of values, and at least one.';
        if (operand.length > WHERE_LIMITS.list) return `$in and $nin take at most ${WHERE_LIMITS.list} values.`;
        return isUnsafe(operand) ? UNSAFE : null;
      case '$startsWith':
      case '$endsWith':
        return typeof operand === 'string' ? null : `${key} takes a string.`;
      case '$regex':
        this.#patterns++;
        return typeof operand === 'string' ? checkPattern(operand) : '$regex takes a pattern as a string.';
      default:
        return typeof operand === 'number' || typeof operand === 'string' ? null : `${key} takes a number or a string.`;
    }
  }
}

/** A pattern would be no error elsewhere, and match nothing. */
function typeProblemOf(key: string, operand: unknown): string | null {
  const isPattern = (type: unknown) => typeof type === 'string' && type.includes('*');
  if (key !== '$eq' && key !== '$in') return null;
  if (!(Array.isArray(operand) ? operand.some(isPattern) : isPattern(operand))) return null;
  return 'Here `*` is only a character, and no type has it. Use `types` beside `where`, or $startsWith.';
}

const UNSAFE =
  'Numbers beyond ±9007199254740991 cannot be told apart from their neighbours, so nothing equals one. Compare with $gt or $lt, or publish such ids as strings.';

function isUnsafe(operand: unknown): boolean {
  if (typeof operand === 'number') return Math.abs(operand) > Number.MAX_SAFE_INTEGER;
  return typeof operand === 'object' && operand !== null && Object.values(operand).some(isUnsafe);
}

function timeOf(operand: unknown): number | null {
  return typeof operand === 'string' ? parseTime(operand) : null;
}

/** The steps of `a.b`; a backslash takes the meaning from the character after it, as in `a\.b` and `\$ref`. */
function splitKey(key: string): string[] {
  const names = [''];
  for (let i = 0; i < key.length; i++) {
    if (key[i] === '.') names.push('');
    else names[names.length - 1] += key[i] === '\\' && i + 1 < key.length ? key[++i] : key[i];
  }
  return names;
}

/** So that it is read as the one step that it is. */
function writeName(name: string): string {
  return name.replaceAll(/[\\.]|^\$/g, '\\$&');
}
