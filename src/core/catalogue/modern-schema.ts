// Schemas of draft 7, which AsyncAPI's are by default, in the words of 2020-12. One level: whoever goes through a schema does so at each.
import { isObject, type SchemaObject } from '../schema/schema.ts';

export function modernSchema(schema: SchemaObject): SchemaObject {
  // Beside a reference nothing counted.
  if (typeof schema.$ref === 'string') return { $ref: schema.$ref };
  const { $schema: _, items, additionalItems, dependencies, ...rest } = schema;
  const modern: Record<string, unknown> = { ...rest };
  if (Array.isArray(items)) {
    modern.prefixItems = items;
    if (additionalItems !== undefined) modern.items = additionalItems;
  } else if (items !== undefined) modern.items = items;
  if (isObject(dependencies)) {
    const rules = Object.entries(dependencies);
    const names = rules.filter(([, rule]) => Array.isArray(rule));
    const schemas = rules.filter(([, rule]) => !Array.isArray(rule));
    if (names.length > 0) modern.dependentRequired = Object.fromEntries(names);
    if (schemas.length > 0) modern.dependentSchemas = Object.fromEntries(schemas);
  }
  return modern;
}
