// Where something stands in an answer: `data.orders`, `results[0].id`, `groups[*].items`, `$.feed["odd key"]`. A part of JSONPath
// (RFC 9535) that needs no brackets for plain names.
import { ExactNumber, type ExactValue } from '../../core/formats/exact-json.ts';

const STEP = /\.?([^.[\]"'$]+)|\[(\d+)\]|\[\*\]|\.\*|\["([^"\\]*)"\]|\['([^'\\]*)'\]/y;

type Step = string | number | null;

/** Names, indexes, and null for every member. Null when the path cannot be read. */
function parsePath(path: string): Step[] | null {
  const steps: Step[] = [];
  let at = path.startsWith('$') ? 1 : 0;
  if (path.length > at && at === 1 && path[at] !== '.' && path[at] !== '[') return null;
  while (at < path.length) {
    STEP.lastIndex = at;
    const match = STEP.exec(path);
    if (match === null) return null;
    const [, name, index, quoted, single] = match;
    const isFirst = steps.length === 0 && at === 0;
    if (name !== undefined && !isFirst && path[at] !== '.') return null;
    steps.push(index !== undefined ? Number(index) : name === '*' ? null : (name ?? quoted ?? single ?? null));
    at = STEP.lastIndex;
  }
  return steps;
}

const parsed = new Map<string, Step[]>();
const MAX_KEPT = 1000;

function stepsOf(path: string): Step[] {
  let steps = parsed.get(path);
  if (steps === undefined) {
    steps = parsePath(path) ?? [];
    if (parsed.size >= MAX_KEPT) parsed.clear();
    parsed.set(path, steps);
  }
  return steps;
}

/** What is wrong with a path; null when it can be read. */
export function pathFault(path: string): string | null {
  if (parsePath(path) !== null) return null;
  return `The path ${path} cannot be read. Write it like data.orders, results[0].id or groups[*].items.`;
}

/** All values that a path leads to, in order. */
export function readAll(value: ExactValue, path: string): ExactValue[] {
  let found: ExactValue[] = [value];
  for (const step of stepsOf(path)) found = found.flatMap((one) => membersAt(one, step));
  return found;
}

/** The first value that a path leads to. */
export function readOne(value: ExactValue, path: string): ExactValue | undefined {
  return readAll(value, path)[0];
}

/** A text, number or boolean at a path, as text; null for anything else. */
export function readText(value: ExactValue, path: string): string | null {
  const found = readOne(value, path);
  if (found === undefined || found === null) return null;
  if (typeof found === 'object' && !(found instanceof ExactNumber)) return null;
  return String(found);
}

function membersAt(value: ExactValue, step: Step): ExactValue[] {
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) return [];
  if (Array.isArray(value)) {
    if (step === null) return [...(value as readonly ExactValue[])];
    const index = Number(step);
    return Number.isInteger(index) && index < value.length ? [value[index] as ExactValue] : [];
  }
  const object = value as { readonly [key: string]: ExactValue };
  if (step === null) return Object.values(object);
  return Object.hasOwn(object, String(step)) ? [object[String(step)]] : [];
}
