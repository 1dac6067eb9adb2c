// A JSON Schema (2020-12) as this program holds it: parsed JSON, with the places where further schemas stand in it. Only at those places a
// `$ref` is a reference: in `enum`, `const`, `default` and `examples` it is data.
import { jsonPointer } from '../json-error.ts';

export type Schema = boolean | SchemaObject;
export type SchemaObject = { readonly [keyword: string]: unknown };
export type Path = readonly (string | number)[];

/** How the schemas below a keyword stand there. `definitions` is of older drafts, and still what many references point into. */
const SUBSCHEMAS = {
  $defs: 'map',
  definitions: 'map',
  allOf: 'list',
  anyOf: 'list',
  oneOf: 'list',
  not: 'one',
  if: 'one',
  // biome-ignore lint/suspicious/noThenProperty: a keyword
  then: 'one',
  else: 'one',
  dependentSchemas: 'map',
  properties: 'map',
  patternProperties: 'map',
  additionalProperties: 'one',
  propertyNames: 'one',
  unevaluatedProperties: 'one',
  prefixItems: 'list',
  items: 'one',
  contains: 'one',
  unevaluatedItems: 'one',
} as const;
export type SubschemaKeyword = keyof typeof SUBSCHEMAS;
export const SUBSCHEMA_KEYWORDS = Object.keys(SUBSCHEMAS) as SubschemaKeyword[];

export function isObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isSchema(value: unknown): value is Schema {
  return typeof value === 'boolean' || isObject(value);
}

export function placesOf(keyword: SubschemaKeyword): 'one' | 'list' | 'map' {
  return SUBSCHEMAS[keyword];
}

/** The schemas directly below one keyword, with the steps to them from there. What is no schema is left out. */
export function subschemasAt(schema: SchemaObject, keyword: SubschemaKeyword): [steps: Path, schema: Schema][] {
  const value = Object.hasOwn(schema, keyword) ? schema[keyword] : undefined;
  const places = SUBSCHEMAS[keyword];
  if (places === 'one') return isSchema(value) ? [[[keyword], value]] : [];
  const entries: [string | number, unknown][] =
    places === 'list' && Array.isArray(value)
      ? [...value.entries()]
      : places === 'map' && isObject(value)
        ? Object.entries(value)
        : [];
  return entries.flatMap(([step, child]) => (isSchema(child) ? [[[keyword, step], child]] : []));
}

/** The schemas directly below a schema, with the steps to them. */
export function subschemasOf(schema: SchemaObject): [steps: Path, schema: Schema][] {
  return SUBSCHEMA_KEYWORDS.flatMap((keyword) => subschemasAt(schema, keyword));
}

/** A copy in which `before` has been made of every schema, then its subschemas have been copied, then `after` has been made of it. */
export function mapSchema(
  schema: Schema,
  changes: { before?: (schema: SchemaObject) => SchemaObject; after: (schema: SchemaObject) => Schema },
): Schema {
  if (typeof schema === 'boolean') return schema;
  const copy: Record<string, unknown> = { ...(changes.before?.(schema) ?? schema) };
  const map = (child: unknown): unknown => (isSchema(child) ? mapSchema(child, changes) : child);
  for (const keyword of SUBSCHEMA_KEYWORDS) {
    if (!Object.hasOwn(copy, keyword)) continue;
    const value = copy[keyword];
    if (SUBSCHEMAS[keyword] === 'one') copy[keyword] = map(value);
    else if (SUBSCHEMAS[keyword] === 'list' && Array.isArray(value)) copy[keyword] = value.map(map);
    else if (SUBSCHEMAS[keyword] === 'map' && isObject(value)) {
      copy[keyword] = Object.fromEntries(Object.entries(value).map(([name, child]) => [name, map(child)]));
    }
  }
  return changes.after(copy);
}

/** Every schema within one, by JSON pointer, and what its anchors name. */
export interface SchemaIndex {
  byPointer: ReadonlyMap<string, Schema>;
  /** Pointers by `$anchor` or `$dynamicAnchor`. */
  anchors: ReadonlyMap<string, string>;
}

export function indexSchema(root: Schema): SchemaIndex {
  const byPointer = new Map<string, Schema>();
  const anchors = new Map<string, string>();
  const queue: [path: Path, schema: Schema][] = [[[], root]];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const [path, schema] = next;
    const pointer = jsonPointer(path);
    byPointer.set(pointer, schema);
    if (typeof schema === 'boolean') continue;
    for (const keyword of ['$anchor', '$dynamicAnchor']) {
      const anchor = schema[keyword];
      if (typeof anchor === 'string') anchors.set(anchor, pointer);
    }
    for (const [steps, child] of subschemasOf(schema)) queue.push([[...path, ...steps], child]);
  }
  return { byPointer, anchors };
}

/** The pointer that a `$ref` or `$dynamicRef` within the same schema stands for; null = there is no such schema. */
export function resolveRef(index: SchemaIndex, ref: string): string | null {
  if (!ref.startsWith('#')) return null;
  let fragment: string;
  try {
    fragment = decodeURIComponent(ref.slice(1));
  } catch {
    return null;
  }
  const pointer = fragment === '' || fragment.startsWith('/') ? fragment : index.anchors.get(fragment);
  return pointer !== undefined && index.byPointer.has(pointer) ? pointer : null;
}

/** The `$ref` to a JSON pointer within the same document. */
export function localRef(pointer: string): string {
  const encoded = pointer.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/?]+/g, (part) =>
    part.isWellFormed() ? encodeURIComponent(part) : part,
  );
  return `#${encoded}`;
}

/** What a schema refers to: `$dynamicRef` too, as within one schema without embedded ones it means the same (2020-12 core, 8.2.3.2). */
export function refsOf(schema: SchemaObject): string[] {
  return [schema.$ref, schema.$dynamicRef].filter((ref) => typeof ref === 'string');
}
