// Retention from end to end: an endpoint that was behind goes on with what is kept, and what it lost is told in its status and by events.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Retention } from '../src/app/retention.ts';
import { uuidFromId } from '../src/core/id.ts';
import { Writer } from '../src/log/writer.ts';
import { addDays, dayOf, ensurePartitions } from '../src/storage/partitions.ts';
import { type Receiver, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

let server: Running;
let hooks: Receiver;
beforeAll(async () => {
  [server, hooks] = await Promise.all([running(), receiver()]);
});
afterAll(async () => {
  await server.close();
  await hooks.close();
});

let statements = 0;
const sql = <Row>(text: string, values: unknown[] = []) =>
  server.database.db.query<Row>({ name: `retention_${statements++}`, text }, values);

/** Makes events of today events of a past day, with all that points at them. */
async function age(appId: string, upTo: number, days: number): Promise<void> {
  const { db } = server.database;
  const day = addDays(await dayOf(db), -days);
  const name = `events_${day.replaceAll('-', '_')}`;
  await sql(`CREATE TABLE ${name} PARTITION OF events FOR VALUES FROM ('${day}') TO ('${addDays(day, 1)}')`);
  const app = uuidFromId('app', appId);
  await sql(`UPDATE events SET day = '${day}', appended_at = '${day}' WHERE app_id = $1 AND position <= $2`, [
    app,
    upTo,
  ]);
  await sql(`UPDATE lanes SET settled_day = '${day}' WHERE app_id = $1`, [app]);
  await sql(`UPDATE retries SET day = '${day}' WHERE app_id = $1`, [app]);
}

async function retain(eventDays: number): Promise<void> {
  const { db } = server.database;
  const parts = { db, onCommitted: () => {}, ensurePartitions: () => ensurePartitions(db, { daysAhead: 7 }) };
  const writer = new Writer(parts);
  const append: ConstructorParameters<typeof Retention>[0]['append'] = (request) => writer.append(request);
  const now = Date.now;
  const options = { eventDays, attemptDays: null };
  const retention = new Retention({ db, append, checkpoint: () => {}, now, onError: () => {}, options });
  await retention.takeTurn();
  await writer.stop();
}

describe('retention', () => {
  test('takes from a paused endpoint what it had not been sent, and the rest arrives', async () => {
    const appId = await server.anApp();
    const path = `/${appId}`;
    const endpointId = await server.anEndpoint(appId, { url: `${hooks.url}${path}` });
    await server.publish(appId, { data: 0 });
    await server.settled(appId, endpointId);
    const status = `GET /v1/apps/${appId}/endpoints/${endpointId}/status`;
    expect((await server.ask(status)).expired).toBeNull();
    await server.ask(`POST /v1/apps/${appId}/endpoints/${endpointId}/pause`);
    for (let n = 1; n <= 600; n += 100) {
      const events = Array.from({ length: 100 }, (_, i) => ({ type: 'a.b', data: n + i }));
      await server.ask(`POST /v1/apps/${appId}/events/batch`, { events });
    }
    await server.stop();
    await age(appId, 500, 3);
    await retain(2);
    await server.start();
    expect((await server.ask(status)).expired).toEqual({ events: 499, from: 2, to: 500, at: expect.any(String) });
    const told = await server.operations(endpointId);
    expect(told.map(({ type }) => type)).toEqual(['endpoint.lagging', 'endpoint.expired']);
    expect(told[0].data).toMatchObject({ positions: 600, expiresAt: expect.stringMatching(/T00:00:00.000Z$/) });
    expect(told[1].data).toMatchObject({ app: appId, events: 499, from: 2, to: 500 });

    await server.ask(`POST /v1/apps/${appId}/endpoints/${endpointId}/resume`, { from: 'cursor' });
    const received = () =>
      hooks.requests.filter((request) => request.path === path).map(({ body }) => JSON.parse(body.toString()).data);
    await until(() => received().length === 102);
    expect(received().sort((a, b) => a - b)).toEqual([0, ...Array.from({ length: 101 }, (_, i) => 500 + i)]);
    await server.settled(appId, endpointId);
    const log = await server.call(`GET /v1/apps/${appId}/events`);
    expect(log.body.events[0].position).toBe(501);
  });

  test('of all that an endpoint waited for leaves it at the end of the log', async () => {
    const appId = await server.anApp();
    const path = `/${appId}`;
    const endpointId = await server.anEndpoint(appId, { url: `${hooks.url}${path}` });
    await server.ask(`POST /v1/apps/${appId}/endpoints/${endpointId}/pause`);
    for (let n = 0; n < 2; n++) {
      const events = Array.from({ length: 1000 }, () => ({ type: 'a.b', data: 'old' }));
      await server.ask(`POST /v1/apps/${appId}/events/batch`, { events });
    }
    await server.stop();
    await age(appId, 2000, 5);
    await retain(2);
    await server.start();
    await server.ask(`POST /v1/apps/${appId}/endpoints/${endpointId}/resume`, { from: 'cursor' });
    await server.settled(appId, endpointId);
    await server.publish(appId, { data: 'new' });
    await until(() => hooks.requests.some((request) => request.path === path));
    await server.settled(appId, endpointId);
    expect(hooks.requests.filter((request) => request.path === path)).toHaveLength(1);
  });

  test('lists a failed event that it took as dead', async () => {
    const appId = await server.anApp();
    const path = `/${appId}`;
    hooks.respondWith(500);
    const endpointId = await server.anEndpoint(appId, { url: `${hooks.url}${path}` });
    const { id } = await server.publish(appId);
    await until(async () => (await sql('SELECT 1 FROM retries')).length === 1);
    await server.settled(appId, endpointId);
    await server.stop();
    await age(appId, 1, 4);
    await retain(2);
    await server.start();
    const { data } = await server.ask(`GET /v1/apps/${appId}/dead`);
    expect(data).toMatchObject([{ event: id, endpoint: endpointId, reason: 'expired', attempts: 1 }]);
    expect((await server.operations(endpointId)).map(({ type }) => type)).toContain('event.dead');
    expect(await sql('SELECT 1 FROM retries')).toEqual([]);
  });
});
