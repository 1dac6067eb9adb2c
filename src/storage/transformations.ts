// The versions of endpoints' transformations.
import { uuidFromId } from '../core/id.ts';
import type { Transformation } from '../core/transformation.ts';
import type { Query, Queryable } from './database.ts';

/** Versions of an endpoint that are kept; a retry lasts for days, and nobody changes code that often. */
export const MAX_KEPT_VERSIONS = 100;

interface EndpointPlace {
  appId: string;
  endpointId: string;
}

const INSERT = {
  name: 'insert_transformation',
  text: `INSERT INTO transformations (app_id, endpoint_id, version, code, created_at) VALUES ($1, $2, $3, $4, now())`,
} satisfies Query;

const DELETE_OLD = {
  name: 'delete_old_transformations',
  text: `DELETE FROM transformations WHERE app_id = $1 AND endpoint_id = $2 AND version <= $3`,
} satisfies Query;

/** Keeps a version that the endpoint has not had before. */
export async function insertTransformation(
  tx: Queryable,
  { appUuid, endpointUuid }: { appUuid: string; endpointUuid: string },
  { version, code }: Transformation,
): Promise<void> {
  await tx.query(INSERT, [appUuid, endpointUuid, version, code]);
  if (version > MAX_KEPT_VERSIONS) await tx.query(DELETE_OLD, [appUuid, endpointUuid, version - MAX_KEPT_VERSIONS]);
}

const FIND = {
  name: 'find_transformation',
  text: `SELECT code FROM transformations WHERE app_id = $1 AND endpoint_id = $2 AND version = $3`,
} satisfies Query;

/** The code of a version; null when it is not kept any more. */
export async function findTransformation(
  db: Queryable,
  { appId, endpointId, version }: EndpointPlace & { version: number },
): Promise<string | null> {
  const values = [uuidFromId('app', appId), uuidFromId('endpoint', endpointId), version];
  const [row] = await db.query<{ code: string }>(FIND, values);
  return row?.code ?? null;
}

const LIST = {
  name: 'list_transformations',
  text: `
SELECT version, code, created_at FROM transformations
WHERE app_id = $1 AND endpoint_id = $2 AND ($3::integer IS NULL OR version < $3::integer) ORDER BY version DESC LIMIT $4`,
} satisfies Query;

export interface TransformationVersion {
  version: number;
  code: string;
  createdAt: Date;
}

/** Newest first, those before a version. */
export async function listTransformations(
  db: Queryable,
  { appId, endpointId }: EndpointPlace,
  { limit, before }: { limit: number; before: number | null },
): Promise<TransformationVersion[]> {
  const values = [uuidFromId('app', appId), uuidFromId('endpoint', endpointId), before, limit];
  const rows = await db.query<{ version: number; code: string; created_at: Date }>(LIST, values);
  return rows.map((row) => ({ version: row.version, code: row.code, createdAt: row.created_at }));
}
