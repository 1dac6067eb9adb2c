// Endpoints as they are stored, and the one consistent read by which the engine loads an app's configuration. Changing them
// is endpoint-changes.ts.
import {
  type DisabledReason,
  ENDPOINT_DEFAULTS,
  type Endpoint,
  type EndpointConfig,
  type EndpointFilter,
  type EndpointVersion,
} from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import { idFromUuid, parseId, uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

export interface EndpointRow {
  app_id: string;
  endpoint_id: string;
  uid: string | null;
  config_version: number;
  config: Partial<EndpointConfig> & { url: string };
  paused_at: Date | null;
  disabled_at: Date | null;
  disabled_reason: DisabledReason | null;
  skip_through: number;
  created_at: Date;
  updated_at: Date;
}

export const ENDPOINT_COLUMNS = `app_id, endpoint_id, uid, config_version, config, paused_at, disabled_at, disabled_reason,
  skip_through, created_at, updated_at`;

export function toEndpoint(row: EndpointRow): Endpoint {
  return {
    appId: idFromUuid('app', row.app_id),
    id: idFromUuid('endpoint', row.endpoint_id),
    uid: row.uid,
    config: { ...ENDPOINT_DEFAULTS, ...row.config },
    configVersion: row.config_version,
    pausedAt: row.paused_at,
    disabledAt: row.disabled_at,
    disabledReason: row.disabled_reason,
    skipThrough: row.skip_through,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** The one answer for endpoints that do not exist, are deleted, or belong to another app. */
export function noEndpoint(ref: string): TidingsError {
  return new TidingsError('not_found', `There is no endpoint ${ref} in this app.`);
}

const FIND_ENDPOINT = {
  name: 'find_endpoint',
  text: `SELECT ${ENDPOINT_COLUMNS} FROM endpoints WHERE app_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL`,
} satisfies Query;

const FIND_ENDPOINT_BY_UID = {
  name: 'find_endpoint_by_uid',
  text: `SELECT ${ENDPOINT_COLUMNS} FROM endpoints WHERE app_id = $1 AND uid = $2 AND deleted_at IS NULL`,
} satisfies Query;

/** A live endpoint of the app by its id or uid; null when there is none. */
export async function findEndpoint(db: Queryable, appId: string, ref: string): Promise<Endpoint | null> {
  const appUuid = uuidFromId('app', appId);
  const uuid = parseId('endpoint', ref);
  const rows =
    uuid === null
      ? await db.query<EndpointRow>(FIND_ENDPOINT_BY_UID, [appUuid, ref])
      : await db.query<EndpointRow>(FIND_ENDPOINT, [appUuid, uuid]);
  return rows.length === 0 ? null : toEndpoint(rows[0]);
}

const LIST_ENDPOINTS = {
  name: 'list_endpoints',
  text: `
SELECT ${ENDPOINT_COLUMNS} FROM endpoints
WHERE app_id = $1 AND deleted_at IS NULL AND ($3::uuid IS NULL OR endpoint_id < $3::uuid)
ORDER BY endpoint_id DESC LIMIT $2`,
} satisfies Query;

/** Newest first; `before` is the id of the last endpoint of the page before. */
export async function listEndpoints(
  db: Queryable,
  appId: string,
  page: { limit: number; before: string | null },
): Promise<Endpoint[]> {
  const before = page.before === null ? null : uuidFromId('endpoint', page.before);
  const rows = await db.query<EndpointRow>(LIST_ENDPOINTS, [uuidFromId('app', appId), page.limit, before]);
  return rows.map(toEndpoint);
}

// One statement, so one snapshot: the endpoints are exactly those of the configuration version that comes with them.
const LOAD_ENDPOINTS = {
  name: 'load_endpoints_of_app',
  text: `
SELECT h.config_version AS head_config_version, h.last_position AS head_position, h.last_day AS head_day, e.*
FROM heads h
LEFT JOIN (
  SELECT ${ENDPOINT_COLUMNS}, deleted_at IS NOT NULL AS is_deleted,
    (SELECT jsonb_agg(jsonb_build_array(v.config_version, v.from_position, v.filter) ORDER BY v.config_version)
     FROM endpoint_versions v WHERE v.app_id = endpoints.app_id AND v.endpoint_id = endpoints.endpoint_id) AS versions,
    (SELECT l.pulled_through FROM lanes l WHERE l.app_id = endpoints.app_id AND l.endpoint_id = endpoints.endpoint_id) AS pulled_through
  FROM endpoints WHERE app_id = $1 AND config_version > $2 AND (deleted_at IS NULL OR $2 >= 0)
) e ON e.app_id = h.app_id
WHERE h.app_id = $1`,
} satisfies Query;

interface LoadedRow extends EndpointRow {
  is_deleted: boolean;
  head_config_version: number;
  head_position: number;
  head_day: string;
  versions: [number, number, EndpointFilter][];
  pulled_through: number | null;
}

/** An endpoint as its lane needs it. */
export interface ConfiguredEndpoint extends Endpoint {
  /** Oldest first. */
  versions: EndpointVersion[];
  /** How far commits in mode pull have moved its cursor; 0 = never. */
  pulledThrough: number;
}

interface AppConfiguration {
  configVersion: number;
  lastPosition: number;
  lastDay: string;
  /** Live ones. */
  endpoints: ConfiguredEndpoint[];
  /** The ids of those deleted since; empty where all were asked for. */
  deleted: string[];
}

/**
 * The endpoints of an app, their filters' versions, and the head, all as of one moment; null when the app does not exist.
 * With `since` only what was changed after that configuration version.
 */
export async function loadEndpointsOfApp(db: Queryable, appId: string, since = -1): Promise<AppConfiguration | null> {
  const rows = await db.query<LoadedRow>(LOAD_ENDPOINTS, [uuidFromId('app', appId), since]);
  if (rows.length === 0) return null;
  const found = rows.filter((row) => row.endpoint_id !== null);
  return {
    configVersion: rows[0].head_config_version,
    lastPosition: rows[0].head_position,
    lastDay: rows[0].head_day,
    deleted: found.filter((row) => row.is_deleted).map((row) => idFromUuid('endpoint', row.endpoint_id)),
    endpoints: found
      .filter((row) => !row.is_deleted)
      .map((row) => ({
        ...toEndpoint(row),
        versions: (row.versions ?? []).map(([configVersion, fromPosition, filter]) => ({
          configVersion,
          fromPosition,
          filter,
        })),
        pulledThrough: row.pulled_through ?? 0,
      })),
  };
}
