// The filters an endpoint has had, each with the position from which it was valid (design rule 4).
import type { EndpointFilter, EndpointVersion } from '../core/endpoint.ts';
import { uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

const LIST_VERSIONS = {
  name: 'list_endpoint_versions',
  text: `
SELECT config_version, from_position, filter FROM endpoint_versions
WHERE app_id = $1 AND endpoint_id = $2 ORDER BY config_version`,
} satisfies Query;

/** Oldest first; at least one for a live endpoint. */
export async function listVersions(
  db: Queryable,
  place: { appId: string; endpointId: string },
): Promise<EndpointVersion[]> {
  const values = [uuidFromId('app', place.appId), uuidFromId('endpoint', place.endpointId)];
  const rows = await db.query<{ config_version: number; from_position: number; filter: EndpointFilter }>(
    LIST_VERSIONS,
    values,
  );
  return rows.map((row) => ({
    configVersion: row.config_version,
    fromPosition: row.from_position,
    filter: row.filter,
  }));
}
