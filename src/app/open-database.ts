// The database of a configuration: the one at DATABASE_URL, else the embedded server's, started for as long as it is used.
import { setTimeout as pause } from 'node:timers/promises';
import { Database } from '../storage/database.ts';
import { EmbeddedPostgres } from '../storage/embedded-postgres.ts';
import type { Config } from './config.ts';

const CLOSE_LIMIT_MS = 2000;

export interface OpenDatabase {
  db: Database;
  /** As DATABASE_URL takes it, password included. */
  url: string;
  close(): Promise<void>;
}

/** @throws Error in words when the embedded server cannot be started; DATABASE_URL is not tried here. */
export async function openDatabase(
  config: Pick<Config, 'databaseUrl' | 'dataFolder'>,
  onError: (error: unknown) => void,
): Promise<OpenDatabase> {
  if (config.databaseUrl !== null) {
    const url = config.databaseUrl;
    const db = new Database({ connection: { connectionString: url }, onError });
    return { db, url, close: () => closeSoon(db) };
  }
  const embedded = new EmbeddedPostgres({ dataFolder: config.dataFolder, onError });
  await embedded.start();
  const { connection } = embedded;
  const db = new Database({ connection, onError });
  return {
    db,
    url: urlOf(connection),
    close: async () => {
      await closeSoon(db);
      await embedded.stop();
    },
  };
}

/** Connections to a server that no longer answers are not waited for. */
async function closeSoon(db: Database): Promise<void> {
  const limit = new AbortController();
  const late = pause(CLOSE_LIMIT_MS, undefined, { signal: limit.signal }).catch(() => {});
  await Promise.race([db.close(), late]).finally(() => limit.abort());
}

function urlOf({ user, password, host, port, database }: EmbeddedPostgres['connection']): string {
  const address = new URLSearchParams({ host: host ?? '', port: String(port ?? 5432) });
  return `postgres://${user}:${encodeURIComponent(String(password))}@/${database}?${address}`;
}
