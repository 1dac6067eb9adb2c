// What a reader of the log asks for. Taken apart by hand: reading is a hot path, and no schema runs on it.
import type { FieldError } from '../core/errors.ts';
import { type CompiledFilter, compileFilter } from '../core/filter.ts';
import { MAX_WHERE_CHARS, readFilterQuery } from './filter-query.ts';
import { invalidFields } from './problem.ts';

export const MAX_READ_EVENTS = 1000;
export const DEFAULT_READ_EVENTS = 100;
export const MIN_READ_BYTES = 1024;
export const MAX_READ_BYTES = 8 * 1024 * 1024;
export const DEFAULT_READ_BYTES = 2 * 1024 * 1024;
export const MAX_WAIT_SECONDS = 60;

export interface ReadQuery {
  /** A cursor or `now`; null = from the oldest event kept. */
  after: string | null;
  limit: number;
  maxBytes: number;
  /** null = all events. */
  filter: CompiledFilter | null;
  /** The same for the same filter. */
  filterKey: string;
  /** null = not given. */
  waitSeconds: number | null;
  /** The id or uid of the endpoint whose signatures are wanted. */
  signatures: string | null;
}

const MAX_TEXT_CHARS = { after: 500, types: 20_000, channels: 20_000, where: MAX_WHERE_CHARS, signatures: 200 };
const NUMBERS = {
  limit: [1, MAX_READ_EVENTS],
  maxBytes: [MIN_READ_BYTES, MAX_READ_BYTES],
  wait: [0, MAX_WAIT_SECONDS],
} as const;

/** @throws TidingsError invalid_request */
export function parseReadQuery(query: Record<string, unknown>): ReadQuery {
  const errors: FieldError[] = [];
  const texts: Partial<Record<keyof typeof MAX_TEXT_CHARS, string>> = {};
  const numbers: Partial<Record<keyof typeof NUMBERS, number>> = {};
  for (const name of Object.keys(query)) {
    const value = query[name];
    if (typeof value !== 'string') {
      errors.push({ path: `/${name}`, message: `\`${name}\` is given more than once. Separate values by commas.` });
    } else if (isKeyOf(MAX_TEXT_CHARS, name)) {
      const max = MAX_TEXT_CHARS[name];
      if (value.length <= max) texts[name] = value;
      else errors.push({ path: `/${name}`, message: `This has ${value.length} characters; ${max} are the most.` });
    } else if (isKeyOf(NUMBERS, name)) {
      const [least, most] = NUMBERS[name];
      const number = /^\d{1,8}$/.test(value) ? Number(value) : Number.NaN;
      if (number >= least && number <= most) numbers[name] = number;
      else errors.push({ path: `/${name}`, message: `Give a whole number from ${least} to ${most}.` });
    } else {
      errors.push({ path: `/${name}`, message: `\`${name}\` is not known here.` });
    }
  }
  const { types, channels, where } = texts;
  const isFiltered = types !== undefined || channels !== undefined || where !== undefined;
  const read = isFiltered ? readFilterQuery(texts) : null;
  if (read !== null) errors.push(...read.errors);
  if (errors.length > 0) throw invalidFields(errors, 'query');
  return {
    after: texts.after ?? null,
    limit: numbers.limit ?? DEFAULT_READ_EVENTS,
    maxBytes: numbers.maxBytes ?? DEFAULT_READ_BYTES,
    filter: read === null ? null : compileFilter(read.filter),
    filterKey: isFiltered ? `${types ?? ''} ${channels ?? ''} ${where ?? ''}` : '',
    waitSeconds: numbers.wait ?? null,
    signatures: texts.signatures ?? null,
  };
}

function isKeyOf<Table extends object>(table: Table, name: string): name is keyof Table & string {
  return Object.hasOwn(table, name);
}

const PREFER_WAIT = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])/i;

/** The `wait` preference of RFC 7240 (4.3), at most what is possible; null without one. A preference that makes no sense is no error. */
export function preferredWaitSeconds(prefer: string | string[] | undefined): number | null {
  if (prefer === undefined) return null;
  const match = PREFER_WAIT.exec(String(prefer));
  return match === null ? null : Math.min(Number(match[1]), MAX_WAIT_SECONDS);
}
