// One look at one value: what it may cost, where it stands, and what was found. A first look stops at the first fault and notes nothing; a
// second one, at values that have a fault, tells what is wrong and where.
import type { FieldError } from '../errors.ts';
import { jsonPointer } from '../json-error.ts';
import type { Budget } from './budget.ts';

export const MAX_ERRORS = 20;

/** A compiled schema or keyword: whether the value passes. */
export type Check = (value: unknown, validation: Validation) => boolean;

/** Which members and items of a value some schema has looked at, for `unevaluatedProperties` and `unevaluatedItems`. */
export class Evaluated {
  readonly members = new Set<string>();
  /** All items before this one. */
  items = 0;
  readonly singleItems = new Set<number>();

  add(other: Evaluated): void {
    for (const member of other.members) this.members.add(member);
    this.items = Math.max(this.items, other.items);
    for (const item of other.singleItems) this.singleItems.add(item);
  }
}

export class Validation {
  readonly budget: Budget;
  /** Null: the first fault ends it, and none is noted. */
  errors: FieldError[] | null;
  /** Of the value that is looked at; null = nobody asks. */
  evaluated: Evaluated | null = null;
  readonly #path: (string | number)[] = [];

  constructor(options: { budget: Budget; notesErrors: boolean }) {
    this.budget = options.budget;
    this.errors = options.notesErrors ? [] : null;
  }

  /** Looks at a member or item. */
  descend(check: Check, value: unknown, step: string | number): boolean {
    const { evaluated } = this;
    this.evaluated = null;
    this.#path.push(step);
    const ok = check(value, this);
    this.#path.pop();
    this.evaluated = evaluated;
    return ok;
  }

  /** Notes a fault of the value, or of its member. */
  fail(message: string, member?: string): false {
    if (this.errors !== null && this.errors.length < MAX_ERRORS) {
      this.budget.spend(20 + this.#path.length * 5);
      const path = member === undefined ? this.#path : [...this.#path, member];
      this.errors.push({ path: jsonPointer(path), message });
    }
    return false;
  }

  /** Looks without noting faults. What it has looked at counts only if it passes. */
  passes(check: Check, value: unknown): boolean {
    return this.#aside(check, value, null);
  }

  /** The faults that a check finds, aside from those noted. */
  faultsOf(check: Check, value: unknown): FieldError[] {
    const errors: FieldError[] = [];
    this.#aside(check, value, errors);
    return errors;
  }

  /** The JSON pointer of the value that is looked at. */
  get path(): string {
    return jsonPointer(this.#path);
  }

  #aside(check: Check, value: unknown, errors: FieldError[] | null): boolean {
    const { errors: noted, evaluated } = this;
    this.errors = errors;
    if (evaluated !== null) this.evaluated = new Evaluated();
    const ok = check(value, this);
    if (ok && evaluated !== null) evaluated.add(this.evaluated!);
    this.errors = noted;
    this.evaluated = evaluated;
    return ok;
  }
}

/** Whether all pass; the rest is looked at only if faults are noted. */
export function passAll(checks: readonly Check[], value: unknown, validation: Validation): boolean {
  let ok = true;
  for (let i = 0; i < checks.length; i++) {
    if (checks[i](value, validation)) continue;
    if (validation.errors === null) return false;
    ok = false;
  }
  return ok;
}
