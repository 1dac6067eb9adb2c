// Keywords about objects.
import { compilePattern, type Pattern } from './pattern.ts';
import { isObject, type Schema, type SchemaObject } from './schema.ts';
import type { Check, Validation } from './validation.ts';

type Compile = (schema: Schema) => Check;

export function objectKeywords(schema: SchemaObject, compile: Compile): Check[] {
  const checks: Check[] = [];
  const ofObjects = (check: (value: SchemaObject, validation: Validation) => boolean): void => {
    checks.push((value, validation) => !isObject(value) || check(value, validation));
  };
  const { required, dependentRequired, minProperties, maxProperties } = schema;
  if (Array.isArray(required) && required.length > 0) {
    ofObjects((value, validation) => hasAll(value, required, 'This is required.', validation));
  }
  if (isObject(dependentRequired)) {
    const rules = Object.entries(dependentRequired) as [string, string[]][];
    ofObjects((value, validation) => {
      let ok = true;
      validation.budget.spend(rules.length / 4);
      for (const [name, names] of rules) {
        if (Object.hasOwn(value, name))
          ok = hasAll(value, names, `This is required beside \`${name}\`.`, validation) && ok;
      }
      return ok;
    });
  }
  if (typeof minProperties === 'number' || typeof maxProperties === 'number') {
    const [least, most] = [Number(minProperties ?? 0), Number(maxProperties ?? Number.POSITIVE_INFINITY)];
    ofObjects((value, validation) => {
      const count = Object.keys(value).length;
      validation.budget.spend(count / 4);
      if (count < least) return validation.fail(`This must have at least ${least} members, not ${count}.`);
      return count <= most || validation.fail(`This must have at most ${most} members, not ${count}.`);
    });
  }
  const members = memberCheck(schema, compile);
  if (members !== null) ofObjects(members);
  return checks;
}

function hasAll(value: SchemaObject, names: readonly string[], message: string, validation: Validation): boolean {
  validation.budget.spend(names.length / 4);
  let ok = true;
  for (let i = 0; i < names.length; i++) {
    if (Object.hasOwn(value, names[i])) continue;
    ok = validation.fail(message, names[i]);
    if (validation.errors === null) return false;
  }
  return ok;
}

/** `properties`, `patternProperties`, `additionalProperties` and `propertyNames`, in one pass over the members. */
function memberCheck(schema: SchemaObject, compile: Compile) {
  const { properties, patternProperties, additionalProperties, propertyNames } = schema;
  if ([properties, patternProperties, additionalProperties, propertyNames].every((keyword) => keyword === undefined)) {
    return null;
  }
  const named = new Map(
    Object.entries((properties ?? {}) as Record<string, Schema>).map(([name, child]) => [name, compile(child)]),
  );
  const patterned = Object.entries((patternProperties ?? {}) as Record<string, Schema>).map(
    ([source, child]): [Pattern, Check] => [compilePattern(source), compile(child)],
  );
  const additional = additionalProperties === undefined ? null : compile(additionalProperties as Schema);
  const isClosed = additionalProperties === false;
  const names = propertyNames === undefined ? null : compile(propertyNames as Schema);

  function checkMember(name: string, value: unknown, validation: Validation): boolean {
    let ok = names === null || validation.descend(names, name, name);
    let isKnown = false;
    const own = named.get(name);
    if (own !== undefined) {
      isKnown = true;
      ok = validation.descend(own, value, name) && ok;
    }
    for (const [pattern, check] of patterned) {
      validation.budget.spend(pattern.cost(name.length));
      if (!pattern.test(name)) continue;
      isKnown = true;
      ok = validation.descend(check, value, name) && ok;
    }
    if (!isKnown && isClosed) return validation.fail('There must be no such member.', name);
    if (!isKnown && additional !== null) {
      isKnown = true;
      ok = validation.descend(additional, value, name) && ok;
    }
    if (isKnown) validation.evaluated?.members.add(name);
    return ok;
  }

  return (value: SchemaObject, validation: Validation): boolean => {
    let ok = true;
    for (const name of Object.keys(value)) {
      validation.budget.spend(1);
      if (checkMember(name, value[name], validation)) continue;
      if (validation.errors === null) return false;
      ok = false;
    }
    return ok;
  };
}
