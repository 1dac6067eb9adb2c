// The data of an event as values to show to people and to templates. A number that a double would write otherwise than it was published
// (12.50, 1e3, 12345678901234567890) stays as it was written.
import { JsonScanner } from '../json-scan.ts';

/** Calculates and compares as its number, and is written with its digits. */
export class ExactNumber {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  [Symbol.toPrimitive](hint: string): number | string {
    return hint === 'string' ? this.#text : Number(this.#text);
  }

  toString(): string {
    return this.#text;
  }

  valueOf(): number {
    return Number(this.#text);
  }

  // As liquidjs compares (its `Comparable`): with whatever a template holds, as JavaScript does.
  equals(other: unknown): boolean {
    return this.valueOf() === (other instanceof ExactNumber ? other.valueOf() : other);
  }

  gt(other: unknown): boolean {
    return this.valueOf() > (other as number);
  }

  geq(other: unknown): boolean {
    return this.valueOf() >= (other as number);
  }

  lt(other: unknown): boolean {
    return this.valueOf() < (other as number);
  }

  leq(other: unknown): boolean {
    return this.valueOf() <= (other as number);
  }
}

export type ExactValue =
  | string
  | number
  | boolean
  | null
  | ExactNumber
  | readonly ExactValue[]
  | { readonly [key: string]: ExactValue };

// A fraction, an exponent, a minus before a zero, or more digits than every double holds. Within strings it may match for nothing.
const INEXACT = /\d[.eE]|-0|\d{16}/;

/** `data` is JSON, as publishing has made sure. */
export function parseExact(data: Buffer): ExactValue {
  const text = data.toString('utf8');
  if (!INEXACT.test(text)) return JSON.parse(text) as ExactValue;
  const scanner = new JsonScanner();
  scanner.open(data);
  return readValue(scanner, data);
}

/** As JSON, its numbers with the digits they had. */
export function writeExact(value: ExactValue): string {
  if (value instanceof ExactNumber) return value.toString();
  if (Array.isArray(value)) return `[${value.map(writeExact).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}:${writeExact(member)}`)
    .join(',')}}`;
}

function readValue(scanner: JsonScanner, data: Buffer): ExactValue {
  switch (scanner.kind()) {
    case 'object': {
      const object: Record<string, ExactValue> = {};
      scanner.enterObject();
      while (scanner.nextMember()) {
        const key = JSON.parse(data.toString('utf8', scanner.keyFrom - 1, scanner.keyTo + 1)) as string;
        const value = readValue(scanner, data);
        // As JSON.parse: a key `__proto__` is a key like others.
        Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
      }
      return object;
    }
    case 'array': {
      const array: ExactValue[] = [];
      scanner.enterArray();
      while (scanner.nextElement()) array.push(readValue(scanner, data));
      return array;
    }
    case 'number': {
      const text = readText(scanner, data);
      return String(Number(text)) === text ? Number(text) : new ExactNumber(text);
    }
    default:
      return JSON.parse(readText(scanner, data)) as ExactValue;
  }
}

function readText(scanner: JsonScanner, data: Buffer): string {
  const from = scanner.at;
  scanner.skipValue();
  return data.toString('utf8', from, scanner.at);
}
