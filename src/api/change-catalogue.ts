// How a change of the catalogue is made, be it one type or a whole document: what it would break is worked out first, on what is there now;
// then all of it is written, if nobody has changed the same types meanwhile. Comparing schemas takes time, so others have their turn in
// between, and no lock is held meanwhile.
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { EventTypeDefinition } from '../core/catalogue/event-type-definition.ts';
import { compareSchemas, type SchemaChange } from '../core/catalogue/schema-changes.ts';
import { type FieldError, TidingsError } from '../core/errors.ts';
import { equalJson } from '../core/schema/canonical-json.ts';
import { putEventTypes } from '../storage/event-type-changes.ts';
import { type EventType, findEventTypes } from '../storage/event-types.ts';
import type { ApiContext } from './context.ts';

const MAX_ERRORS = 20;

export interface ChangeOptions {
  dryRun: boolean;
  refuseBreaking: boolean;
}

export interface CatalogueChange {
  definition: EventTypeDefinition;
  before: EventType | null;
  /** What is stored now; null after a dry run. */
  after: EventType | null;
  action: 'created' | 'changed' | 'unchanged';
  breakingChanges: SchemaChange[];
}

/** Definitions are sound, each of another type. @throws TidingsError `breaking_change`, `conflict` */
export async function changeCatalogue(
  context: ApiContext,
  definitions: readonly EventTypeDefinition[],
  options: ChangeOptions,
): Promise<CatalogueChange[]> {
  const { db, engine, catalogue } = context;
  const types = definitions.map(({ type }) => type);
  const known = new Map((await findEventTypes(db, types)).map((eventType) => [eventType.type, eventType]));
  const changes: CatalogueChange[] = [];
  for (const definition of definitions) {
    const before = known.get(definition.type) ?? null;
    const action = before === null ? 'created' : isSame(definition, before) ? 'unchanged' : 'changed';
    const breakingChanges = before === null ? [] : compareSchemas(before.schema, definition.schema);
    changes.push({ definition, before, after: action === 'unchanged' ? before : null, action, breakingChanges });
    await yieldToOthers();
  }
  if (options.refuseBreaking) refuseBreaking(changes);
  if (options.dryRun) return changes;
  const due = changes.filter(({ action }) => action !== 'unchanged');
  if (due.length === 0) return changes;
  const put = await putEventTypes(db, due);
  for (const [i, change] of due.entries()) change.after = put[i];
  engine.catalogueChanged();
  await catalogue.changedHere();
  return changes;
}

function isSame(definition: EventTypeDefinition, { description, ...before }: EventType): boolean {
  const { validation, deprecated, archived } = definition;
  return (
    definition.description === description &&
    validation === before.validation &&
    deprecated === before.deprecated &&
    archived === before.archived &&
    equalJson(definition.schema, before.schema) &&
    equalJson(definition.examples, before.examples)
  );
}

function refuseBreaking(changes: readonly CatalogueChange[]): void {
  const errors = changes.flatMap(({ definition, breakingChanges }): FieldError[] =>
    breakingChanges.map(({ affects, path, message }) => ({
      path: `/${definition.type}${path}`,
      message: `${message} (${affects})`,
    })),
  );
  if (errors.length === 0) return;
  const types = [...new Set(changes.filter((change) => change.breakingChanges.length > 0))].map(
    (change) => change.definition.type,
  );
  const names = types.length > 3 ? `${types.slice(0, 3).join(', ')} and ${types.length - 3} more` : types.join(', ');
  throw new TidingsError(
    'breaking_change',
    `The schema of ${names} would change what may break somebody; \`errors\` tells what, by type and place. Nothing was changed. Give the event a new type, or leave out breaking=refuse.`,
    { errors: errors.slice(0, MAX_ERRORS) },
  );
}
