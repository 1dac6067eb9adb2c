import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

/** The end of an app's log. */
export interface Head {
  position: number;
  day: string;
  configVersion: number;
}

interface HeadRow {
  app_id: string;
  last_position: number;
  last_day: string;
  config_version: number;
}

const COLUMNS = 'app_id, last_position, last_day, config_version';

function toHead(row: HeadRow): Head {
  return { position: row.last_position, day: row.last_day, configVersion: row.config_version };
}

const READ_HEAD = { name: 'read_head', text: `SELECT ${COLUMNS} FROM heads WHERE app_id = $1` } satisfies Query;

/** The head of one app; null when the app does not exist. */
export async function readHead(db: Queryable, appId: string): Promise<Head | null> {
  const rows = await db.query<HeadRow>(READ_HEAD, [uuidFromId('app', appId)]);
  return rows.length === 0 ? null : toHead(rows[0]);
}

/** A head as its readers ask for it. */
export interface LogEnd extends Head {
  /** How long it has not changed. */
  idleMs: number;
}

const READ_LOG_END = {
  name: 'read_log_end',
  text: `SELECT ${COLUMNS}, date_part('epoch', now() - changed_at) * 1000 AS idle_ms FROM heads WHERE app_id = $1`,
} satisfies Query;

/** The end of an app's log; null when the app does not exist. */
export async function readLogEnd(db: Queryable, appId: string): Promise<LogEnd | null> {
  const [row] = await db.query<HeadRow & { idle_ms: number }>(READ_LOG_END, [uuidFromId('app', appId)]);
  return row === undefined ? null : { ...toHead(row), idleMs: Math.max(0, row.idle_ms) };
}

// The one poll a second (design rule 12). No index on changed_at: it would end HOT updates of the hottest table.
const CHANGED_HEADS = {
  name: 'changed_heads',
  text: `SELECT ${COLUMNS} FROM heads WHERE changed_at > now() - make_interval(secs => $1)`,
} satisfies Query;

/** The heads that changed within the last seconds, by app. */
export async function changedHeads(db: Queryable, withinSeconds: number): Promise<Map<string, Head>> {
  const rows = await db.query<HeadRow>(CHANGED_HEADS, [withinSeconds]);
  return new Map(rows.map((row) => [idFromUuid('app', row.app_id), toHead(row)]));
}
