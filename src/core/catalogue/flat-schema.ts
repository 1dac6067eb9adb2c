// A schema as comparing and describing it need it: references followed, and what `allOf` adds laid over it where that changes nothing.
import { equalJson } from '../schema/canonical-json.ts';
import { indexSchema, isObject, refsOf, resolveRef, type Schema, type SchemaObject } from '../schema/schema.ts';

/** What says nothing about which data fits. */
const ANNOTATIONS = new Set([
  '$schema',
  '$id',
  '$anchor',
  '$dynamicAnchor',
  '$comment',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'deprecated',
  'readOnly',
  'writeOnly',
  'example',
  'examples',
  'externalDocs',
  'discriminator',
  'xml',
  'contentMediaType',
  'contentEncoding',
  'contentSchema',
]);
const MAX_LAYERS = 100;

export function isAssertion(keyword: string): boolean {
  return !ANNOTATIONS.has(keyword) && !keyword.startsWith('x-');
}

/** Flattens the schemas within one: `checkSchema` has found nothing wrong with it. */
export function schemaFlattener(root: Schema): (schema: Schema) => Schema {
  const index = indexSchema(root);

  function layersOf(schema: SchemaObject): Schema[] {
    const refs = refsOf(schema).map((ref) => index.byPointer.get(resolveRef(index, ref) as string) as Schema);
    return [...refs, ...((schema.allOf as Schema[] | undefined) ?? [])];
  }

  function flatten(schema: SchemaObject): Schema {
    const merged: Record<string, unknown> = {};
    const left: Schema[] = [];
    const queue: Schema[] = [schema];
    for (let layers = 0; queue.length > 0; layers++) {
      const layer = queue.shift() as Schema;
      if (layer === false) return false;
      if (layer === true) continue;
      const { $ref: _, $dynamicRef: __, allOf: ___, ...own } = layer;
      if (layers < MAX_LAYERS && canLay(merged, own)) {
        lay(merged, own);
        queue.push(...layersOf(layer));
      } else left.push(layer);
    }
    return left.length === 0 ? merged : { ...merged, allOf: left };
  }

  const known = new Map<Schema, Schema>();
  return (schema) => {
    if (typeof schema === 'boolean') return schema;
    const flat = known.get(schema) ?? flatten(schema);
    known.set(schema, flat);
    return flat;
  };
}

/** Keywords that mean something else where others stand beside them. */
const TIED = [
  'additionalProperties',
  'items',
  'prefixItems',
  'if',
  'then',
  'else',
  'contains',
  'minContains',
  'maxContains',
];
/** These look into `allOf`, and out of nothing. */
const TIED_WITHIN = [...TIED, 'unevaluatedProperties', 'unevaluatedItems'];

function canLay(merged: SchemaObject, layer: SchemaObject): boolean {
  const keywords = Object.keys(layer).filter(isAssertion);
  if (Object.keys(merged).some(isAssertion) && keywords.length > 0) {
    if (TIED.some((keyword) => Object.hasOwn(merged, keyword))) return false;
    if (TIED_WITHIN.some((keyword) => Object.hasOwn(layer, keyword))) return false;
  }
  return keywords.every((keyword) => {
    if (!Object.hasOwn(merged, keyword) || keyword === 'required') return true;
    if (keyword === 'properties')
      return canLayMembers(merged.properties as SchemaObject, layer.properties as SchemaObject);
    return equalJson(merged[keyword], layer[keyword]);
  });
}

function canLayMembers(merged: SchemaObject, layer: SchemaObject): boolean {
  return Object.entries(layer).every(
    ([name, schema]) => !Object.hasOwn(merged, name) || equalJson(merged[name], schema),
  );
}

function lay(merged: Record<string, unknown>, layer: SchemaObject): void {
  for (const [keyword, value] of Object.entries(layer)) {
    const known = Object.hasOwn(merged, keyword) ? merged[keyword] : undefined;
    if (keyword === 'required' && Array.isArray(known))
      merged.required = [...new Set([...known, ...(value as string[])])];
    else if (keyword === 'properties' && isObject(known)) merged.properties = { ...known, ...(value as SchemaObject) };
    else if (known === undefined) merged[keyword] = value;
  }
}
