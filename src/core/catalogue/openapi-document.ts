// The catalogue as an OpenAPI 3.1 document, in whose `webhooks` each type is described as the format `standard` sends it, and such documents
// read: those that others wrote describe bodies of any form.
import type { FieldError } from '../errors.ts';
import { isObject, type Path, type Schema } from '../schema/schema.ts';
import type { DocumentReader } from './document-reader.ts';
import { UnreadableDocument } from './document-reader.ts';
import { embedSchema } from './embedded-schema.ts';
import type { EventTypeDefinition } from './event-type-definition.ts';
import { type DescribedType, EXTENSION } from './imported-type.ts';
import { bodyExamples, bodySchema } from './webhook-body.ts';

const SCHEMAS = '/components/schemas';
const SUMMARY_CHARS = 120;

const HEADERS = {
  'webhook-id': 'The id of the event: the same each time that it is sent.',
  'webhook-timestamp': 'When it was sent, in seconds since 1970.',
  'webhook-signature': 'Signatures as Standard Webhooks has them, by which to verify that it is genuine.',
};

export interface DocumentedType extends EventTypeDefinition {
  /** Of the schema; null without one. */
  version: number | null;
}

export interface DocumentInfo {
  title: string;
  version: string;
}

export function writeOpenApi(types: readonly DocumentedType[], info: DocumentInfo): object {
  const schemas: Record<string, Schema> = {};
  const webhooks: Record<string, object> = {};
  for (const one of types) {
    const place = `${SCHEMAS}/${one.type}`;
    if (one.schema !== null) schemas[one.type] = embedSchema(one.schema, place);
    webhooks[one.type] = webhookItem(one, one.schema === null ? null : { $ref: `#${place}` });
  }
  return { openapi: '3.1.0', info, security: [], webhooks, components: { schemas } };
}

/** A type's member of `webhooks`; `data` is the schema of the data as it is to stand there. */
export function webhookItem(one: DocumentedType, data: Schema | null): object {
  const { type, description, deprecated, examples } = one;
  const named = bodyExamples(one).map((value, i): [string, object] => [`example${i + 1}`, { value }]);
  const content = {
    schema: bodySchema(type, data),
    ...(examples.length > 0 && { examples: Object.fromEntries(named) }),
  };
  const post = {
    operationId: type,
    summary: summaryOf(one),
    ...(description !== '' && { description }),
    ...(deprecated && { deprecated }),
    parameters: Object.entries(HEADERS).map(([name, words]) => {
      return { in: 'header', name, required: true, schema: { type: 'string' }, description: words };
    }),
    requestBody: { required: true, content: { 'application/json': content } },
    responses: { '2XX': { description: 'Taken. Anything else is sent again later.' } },
    [EXTENSION]: extensionOf(one),
  };
  return { post };
}

function summaryOf({ type, description }: EventTypeDefinition): string {
  const [line] = description.split('\n');
  return line === '' || line.length > SUMMARY_CHARS ? type : line;
}

/** What documents have no words for. */
export function extensionOf({ version, validation, archived, schema }: DocumentedType): object {
  const schemaId = isObject(schema) ? schema.$id : undefined;
  return { version, validation, archived, ...(typeof schemaId === 'string' && { schemaId }) };
}

/** The types that the `webhooks` of a document describe. What cannot be read is told of in `errors`. */
export function describeOpenApi(reader: DocumentReader, errors: FieldError[]): DescribedType[] {
  const webhooks = reader.at(['webhooks']);
  if (!isObject(webhooks)) {
    errors.push({ path: '/webhooks', message: 'The document has no `webhooks`; nothing else is taken from it.' });
    return [];
  }
  return Object.keys(webhooks).flatMap((name) => {
    try {
      const described = describeWebhook(reader, name);
      return described === null ? [] : [described];
    } catch (error) {
      if (!(error instanceof UnreadableDocument)) throw error;
      errors.push(error.fault);
      return [];
    }
  });
}

const METHODS = ['post', 'put', 'patch', 'get', 'delete'];

function describeWebhook(reader: DocumentReader, name: string): DescribedType | null {
  const item = reader.objectAt(['webhooks', name]);
  const method = METHODS.find((one) => item !== null && Object.hasOwn(item.value, one));
  if (item === null || method === undefined) return null;
  const operation = reader.objectAt([...item.at, method])!;
  const body = reader.objectAt([...operation.at, 'requestBody']);
  const content = body === null ? null : jsonContent(reader, [...body.at, 'content']);
  const { description, summary, deprecated } = operation.value;
  const extension = operation.value[EXTENSION];
  const texts = isObject(extension)
    ? [description]
    : [description, summary, item.value.description, item.value.summary];
  return {
    at: operation.at,
    name,
    description: (texts.find((text) => typeof text === 'string') as string | undefined) ?? '',
    deprecated: deprecated === true,
    schema: content !== null && reader.at([...content, 'schema']) !== undefined ? [...content, 'schema'] : null,
    draft7: false,
    examples: content === null ? [] : examplesAt(reader, content),
    extension,
  };
}

/** The place of the first form of a body that is JSON; null = there is none. */
function jsonContent(reader: DocumentReader, at: Path): Path | null {
  const content = reader.at(at);
  const types = isObject(content) ? Object.keys(content) : [];
  const type = types.find((one) => /^(application\/json|\*\/\*|application\/\*)(;|$)|[/+]json(;|$)/i.test(one));
  return type === undefined ? null : [...at, type];
}

function examplesAt(reader: DocumentReader, content: Path): DescribedType['examples'] {
  const one = [...content, 'example'];
  const value = reader.at(one);
  if (value !== undefined) return [{ at: one, value }];
  const examples = reader.at([...content, 'examples']);
  const names = isObject(examples) ? Object.keys(examples) : [];
  return names.flatMap((name) => {
    const example = reader.objectAt([...content, 'examples', name])!;
    return Object.hasOwn(example.value, 'value') ? [{ at: [...example.at, 'value'], value: example.value.value }] : [];
  });
}
