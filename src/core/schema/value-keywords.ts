// Keywords about a value as such, about numbers and about texts.
import { canonicalJson } from './canonical-json.ts';
import { FORMATS } from './format.ts';
import { compilePattern } from './pattern.ts';
import type { SchemaObject } from './schema.ts';
import type { Check, Validation } from './validation.ts';

/** How much of a value a message shows. */
const SHOWN_CHARS = 100;

export function valueKeywords(schema: SchemaObject): Check[] {
  const checks: Check[] = [];
  if (schema.type !== undefined) checks.push(typeCheck([schema.type as string | string[]].flat()));
  if (Object.hasOwn(schema, 'const')) checks.push(oneOfValues([schema.const]));
  if (Array.isArray(schema.enum)) checks.push(oneOfValues(schema.enum));
  return [...checks, ...numberKeywords(schema), ...textKeywords(schema)];
}

export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

export function withArticle(kind: string): string {
  if (kind === 'null') return kind;
  return /^[aeio]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}

function typeCheck(types: readonly string[]): Check {
  const words = types.map(withArticle).join(' or ');
  const takesIntegers = types.includes('integer') && !types.includes('number');
  return (value, validation) => {
    const kind = kindOf(value);
    if (types.includes(kind) || (takesIntegers && Number.isInteger(value))) return true;
    return validation.fail(`This must be ${words}, not ${kind === 'number' ? shown(value) : withArticle(kind)}.`);
  };
}

function oneOfValues(values: readonly unknown[]): Check {
  const plain = new Set(values.filter((value) => typeof value !== 'object' || value === null));
  const others = new Set(values.filter((value) => typeof value === 'object' && value !== null).map(canonicalJson));
  const list = shown(values).slice(1, -1);
  return (value, validation) => {
    if (typeof value !== 'object' || value === null ? plain.has(value) : others.has(canonicalOf(value, validation))) {
      return true;
    }
    return validation.fail(values.length === 1 ? `This must be ${list}.` : `This must be one of ${list}.`);
  };
}

/** As `canonicalJson`, paid for. */
export function canonicalOf(value: unknown, { budget }: Validation): string {
  const text = canonicalJson(value);
  budget.spend(text.length / 4);
  return text;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}

const BOUNDS: [keyword: string, holds: (value: number, bound: number) => boolean, words: string][] = [
  ['minimum', (value, bound) => value >= bound, 'at least'],
  ['exclusiveMinimum', (value, bound) => value > bound, 'more than'],
  ['maximum', (value, bound) => value <= bound, 'at most'],
  ['exclusiveMaximum', (value, bound) => value < bound, 'less than'],
];

function numberKeywords(schema: SchemaObject): Check[] {
  const checks: Check[] = [];
  for (const [keyword, holds, words] of BOUNDS) {
    const bound = schema[keyword];
    if (typeof bound !== 'number') continue;
    checks.push((value, validation) =>
      typeof value !== 'number' || holds(value, bound) ? true : validation.fail(`This must be ${words} ${bound}.`),
    );
  }
  const { multipleOf } = schema;
  if (typeof multipleOf === 'number') {
    checks.push((value, validation) => {
      if (typeof value !== 'number') return true;
      validation.budget.spend(10);
      return isMultiple(value, multipleOf) || validation.fail(`This must be a multiple of ${multipleOf}.`);
    });
  }
  return checks;
}

/** By the decimals as they are written: 0.3 is a multiple of 0.1. A number that is too large to be one here (1e400) is a multiple of nothing. */
export function isMultiple(value: number, of: number): boolean {
  if (!Number.isFinite(value)) return false;
  if (Number.isSafeInteger(value) && Number.isSafeInteger(of)) return value % of === 0;
  const [a, b] = [decimalOf(value), decimalOf(of)];
  const exponent = Math.min(a.exponent, b.exponent);
  const scaled = (decimal: Decimal): bigint => decimal.digits * 10n ** BigInt(decimal.exponent - exponent);
  return scaled(a) % scaled(b) === 0n;
}

interface Decimal {
  digits: bigint;
  exponent: number;
}

function decimalOf(value: number): Decimal {
  const [, sign, first, rest = '', exponent] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(
    value.toExponential(),
  ) as string[];
  return { digits: BigInt(sign + first + rest), exponent: Number(exponent) - rest.length };
}

function textKeywords(schema: SchemaObject): Check[] {
  const checks: Check[] = [];
  const { minLength, maxLength, pattern, format } = schema;
  if (typeof minLength === 'number' || typeof maxLength === 'number') {
    checks.push(lengthCheck(Number(minLength ?? 0), Number(maxLength ?? Number.POSITIVE_INFINITY)));
  }
  if (typeof pattern === 'string') {
    const compiled = compilePattern(pattern);
    checks.push((value, validation) => {
      if (typeof value !== 'string') return true;
      validation.budget.spend(compiled.cost(value.length));
      return compiled.test(value) || validation.fail(`This must match the pattern ${pattern}`);
    });
  }
  const holds = typeof format === 'string' ? FORMATS.get(format) : undefined;
  if (holds !== undefined) {
    checks.push((value, validation) => {
      if (typeof value !== 'string') return true;
      validation.budget.spend(value.length / 4 + 10);
      return holds(value) || validation.fail(`This must be in the format ${format}.`);
    });
  }
  return checks;
}

function lengthCheck(least: number, most: number): Check {
  return (value, validation) => {
    if (typeof value !== 'string') return true;
    validation.budget.spend(value.length / 16);
    const length = characters(value);
    if (length < least) return validation.fail(`This must have at least ${least} characters, not ${length}.`);
    return length <= most || validation.fail(`This must have at most ${most} characters, not ${length}.`);
  };
}

/** Code points, as JSON Schema counts them. */
function characters(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) !== 0xd800 || (text.charCodeAt(i + 1) & 0xfc00) !== 0xdc00) continue;
    count--;
    i++;
  }
  return count;
}
