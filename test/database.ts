import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { Database } from '../src/storage/database.ts';

export interface TestDatabase {
  db: Database;
  connection: pg.ClientConfig;
  /** The same as DATABASE_URL. */
  url: string;
  close(): Promise<void>;
}

/** A database of one's own: migrated, with its partitions, empty. `close` drops it and whatever is still connected to it. */
export async function testDatabase(): Promise<TestDatabase> {
  const template = inject('postgres');
  const database = `test_${randomBytes(6).toString('hex')}`;
  await administer(`CREATE DATABASE ${database} TEMPLATE ${template.database}`);
  const connection = { ...template, database, ssl: false };
  const db = new Database({ connection });
  return {
    db,
    connection,
    url: databaseUrl({ ...template, database }),
    close: async () => {
      await db.close();
      await administer(`DROP DATABASE ${database} WITH (FORCE)`);
    },
  };
}

function databaseUrl({ host, port, user, password, database }: Record<string, string | number>): string {
  return `postgresql://${user}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
}

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ ...inject('postgres'), database: 'postgres', ssl: false });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
