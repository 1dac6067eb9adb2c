// A change of configuration has a place in the log (design rule 4): it locks the app's head and raises the configuration
// version there. What is appended after it carries the new version, in every process, and lanes reload before they match it.
import { uuidFromId } from '../core/id.ts';
import { noApp } from './apps.ts';
import type { Query, Queryable } from './database.ts';

/** The head as it stands while its row is locked by a change. */
export interface LockedHead {
  position: number;
  day: string;
  /** The version that the change makes. */
  configVersion: number;
}

const BUMP_CONFIG_VERSION = {
  name: 'bump_config_version',
  text: `
UPDATE heads SET config_version = config_version + 1, changed_at = now() WHERE app_id = $1
RETURNING last_position, last_day, config_version`,
} satisfies Query;

/** Locks the head for the rest of the transaction. @throws TidingsError `not_found` when the app does not exist. */
export async function bumpConfigVersion(tx: Queryable, appId: string): Promise<LockedHead> {
  const rows = await tx.query<{ last_position: number; last_day: string; config_version: number }>(
    BUMP_CONFIG_VERSION,
    [uuidFromId('app', appId)],
  );
  if (rows.length === 0) throw noApp(appId);
  return { position: rows[0].last_position, day: rows[0].last_day, configVersion: rows[0].config_version };
}
