// The versions that the schema of a type has had.
import type { Schema } from '../core/schema/schema.ts';
import type { Query, Queryable } from './database.ts';

export interface EventTypeVersion {
  version: number;
  schema: Schema;
  createdAt: Date;
}

const LIST_VERSIONS = {
  name: 'list_event_type_versions',
  text: `
SELECT version, created_at FROM event_type_versions
WHERE type = $1 AND version < coalesce($3, 2147483647) ORDER BY version DESC LIMIT $2`,
} satisfies Query;

/** Newest first; `before` is the last version of the page before. */
export async function listEventTypeVersions(
  db: Queryable,
  type: string,
  page: { limit: number; before: number | null },
): Promise<Omit<EventTypeVersion, 'schema'>[]> {
  const values = [type, page.limit, page.before];
  const rows = await db.query<{ version: number; created_at: Date }>(LIST_VERSIONS, values);
  return rows.map((row) => ({ version: row.version, createdAt: row.created_at }));
}

const FIND_VERSION = {
  name: 'find_event_type_version',
  text: `SELECT version, schema, created_at FROM event_type_versions WHERE type = $1 AND version = $2`,
} satisfies Query;

/** Null when the type has no such version, or has it no longer. */
export async function findEventTypeVersion(
  db: Queryable,
  type: string,
  version: number,
): Promise<EventTypeVersion | null> {
  const rows = await db.query<{ version: number; schema: Schema; created_at: Date }>(FIND_VERSION, [type, version]);
  return rows.length === 0 ? null : { version, schema: rows[0].schema, createdAt: rows[0].created_at };
}
