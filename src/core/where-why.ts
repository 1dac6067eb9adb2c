// Says which conditions of a `where` an event does not meet, for people: it may take its time.
import { readData } from './event-data.ts';
import { jsonPointer } from './json-error.ts';
import { excerpt, type JsonObject } from './json-value.ts';
import { formatTime } from './time.ts';
import { type Braces, innerOf, type Subject, type Term } from './where.ts';
import { compileWhere, type WhereEvent } from './where-match.ts';

/** A condition that an event did not meet; `path` is a JSON pointer (RFC 6901) into the event. */
export interface Unmet {
  path: string;
  /** As it was written: `{"$gt": 100}`. */
  expected: JsonObject;
  /** What is there, or its beginning; absent when nothing is. Of alternatives and negations of paths: what is at each, by pointer. */
  actual?: unknown;
}

/** Every condition that is not met: none exactly when the event matches. @throws Error as the filter itself */
export function unmetOf(braces: Braces, event: WhereEvent): Unmet[] {
  const unmet: Unmet[] = [];
  addUnmet(unmet, braces, event, []);
  return unmet;
}

type Path = readonly string[];

function addUnmet(unmet: Unmet[], { subject, whole, element }: Braces, value: unknown, path: Path): void {
  for (const term of whole) addTerm(unmet, term, subject, value, path);
  if (!Array.isArray(value)) {
    for (const term of element) addTerm(unmet, term, subject, value, path);
  } else if (element.length > 0 && !isMet({ subject, whole: [], element }, value)) {
    const expected = Object.assign({}, ...element.map(({ json }) => json));
    unmet.push({ path: jsonPointer(path), expected, actual: shown(value, subject) });
  }
}

function addTerm(unmet: Unmet[], term: Term, subject: Subject, value: unknown, path: Path): void {
  if (term.kind === 'step' || term.kind === 'index') {
    addUnmet(unmet, term.braces, stepInto(value, term.name, subject), [...path, term.name]);
    return;
  }
  if (term.kind === 'and') {
    for (const branch of term.branches) addUnmet(unmet, branch, value, path);
    return;
  }
  if (isMet({ subject, whole: [term], element: [] }, value)) return;
  const actual = hasSteps(term) ? Object.fromEntries(seenBy(term, value, path)) : shown(value, subject);
  unmet.push({ path: jsonPointer(path), expected: term.json, ...(actual !== undefined && { actual }) });
}

/** What takes too many steps is not met: another condition was not either, or it would not have come to this. */
function isMet(braces: Braces, value: unknown): boolean {
  try {
    return compileWhere(braces)(value);
  } catch {
    return false;
  }
}

function stepInto(value: unknown, name: string, subject: Subject): unknown {
  if (subject === 'event') {
    const { type, timeMs, channels, data } = value as WhereEvent;
    return name === 'data' ? readData(data) : name === 'type' ? type : name === 'time' ? timeMs : channels;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.hasOwn(value, name) && !(Array.isArray(value) && name === 'length')
    ? (value as JsonObject)[name]
    : undefined;
}

function shown(value: unknown, subject: Subject): unknown {
  return excerpt(subject === 'time' ? formatTime(value as number) : value);
}

function hasSteps(term: Term): boolean {
  return innerOf(term).some(({ whole, element }) =>
    [...whole, ...element].some((inner) => inner.kind === 'step' || inner.kind === 'index' || hasSteps(inner)),
  );
}

/** What is at the ends of the paths within a term, or at the first array on the way; what is missing is left out. */
function seenBy(term: Term, value: unknown, path: Path): [pointer: string, actual: unknown][] {
  return innerOf(term).flatMap(({ subject, whole, element }) =>
    [...whole, ...element].flatMap((inner): [string, unknown][] => {
      const isStep = inner.kind === 'index' || (inner.kind === 'step' && !Array.isArray(value));
      if (isStep) return seenBy(inner, stepInto(value, inner.name, subject), [...path, inner.name]);
      if (inner.kind !== 'step' && hasSteps(inner)) return seenBy(inner, value, path);
      return value === undefined ? [] : [[jsonPointer(path), shown(value, subject)]];
    }),
  );
}
