// What happens around deliveries: deletion with data in flight, an old snapshot, restarts, and starts that must be refused.
import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Maintenance } from '../src/app/maintenance.ts';
import { startTidings } from '../src/app/tidings.ts';
import { uuidFromId } from '../src/core/id.ts';
import { testDatabase } from './database.ts';
import { type Answer, type ReceivedRequest, type Receiver, receiver } from './receiver.ts';
import { type Running, running, testConfig } from './running.ts';
import { until } from './until.ts';

let server: Running;
const receivers: Receiver[] = [];

async function aReceiver(answer: Answer = 200): Promise<Receiver> {
  const hooks = await receiver();
  hooks.respondWith(answer);
  receivers.push(hooks);
  return hooks;
}

const idOf = ({ headers }: ReceivedRequest): string => String(headers['webhook-id']);
const sorted = (values: Iterable<string>): string[] => [...values].sort();

let statements = 0;
async function sql<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
  return server.database.db.query<Row>({ name: `lifecycle_${statements++}`, text }, values);
}

describe('a deletion with data in flight', () => {
  let maintenance: Maintenance;
  const errors: unknown[] = [];
  beforeEach(async () => {
    server = await running();
    maintenance = new Maintenance({
      db: server.database.db,
      onError: (error) => errors.push(error),
      options: { erasuresEveryMs: 20, secondSweepAfterSeconds: 0.2 },
    });
    await maintenance.start();
  });
  afterEach(async () => {
    await maintenance.stop();
    await server.close();
    await Promise.all(receivers.splice(0).map((hooks) => hooks.close()));
    expect(errors).toEqual([]);
  });

  /** By table, how many rows have this value in this column; tables without any are left out. */
  async function rowsWith(column: 'app_id' | 'endpoint_id', uuid: string): Promise<Record<string, number>> {
    const tables = await sql<{ table_name: string }>(
      `SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = $1 ORDER BY 1`,
      [column],
    );
    expect(tables.length).toBeGreaterThan(10);
    const found: Record<string, number> = {};
    for (const { table_name } of tables) {
      const [{ rows }] = await sql<{ rows: number }>(
        `SELECT count(*) AS rows FROM ${table_name} WHERE ${column} = $1`,
        [uuid],
      );
      if (rows > 0) found[table_name] = rows;
    }
    return found;
  }

  /** Lanes in memory and attempts not yet committed, as the metrics tell. */
  const atWork = async (): Promise<{ lanes: number; open: number }> => {
    const response = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${server.key}` } });
    const text = await response.text();
    const gauge = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)![1]);
    return { lanes: gauge('tidings_lanes'), open: gauge('tidings_open_attempts') };
  };

  /** An app with endpoints that deliver, retry, hang and kill their events, and publishers that go on until they are refused. */
  async function aBusyApp() {
    const hooks = await aReceiver();
    const failing = await aReceiver(400); // 500 would open the breaker
    const hanging = await aReceiver('hang');
    const appId = await server.anApp({ uid: 'busy' });
    const healthyId = await server.anEndpoint(appId, { url: hooks.url, uid: 'healthy' });
    const failingId = await server.anEndpoint(appId, {
      url: failing.url,
      retry: { delaysSeconds: Array.from({ length: 31 }, () => 0.1) },
      filter: { types: ['t.0'] },
    });
    await server.anEndpoint(appId, { url: failing.url, retry: { delaysSeconds: [] }, filter: { types: ['t.1'] } });
    await server.anEndpoint(appId, { url: hanging.url, filter: { types: ['t.2'] } });
    await server.ask('POST /v1/keys', { name: 'of the app', scope: 'app', app: appId, permissions: ['read'] });
    const refusals: number[] = [];
    const publishers = Array.from({ length: 4 }, async (_, publisher) => {
      for (let n = 0; ; n++) {
        const route = `POST /v1/apps/${publisher % 2 === 0 ? appId : 'busy'}/events`;
        const event = { id: `event_${publisher}_${n}`, type: `t.${n % 3}`, data: n, channels: ['eu'] };
        const { status } = await server.call(route, event, { 'idempotency-key': `${publisher} ${n}` });
        if (status !== 202) return void refusals.push(status);
      }
    });
    await until(() => hooks.requests.length > 100 && failing.requests.length > 20 && hanging.requests.length > 0);
    return { appId, healthyId, failingId, hooks, failing, hanging, publishers, refusals };
  }

  test('of an app: gone at once for everybody, and no row of it stays', async () => {
    const { appId, hooks, failing, hanging, publishers, refusals } = await aBusyApp();
    const uuid = uuidFromId('app', appId);
    const before = await rowsWith('app_id', uuid);
    for (const table of [
      'events',
      'attempts',
      'lanes',
      'retries',
      'idempotency_keys',
      'api_keys',
      'heads',
      'endpoints',
    ]) {
      expect(before).toHaveProperty(table);
    }

    expect((await server.call(`DELETE /v1/apps/${appId}`)).status).toBe(204);
    for (const ref of [appId, 'busy']) {
      expect((await server.call(`POST /v1/apps/${ref}/events`, { type: 'a', data: 1 })).status).toBe(404);
      expect(
        (await server.call(`POST /v1/apps/${ref}/events/batch`, { events: [{ type: 'a', data: 1 }] })).status,
      ).toBe(404);
      expect((await server.call(`GET /v1/apps/${ref}/events`)).status).toBe(404);
      expect((await server.call(`GET /v1/apps/${ref}/endpoints/healthy/status`)).status).toBe(404);
      expect((await server.call(`GET /v1/apps/${ref}`)).status).toBe(404);
    }
    await Promise.all(publishers);
    expect(refusals).toEqual([404, 404, 404, 404]);

    // What hangs ends; after that nothing is open, and nothing further is sent.
    await hanging.close();
    receivers.splice(receivers.indexOf(hanging), 1);
    await until(async () => isDeepStrictEqual(await atWork(), { lanes: 0, open: 0 }));
    const sent = [hooks.requests.length, failing.requests.length];
    await until(async () => (await sql('SELECT 1 FROM erasures')).length === 0);
    expect(await rowsWith('app_id', uuid)).toEqual({});
    expect([hooks.requests.length, failing.requests.length]).toEqual(sent);
    // Its uid is free again, and the new app has a log of its own.
    const successor = await server.anApp({ uid: 'busy' });
    expect(await server.publish(successor, { id: 'event_0_0' })).toMatchObject({ position: 1, duplicate: false });
    expect(await rowsWith('app_id', uuid)).toEqual({});
  });

  test('of an endpoint: nothing more is sent, no row of it stays, and the others go on', async () => {
    const { appId, healthyId, failingId, hooks, failing, hanging, publishers } = await aBusyApp();
    const uuid = uuidFromId('endpoint', failingId);
    expect(await rowsWith('endpoint_id', uuid)).toHaveProperty('attempts');
    const route = `/v1/apps/${appId}/endpoints/${failingId}`;
    expect((await server.call(`DELETE ${route}`)).status).toBe(204);
    for (const call of [`GET ${route}`, `GET ${route}/status`, `POST ${route}/test`, `POST ${route}/resume`]) {
      expect((await server.call(call)).status).toBe(404);
    }
    await until(async () => (await sql('SELECT 1 FROM erasures')).length === 0);
    expect(await rowsWith('endpoint_id', uuid)).toEqual({});
    // The other endpoint at that receiver takes t.1 only; what is published from here on no longer comes as t.0.
    const from = failing.requests.length;
    const marks = await Promise.all(Array.from({ length: 20 }, () => server.publish(appId, { type: 't.0' })));
    await until(() => marks.every(({ id }) => hooks.requests.some((request) => idOf(request) === id)));
    const after = failing.requests.slice(from).map((request) => JSON.parse(request.body.toString()).type);
    expect(after.filter((type) => type !== 't.1')).toEqual([]);
    await server.ask(`DELETE /v1/apps/${appId}`);
    await Promise.all(publishers);
    await hanging.close();
    receivers.splice(receivers.indexOf(hanging), 1);
    expect(healthyId).not.toBe(failingId);
  });
});

describe('a server', () => {
  beforeEach(async () => {
    server = await running();
  });
  afterEach(async () => {
    await server.close();
    await Promise.all(receivers.splice(0).map((hooks) => hooks.close()));
  });

  test('delivers everything while an old snapshot is held open', async () => {
    const hooks = await aReceiver();
    const appId = await server.anApp();
    const endpointId = await server.anEndpoint(appId, { url: hooks.url });
    await server.publish(appId);
    await server.settled(appId, endpointId);
    const holder = new pg.Client(server.database.connection);
    await holder.connect();
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const seen = async (): Promise<number> => Number((await holder.query('SELECT count(*) FROM events')).rows[0].count);
    expect(await seen()).toBe(1);

    const ids: string[] = [];
    for (let batch = 0; batch < 40; batch++) {
      const events = Array.from({ length: 50 }, (_, n) => ({ type: 'a.b', data: batch * 50 + n }));
      const answer = await server.ask(`POST /v1/apps/${appId}/events/batch`, { events });
      ids.push(...answer.events.map(({ id }: { id: string }) => id));
    }
    await server.settled(appId, endpointId);
    expect(sorted(hooks.requests.slice(1).map(idOf))).toEqual(sorted(ids));
    expect(await seen()).toBe(1);
    await holder.query('COMMIT');
    await holder.end();
  });

  test('that is restarted gracefully under load loses nothing and sends nothing twice', async () => {
    const hooks = await aReceiver();
    const refused = new Set<string>();
    const flaky = await aReceiver((request) => {
      const again = refused.has(idOf(request));
      refused.add(idOf(request));
      return again ? 200 : 400;
    });
    const appId = await server.anApp();
    const endpointId = await server.anEndpoint(appId, { url: hooks.url });
    await server.anEndpoint(appId, { url: flaky.url, filter: { types: ['flaky'] }, retry: { delaysSeconds: [1, 1] } });
    const acknowledged = new Set<string>();
    const flakyIds = new Set<string>();
    let publishing = true;
    const publishers = Array.from({ length: 6 }, async (_, publisher) => {
      for (let n = 0; publishing; n++) {
        const id = `event_${publisher}_${n}`;
        const type = n % 10 === 0 ? 'flaky' : 'plain';
        // Who gets no answer asks again with the same id until it has one.
        await until(async () => (await server.publish(appId, { id, type }).catch(() => null)) !== null);
        acknowledged.add(id);
        if (type === 'flaky') flakyIds.add(id);
      }
    });
    for (let restart = 1; restart <= 3; restart++) {
      const goal = acknowledged.size + 150;
      await until(() => acknowledged.size >= goal);
      await server.stop();
      await server.start();
    }
    const goal = acknowledged.size + 50;
    await until(() => acknowledged.size >= goal);
    publishing = false;
    await Promise.all(publishers);
    await server.settled(appId, endpointId);
    expect(sorted(hooks.requests.map(idOf))).toEqual(sorted(acknowledged));
    await until(() => flaky.requests.length >= 2 * flakyIds.size);
    expect(sorted(flaky.requests.map(idOf))).toEqual(sorted([...flakyIds, ...flakyIds]));
    const numbers = flaky.requests.map(({ headers }) => headers['tidings-attempt']);
    expect(numbers.filter((number) => number === '2')).toHaveLength(flakyIds.size);
  });

  test('tells of dead events when it stops', async () => {
    const hooks = await aReceiver(400);
    const appId = await server.anApp();
    const endpointId = await server.anEndpoint(appId, { url: hooks.url, retry: { delaysSeconds: [] } });
    const first = await server.publish(appId);
    await until(async () => (await server.ask(`GET /v1/apps/${appId}/dead`)).data.length === 1);
    await server.publish(appId);
    await until(async () => (await server.ask(`GET /v1/apps/${appId}/dead`)).data.length === 2);
    await server.stop();
    await server.start();
    const operations = await server.operations(endpointId);
    const counts = operations.map(({ data }) => data.count as number);
    expect(new Set(operations.map(({ type }) => type))).toEqual(new Set(['event.dead']));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2); // two events when the minute turned in between
    expect(operations[0].data).toMatchObject({ app: appId, firstEvent: first.id, reason: 'status_4xx' });
  });
});

describe('a start', () => {
  test('is refused in words, and leaves nothing behind', async () => {
    const database = await testDatabase();
    const query = (text: string) => database.db.query<{ count: number }>({ name: `start_${statements++}`, text });
    const start = (migrate: boolean, options: Parameters<typeof testConfig>[1] = {}) =>
      startTidings(testConfig(database.url, options), { migrate });
    try {
      await (await start(false)).stop();
      const masterKey = Buffer.alloc(32, 8).toString('base64');
      await expect(start(false, { masterKey })).rejects.toThrow(
        /The master key is not the one.*Start with the master key/,
      );

      await query(`INSERT INTO migrations (version, name, checksum) VALUES (9999, '9999-from-the-future', 'x')`);
      for (const migrate of [false, true]) {
        await expect(start(migrate)).rejects.toThrow(/9999-from-the-future.*a newer release.*Start that release/);
      }
      await query('DROP SCHEMA public CASCADE');
      await query('CREATE SCHEMA public');
      await expect(start(false)).rejects.toThrow(/lacks \d+ migrations? \(0001-initial.*\)\. Run: tidings migrate/);
      expect(await query(`SELECT 1 FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
      await (await start(true)).stop();

      const others = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
      await database.db.query({ name: 'alone', text: others });
      await until(async () => (await query(others))[0].count === 0);
    } finally {
      await database.close();
    }
  });
});
