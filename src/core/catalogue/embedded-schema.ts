// A schema as part of a larger document, where references are from the document's root. Putting one in and taking it out again give the
// same schema, but for anchors: in a document they would be everybody's, so references by anchor become references by path.
import { jsonPointer } from '../json-error.ts';
import {
  indexSchema,
  isObject,
  isSchema,
  localRef,
  mapSchema,
  type Path,
  resolveRef,
  type Schema,
  type SchemaObject,
} from '../schema/schema.ts';
import { type DocumentReader, UnreadableDocument } from './document-reader.ts';
import { modernSchema } from './modern-schema.ts';

/** What stands at `place`, a JSON pointer, in the document. The schema's `$id` is taken off, as it would make its references its own. */
export function embedSchema(schema: Schema, place: string): Schema {
  const index = indexSchema(schema);
  const moved = (ref: string): string => localRef(place + resolveRef(index, ref));
  return mapSchema(schema, {
    after: ({ $ref, $dynamicRef, $id: _, $anchor: __, $dynamicAnchor: ___, ...rest }) => {
      const refs = [$ref, $dynamicRef].filter((ref) => typeof ref === 'string').map((ref) => ({ $ref: moved(ref) }));
      if (refs.length < 2) return { ...refs[0], ...rest };
      return { ...rest, allOf: [...((rest.allOf ?? []) as Schema[]), ...refs] };
    },
  });
}

export interface ExtractedSchema {
  schema: Schema;
  /** Where each part of it came from: a JSON pointer in the schema, and the steps to it in the document. The last that begins a pointer counts. */
  origins: [pointer: string, steps: Path][];
}

/**
 * Takes a schema out of a document, with all that it refers to in its `$defs`. @throws UnreadableDocument when it refers to something outside
 * of the document, or that is not there
 */
export function extractSchema(reader: DocumentReader, at: Path, options: { draft7: boolean }): ExtractedSchema {
  const root = reader.at(at);
  if (!isSchema(root)) throw new UnreadableDocument(at, 'There must be a schema here.');
  const home = jsonPointer(at);
  const names = new Map<string, string>();
  const taken = new Set(isObject(root) && isObject(root.$defs) ? Object.keys(root.$defs) : []);
  const due: [name: string, steps: Path][] = [];

  const nameOf = (steps: Path): string => {
    const pointer = jsonPointer(steps);
    const known = names.get(pointer);
    if (known !== undefined) return known;
    const base = String(steps.at(-1) ?? 'document');
    let name = base;
    for (let i = 2; taken.has(name); i++) name = `${base}-${i}`;
    taken.add(name);
    names.set(pointer, name);
    due.push([name, steps]);
    return name;
  };
  const moved = (ref: string): string => {
    const steps = reader.stepsTo(ref, at);
    const pointer = jsonPointer(steps);
    if (pointer === home || pointer.startsWith(`${home}/`)) return localRef(pointer.slice(home.length));
    return localRef(jsonPointer(['$defs', nameOf(steps)]));
  };
  const take = (schema: Schema): Schema =>
    mapSchema(schema, {
      before: (one) => {
        reader.spend();
        return options.draft7 ? modernSchema(one) : one;
      },
      after: (one) => (typeof one.$ref === 'string' ? { ...one, $ref: moved(one.$ref) } : one),
    });

  const schema = take(root);
  const $defs: Record<string, Schema> = {};
  const origins: ExtractedSchema['origins'] = [['', at]];
  for (let next = due.shift(); next !== undefined; next = due.shift()) {
    const [name, steps] = next;
    const part = reader.at(steps);
    if (!isSchema(part)) throw new UnreadableDocument(steps, 'There must be a schema here.');
    $defs[name] = take(part);
    origins.push([jsonPointer(['$defs', name]), steps]);
  }
  if (Object.keys($defs).length === 0) return { schema, origins };
  const own = schema as SchemaObject;
  return { schema: { ...own, $defs: { ...(own.$defs as object | undefined), ...$defs } }, origins };
}
