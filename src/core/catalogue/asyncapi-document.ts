// The catalogue as an AsyncAPI 3.0 document: one channel with a message for each type, as the format `standard` sends it. Documents of others
// are read in the versions 2 and 3.
import type { FieldError } from '../errors.ts';
import { isObject, type Path, type Schema } from '../schema/schema.ts';
import { type DocumentReader, UnreadableDocument } from './document-reader.ts';
import { embedSchema } from './embedded-schema.ts';
import { type DescribedType, EXTENSION } from './imported-type.ts';
import { type DocumentedType, type DocumentInfo, extensionOf } from './openapi-document.ts';
import { bodyExamples, bodySchema } from './webhook-body.ts';

const SCHEMA_FORMAT = 'application/schema+json;version=2020-12';
const CHANNEL = 'events';

export function writeAsyncApi(types: readonly DocumentedType[], info: DocumentInfo): object {
  const messages = Object.fromEntries(types.map((one): [string, object] => [one.type, messageOf(one)]));
  const ofChannel = types.map(({ type }): [string, object] => [type, { $ref: `#/components/messages/${type}` }]);
  const ofOperation = types.map(({ type }) => ({ $ref: `#/channels/${CHANNEL}/messages/${type}` }));
  return {
    asyncapi: '3.0.0',
    info,
    defaultContentType: 'application/json',
    channels: { [CHANNEL]: { messages: Object.fromEntries(ofChannel) } },
    operations: {
      sendEvents: { action: 'send', channel: { $ref: `#/channels/${CHANNEL}` }, messages: ofOperation },
    },
    components: { messages },
  };
}

function messageOf(one: DocumentedType): object {
  const { type, description, deprecated, schema } = one;
  const place = `/components/messages/${type}/payload/schema/properties/data`;
  const data: Schema | null = schema === null ? null : embedSchema(schema, place);
  return {
    name: type,
    title: type,
    ...(description !== '' && { description }),
    contentType: 'application/json',
    payload: { schemaFormat: SCHEMA_FORMAT, schema: bodySchema(type, data) },
    ...(one.examples.length > 0 && { examples: bodyExamples(one).map((payload) => ({ payload })) }),
    [EXTENSION]: { ...extensionOf(one), deprecated },
  };
}

/** The types that the messages of a document describe: those of its channels, or if there are none, those of its components. */
export function describeAsyncApi(reader: DocumentReader, errors: FieldError[]): DescribedType[] {
  const messages = new Map<unknown, DescribedType>();
  const take = (path: Path, name: string): void => {
    try {
      const found = reader.objectAt(path);
      if (found === null || messages.has(found.value)) return;
      const { at, value } = found;
      if (Array.isArray(value.oneOf)) {
        for (const i of value.oneOf.keys()) take([...at, 'oneOf', i], name);
        return;
      }
      messages.set(value, describeMessage(reader, at, value, name));
    } catch (error) {
      if (!(error instanceof UnreadableDocument)) throw error;
      errors.push(error.fault);
    }
  };
  for (const place of messagePlaces(reader)) take(place, String(place.at(-1)));
  if (messages.size === 0 && errors.length === 0) {
    errors.push({ path: '/channels', message: 'The document has no messages; nothing else is taken from it.' });
  }
  return [...messages.values()];
}

function messagePlaces(reader: DocumentReader): Path[] {
  const namesAt = (path: Path): string[] => {
    const value = reader.at(path);
    return isObject(value) ? Object.keys(value) : [];
  };
  const places = namesAt(['channels']).flatMap((name): Path[] => {
    const channel = reader.objectAt(['channels', name])!.at;
    const ofVersion2 = ['publish', 'subscribe'].map((one): Path => [...channel, one, 'message']);
    const ofVersion3 = namesAt([...channel, 'messages']).map((one): Path => [...channel, 'messages', one]);
    return [...ofVersion2.filter((one) => reader.at(one) !== undefined), ...ofVersion3];
  });
  return places.length > 0 ? places : namesAt(['components', 'messages']).map((one) => ['components', 'messages', one]);
}

function describeMessage(
  reader: DocumentReader,
  at: Path,
  message: Record<string, unknown>,
  fallback: string,
): DescribedType {
  const payload = reader.at([...at, 'payload']) === undefined ? null : reader.follow([...at, 'payload']);
  const content = payload === null ? null : reader.at(payload);
  // Version 3 has the format beside the schema, version 2 in the message.
  const isWrapped = isObject(content) && typeof content.schemaFormat === 'string' && Object.hasOwn(content, 'schema');
  const format = isWrapped ? content.schemaFormat : message.schemaFormat;
  const schema = payload !== null && isWrapped ? [...payload, 'schema'] : payload;
  const extension = message[EXTENSION];
  const texts = [message.description, message.summary];
  const examples = Array.isArray(message.examples) ? message.examples : [];
  // A message is called by its name, or by its place among others, not by the operation that it is in.
  const key = fallback === 'message' || /^\d+$/.test(fallback) ? String(at.at(-1)) : fallback;
  return {
    at,
    name: typeof message.name === 'string' ? message.name : key,
    description: (texts.find((text) => typeof text === 'string') as string | undefined) ?? '',
    deprecated: message.deprecated === true || (isObject(extension) && extension.deprecated === true),
    schema,
    draft7: dialectOf(format, at) === 'draft 7',
    examples: examples.flatMap((example, i) =>
      isObject(example) && Object.hasOwn(example, 'payload')
        ? [{ at: [...at, 'examples', i, 'payload'], value: example.payload }]
        : [],
    ),
    extension,
  };
}

function dialectOf(format: unknown, at: Path): 'draft 7' | '2020-12' {
  if (format === undefined) return 'draft 7';
  const text = String(format);
  if (/2020-12|openapi.*version=3\.1/.test(text)) return '2020-12';
  if (/vnd\.aai\.asyncapi|draft-07|^application\/json/.test(text)) return 'draft 7';
  throw new UnreadableDocument(at, `The schema is in the format ${text.slice(0, 100)}. Only JSON Schema is read.`);
}
