// Changes of the catalogue. Each locks it by raising its version, so they go one after another, and processes that look at the version see
// that there is something to read.
import type { EventTypeDefinition } from '../core/catalogue/event-type-definition.ts';
import { TidingsError } from '../core/errors.ts';
import { equalJson } from '../core/schema/canonical-json.ts';
import { lockCatalogue } from './catalogue-version.ts';
import type { Database, Query, Queryable } from './database.ts';
import { EVENT_TYPE_COLUMNS, type EventType, type EventTypeRow, toEventType } from './event-types.ts';

const MAX_TYPES = 5000;
const MAX_CATALOGUE_BYTES = 8 * 1024 * 1024;
/** Versions of a type's schema that are kept. */
const KEPT_VERSIONS = 100;

const FIND_EVENT_TYPES_TO_CHANGE = {
  name: 'find_event_types_to_change',
  text: `SELECT ${EVENT_TYPE_COLUMNS} FROM event_types WHERE type = ANY ($1::text[])`,
} satisfies Query;

const PUT_EVENT_TYPE = {
  name: 'put_event_type',
  text: `
INSERT INTO event_types (type, description, schema, examples, validation, deprecated, archived, version, bytes, changed_version,
  created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now(), now())
ON CONFLICT (type) DO UPDATE SET description = excluded.description, schema = excluded.schema, examples = excluded.examples,
  validation = excluded.validation, deprecated = excluded.deprecated, archived = excluded.archived, version = excluded.version,
  bytes = excluded.bytes, changed_version = excluded.changed_version, updated_at = now()
RETURNING ${EVENT_TYPE_COLUMNS}`,
} satisfies Query;

const ADD_VERSION = {
  name: 'add_event_type_version',
  text: `INSERT INTO event_type_versions (type, version, schema, created_at) VALUES ($1, $2, $3, now())`,
} satisfies Query;

const DROP_OLD_VERSIONS = {
  name: 'drop_old_event_type_versions',
  text: `DELETE FROM event_type_versions WHERE type = $1 AND version <= $2`,
} satisfies Query;

const MEASURE_CATALOGUE = {
  name: 'measure_catalogue',
  text: `SELECT count(*) AS types, coalesce(sum(bytes), 0)::bigint AS bytes FROM event_types`,
} satisfies Query;

export interface EventTypeChange {
  definition: EventTypeDefinition;
  /** What it was when the change was decided on; null = it was not there. */
  before: EventType | null;
}

/**
 * Creates or replaces types of the catalogue, all or none. A schema that differs from the one before is a new version.
 * @throws TidingsError `conflict` when one has changed since, or when the catalogue gets too large
 */
export function putEventTypes(db: Database, changes: readonly EventTypeChange[]): Promise<EventType[]> {
  return db.transaction(async (tx) => {
    const changedVersion = await lockCatalogue(tx);
    const types = changes.map(({ definition }) => definition.type);
    const rows = await tx.query<EventTypeRow>(FIND_EVENT_TYPES_TO_CHANGE, [types]);
    const known = new Map(rows.map((row) => [row.type, row]));
    const put: EventType[] = [];
    for (const { definition, before } of changes) {
      const row = known.get(definition.type);
      if (row?.changed_version !== before?.changedVersion) throw changedMeanwhile(definition.type);
      put.push(await putEventType(tx, definition, { before, lastVersion: row?.version ?? 0, changedVersion }));
    }
    await refuseTooMuch(tx);
    return put;
  });
}

function changedMeanwhile(type: string): TidingsError {
  return new TidingsError(
    'conflict',
    `The type ${type} was changed by another meanwhile. Look at it, and send yours again.`,
  );
}

async function putEventType(
  tx: Queryable,
  definition: EventTypeDefinition,
  place: { before: EventType | null; lastVersion: number; changedVersion: number },
): Promise<EventType> {
  const { type, description, validation, deprecated, archived } = definition;
  const { before, lastVersion, changedVersion } = place;
  const schema = definition.schema === null ? null : JSON.stringify(definition.schema);
  const examples = JSON.stringify(definition.examples);
  const isNew = schema !== null && (before === null || !equalJson(before.schema, definition.schema));
  const version = isNew ? lastVersion + 1 : lastVersion;
  const bytes = Buffer.byteLength(schema ?? '') + Buffer.byteLength(examples);
  const values = [
    type,
    description,
    schema,
    examples,
    validation,
    deprecated,
    archived,
    version,
    bytes,
    changedVersion,
  ];
  const [row] = await tx.query<EventTypeRow>(PUT_EVENT_TYPE, values);
  if (isNew) {
    await tx.query(ADD_VERSION, [type, version, schema]);
    await tx.query(DROP_OLD_VERSIONS, [type, version - KEPT_VERSIONS]);
  }
  return toEventType(row);
}

async function refuseTooMuch(tx: Queryable): Promise<void> {
  const [{ types, bytes }] = await tx.query<{ types: number; bytes: number }>(MEASURE_CATALOGUE);
  if (types > MAX_TYPES) {
    throw new TidingsError('conflict', `The catalogue has at most ${MAX_TYPES} types. Delete some that are archived.`);
  }
  if (bytes > MAX_CATALOGUE_BYTES) {
    throw new TidingsError(
      'conflict',
      'The schemas and examples of the catalogue would have more than 8 MiB together. Shorten them, or delete types.',
    );
  }
}

const DELETE_EVENT_TYPE = {
  name: 'delete_event_type',
  text: `DELETE FROM event_types WHERE type = $1 RETURNING type`,
} satisfies Query;

const DELETE_VERSIONS = {
  name: 'delete_event_type_versions',
  text: `DELETE FROM event_type_versions WHERE type = $1`,
} satisfies Query;

/** Returns whether there was such a type. Events of that type stay as they are. */
export function deleteEventType(db: Database, type: string): Promise<boolean> {
  return db.transaction(async (tx) => {
    await lockCatalogue(tx);
    await tx.query(DELETE_VERSIONS, [type]);
    return (await tx.query(DELETE_EVENT_TYPE, [type])).length > 0;
  });
}
