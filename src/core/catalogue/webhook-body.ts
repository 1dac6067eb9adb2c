// What an endpoint is sent in the format `standard`, as documents describe it: the event's data in an envelope.
import { isObject, type Path, type Schema } from '../schema/schema.ts';
import type { DocumentReader } from './document-reader.ts';
import type { EventTypeDefinition } from './event-type-definition.ts';

const EXAMPLE_TIME = '2026-11-21T10:00:00.000Z';
const MEMBERS = ['type', 'timestamp', 'data'];

/** The schema of the body; `data` as it is to stand in it. Without a schema nothing is said of the data. */
export function bodySchema(type: string, data: Schema | null): Schema {
  return {
    type: 'object',
    required: data === null ? MEMBERS.slice(0, 2) : MEMBERS,
    properties: {
      type: { const: type },
      timestamp: { type: 'string', format: 'date-time', description: 'When it happened.' },
      ...(data !== null && { data }),
    },
  };
}

export function bodyExamples({ type, examples }: EventTypeDefinition): object[] {
  return examples.map((data) => ({ type, timestamp: EXAMPLE_TIME, data }));
}

export interface DescribedBody {
  /** The type that the envelope names; null = it names none. */
  type: string | null;
  /** Of the data; null = nothing is said of it. */
  data: Path | null;
  isEnvelope: boolean;
}

/** Whether a schema is of such a body, which has nothing but these members, or of the data alone. @throws UnreadableDocument */
export function describedBody(reader: DocumentReader, schema: Path): DescribedBody {
  const at = reader.follow(schema);
  const value = reader.at(at);
  const properties = isObject(value) && isObject(value.properties) ? value.properties : {};
  const names = Object.keys(properties);
  const isEnvelope =
    MEMBERS.slice(0, 2).every((name) => names.includes(name)) && names.every((name) => MEMBERS.includes(name));
  if (!isEnvelope) return { type: null, data: at, isEnvelope };
  const { type } = properties;
  const named = isObject(type)
    ? (type.const ?? (Array.isArray(type.enum) && type.enum.length === 1 ? type.enum[0] : null))
    : null;
  return {
    type: typeof named === 'string' ? named : null,
    data: Object.hasOwn(properties, 'data') ? reader.follow([...at, 'properties', 'data']) : null,
    isEnvelope,
  };
}

/** The data of an example of the body. */
export function exampleData(example: unknown, { isEnvelope }: DescribedBody): unknown {
  return isEnvelope && isObject(example) ? example.data : example;
}
