// The whole server in this process, on a database of its own, asked over HTTP as any client would.
import { type Config, loadConfig } from '../src/app/config.ts';
import { startTidings, type Tidings } from '../src/app/tidings.ts';
import { createKey, PERMISSIONS } from '../src/storage/api-keys.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { testIds } from './event-log.ts';
import { until } from './until.ts';

export interface RunningAnswer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests are about
  body: any;
  bytes: Buffer;
  headers: Headers;
}

export interface Running {
  readonly url: string;
  /** For the whole instance, with all permissions. */
  readonly key: string;
  readonly database: TestDatabase;
  /** `GET /v1/apps`; a Buffer or string is sent as it is, anything else as JSON. */
  call(route: string, body?: unknown, headers?: Record<string, string>): Promise<RunningAnswer>;
  /** The same, for calls that must not fail. */
  ask(route: string, body?: unknown, headers?: Record<string, string>): Promise<RunningAnswer['body']>;
  /** A new app's id. */
  anApp(members?: object): Promise<string>;
  /** A new endpoint's id. */
  anEndpoint(appId: string, members: object): Promise<string>;
  publish(appId: string, event?: object): Promise<{ id: string; position: number; cursor: string; duplicate: boolean }>;
  /** Resolves when all that was published so far is settled for the endpoint, nothing is open, and the last outcome is committed. */
  settled(appId: string, endpointId: string): Promise<void>;
  /** The operational events of an endpoint, oldest first. */
  operations(endpointId: string): Promise<{ type: string; data: Record<string, unknown> }[]>;
  stop(): Promise<void>;
  /** Starts a server on the same database again. */
  start(): Promise<void>;
  /** Stops it and drops the database. */
  close(): Promise<void>;
}

export const MASTER_KEY = Buffer.alloc(32, 7).toString('base64');

/** A configuration for tests: loopback endpoints, a free port, no log. */
export function testConfig(databaseUrl: string, options: Partial<Config> = {}): Config {
  const env = { DATABASE_URL: databaseUrl, TIDINGS_MASTER_KEY: MASTER_KEY };
  const config = loadConfig({ env });
  return {
    ...config,
    port: 0,
    allowHttp: true,
    allowPrivate: ['127.0.0.0/8'],
    logLevel: 'silent',
    failingAlertSeconds: 0,
    ...options,
  };
}

export async function running(options: Partial<Config> = {}): Promise<Running> {
  const database = await testDatabase();
  const config = testConfig(database.url, options);
  let server: Tidings | null = null;
  const start = async (): Promise<void> => {
    server = await startTidings(config, { migrate: false, graceMs: 20 });
  };
  await start();
  const { token: key } = await createKey(database.db, {
    id: testIds.id('key'),
    appId: null,
    name: 'test',
    permissions: [...PERMISSIONS],
    expiresAt: null,
  });

  async function call(route: string, body?: unknown, headers: Record<string, string> = {}): Promise<RunningAnswer> {
    if (server === null) throw new Error('The server is stopped.');
    const [method, path] = route.split(' ');
    const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: isRaw ? (body as string) : JSON.stringify(body) }),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const isJson = /[/+]json\b/.test(response.headers.get('content-type') ?? '') && bytes.length > 0;
    return {
      status: response.status,
      body: isJson ? JSON.parse(bytes.toString()) : null,
      bytes,
      headers: response.headers,
    };
  }

  async function ask(route: string, body?: unknown, headers?: Record<string, string>): Promise<RunningAnswer['body']> {
    const answer = await call(route, body, headers);
    if (answer.status >= 300) throw new Error(`${route} answered ${answer.status}: ${answer.bytes}`);
    return answer.body;
  }

  const stop = async (): Promise<void> => {
    const stopping = server;
    server = null;
    await stopping?.stop();
  };

  return {
    get url() {
      return server?.url ?? '';
    },
    key,
    database,
    call,
    ask,
    anApp: async (members = {}) => (await ask('POST /v1/apps', { name: 'An app', ...members })).id,
    anEndpoint: async (appId, members) => (await ask(`POST /v1/apps/${appId}/endpoints`, members)).id,
    publish: (appId, event = {}) => ask(`POST /v1/apps/${appId}/events`, { type: 'a.b', data: {}, ...event }),
    settled: (appId, endpointId) =>
      until(async () => {
        const endpoint = `/v1/apps/${appId}/endpoints/${endpointId}`;
        const { lag, inFlight, stale, lastAttempt } = await ask(`GET ${endpoint}/status`);
        if (stale || lag.events > 0 || inFlight > 0) return false;
        if (lastAttempt === null) return true;
        const { data } = await ask(`GET ${endpoint}/attempts?limit=1`);
        return data[0]?.id >= lastAttempt.id;
      }),
    operations: async (endpointId) => {
      const { events } = await ask('GET /v1/apps/app_tidings/events?limit=1000');
      return events.filter((event: { data: { endpoint: string } }) => event.data.endpoint === endpointId);
    },
    stop,
    start,
    close: async () => {
      await stop();
      await database.close();
    },
  };
}
