// The database that the servers under test share. The benchmark opens it and keeps it, so that a server may be killed without taking Postgres
// along. What is prepared in it is prepared by the built product's own modules; types come from the sources, what runs is dist/.
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../src/storage/database.ts';
import { PostgresStats } from './postgres-stats.ts';

const load = (path: string): Promise<unknown> => import(new URL(`../dist/${path}.js`, import.meta.url).href);

/** Modules of the product, as they were built. */
export const product = {
  ids: () => load('core/id') as Promise<typeof import('../src/core/id.ts')>,
  filter: () => load('core/filter') as Promise<typeof import('../src/core/filter.ts')>,
  endpoint: () => load('core/endpoint') as Promise<typeof import('../src/core/endpoint.ts')>,
  endpointConfig: () => load('core/endpoint-config') as Promise<typeof import('../src/core/endpoint-config.ts')>,
  signature: () => load('core/signature') as Promise<typeof import('../src/core/signature.ts')>,
  secretBox: () => load('core/secret-box') as Promise<typeof import('../src/core/secret-box.ts')>,
  openDatabase: () => load('app/open-database') as Promise<typeof import('../src/app/open-database.ts')>,
  migrate: () => load('storage/migrate') as Promise<typeof import('../src/storage/migrate.ts')>,
  transformPool: () => load('transform/transform-pool') as Promise<typeof import('../src/transform/transform-pool.ts')>,
  apiKeys: () => load('storage/api-keys') as Promise<typeof import('../src/storage/api-keys.ts')>,
};

// Fixed, so that a benchmark may use the same database again: its stored secrets are nobody's.
const MASTER_KEY = Buffer.from('tidings benchmark, no real secret').subarray(0, 32).toString('base64');

export interface OpenedDatabase {
  db: Database;
  /** As DATABASE_URL takes it. */
  url: string;
  /** As TIDINGS_MASTER_KEY takes it. */
  masterKey: string;
  /** May do everything on the whole instance. */
  apiKey: string;
  stats: PostgresStats;
}

export class DatabaseUnderTest {
  readonly #databaseUrl: string | null;
  #folder: string | null = null;
  #close: (() => Promise<void>)[] = [];

  /** Null = the embedded server, on a new folder. A database that is given is migrated and filled: use one that is there for it. */
  constructor(databaseUrl: string | null) {
    this.#databaseUrl = databaseUrl;
  }

  async start(): Promise<OpenedDatabase> {
    this.#folder = await mkdtemp(join(tmpdir(), 'tidings-bench-'));
    // Under root Postgres runs as another user, who must be able to enter.
    await chmod(this.#folder, 0o755);
    const dataFolder = join(this.#folder, 'data');
    const { openDatabase } = await product.openDatabase();
    const { db, url, close } = await openDatabase({ databaseUrl: this.#databaseUrl, dataFolder }, () => {});
    this.#close.push(close);
    const { migrate } = await product.migrate();
    await migrate(db);
    const stats = await PostgresStats.connect(url);
    this.#close.push(() => stats.close());
    return { db, url, masterKey: MASTER_KEY, apiKey: await makeKey(db), stats };
  }

  async stop(): Promise<void> {
    for (const close of this.#close.splice(0).reverse()) await close();
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
    this.#folder = null;
  }
}

async function makeKey(db: Database): Promise<string> {
  const { IdGenerator } = await product.ids();
  const { createKey, PERMISSIONS } = await product.apiKeys();
  const id = new IdGenerator({ now: Date.now, randomBytes }).id('key');
  const { token } = await createKey(db, {
    id,
    appId: null,
    name: 'bench',
    permissions: [...PERMISSIONS],
    expiresAt: null,
  });
  return token;
}
