// JSON Schema 2020-12 made into functions. Nothing is generated as program text, so a schema is only ever data; compiling takes about as long
// as parsing the schema, and no validation takes more than its steps.
import type { FieldError } from '../errors.ts';
import { arrayKeywords } from './array-keywords.ts';
import { Budget, Exhausted } from './budget.ts';
import { objectKeywords } from './object-keywords.ts';
import {
  indexSchema,
  isObject,
  refsOf,
  resolveRef,
  type Schema,
  type SchemaIndex,
  type SchemaObject,
} from './schema.ts';
import { type Check, Evaluated, MAX_ERRORS, passAll, Validation } from './validation.ts';
import { valueKeywords } from './value-keywords.ts';

/** Some 50 ms, for whom nobody says otherwise. */
const MAX_STEPS = 3_000_000;

export type ValidateData = (data: unknown, budget?: Budget) => FieldError[];

/**
 * Compiles a schema that `checkSchema` has found nothing wrong with. What comes out says what is wrong with a value (parsed JSON): at most 20
 * faults, at JSON pointers within it; none = it is valid. It throws nothing and keeps nothing. A value that takes more than is left of the
 * budget has that fault.
 */
export function compileSchema(schema: Schema): ValidateData {
  const check = new Compiler(schema).compileAll(schema);
  return (data, budget = new Budget(MAX_STEPS)) => {
    try {
      if (check(data, new Validation({ budget, notesErrors: false }))) return [];
    } catch (error) {
      if (!isTooMuch(error)) throw error;
      return [{ path: '', message: 'This takes too long to check. Make it smaller, or its schema simpler.' }];
    }
    const second = new Validation({ budget, notesErrors: true });
    const errors = second.errors as FieldError[];
    try {
      check(data, second);
    } catch (error) {
      if (!isTooMuch(error)) throw error;
    }
    return errors.length > 0 ? errors.slice(0, MAX_ERRORS) : [{ path: '', message: 'This does not fit the schema.' }];
  };
}

function isTooMuch(error: unknown): boolean {
  // Data that goes deep through references can fill the stack before it uses up its steps.
  return error instanceof Exhausted || error instanceof RangeError;
}

class Compiler {
  readonly #index: SchemaIndex;
  readonly #compiled = new Map<SchemaObject, Check>();
  /** What references wait for. They may form a long chain, so none is followed while another is. */
  readonly #due: (() => void)[] = [];

  constructor(root: Schema) {
    this.#index = indexSchema(root);
  }

  compileAll(schema: Schema): Check {
    const check = this.compile(schema);
    for (let next = this.#due.pop(); next !== undefined; next = this.#due.pop()) next();
    return check;
  }

  compile = (schema: Schema): Check => {
    if (schema === true) return () => true;
    if (schema === false) return (_value, validation) => validation.fail('There must be nothing here.');
    const known = this.#compiled.get(schema);
    if (known !== undefined) return known;
    const check = this.#compileObject(schema);
    this.#compiled.set(schema, check);
    return check;
  };

  #compileObject(schema: SchemaObject): Check {
    const checks = [
      ...valueKeywords(schema),
      ...refsOf(schema).map((ref) => this.#compileRef(ref)),
      ...this.#inPlaceKeywords(schema),
      ...objectKeywords(schema, this.compile),
      ...arrayKeywords(schema, this.compile),
    ];
    const check: Check = (value, validation) => {
      validation.budget.spend(1);
      return passAll(checks, value, validation);
    };
    const { unevaluatedProperties, unevaluatedItems } = schema;
    if (unevaluatedProperties === undefined && unevaluatedItems === undefined) return check;
    return withUnevaluated(check, {
      members: unevaluatedProperties === undefined ? null : this.compile(unevaluatedProperties as Schema),
      items: unevaluatedItems === undefined ? null : this.compile(unevaluatedItems as Schema),
    });
  }

  #compileRef(ref: string): Check {
    const target = this.#index.byPointer.get(resolveRef(this.#index, ref) as string) as Schema;
    let check: Check;
    this.#due.push(() => {
      check = this.compile(target);
    });
    return (value, validation) => check(value, validation);
  }

  /** Those whose schemas are about the same value. */
  #inPlaceKeywords(schema: SchemaObject): Check[] {
    const compileAll = (list: unknown): Check[] => (list as Schema[]).map(this.compile);
    const checks: Check[] = [];
    if (schema.allOf !== undefined) checks.push(...compileAll(schema.allOf));
    if (schema.anyOf !== undefined) checks.push(anyOf(compileAll(schema.anyOf)));
    if (schema.oneOf !== undefined) checks.push(oneOf(compileAll(schema.oneOf)));
    if (schema.not !== undefined) {
      const not = this.compile(schema.not as Schema);
      checks.push((value, validation) => {
        const { evaluated } = validation;
        validation.evaluated = null; // what is not to fit counts for nothing
        const fits = validation.passes(not, value);
        validation.evaluated = evaluated;
        return !fits || validation.fail('This fits what it must not (`not`).');
      });
    }
    if (schema.if !== undefined) checks.push(this.#condition(schema));
    if (schema.dependentSchemas !== undefined) {
      const rules = Object.entries(schema.dependentSchemas as Record<string, Schema>).map(
        ([name, child]): [string, Check] => [name, this.compile(child)],
      );
      checks.push((value, validation) => {
        validation.budget.spend(rules.length / 4);
        const due = isObject(value) ? rules.filter(([name]) => Object.hasOwn(value, name)) : [];
        return passAll(
          due.map(([, check]) => check),
          value,
          validation,
        );
      });
    }
    return checks;
  }

  #condition(schema: SchemaObject): Check {
    const condition = this.compile(schema.if as Schema);
    const then = this.compile((schema.then ?? true) as Schema);
    const otherwise = this.compile((schema.else ?? true) as Schema);
    return (value, validation) => (validation.passes(condition, value) ? then : otherwise)(value, validation);
  }
}

function anyOf(checks: readonly Check[]): Check {
  return (value, validation) => {
    let fits = false;
    for (const check of checks) {
      fits = validation.passes(check, value) || fits;
      // Who asks what was looked at needs every schema that fits.
      if (fits && validation.evaluated === null) return true;
    }
    return fits || failAll(checks, value, validation, `This fits none of the ${checks.length} schemas of \`anyOf\`.`);
  };
}

function oneOf(checks: readonly Check[]): Check {
  return (value, validation) => {
    const { evaluated } = validation;
    let first: Check | null = null;
    let count = 0;
    validation.evaluated = null;
    for (const check of checks) {
      if (!validation.passes(check, value)) continue;
      first ??= check;
      if (++count === 2) break;
    }
    validation.evaluated = evaluated;
    if (count === 2) return validation.fail('This fits more than one of the schemas of `oneOf`.');
    if (first === null)
      return failAll(checks, value, validation, `This fits none of the ${checks.length} schemas of \`oneOf\`.`);
    return evaluated === null || first(value, validation);
  };
}

/** Of alternatives of which none fits: the faults of the one that was meant, where it can be told. */
function failAll(checks: readonly Check[], value: unknown, validation: Validation, message: string): false {
  if (validation.errors === null) return false;
  const here = validation.path;
  const meant = checks
    .map((check) => validation.faultsOf(check, value))
    .filter((faults) => faults.every(({ path }) => path !== here));
  if (meant.length !== 1) return validation.fail(message);
  for (const fault of meant[0]) validation.errors.push(fault);
  return false;
}

function withUnevaluated(check: Check, rest: { members: Check | null; items: Check | null }): Check {
  return (value, validation) => {
    const outer = validation.evaluated;
    const evaluated = new Evaluated();
    validation.evaluated = evaluated;
    let ok = check(value, validation);
    if (ok && rest.members !== null && isObject(value)) ok = checkMembers(value, rest.members, evaluated, validation);
    if (ok && rest.items !== null && Array.isArray(value)) ok = checkItems(value, rest.items, evaluated, validation);
    validation.evaluated = outer;
    if (ok) outer?.add(evaluated);
    return ok;
  };
}

function checkMembers(value: SchemaObject, check: Check, evaluated: Evaluated, validation: Validation): boolean {
  let ok = true;
  for (const name of Object.keys(value)) {
    validation.budget.spend(1);
    if (evaluated.members.has(name)) continue;
    evaluated.members.add(name);
    ok = validation.descend(check, value[name], name) && ok;
  }
  return ok;
}

function checkItems(value: readonly unknown[], check: Check, evaluated: Evaluated, validation: Validation): boolean {
  let ok = true;
  for (let i = evaluated.items; i < value.length; i++) {
    validation.budget.spend(1);
    if (!evaluated.singleItems.has(i)) ok = validation.descend(check, value[i], i) && ok;
  }
  evaluated.items = value.length;
  return ok;
}
