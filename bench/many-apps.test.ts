import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { createEndpointConfig } from '../src/core/endpoint-config.ts';
import { IdGenerator, uuidFromId } from '../src/core/id.ts';
import { generateMasterKey, parseMasterKey, SecretBox } from '../src/core/secret-box.ts';
import { generateSecret } from '../src/core/signature.ts';
import { createApp } from '../src/storage/apps.ts';
import type { Database } from '../src/storage/database.ts';
import { createEndpoint } from '../src/storage/endpoint-changes.ts';
import { loadSecretsOfApp } from '../src/storage/endpoint-secrets.ts';
import { loadEndpointsOfApp } from '../src/storage/endpoints.ts';
import { testDatabase } from '../test/database.ts';
import { createManyApps } from './many-apps.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const URLS = ['https://a.example/r/0', 'https://b.example/r/1', 'https://c.example/r/2'];
const TABLES = ['apps', 'heads', 'endpoints', 'endpoint_versions', 'lanes', 'endpoint_secrets'];
/** Chance, or when it was. */
const DIFFERS = ['app_id', 'endpoint_id', 'secret_id', 'sealed', 'slot', 'created_at', 'updated_at', 'changed_at'];

async function setup() {
  const { db, close } = await testDatabase();
  cleanups.push(close);
  const masterKey = generateMasterKey(randomBytes);
  const box = new SecretBox({ keys: [parseMasterKey(masterKey)], randomBytes });
  return { db, masterKey, box };
}

/** An app with endpoints, as the API creates them. */
async function createOne(db: Database, box: SecretBox): Promise<string> {
  const ids = new IdGenerator({ now: Date.now, randomBytes });
  const { id: appId } = await createApp(db, { id: ids.id('app'), uid: null, name: 'bench', metadata: {} });
  for (const url of URLS) {
    const result = createEndpointConfig({ url });
    if (!result.ok) throw new Error('a configuration that is not valid');
    await createEndpoint(db, box, {
      id: ids.id('endpoint'),
      appId,
      uid: null,
      config: result.config,
      start: 'now',
      secret: { secretUuid: ids.uuid(), secret: generateSecret('v1', randomBytes) },
      idempotency: null,
    });
  }
  return appId;
}

async function rowsOf(db: Database, table: string, appId: string): Promise<Record<string, unknown>[]> {
  const text = `SELECT to_jsonb(t) AS row FROM ${table} t WHERE app_id = $1 ORDER BY t`;
  const rows = await db.query<{ row: Record<string, unknown> }>({ name: `all_${table}`, text }, [
    uuidFromId('app', appId),
  ]);
  return rows.map(({ row }) => Object.fromEntries(Object.entries(row).filter(([name]) => !DIFFERS.includes(name))));
}

describe('many apps', () => {
  test('are written as the API writes them', async () => {
    const { db, masterKey, box } = await setup();
    const apps = await createManyApps(db, { apps: 1001, endpoints: URLS.map((url) => ({ url })), masterKey });
    const one = await createOne(db, box);
    expect(new Set(apps).size).toBe(1001);
    for (const table of TABLES) {
      const expected = await rowsOf(db, table, one);
      expect(expected.length, table).toBeGreaterThan(0);
      for (const app of [apps[0], apps[1000]]) expect(await rowsOf(db, table, app), table).toEqual(expected);
    }
  });

  test('can be loaded, with secrets that open and lanes in the slot of their endpoint', async () => {
    const { db, masterKey, box } = await setup();
    const [app] = await createManyApps(db, { apps: 1, endpoints: URLS.map((url) => ({ url })), masterKey });
    const { endpoints } = (await loadEndpointsOfApp(db, app))!;
    expect(endpoints.map(({ config }) => config.url).sort()).toEqual(URLS);
    const secrets = await loadSecretsOfApp(db, box, app);
    for (const { id } of endpoints) expect(secrets.get(id)![0].secret).toMatch(/^whsec_/);
    const text = `SELECT slot FROM lanes WHERE slot <> get_byte(uuid_send(endpoint_id), 15)`;
    expect(await db.query({ name: 'misplaced_lanes', text })).toEqual([]);
  });
});
