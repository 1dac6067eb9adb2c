// A type of the catalogue as the API shows and takes it.
import { z } from 'zod';
import {
  checkDefinition,
  type EventTypeDefinition,
  MAX_DESCRIPTION_CHARS,
  MAX_EXAMPLES,
  VALIDATIONS,
} from '../core/catalogue/event-type-definition.ts';
import { AFFECTED } from '../core/catalogue/schema-changes.ts';
import type { FieldError } from '../core/errors.ts';
import { EVENT_TYPE_PATTERN } from '../core/event.ts';
import type { Schema } from '../core/schema/schema.ts';
import type { EventType, EventTypeSummary } from '../storage/event-types.ts';
import { invalidFields } from './problem.ts';
import { Time, text } from './text.ts';

export const TypeParam = z.object({
  type: z
    .string()
    .regex(EVENT_TYPE_PATTERN, 'An event type has 1 to 128 of the characters A-Z a-z 0-9 _ . -')
    .describe('Such as `invoice.paid`.'),
});

export const SchemaValue = z
  .union([z.record(z.string(), z.unknown()), z.boolean()])
  .describe(
    'JSON Schema 2020-12 of the data, at most 128 KiB; `$ref` within it only, regular expressions as RE2 takes them.',
  );

const Validation = z
  .enum(VALIDATIONS)
  .describe(
    'What becomes of data that does not fit the schema when it is published: nothing, `warnings` in the answer, or a 422 and nothing is stored.',
  );

const SUMMARY = {
  type: z.string(),
  description: z.string(),
  version: z.int().nullable().describe('Of the schema: 1, 2, 3 …; null without one.'),
  validation: Validation,
  deprecated: z.boolean(),
  archived: z.boolean(),
  createdAt: Time,
  updatedAt: Time,
};

export const EventTypeSummarySchema = z.object(SUMMARY).meta({ id: 'EventTypeSummary' });

const EVENT_TYPE = { ...SUMMARY, schema: SchemaValue.nullable(), examples: z.array(z.unknown()) };
export const EventTypeSchema = z.object(EVENT_TYPE).meta({ id: 'EventType' });

export const SchemaChangeSchema = z
  .object({
    affects: z
      .enum(AFFECTED)
      .describe(
        '`receivers`: data may come that did not fit the old schema; `publishers`: data that fitted it does not fit any more.',
      ),
    path: z.string().describe('JSON Pointer into the data; `*` stands for every item or member.'),
    message: z.string(),
  })
  .meta({ id: 'SchemaChange' });

export const BREAKING_CHANGES = z
  .array(SchemaChangeSchema)
  .describe('What the schema changes that may break somebody; what cannot be judged counts. At most 50.');

export const ChangedEventTypeSchema = z
  .object({ ...EVENT_TYPE, breakingChanges: BREAKING_CHANGES })
  .meta({ id: 'ChangedEventType' });

/** How a change of the catalogue is to be made. */
export const CHANGE_QUERY = {
  dryRun: z.enum(['true', 'false']).default('false').describe('Tell what would become of it, and change nothing.'),
  breaking: z
    .enum(['report', 'refuse'])
    .default('report')
    .describe('`refuse`: where a schema changes something that may break somebody, answer 409 `breaking_change`.'),
};

const MEMBERS = {
  description: text({ max: MAX_DESCRIPTION_CHARS }),
  schema: SchemaValue.nullable(),
  examples: z
    .array(z.unknown())
    .max(MAX_EXAMPLES)
    .describe('Data as it may be published; each must fit the schema. At most 64 KiB together.'),
  validation: Validation,
  deprecated: z.boolean().describe('Still published; receivers should no longer begin to use it.'),
  archived: z
    .boolean()
    .describe('No longer published: left out of documents, and refused like data that does not fit where that is.'),
};

export const EventTypeInput = z
  .strictObject({
    description: MEMBERS.description.default(''),
    schema: MEMBERS.schema.default(null),
    examples: MEMBERS.examples.default([]),
    example: z.unknown().optional().describe('The one example there is, in place of a list in `examples`.'),
    validation: MEMBERS.validation.default('off'),
    deprecated: MEMBERS.deprecated.default(false),
    archived: MEMBERS.archived.default(false),
  })
  .meta({ id: 'EventTypeDefinition' });

export const EventTypeChange = z
  .strictObject({
    description: MEMBERS.description.optional(),
    schema: MEMBERS.schema.optional(),
    examples: MEMBERS.examples.optional(),
    validation: MEMBERS.validation.optional(),
    deprecated: MEMBERS.deprecated.optional(),
    archived: MEMBERS.archived.optional(),
  })
  .meta({ id: 'EventTypeChange' });

/** @throws TidingsError `invalid_request` with what is wrong with schema and examples */
export function readDefinition(type: string, input: z.infer<typeof EventTypeInput>): EventTypeDefinition {
  const { example, ...members } = input;
  if (example !== undefined && members.examples.length > 0) {
    throw invalidFields([{ path: '/example', message: 'Give `example` or `examples`, not both.' }]);
  }
  const examples = example === undefined ? members.examples : [example];
  const definition = { type, ...members, examples, schema: input.schema as Schema | null };
  const errors = checkDefinition(definition);
  if (errors.length > 0) throw invalidFields(example === undefined ? errors : errors.map(ofTheOneExample));
  return definition;
}

function ofTheOneExample({ path, message }: FieldError): FieldError {
  return { path: path.replace(/^\/examples(\/0)?/, '/example'), message };
}

export function renderSummary(eventType: EventTypeSummary): z.infer<typeof EventTypeSummarySchema> {
  const { createdAt, updatedAt, ...rest } = eventType;
  return { ...rest, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}

export function renderEventType(eventType: EventType): z.infer<typeof EventTypeSchema> {
  const { schema, examples, changedVersion: _, ...summary } = eventType;
  return { ...renderSummary(summary), schema: schema as z.infer<typeof SchemaValue> | null, examples: [...examples] };
}
