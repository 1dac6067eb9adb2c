// Keywords about arrays.
import type { Schema, SchemaObject } from './schema.ts';
import type { Check, Validation } from './validation.ts';
import { canonicalOf } from './value-keywords.ts';

type Compile = (schema: Schema) => Check;
type ArrayCheck = (value: readonly unknown[], validation: Validation) => boolean;

export function arrayKeywords(schema: SchemaObject, compile: Compile): Check[] {
  const checks: ArrayCheck[] = [];
  const { minItems, maxItems, uniqueItems, prefixItems, items, contains } = schema;
  if (typeof minItems === 'number' || typeof maxItems === 'number') {
    const [least, most] = [Number(minItems ?? 0), Number(maxItems ?? Number.POSITIVE_INFINITY)];
    checks.push(({ length }, validation) => {
      if (length < least) return validation.fail(`This must have at least ${least} items, not ${length}.`);
      return length <= most || validation.fail(`This must have at most ${most} items, not ${length}.`);
    });
  }
  if (uniqueItems === true) checks.push(areUnique);
  if (prefixItems !== undefined || items !== undefined) {
    checks.push(
      itemCheck(((prefixItems ?? []) as Schema[]).map(compile), items === undefined ? null : compile(items as Schema)),
    );
  }
  if (contains !== undefined) checks.push(containsCheck(schema, compile(contains as Schema)));
  return checks.map((check) => (value, validation) => !Array.isArray(value) || check(value, validation));
}

function areUnique(value: readonly unknown[], validation: Validation): boolean {
  const plain = new Set<unknown>();
  const others = new Set<string>();
  for (const [i, item] of value.entries()) {
    validation.budget.spend(2);
    const isPlain = typeof item !== 'object' || item === null;
    const seen: Set<unknown> = isPlain ? plain : others;
    const key = isPlain ? item : canonicalOf(item, validation);
    if (seen.has(key)) return validation.fail('This item is there already; each must be different.', String(i));
    seen.add(key);
  }
  return true;
}

function itemCheck(first: readonly Check[], rest: Check | null): ArrayCheck {
  return (value, validation) => {
    const count = rest === null ? Math.min(first.length, value.length) : value.length;
    let ok = true;
    for (let i = 0; i < count; i++) {
      if (validation.descend(i < first.length ? first[i] : rest!, value[i], i)) continue;
      if (validation.errors === null) return false;
      ok = false;
    }
    const { evaluated } = validation;
    if (evaluated !== null) evaluated.items = Math.max(evaluated.items, count);
    return ok;
  };
}

function containsCheck({ minContains, maxContains }: SchemaObject, check: Check): ArrayCheck {
  const least = typeof minContains === 'number' ? minContains : 1;
  const most = typeof maxContains === 'number' ? maxContains : Number.POSITIVE_INFINITY;
  return (value, validation) => {
    let count = 0;
    const { evaluated, errors } = validation;
    validation.errors = null;
    for (let i = 0; i < value.length; i++) {
      if (!validation.descend(check, value[i], i)) continue;
      count++;
      evaluated?.singleItems.add(i);
      // Who asks what was looked at needs every item that fits.
      if (evaluated === null && count >= least && most === Number.POSITIVE_INFINITY) break;
    }
    validation.errors = errors;
    if (count < least) return validation.fail(`At least ${least} of the items must fit \`contains\`; ${count} do.`);
    return count <= most || validation.fail(`At most ${most} of the items may fit \`contains\`; ${count} do.`);
  };
}
