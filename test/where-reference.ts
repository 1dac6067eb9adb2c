// What a `where` means, written as plainly as possible: slow, and with nothing in common with what decides in the product.
// true = met, false = not met, null = neither, for what is asked about is missing.
type Answer = boolean | null;
type Condition = Record<string, unknown>;

/** Of an event as filters see it, its data parsed. */
export interface PlainEvent {
  type: string;
  time: string;
  channels: string[];
  data: unknown;
}

export function meets(where: Condition, event: PlainEvent): boolean {
  return ofBraces(where, event, 'event') === true;
}

function all(answers: Answer[]): Answer {
  if (answers.includes(false)) return false;
  return answers.includes(null) ? null : true;
}

function any(answers: Answer[]): Answer {
  if (answers.includes(true)) return true;
  return answers.includes(null) ? null : false;
}

const COMPARISONS = ['$eq', '$in', '$gt', '$gte', '$lt', '$lte', '$startsWith', '$endsWith', '$regex'];

function isComparison(key: string): boolean {
  return COMPARISONS.includes(key);
}

function isStep(key: string): boolean {
  return !key.startsWith('$') && !/^\d+$/.test(key.split('.')[0]);
}

function ofCondition(condition: unknown, value: unknown, at: string): Answer {
  const isBraces = typeof condition === 'object' && condition !== null && !Array.isArray(condition);
  return ofBraces(isBraces ? (condition as Condition) : { $eq: condition }, value, at);
}

function ofBraces(braces: Condition, value: unknown, at: string): Answer {
  const terms = Object.entries(braces);
  const ofElement = terms.filter(([key]) => isComparison(key) || isStep(key));
  const ofWhole = terms.filter(([key]) => !isComparison(key) && !isStep(key));
  const answers = ofWhole.map(([key, operand]) => ofTerm(key, operand, value, at));
  if (ofElement.length > 0) answers.push(ofSomeElement(ofElement, value, at));
  return all(answers);
}

function ofSomeElement(terms: [string, unknown][], value: unknown, at: string): Answer {
  const ofOne = (one: unknown) => all(terms.map(([key, operand]) => ofTerm(key, operand, one, at)));
  if (!Array.isArray(value)) return ofOne(value);
  const answers = value.map((element) => ofSomeElement(terms, element, at));
  if (terms.every(([key]) => isComparison(key))) answers.push(ofOne(value));
  else if (value.length === 0) return ofOne(undefined);
  if (answers.includes(true)) return true;
  return answers.includes(false) ? false : null;
}

function ofTerm(key: string, operand: unknown, value: unknown, at: string): Answer {
  if (!key.startsWith('$')) {
    const [name, ...rest] = key.split('.');
    const condition = rest.length === 0 ? operand : { [rest.join('.')]: operand };
    return ofCondition(condition, memberOf(value, name), at === 'event' ? name : at);
  }
  switch (key) {
    case '$and':
      return all((operand as unknown[]).map((branch) => ofCondition(branch, value, at)));
    case '$or':
      return any((operand as unknown[]).map((branch) => ofCondition(branch, value, at)));
    case '$not':
      return not(ofCondition(operand, value, at));
    case '$neq':
      return not(ofBraces({ $eq: operand }, value, at));
    case '$nin':
      return not(ofBraces({ $in: operand }, value, at));
    case '$exists':
      return (value !== undefined) === operand;
    default:
      return value === undefined ? null : ofValue(key, operand, value, at);
  }
}

function ofValue(key: string, operand: unknown, value: unknown, at: string): Answer {
  switch (key) {
    case '$size':
      return Array.isArray(value) ? ofCondition(operand, value.length, 'size') : false;
    case '$contains':
      if (Array.isArray(value)) return value.some((element) => isSame(element, operand));
      return typeof value === 'string' && typeof operand === 'string' && value.indexOf(operand) >= 0;
    case '$in':
      return (operand as unknown[]).some((one) => isEqual(one, value, at));
    case '$eq':
      return isEqual(operand, value, at);
    case '$startsWith':
      return typeof value === 'string' && value.slice(0, (operand as string).length) === operand;
    case '$endsWith':
      return (
        typeof value === 'string' && value.slice(Math.max(0, value.length - (operand as string).length)) === operand
      );
    case '$regex':
      return typeof value === 'string' && new RegExp(operand as string, 'u').test(value);
    default:
      return compares(
        key,
        at === 'time' ? Date.parse(operand as string) : operand,
        at === 'time' ? Date.parse(value as string) : value,
      );
  }
}

function compares(key: string, operand: unknown, value: unknown): boolean {
  if (typeof operand !== typeof value) return false;
  const [a, b] = [value as number, operand as number];
  return key === '$gt' ? a > b : key === '$gte' ? a >= b : key === '$lt' ? a < b : a <= b;
}

function isEqual(operand: unknown, value: unknown, at: string): boolean {
  return at === 'time' ? Date.parse(operand as string) === Date.parse(value as string) : isSame(value, operand);
}

function isSame(a: unknown, b: unknown): boolean {
  return sorted(a) === sorted(b);
}

/** JSON with the members of objects in order of their names. */
function sorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sorted).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${sorted(member)}`).join()}}`;
}

function memberOf(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return /^\d+$/.test(name) ? value[Number(name)] : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function not(answer: Answer): Answer {
  return answer === null ? null : !answer;
}
