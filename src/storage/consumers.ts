// Consumers: named readers whose cursor is kept here. What moves the cursor is consumer-leases.ts.
import type { EndpointFilter } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import { idFromUuid, uuidFromId } from '../core/id.ts';
import { noApp } from './apps.ts';
import type { Query, Queryable } from './database.ts';
import type { EventPlace } from './events.ts';

export interface ConsumerLease {
  id: string;
  until: Date;
  /** The events up to this position were handed out with it. */
  through: number;
  /** Not yet over. One that is over may still be committed and renewed, as long as nobody else has leased. */
  isRunning: boolean;
}

export interface Consumer {
  appId: string;
  name: string;
  filter: EndpointFilter;
  /** Everything up to here is committed. */
  place: EventPlace;
  lease: ConsumerLease | null;
  committedAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

export interface ConsumerLag {
  /** Positions of the log beyond the cursor, matching or not. */
  events: number;
  /** Age of the oldest of them; 0 when there is none. */
  seconds: number;
}

/** Which consumer. */
export interface ConsumerKey {
  appId: string;
  name: string;
}

export interface ConsumerRow {
  app_id: string;
  name: string;
  filter: EndpointFilter;
  position: number;
  day: string;
  lease_id: string | null;
  leased_until: Date;
  leased_position: number;
  is_leased: boolean | null;
  committed_at: Date | null;
  created_at: Date;
  updated_at: Date;
}

export const CONSUMER_COLUMNS = `c.app_id, c.name, c.filter, c.position, c.day, c.lease_id, c.leased_until, c.leased_position,
  c.leased_until > now() AS is_leased, c.committed_at, c.created_at, c.updated_at`;

export function toConsumer(row: ConsumerRow): Consumer {
  return {
    appId: idFromUuid('app', row.app_id),
    name: row.name,
    filter: row.filter,
    place: { position: row.position, day: row.day },
    lease:
      row.lease_id === null
        ? null
        : {
            id: idFromUuid('lease', row.lease_id),
            until: row.leased_until,
            through: row.leased_position,
            isRunning: row.is_leased === true,
          },
    committedAt: row.committed_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** The one answer for consumers that do not exist or are another app's. */
export function noConsumer(name: string): TidingsError {
  return new TidingsError('not_found', `There is no consumer ${name} in this app.`);
}

const FIND = {
  name: 'find_consumer',
  text: `SELECT ${CONSUMER_COLUMNS} FROM consumers c WHERE c.app_id = $1 AND c.name = $2`,
} satisfies Query;

/** @throws TidingsError `not_found` */
export async function readConsumer(db: Queryable, key: ConsumerKey): Promise<Consumer> {
  const [row] = await db.query<ConsumerRow>(FIND, [uuidFromId('app', key.appId), key.name]);
  if (row === undefined) throw noConsumer(key.name);
  return toConsumer(row);
}

// By a join rather than by the app's id alone: an app that is being deleted gets no rows (design rule 21).
const CREATE = {
  name: 'create_consumer',
  text: `
INSERT INTO consumers (app_id, name, filter, position, day, created_at, updated_at)
SELECT h.app_id, $2, $3::jsonb, $4, $5, now(), now() FROM heads h WHERE h.app_id = $1
ON CONFLICT (app_id, name) DO NOTHING RETURNING 1`,
} satisfies Query;

const CHANGE = {
  name: 'change_consumer',
  text: `UPDATE consumers SET filter = $3::jsonb, updated_at = now() WHERE app_id = $1 AND name = $2 RETURNING 1`,
} satisfies Query;

/** Gives an existing consumer another filter, valid for what is leased from now on; false when there is none of that name. */
export async function changeConsumer(db: Queryable, key: ConsumerKey, filter: EndpointFilter): Promise<boolean> {
  const rows = await db.query(CHANGE, [uuidFromId('app', key.appId), key.name, JSON.stringify(filter)]);
  return rows.length > 0;
}

/** False when there is one of that name already. @throws TidingsError `not_found` (app) */
export async function createConsumer(
  db: Queryable,
  key: ConsumerKey,
  { filter, start }: { filter: EndpointFilter; start: EventPlace },
): Promise<boolean> {
  const values = [uuidFromId('app', key.appId), key.name, JSON.stringify(filter), start.position, start.day];
  if ((await db.query(CREATE, values)).length > 0) return true;
  const [existing] = await db.query(FIND, [uuidFromId('app', key.appId), key.name]);
  if (existing === undefined) throw noApp(key.appId);
  return false;
}

const DELETE = {
  name: 'delete_consumer',
  text: `DELETE FROM consumers WHERE app_id = $1 AND name = $2 RETURNING 1`,
} satisfies Query;

/** @throws TidingsError `not_found` */
export async function deleteConsumer(db: Queryable, key: ConsumerKey): Promise<void> {
  const rows = await db.query(DELETE, [uuidFromId('app', key.appId), key.name]);
  if (rows.length === 0) throw noConsumer(key.name);
}

const WITH_LAG = `
SELECT ${CONSUMER_COLUMNS}, greatest(h.last_position - c.position, 0) AS behind,
  CASE WHEN h.last_position <= c.position THEN 0 ELSE coalesce((
    SELECT greatest(date_part('epoch', now() - e.appended_at), 0) FROM events e
    WHERE e.app_id = c.app_id AND e.position > c.position AND e.day >= c.day ORDER BY e.position LIMIT 1
  ), 0) END AS behind_seconds
FROM consumers c JOIN heads h ON h.app_id = c.app_id`;

const FIND_WITH_LAG = {
  name: 'find_consumer_with_lag',
  text: `${WITH_LAG} WHERE c.app_id = $1 AND c.name = $2`,
} satisfies Query;

const LIST = {
  name: 'list_consumers',
  text: `${WITH_LAG} WHERE c.app_id = $1 AND c.name > $2 ORDER BY c.name LIMIT $3`,
} satisfies Query;

type LaggingRow = ConsumerRow & { behind: number; behind_seconds: number };

function toLagging(row: LaggingRow): { consumer: Consumer; lag: ConsumerLag } {
  return { consumer: toConsumer(row), lag: { events: row.behind, seconds: row.behind_seconds } };
}

/** @throws TidingsError `not_found` */
export async function readConsumerLag(
  db: Queryable,
  key: ConsumerKey,
): Promise<{ consumer: Consumer; lag: ConsumerLag }> {
  const [row] = await db.query<LaggingRow>(FIND_WITH_LAG, [uuidFromId('app', key.appId), key.name]);
  if (row === undefined) throw noConsumer(key.name);
  return toLagging(row);
}

/** By name; `after` is the last name of the page before. */
export async function listConsumers(
  db: Queryable,
  appId: string,
  page: { limit: number; after: string | null },
): Promise<{ consumer: Consumer; lag: ConsumerLag }[]> {
  const rows = await db.query<LaggingRow>(LIST, [uuidFromId('app', appId), page.after ?? '', page.limit]);
  return rows.map(toLagging);
}
