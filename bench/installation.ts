// What is measured: a database and the servers on it, with the apps and endpoints that a load needs.
import type { Database } from '../src/storage/database.ts';
import { DatabaseUnderTest, type OpenedDatabase } from './database-under-test.ts';
import { readAllProcessStats } from './process-stats.ts';
import type { ScenarioContext } from './scenario.ts';
import { ServerUnderTest } from './server-under-test.ts';
import type { Target } from './target.ts';

/** How many apps, and how many endpoints each of them has. */
export interface TargetShape {
  /** Where deliveries go, `http://host:port`. Endpoint n of app m is at `/r/<m × endpoints + n>`. */
  receiverOrigin: string;
  apps: number;
  endpoints: number;
}

export class Installation {
  readonly #context: Pick<ScenarioContext, 'databaseUrl' | 'nodeOptions'>;
  readonly #database: DatabaseUnderTest;
  readonly #servers = new Set<ServerUnderTest>();
  #opened: OpenedDatabase | null = null;

  constructor(context: Pick<ScenarioContext, 'databaseUrl' | 'nodeOptions'>) {
    this.#context = context;
    this.#database = new DatabaseUnderTest(context.databaseUrl);
  }

  /** Opens the database; servers are started one by one. */
  async start(): Promise<void> {
    this.#opened = await this.#database.start();
  }

  get database(): OpenedDatabase {
    if (!this.#opened) throw new Error('The installation has not been started.');
    return this.#opened;
  }

  get db(): Database {
    return this.database.db;
  }

  async startServer({ processes = 1 }: { processes?: number } = {}): Promise<ServerUnderTest> {
    const { nodeOptions } = this.#context;
    const server = new ServerUnderTest({ database: this.database, nodeOptions, processes });
    this.#servers.add(server);
    await server.start();
    return server;
  }

  /** New apps with endpoints, for loads through `server`. */
  async createTarget(server: ServerUnderTest, shape: TargetShape): Promise<Target> {
    const apps: string[] = [];
    for (let app = 0; app < shape.apps; app++) {
      apps.push(await this.createApp(server));
      for (let n = 0; n < shape.endpoints; n++) {
        const url = `${shape.receiverOrigin}/r/${app * shape.endpoints + n}`;
        await server.request('POST', `/v1/apps/${apps[app]}/endpoints`, { url });
      }
    }
    return this.targetOf(server, apps);
  }

  async createApp(server: ServerUnderTest): Promise<string> {
    return (await server.request<{ id: string }>('POST', '/v1/apps', { name: 'bench' })).id;
  }

  /** Apps that are there, for loads through `server`. */
  targetOf(server: ServerUnderTest, apps: string[]): Target {
    const { stats, apiKey } = this.database;
    return {
      origin: server.origin,
      headers: { authorization: `Bearer ${apiKey}` },
      apps,
      sample: async () => ({
        walBytes: await stats.walBytes(),
        processMicros: server.cpuMicros(),
        postgresMicros: stats.cpuMicros(readAllProcessStats()),
      }),
      peakMemoryBytes: () => server.memory().peakBytes,
    };
  }

  async stop(): Promise<void> {
    const stopped = await Promise.allSettled([...this.#servers].map((server) => server.stop()));
    this.#servers.clear();
    await this.#database.stop();
    for (const one of stopped) if (one.status === 'rejected') throw one.reason;
  }
}

/** Runs `work` with an installation of its own, and stops it whatever happens. */
export async function withInstallation<T>(
  context: Pick<ScenarioContext, 'databaseUrl' | 'nodeOptions'>,
  work: (installation: Installation) => Promise<T>,
): Promise<T> {
  const installation = new Installation(context);
  try {
    await installation.start();
    return await work(installation);
  } finally {
    await installation.stop();
  }
}
