import { OPERATIONAL_CATALOGUE } from '../src/core/catalogue/operational-catalogue.ts';
import { checkSchema } from '../src/core/schema/check-schema.ts';
import { compileSchema } from '../src/core/schema/compile-schema.ts';

const VALIDATORS = new Map(
  OPERATIONAL_CATALOGUE.map(({ type, schema }) => {
    const [fault] = checkSchema(schema);
    if (fault !== undefined) throw new Error(`${type}: ${fault.path} ${fault.message}`);
    return [type, compileSchema({ ...(schema as object), additionalProperties: false })];
  }),
);

/** Returns the data of an operational event that is described as it is. @throws Error with what is otherwise */
export function operationalData(event: { type: string; data: Buffer }): ReturnType<typeof JSON.parse> {
  const data = JSON.parse(event.data.toString());
  const validate = VALIDATORS.get(event.type);
  if (validate === undefined) throw new Error(`No operational event is of the type ${event.type}.`);
  const faults = validate(data);
  if (faults.length > 0) throw new Error(`${event.type}: ${JSON.stringify(faults)}`);
  return data;
}
