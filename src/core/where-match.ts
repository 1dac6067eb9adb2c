// Decides by a `where`, compiled to closures. It has three answers, as SQL has: a condition on what is missing is neither met nor not met, so
// that its negation is not met either; only $exists knows. An event matches when the answer is 1.
import type { LogEvent } from './event.ts';
import { readData } from './event-data.ts';
import { isSameJson } from './json-value.ts';
import { compileLinearPattern } from './linear-pattern.ts';
import { formatTime } from './time.ts';
import { type Braces, type Comparison, innerOf, type Subject, type Term } from './where.ts';
import { beginSteps, charge } from './where-steps.ts';

/** 1 = met, -1 = not met, 0 = neither: and is the least, or the greatest, not the opposite. */
type Verdict = -1 | 0 | 1;
/** Missing values are `undefined`. */
type Decide = (value: unknown) => Verdict;

/** What a `where` looks at. */
export type WhereEvent = Pick<LogEvent, 'type' | 'timeMs' | 'channels' | 'data'>;

/** Asks of an event, or of a value that the braces are about; missing is `undefined`. @throws Error when it takes too many steps */
export function compileWhere(braces: Braces): (value: unknown) => boolean {
  const decide = compileBraces(braces);
  return (value) => {
    beginSteps();
    return decide(value) === 1;
  };
}

function compileBraces({ subject, whole, element }: Braces): Decide {
  const parts = whole.map((term) => ({ decide: compileTerm(term, subject), cost: costOf(term) }));
  if (element.length > 0) {
    parts.push({ decide: compileGroup(element, subject), cost: Math.max(...element.map(costOf)) });
  }
  return leastOf(parts.toSorted((a, b) => a.cost - b.cost).map(({ decide }) => decide));
}

function leastOf(all: readonly Decide[]): Decide {
  if (all.length === 1) return all[0];
  return (value) => {
    let least: Verdict = 1;
    for (let i = 0; i < all.length; i++) {
      const verdict = all[i](value);
      if (verdict === -1) return -1;
      if (verdict === 0) least = 0;
    }
    return least;
  };
}

/** The terms that one element of an array must meet together. */
function compileGroup(terms: readonly Term[], subject: Subject): Decide {
  const sorted = terms.toSorted((a, b) => costOf(a) - costOf(b));
  const ofOne = leastOf(sorted.map((term) => compileTerm(term, subject)));
  if (subject === 'event') return ofOne;
  // An array is no object, so steps into it lead nowhere; it may be what a comparison asks for.
  const isOfItself = terms.every(({ kind }) => kind === 'comparison');
  const weight = weightOf(terms);
  const decide: Decide = (value) => {
    if (!Array.isArray(value)) return ofOne(value);
    charge(value.length * weight);
    let greatest: Verdict = isOfItself ? ofOne(value) : value.length === 0 ? ofOne(undefined) : 0;
    let isDecided = isOfItself;
    for (let i = 0; i < value.length && greatest !== 1; i++) {
      const verdict = decide(value[i]);
      if (verdict === 0) continue;
      if (verdict === 1 || !isDecided) greatest = verdict;
      isDecided = true;
    }
    return greatest;
  };
  return decide;
}

/** How many comparisons one element costs. */
function weightOf(terms: readonly Term[]): number {
  let weight = 0;
  for (const term of terms) {
    weight += 1;
    if (term.kind === 'comparison' && Array.isArray(term.operand)) weight += term.operand.filter(isNested).length;
    for (const { whole, element } of innerOf(term)) weight += weightOf(whole) + weightOf(element);
  }
  return weight;
}

/** What is cheap goes first: what needs no parsing, then comparisons; patterns go last. */
function costOf(term: Term): number {
  if (term.kind === 'comparison') return term.operator === '$regex' ? 1000 : 1;
  if (term.kind === 'contains') return 10;
  const inner = innerOf(term).flatMap(({ whole, element }) => [...whole, ...element]);
  const isData = term.kind === 'step' && term.braces.subject === 'data';
  return inner.reduce((cost, one) => cost + costOf(one), isData ? 2 : 1);
}

function compileTerm(term: Term, subject: Subject): Decide {
  switch (term.kind) {
    case 'step':
      return compileStep(term.name, compileBraces(term.braces), subject);
    case 'index':
      return compileIndex(term.name, compileBraces(term.braces));
    case 'comparison': {
      const holds = compileComparison(term.operator, term.operand);
      if (subject === 'time' && TEXT_COMPARISONS.includes(term.operator)) {
        return (value) => (typeof value === 'number' && holds(formatTime(value)) ? 1 : -1);
      }
      return (value) => (value === undefined ? 0 : holds(value) ? 1 : -1);
    }
    case 'contains':
      return subject === 'time'
        ? (value) => contains(formatTime(value as number), term.operand)
        : (value) => contains(value, term.operand);
    case 'exists':
      return (value) => ((value !== undefined) === term.wanted ? 1 : -1);
    case 'size': {
      const decide = compileBraces(term.braces);
      return (value) => (value === undefined ? 0 : Array.isArray(value) ? decide(value.length) : -1);
    }
    case 'not': {
      const decide = compileBraces(term.braces);
      return (value) => -decide(value) as Verdict;
    }
    case 'and':
      return leastOf(term.branches.map(compileBraces));
    case 'or':
      return greatestOf(term.branches.map(compileBraces));
  }
}

function greatestOf(all: readonly Decide[]): Decide {
  return (value) => {
    let greatest: Verdict = -1;
    for (let i = 0; i < all.length; i++) {
      const verdict = all[i](value);
      if (verdict === 1) return 1;
      if (verdict === 0) greatest = 0;
    }
    return greatest;
  };
}

function compileStep(name: string, inner: Decide, subject: Subject): Decide {
  if (subject === 'event') {
    if (name === 'type') return (event) => inner((event as WhereEvent).type);
    if (name === 'time') return (event) => inner((event as WhereEvent).timeMs);
    if (name === 'channels') return (event) => inner((event as WhereEvent).channels);
    return (event) => inner(readData((event as WhereEvent).data));
  }
  // An object has what is its own; asking costs time, and for most names there is nothing else that it could have.
  if (name in Object.prototype) {
    return (value) => inner(isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined);
  }
  return (value) => inner(isObject(value) ? value[name] : undefined);
}

function compileIndex(name: string, inner: Decide): Decide {
  const index = Number(name);
  return (value) => inner(Array.isArray(value) ? value[index] : isObject(value) ? value[name] : undefined);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const TEXT_COMPARISONS: readonly Comparison[] = ['$startsWith', '$endsWith', '$regex'];

function compileComparison(operator: Comparison, operand: unknown): (value: unknown) => boolean {
  switch (operator) {
    case '$eq':
      return isNested(operand) ? (value) => isSameJson(value, operand) : (value) => value === operand;
    case '$in': {
      const list = operand as readonly unknown[];
      if (list.some(isNested)) return (value) => list.some((one) => isSameJson(value, one));
      const wanted = new Set(list);
      return (value) => wanted.has(value);
    }
    case '$startsWith':
      return (value) => typeof value === 'string' && value.startsWith(operand as string);
    case '$endsWith':
      return (value) => typeof value === 'string' && value.endsWith(operand as string);
    case '$regex': {
      const { test, stepsPerChar } = compileLinearPattern(operand as string);
      return (value) => {
        if (typeof value !== 'string') return false;
        charge(value.length * stepsPerChar);
        return test(value);
      };
    }
    default:
      return compileOrder(operator, operand as number | string);
  }
}

/** Numbers are compared with numbers, text with text by its UTF-16 units. */
function compileOrder(operator: Comparison, operand: number | string): (value: unknown) => boolean {
  const type = typeof operand;
  switch (operator) {
    case '$gt':
      return (value) => typeof value === type && (value as number) > (operand as number);
    case '$gte':
      return (value) => typeof value === type && (value as number) >= (operand as number);
    case '$lt':
      return (value) => typeof value === type && (value as number) < (operand as number);
    default:
      return (value) => typeof value === type && (value as number) <= (operand as number);
  }
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function contains(value: unknown, operand: unknown): Verdict {
  if (value === undefined) return 0;
  if (typeof value === 'string') {
    charge(value.length / 10);
    return typeof operand === 'string' && value.includes(operand) ? 1 : -1;
  }
  if (!Array.isArray(value)) return -1;
  charge(value.length);
  return (isNested(operand) ? value.some((element) => isSameJson(element, operand)) : value.includes(operand)) ? 1 : -1;
}
