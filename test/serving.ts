// `tidings serve` in processes of its own, on a database of its own.
import { createKey, PERMISSIONS } from '../src/storage/api-keys.ts';
import { type ReadyServer, type TestCli, testCli } from './cli.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { testIds } from './event-log.ts';
import { MASTER_KEY } from './running.ts';

export interface Serving {
  database: TestDatabase;
  /** For the whole instance, with all permissions. */
  apiKey: string;
  cli: TestCli;
  /** Starts a server and waits until it is ready. */
  start(...args: string[]): Promise<ReadyServer>;
  /** The answer's body; anything but a 2xx fails. */
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests are about
  ask(url: string, route: string, body?: object): Promise<any>;
  /** Ends what still runs and drops the database. */
  close(): Promise<void>;
}

const LOCAL = ['--allow-http', '--allow-private', '127.0.0.0/8'];

export async function serving(): Promise<Serving> {
  const [database, cli] = await Promise.all([testDatabase(), testCli()]);
  const env = { DATABASE_URL: database.url, TIDINGS_MASTER_KEY: MASTER_KEY };
  const { token: apiKey } = await createKey(database.db, {
    id: testIds.id('key'),
    appId: null,
    name: 'test',
    permissions: [...PERMISSIONS],
    expiresAt: null,
  });
  return {
    database,
    apiKey,
    cli,
    start: (...args) => cli.ready(['serve', ...LOCAL, ...args], env),
    async ask(url, route, body) {
      const [method, path] = route.split(' ');
      // Its own connection: with a kept one always the same process of a cluster would answer.
      const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', connection: 'close' };
      const response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
      const text = await response.text();
      if (!response.ok) throw new Error(`${route} answered ${response.status}: ${text}`);
      return text.startsWith('{') ? JSON.parse(text) : text;
    },
    close: async () => {
      await cli.close();
      await database.close();
    },
  };
}
