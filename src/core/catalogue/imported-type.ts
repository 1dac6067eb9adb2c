// A type of event as a document describes it, made into a definition of the catalogue.
import type { FieldError } from '../errors.ts';
import { EVENT_TYPE_PATTERN } from '../event.ts';
import { jsonPointer } from '../json-error.ts';
import { checkSchema } from '../schema/check-schema.ts';
import { compileSchema } from '../schema/compile-schema.ts';
import { isObject, type Path } from '../schema/schema.ts';
import { type DocumentReader, UnreadableDocument } from './document-reader.ts';
import { type ExtractedSchema, extractSchema } from './embedded-schema.ts';
import {
  type EventTypeDefinition,
  MAX_DESCRIPTION_CHARS,
  MAX_EXAMPLES,
  MAX_EXAMPLES_BYTES,
  VALIDATIONS,
} from './event-type-definition.ts';
import { describedBody, exampleData } from './webhook-body.ts';

/** The member by which our own documents say what they have no words for. */
export const EXTENSION = 'x-tidings';

/** How a document describes a type. */
export interface DescribedType {
  /** Where. */
  at: Path;
  /** What it is called there, unless the schema of its body says otherwise. */
  name: string;
  description: string;
  deprecated: boolean;
  /** Of the body; null = nothing is said of it. */
  schema: Path | null;
  draft7: boolean;
  /** Of the body. */
  examples: { at: Path; value: unknown }[];
  /** What stands in `x-tidings`. */
  extension: unknown;
}

export interface ImportedType {
  definition: EventTypeDefinition;
  /** What was left out of it, at JSON pointers within the document. */
  skipped: FieldError[];
}

/** What of a definition the document may leave open. */
export type KnownType = Pick<EventTypeDefinition, 'validation' | 'archived'>;

/**
 * The definition. What the document does not say stays as it is known. @throws UnreadableDocument for what has no name that can be a type's,
 * and for schemas that cannot be used
 */
export function importType(
  reader: DocumentReader,
  described: DescribedType,
  known: (type: string) => KnownType | undefined,
): ImportedType {
  const { at, draft7 } = described;
  const body = described.schema === null ? null : describedBody(reader, described.schema);
  const extension = isObject(described.extension) ? described.extension : {};
  const type = [extension.type, body?.type, described.name].find((name) => typeof name === 'string') as string;
  if (!EVENT_TYPE_PATTERN.test(type)) {
    const message = `${JSON.stringify(type)} cannot be an event type: it has 1 to 128 of the characters A-Z a-z 0-9 _ . - Name it by \`${EXTENSION}\`: {"type": …}.`;
    throw new UnreadableDocument(at, message);
  }
  const extracted =
    body?.data == null ? null : withId(extractSchema(reader, body.data, { draft7 }), extension.schemaId);
  if (extracted !== null) refuseFaults(extracted);
  const skipped: FieldError[] = [];
  const examples = described.examples.map((one) => ({
    at: one.at,
    value: body ? exampleData(one.value, body) : one.value,
  }));
  const schema = extracted?.schema ?? null;
  const before = known(type);
  const validation = VALIDATIONS.find((one) => one === extension.validation) ?? before?.validation ?? 'off';
  const { description, deprecated } = described;
  if (description.length > MAX_DESCRIPTION_CHARS) {
    skipped.push({ path: jsonPointer(at), message: `The description is cut to ${MAX_DESCRIPTION_CHARS} characters.` });
  }
  return {
    definition: {
      type,
      description: storable(description).slice(0, MAX_DESCRIPTION_CHARS),
      schema,
      examples: chooseExamples(examples, schema, skipped),
      validation: schema === null ? 'off' : validation,
      deprecated,
      archived: typeof extension.archived === 'boolean' ? extension.archived : (before?.archived ?? false),
    },
    skipped,
  };
}

function withId(extracted: ExtractedSchema, id: unknown): ExtractedSchema {
  const { schema, origins } = extracted;
  return typeof id === 'string' && isObject(schema) ? { schema: { $id: id, ...schema }, origins } : extracted;
}

function refuseFaults({ schema, origins }: ExtractedSchema): void {
  const [fault] = checkSchema(schema);
  if (fault === undefined) return;
  const [pointer, steps] =
    origins.findLast(([start]) => fault.path === start || fault.path.startsWith(`${start}/`)) ?? origins[0];
  throw new UnreadableDocument([...steps], fault.message).within(fault.path.slice(pointer.length));
}

/** Those that fit, as many as are kept. */
function chooseExamples(
  examples: readonly { at: Path; value: unknown }[],
  schema: ExtractedSchema['schema'] | null,
  skipped: FieldError[],
): unknown[] {
  const validate = schema === null ? null : compileSchema(schema);
  const chosen: unknown[] = [];
  let bytes = 2;
  for (const { at, value } of examples) {
    const [fault] = value === undefined ? [{ path: '', message: 'It has no data.' }] : (validate?.(value) ?? []);
    const size = Buffer.byteLength(JSON.stringify(value) ?? '') + 1;
    const isTooMuch = chosen.length === MAX_EXAMPLES || bytes + size > MAX_EXAMPLES_BYTES;
    if (fault !== undefined) {
      const place = fault.path === '' ? '' : ` at ${fault.path}`;
      skipped.push({ path: jsonPointer(at), message: `The example does not fit the schema${place}: ${fault.message}` });
    } else if (isTooMuch) {
      skipped.push({ path: jsonPointer(at), message: 'At most 10 examples and 64 KiB of them are kept.' });
    } else {
      chosen.push(value);
      bytes += size;
    }
  }
  return chosen;
}

/** Postgres keeps no U+0000, and UTF-8 has no lone surrogate. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '');
}
