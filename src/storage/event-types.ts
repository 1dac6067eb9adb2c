// The catalogue of event types, as it is read. Changing it is event-type-changes.ts.
import type { EventTypeDefinition, Validation } from '../core/catalogue/event-type-definition.ts';
import type { Schema } from '../core/schema/schema.ts';
import type { Query, Queryable } from './database.ts';

export interface EventTypeSummary {
  type: string;
  description: string;
  /** Of the schema; null without one. */
  version: number | null;
  validation: Validation;
  deprecated: boolean;
  archived: boolean;
  createdAt: Date;
  updatedAt: Date;
}

export interface EventType extends EventTypeSummary, EventTypeDefinition {
  /** The catalogue's when the type was last changed. */
  changedVersion: number;
}

interface SummaryRow {
  type: string;
  description: string;
  version: number;
  has_schema: boolean;
  validation: Validation;
  deprecated: boolean;
  archived: boolean;
  created_at: Date;
  updated_at: Date;
}

export interface EventTypeRow extends SummaryRow {
  schema: Schema | null;
  examples: unknown[];
  changed_version: number;
}

const SUMMARY_COLUMNS =
  'type, description, version, schema IS NOT NULL AS has_schema, validation, deprecated, archived, created_at, updated_at';
export const EVENT_TYPE_COLUMNS = `${SUMMARY_COLUMNS}, schema, examples, changed_version`;

function toSummary(row: SummaryRow): EventTypeSummary {
  return {
    type: row.type,
    description: row.description,
    version: row.has_schema ? row.version : null,
    validation: row.validation,
    deprecated: row.deprecated,
    archived: row.archived,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export function toEventType(row: EventTypeRow): EventType {
  const { schema, examples, changed_version } = row;
  return { ...toSummary(row), schema: row.has_schema ? schema : null, examples, changedVersion: changed_version };
}

const FIND_EVENT_TYPES = {
  name: 'find_event_types',
  text: `SELECT ${EVENT_TYPE_COLUMNS} FROM event_types WHERE type = ANY ($1::text[])`,
} satisfies Query;

export async function findEventTypes(db: Queryable, types: readonly string[]): Promise<EventType[]> {
  return (await db.query<EventTypeRow>(FIND_EVENT_TYPES, [types])).map(toEventType);
}

export async function findEventType(db: Queryable, type: string): Promise<EventType | null> {
  return (await findEventTypes(db, [type]))[0] ?? null;
}

const ALL_EVENT_TYPES = {
  name: 'all_event_types',
  text: `SELECT ${EVENT_TYPE_COLUMNS} FROM event_types ORDER BY type`,
} satisfies Query;

/** The whole catalogue, by name. Its size is bounded when it is changed. */
export async function allEventTypes(db: Queryable): Promise<EventType[]> {
  return (await db.query<EventTypeRow>(ALL_EVENT_TYPES)).map(toEventType);
}

// Times to the millisecond, as they come back in the page token: else a row could be met twice or not at all.
const LIST_EVENT_TYPES = {
  name: 'list_event_types',
  text: `
SELECT ${SUMMARY_COLUMNS} FROM event_types
WHERE $2::timestamptz IS NULL OR (date_trunc('milliseconds', created_at), type) < ($2::timestamptz, $3)
ORDER BY date_trunc('milliseconds', created_at) DESC, type DESC LIMIT $1`,
} satisfies Query;

/** Newest first; `before` is the place of the last type of the page before. */
export async function listEventTypes(
  db: Queryable,
  page: { limit: number; before: { createdAt: Date; type: string } | null },
): Promise<EventTypeSummary[]> {
  const values = [page.limit, page.before?.createdAt ?? null, page.before?.type ?? null];
  return (await db.query<SummaryRow>(LIST_EVENT_TYPES, values)).map(toSummary);
}

export interface ValidatedType {
  type: string;
  validation: Validation;
  archived: boolean;
  changedVersion: number;
}

const VALIDATED_TYPES = {
  name: 'validated_types',
  text: `
SELECT type, validation, archived, changed_version FROM event_types
WHERE schema IS NOT NULL AND (validation <> 'off' OR $1::boolean)`,
} satisfies Query;

/** The types whose data is validated when it is published; `all` = those with a schema, as apps ask for it whatever the type says. */
export async function listValidatedTypes(db: Queryable, options: { all: boolean }): Promise<ValidatedType[]> {
  const rows = await db.query<Omit<ValidatedType, 'changedVersion'> & { changed_version: number }>(VALIDATED_TYPES, [
    options.all,
  ]);
  return rows.map(({ changed_version, ...row }) => ({ ...row, changedVersion: changed_version }));
}
