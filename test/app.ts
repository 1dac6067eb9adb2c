// The HTTP API on a database of its own, asked by inject: no socket.
import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { buildServer } from '../src/api/server.ts';
import { TidingsError } from '../src/core/errors.ts';
import { IdGenerator } from '../src/core/id.ts';
import { generateMasterKey, parseMasterKey, SecretBox } from '../src/core/secret-box.ts';
import { Fetches } from '../src/inbound/fetch/fetches.ts';
import { HttpFetcher } from '../src/inbound/fetch/http-fetcher.ts';
import { SourceTransforms } from '../src/inbound/source-transforms.ts';
import { Catalogue } from '../src/log/catalogue.ts';
import { createKey, PERMISSIONS, type Permission } from '../src/storage/api-keys.ts';
import { ensureBuiltinApp } from '../src/storage/apps.ts';
import type { Database } from '../src/storage/database.ts';
import { type Instance, loadInstance } from '../src/storage/instance.ts';
import { TransformPool } from '../src/transform/transform-pool.ts';
import { testDatabase } from './database.ts';
import { TableEngine } from './table-engine.ts';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests are about
  body: any;
  text: string;
  headers: Record<string, string | string[] | number | undefined>;
}

interface Call {
  /** A key; null = none. The instance's own if absent. */
  key?: string | null;
  /** Sent as JSON; a Buffer or string as it is. */
  body?: unknown;
  headers?: Record<string, string>;
}

export interface TestApp {
  server: FastifyInstance;
  db: Database;
  engine: TableEngine;
  box: SecretBox;
  ids: IdGenerator;
  instance: Instance;
  /** For the whole instance, with all permissions. */
  key: string;
  /** Errors that clients were only told `internal` of. */
  errors: unknown[];
  /** `GET /v1/apps`. */
  call(route: string, call?: Call): Promise<Answer>;
  /** A new app's id. */
  anApp(members?: object): Promise<string>;
  /** A new endpoint's id. */
  anEndpoint(appId: string, members?: object): Promise<string>;
  aKey(scope: { appId: string | null; permissions?: Permission[]; expiresAt?: Date }): Promise<string>;
  close(): Promise<void>;
}

export async function testApp(): Promise<TestApp> {
  const { db, close } = await testDatabase();
  const box = new SecretBox({ keys: [parseMasterKey(generateMasterKey(randomBytes))], randomBytes });
  const instance = await loadInstance(db, { box, randomBytes });
  await ensureBuiltinApp(db);
  const ids = new IdGenerator({ now: Date.now, randomBytes });
  const engine = new TableEngine({ db, ids, instance });
  const errors: unknown[] = [];
  const catalogue = new Catalogue({ db, onError: (error) => errors.push(error) });
  await catalogue.start();
  const transforms = new TransformPool({ onError: (error) => errors.push(error) });
  const fetches = new Fetches({
    db,
    box,
    fetcher: new HttpFetcher({ rules: { allowHttp: true, allowPrivate: ['127.0.0.0/8'] } }),
    version: '0.0.0',
    appendFetched: async () => [],
    transforms: new SourceTransforms(transforms),
    append: async () => {},
    slots: () => [],
    newRunId: () => ids.id('run'),
    newUuid: () => ids.uuid(),
    now: Date.now,
    random: Math.random,
    onError: (error) => errors.push(error),
  });
  const server = await buildServer({
    db,
    fetches,
    engine,
    catalogue,
    transforms,
    box,
    instance,
    ids,
    registry: { contentType: 'text/plain; version=0.0.4; charset=utf-8', metrics: async () => '# metrics\n' },
    version: '0.0.0',
    checkUrl: (url, what = 'endpoint URL') => {
      if (url.includes('forbidden'))
        throw new TidingsError('address_forbidden', `The ${what} ${url} is forbidden here.`);
    },
    onError: (error) => errors.push(error),
  });

  async function aKey(scope: { appId: string | null; permissions?: Permission[]; expiresAt?: Date }): Promise<string> {
    const { appId, permissions = [...PERMISSIONS], expiresAt = null } = scope;
    return (await createKey(db, { id: ids.id('key'), appId, name: 'test', permissions, expiresAt })).token;
  }

  const key = await aKey({ appId: null });

  async function call(route: string, { key: own, body, headers = {} }: Call = {}): Promise<Answer> {
    const [method, url] = route.split(' ');
    const token = own === undefined ? key : own;
    const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
    const response = await server.inject({
      method: method as 'GET',
      url,
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { payload: isRaw ? body : JSON.stringify(body) }),
    });
    const type = String(response.headers['content-type'] ?? '');
    return {
      status: response.statusCode,
      body: /[/+]json\b/.test(type) && response.payload !== '' ? JSON.parse(response.payload) : null,
      text: response.payload,
      headers: response.headers,
    };
  }

  async function create(path: string, members: object): Promise<string> {
    const { status, body, text } = await call(`POST ${path}`, { body: members });
    if (status !== 201) throw new Error(`${path} answered ${status}: ${text}`);
    return body.id;
  }

  return {
    server,
    db,
    engine,
    box,
    ids,
    instance,
    key,
    errors,
    call,
    anApp: (members = {}) => create('/v1/apps', { name: 'An app', ...members }),
    anEndpoint: (appId, members = {}) =>
      create(`/v1/apps/${appId}/endpoints`, { url: 'https://example.com/webhooks', ...members }),
    aKey,
    close: async () => {
      await server.close();
      await catalogue.stop();
      await transforms.stop();
      await close();
    },
  };
}
