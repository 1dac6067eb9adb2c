// Which events an endpoint takes. A filter is compiled once per configuration version and then asked for every event, so
// `matches` allocates nothing; and it is total: no filter and no event makes it throw (design rule 18). Patterns are
// matched without backtracking: each literal piece is looked for once, from where the piece before it ended.
//
// A filter without `where` never looks at the data, and one with it only when type and channels are taken.
import type { EndpointFilter } from './endpoint.ts';
import type { FieldError } from './errors.ts';
import { CHANNEL_PATTERN } from './event.ts';
import { isJsonObject, type JsonObject } from './json-value.ts';
import { type Braces, readWhere, type Where } from './where.ts';
import { compileWhere, type WhereEvent } from './where-match.ts';
import { unmetOf } from './where-why.ts';

export const MAX_FILTER_TYPES = 256;
export const MAX_FILTER_CHANNELS = 100;
/** An event type (core/event.ts) in which `*` may stand for any run of characters, the empty one included. */
export const TYPE_PATTERN_PATTERN = /^[a-zA-Z0-9_.*-]{1,128}$/;

/** What a filter looks at. */
export type Filterable = WhereEvent;

/** A condition that an event did not meet; `path` is a JSON pointer into the event, such as `/type`. */
export interface Mismatch {
  path: string;
  /** The types or channels that are taken; or the condition of `where`, as `{"$gt": 100}`. */
  expected: readonly string[] | JsonObject;
  /** What is there, or its beginning; absent when nothing is. */
  actual?: unknown;
}

export interface CompiledFilter {
  /** An event that the filter cannot be asked about matches: it must not be lost in silence. `failure` tells. */
  matches(event: Filterable): boolean;
  /** Whether type and channels are taken, whatever `where` says. */
  takes(event: { type: string; channels: readonly string[] }): boolean;
  hasWhere: boolean;
  /** Why the filter cannot be asked about the event; null when it can. */
  failure(event: Filterable): string | null;
  /** The types this filter can be indexed under; null when it has patterns or takes all types. */
  exactTypes: readonly string[] | null;
  /** `why` lists every condition that does not hold: it is empty exactly when the event matches. */
  explain(event: Filterable): { matches: boolean; why: Mismatch[] };
}

export function compileFilter(filter: EndpointFilter): CompiledFilter {
  const takesType = compileTypes(filter.types);
  const takesChannels = compileChannels(filter.channels);
  const takes = (event: { type: string; channels: readonly string[] }) =>
    takesType(event.type) && takesChannels(event.channels);
  const whereOf = filter.where === undefined ? null : new LazyWhere(filter.where);
  return {
    matches: whereOf === null ? takes : (event) => takes(event) && whereOf.matches(event),
    takes,
    hasWhere: whereOf !== null,
    failure: (event) => (whereOf !== null && takes(event) ? whereOf.failure(event) : null),
    exactTypes: exactTypesOf(filter),
    explain(event) {
      const why: Mismatch[] = [];
      if (!takesType(event.type)) why.push({ path: '/type', expected: filter.types ?? [], actual: event.type });
      if (!takesChannels(event.channels)) {
        why.push({ path: '/channels', expected: filter.channels ?? [], actual: event.channels });
      }
      if (whereOf !== null) why.push(...whereOf.unmet(event));
      return { matches: why.length === 0, why };
    },
  };
}

/** Compiled when it is first asked: of an endpoint's past filters most never are. */
class LazyWhere {
  readonly #where: Where;
  #braces: Braces | null = null;
  #decide: ((event: Filterable) => boolean) | null = null;

  constructor(where: Where) {
    this.#where = where;
  }

  matches(event: Filterable): boolean {
    try {
      this.#decide ??= this.#compile();
      return this.#decide(event);
    } catch {
      return true;
    }
  }

  failure(event: Filterable): string | null {
    try {
      this.#decide ??= this.#compile();
      this.#decide(event);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** None when the filter cannot be asked. */
  unmet(event: Filterable): Mismatch[] {
    if (this.matches(event)) return [];
    return unmetOf(this.#braces!, event);
  }

  #compile(): (event: Filterable) => boolean {
    const { braces, errors } = readWhere(this.#where, '');
    if (errors.length > 0) throw new Error(`The filter cannot be used, at ${errors[0].path}: ${errors[0].message}`);
    this.#braces = braces;
    return compileWhere(braces);
  }
}

function exactTypesOf({ types, where }: EndpointFilter): readonly string[] | null {
  if (types !== undefined) return types.some(isPattern) ? null : [...new Set(types)].sort();
  const wanted = where?.type;
  const list = isJsonObject(wanted) ? (wanted.$in ?? [wanted.$eq]) : [wanted];
  return Array.isArray(list) && list.every((type) => typeof type === 'string') ? [...new Set(list)].sort() : null;
}

function compileTypes(types: readonly string[] | undefined): (type: string) => boolean {
  if (types === undefined) return () => true;
  if (types.some((type) => /^\*+$/.test(type))) return () => true;
  const exact = new Set(types.filter((type) => !isPattern(type)));
  const patterns = types.filter(isPattern).map(compilePattern);
  if (patterns.length === 0) return (type) => exact.has(type);
  return (type) => {
    if (exact.has(type)) return true;
    for (let i = 0; i < patterns.length; i++) if (matchesPattern(patterns[i], type)) return true;
    return false;
  };
}

function compileChannels(channels: readonly string[] | undefined): (channels: readonly string[]) => boolean {
  if (channels === undefined) return () => true;
  const wanted = new Set(channels);
  return (actual) => {
    for (let i = 0; i < actual.length; i++) if (wanted.has(actual[i])) return true;
    return false;
  };
}

interface Pattern {
  prefix: string;
  /** Literal pieces between two `*`, in order; none is empty. */
  middle: readonly string[];
  suffix: string;
}

function isPattern(type: string): boolean {
  return type.includes('*');
}

function compilePattern(text: string): Pattern {
  const pieces = text.split('*');
  return {
    prefix: pieces[0],
    middle: pieces.slice(1, -1).filter((piece) => piece !== ''),
    suffix: pieces[pieces.length - 1],
  };
}

// Taking the leftmost place for each middle piece is always right: it leaves the most room for the pieces after it.
function matchesPattern(pattern: Pattern, text: string): boolean {
  const { prefix, middle, suffix } = pattern;
  if (!text.startsWith(prefix) || !text.endsWith(suffix)) return false;
  let at = prefix.length;
  for (let i = 0; i < middle.length; i++) {
    const found = text.indexOf(middle[i], at);
    if (found < 0) return false;
    at = found + middle[i].length;
  }
  return at <= text.length - suffix.length; // or the suffix would begin within the piece before it
}

/** What is wrong with a filter as received, with paths below `path`; empty when it can be compiled. */
export function checkFilter(filter: unknown, path = '/filter'): FieldError[] {
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter)) {
    return [{ path, message: 'The filter must be an object with `types`, `channels` or `where`.' }];
  }
  const errors: FieldError[] = [];
  for (const key of Object.keys(filter)) {
    if (key !== 'types' && key !== 'channels' && key !== 'where') {
      errors.push({
        path: `${path}/${key}`,
        message: `A filter has no \`${key}\`. It may have \`types\`, \`channels\` and \`where\`.`,
      });
    }
  }
  const { types, channels, where } = filter as { types?: unknown; channels?: unknown; where?: unknown };
  checkList(errors, types, {
    path: `${path}/types`,
    noun: 'type',
    max: MAX_FILTER_TYPES,
    pattern: TYPE_PATTERN_PATTERN,
    rule: 'Use 1 to 128 of the characters A-Z a-z 0-9 _ . - and `*` for any run of characters.',
  });
  checkList(errors, channels, {
    path: `${path}/channels`,
    noun: 'channel',
    max: MAX_FILTER_CHANNELS,
    pattern: CHANNEL_PATTERN,
    rule: 'Use 1 to 128 of the characters A-Z a-z 0-9 _ . : / -; patterns are for types only.',
  });
  if (where !== undefined) errors.push(...readWhere(where, `${path}/where`).errors);
  return errors;
}

interface ListRule {
  path: string;
  noun: string;
  max: number;
  pattern: RegExp;
  rule: string;
}

function checkList(errors: FieldError[], list: unknown, { path, noun, max, pattern, rule }: ListRule): void {
  if (list === undefined) return;
  if (!Array.isArray(list)) {
    errors.push({ path, message: `The ${noun}s must be a list of strings.` });
  } else if (list.length === 0) {
    errors.push({ path, message: `An empty list of ${noun}s matches nothing. Leave it out to take every ${noun}.` });
  } else if (list.length > max) {
    errors.push({ path, message: `A filter lists at most ${max} ${noun}s; this one has ${list.length}.` });
  } else {
    list.forEach((entry: unknown, i) => {
      if (typeof entry !== 'string' || !pattern.test(entry)) {
        errors.push({ path: `${path}/${i}`, message: `${quote(entry)} is not a ${noun}. ${rule}` });
      }
    });
  }
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
