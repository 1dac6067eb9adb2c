// Types of events out of a document, of whichever kind it is. A large one is read in turns with everybody else.
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { describeAsyncApi } from '../core/catalogue/asyncapi-document.ts';
import { DocumentReader, UnreadableDocument } from '../core/catalogue/document-reader.ts';
import type { EventTypeDefinition } from '../core/catalogue/event-type-definition.ts';
import { type DescribedType, importType, type KnownType } from '../core/catalogue/imported-type.ts';
import { describeOpenApi } from '../core/catalogue/openapi-document.ts';
import type { FieldError } from '../core/errors.ts';
import { jsonPointer } from '../core/json-error.ts';
import { equalJson } from '../core/schema/canonical-json.ts';
import { isObject } from '../core/schema/schema.ts';
import { invalidFields } from './problem.ts';

export const DOCUMENT_FORMATS = ['openapi', 'asyncapi'] as const;

export interface ImportedDocument {
  format: (typeof DOCUMENT_FORMATS)[number];
  definitions: EventTypeDefinition[];
  /** What was left out, at JSON pointers within the document. */
  skipped: FieldError[];
}

const MAX_ERRORS = 20;
const MAX_SKIPPED = 100;
const MAX_TYPES = 5000;

/** `known` is what the catalogue says of a type now. @throws TidingsError `invalid_request` with what cannot be read, by place */
export async function importDocument(
  document: unknown,
  known: (type: string) => KnownType | undefined,
): Promise<ImportedDocument> {
  const reader = new DocumentReader(document);
  const errors: FieldError[] = [];
  const format = formatOf(document);
  const described = format === 'openapi' ? describeOpenApi(reader, errors) : describeAsyncApi(reader, errors);
  if (described.length > MAX_TYPES) {
    throw invalidFields([
      { path: '', message: `The document has ${described.length} types; ${MAX_TYPES} is the most.` },
    ]);
  }
  const skipped: FieldError[] = [];
  const taken = new Map<string, { definition: EventTypeDefinition; from: DescribedType }>();
  for (const from of described) {
    try {
      const { definition, skipped: left } = importType(reader, from, known);
      skipped.push(...left);
      const twin = taken.get(definition.type);
      if (twin === undefined) taken.set(definition.type, { definition, from });
      else if (!equalJson(twin.definition, definition)) {
        const message = `The type ${definition.type} is described otherwise at ${jsonPointer(twin.from.at)}.`;
        errors.push({ path: jsonPointer(from.at), message });
      }
    } catch (error) {
      if (!(error instanceof UnreadableDocument)) throw error;
      errors.push(error.fault);
    }
    if (errors.length >= MAX_ERRORS) break;
    await yieldToOthers();
  }
  if (errors.length > 0) throw invalidFields(errors.slice(0, MAX_ERRORS));
  const definitions = [...taken.values()].map(({ definition }) => definition);
  return { format, definitions, skipped: skipped.slice(0, MAX_SKIPPED) };
}

function formatOf(document: unknown): ImportedDocument['format'] {
  const { openapi, asyncapi } = isObject(document) ? document : {};
  if (typeof openapi === 'string' && openapi.startsWith('3.1')) return 'openapi';
  if (typeof asyncapi === 'string' && /^[23]\./.test(asyncapi)) return 'asyncapi';
  const message =
    openapi === undefined && asyncapi === undefined
      ? 'This is neither an OpenAPI nor an AsyncAPI document: it has no member `openapi` or `asyncapi`.'
      : 'Only OpenAPI 3.1 and AsyncAPI 2 and 3 are read. Convert the document.';
  throw invalidFields([{ path: '', message }]);
}
