// What the catalogue says of a type of event.
import type { FieldError } from '../errors.ts';
import { checkSchema } from '../schema/check-schema.ts';
import { compileSchema } from '../schema/compile-schema.ts';
import type { Schema } from '../schema/schema.ts';

/** What becomes of data that does not fit the schema: nothing, a warning in the answer, or a refusal. */
export const VALIDATIONS = ['off', 'warn', 'reject'] as const;
export type Validation = (typeof VALIDATIONS)[number];

export interface EventTypeDefinition {
  type: string;
  description: string;
  /** Of the data; null = it may be anything. */
  schema: Schema | null;
  /** Data as it may be published. */
  examples: readonly unknown[];
  validation: Validation;
  /** Still published; receivers should no longer begin to use it. */
  deprecated: boolean;
  /** No longer published. */
  archived: boolean;
}

export const MAX_EXAMPLES = 10;
export const MAX_DESCRIPTION_CHARS = 4000;
export const MAX_EXAMPLES_BYTES = 64 * 1024;
const MAX_ERRORS = 20;

/** What is wrong with a definition, at JSON pointers within it: its schema, or examples that do not fit it. */
export function checkDefinition(definition: Omit<EventTypeDefinition, 'type'>): FieldError[] {
  const { schema, examples, validation } = definition;
  const bytes = Buffer.byteLength(JSON.stringify(examples));
  if (bytes > MAX_EXAMPLES_BYTES) {
    return [{ path: '/examples', message: `The examples have ${bytes} bytes; 64 KiB is the most. Shorten them.` }];
  }
  if (schema === null) {
    const message = 'Without a schema there is nothing to validate by. Give a schema, or leave this "off".';
    return validation === 'off' ? [] : [{ path: '/validation', message }];
  }
  const faults = checkSchema(schema).map(({ path, message }) => ({ path: `/schema${path}`, message }));
  if (faults.length > 0) return faults;
  const validate = compileSchema(schema);
  return examples
    .flatMap((example, i) => validate(example).map(({ path, message }) => ({ path: `/examples/${i}${path}`, message })))
    .slice(0, MAX_ERRORS);
}
