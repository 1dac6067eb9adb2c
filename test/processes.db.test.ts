// Several whole servers on one database: how they share the lanes, and what one asks of another.
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Config } from '../src/app/config.ts';
import { startTidings, type Tidings } from '../src/app/tidings.ts';
import { uuidFromId } from '../src/core/id.ts';
import { liveProcesses } from '../src/storage/processes.ts';
import { type Receiver, receiver } from './receiver.ts';
import { type Running, type RunningAnswer, running, testConfig } from './running.ts';
import { until } from './until.ts';

let server: Running;
let hooks: Receiver;
const others: Tidings[] = [];
beforeEach(async () => {
  server = await running();
  hooks = await receiver();
});
afterEach(async () => {
  for (const other of others.splice(0)) await other.stop();
  await server.close();
  await hooks.close();
});

async function anotherProcess(options: Partial<Config> = {}): Promise<Tidings> {
  const other = await startTidings(testConfig(server.database.url, options), { migrate: false });
  others.push(other);
  return other;
}

/** Calls another process than the one that `server` is. */
async function askOther(other: Tidings, route: string, body?: object): Promise<Pick<RunningAnswer, 'status' | 'body'>> {
  const [method, path] = route.split(' ');
  const headers = { authorization: `Bearer ${server.key}`, ...(body && { 'content-type': 'application/json' }) };
  const response = await fetch(`${other.url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  return { status: response.status, body: await response.json() };
}

/** Slots by process, sorted. */
async function shares(): Promise<number[]> {
  const processes = await liveProcesses(server.database.db);
  return processes.map(({ slotCount }) => slotCount).sort((a, b) => a - b);
}

/** Publishes from several clients at once, some hundred events a second, until it is stopped. */
function publishing(appId: string): { stop(): Promise<string[]> } {
  const ids: string[] = [];
  let going = true;
  const clients = Array.from({ length: 4 }, async () => {
    for (; going; await delay(10)) ids.push((await server.publish(appId)).id);
  });
  return {
    stop: async () => {
      going = false;
      await Promise.all(clients);
      return ids;
    },
  };
}

describe('several processes', () => {
  test('share the lanes under load, and each event is sent to each endpoint once', async () => {
    const appId = await server.anApp();
    const endpoints = await Promise.all(
      Array.from({ length: 24 }, (_, n) => server.anEndpoint(appId, { url: `${hooks.url}/${n}` })),
    );
    const load = publishing(appId);
    await until(() => hooks.requests.length > 400);
    await anotherProcess();
    await until(async () => (await shares())[0] >= 16);
    const ids = await load.stop();
    await until(() => hooks.requests.length >= ids.length * endpoints.length);
    // A second attempt may follow a timeout on a busy machine; a first attempt made twice is two owners, or one that forgot.
    const first = hooks.requests
      .filter(({ headers }) => headers['tidings-attempt'] === '1')
      .map(({ path, headers }) => `${path} ${headers['webhook-id']}`);
    expect(new Set(first).size).toBe(first.length);
    expect(first).toHaveLength(ids.length * endpoints.length);
  }, 60_000);

  test('one that stops has its lanes with the other within a second, but for those that wait for a slow endpoint', async () => {
    const appId = await server.anApp();
    const slow = await receiver();
    slow.respondWith('hang');
    await server.anEndpoint(appId, { url: slow.url, timeoutMs: 4000 });
    await Promise.all(Array.from({ length: 10 }, (_, n) => server.anEndpoint(appId, { url: `${hooks.url}/${n}` })));
    const other = await anotherProcess();
    await server.publish(appId);
    await until(() => slow.requests.length === 1 && hooks.requests.length === 10);
    const stoppingMs = performance.now();
    const stopping = server.stop();
    await until(async () => Math.max(...(await shares())) >= 200);
    expect(performance.now() - stoppingMs).toBeLessThan(1500);
    await stopping;
    await until(async () => (await shares()).join() === '256');
    expect(other.url).not.toBe('');
    await slow.close();
  }, 60_000);

  /** Publishes through a server, and how long it took until the receiver had it. */
  async function deliveredAfterMs(url: string, appId: string): Promise<number> {
    const before = hooks.requests.length;
    const headers = { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ type: 'a.b', data: {} });
    const { status } = await fetch(`${url}/v1/apps/${appId}/events`, { method: 'POST', headers, body });
    expect(status).toBe(202);
    const beganMs = performance.now();
    await until(() => hooks.requests.length === before + 1);
    return performance.now() - beganMs;
  }

  test('hear at once of what others append', async () => {
    const appId = await server.anApp();
    await server.anEndpoint(appId, { url: hooks.url });
    const other = await anotherProcess({ roles: ['api'] });
    await deliveredAfterMs(server.url, appId);
    const tookMs: number[] = [];
    for (let n = 0; n < 10; n++) tookMs.push(await deliveredAfterMs(other.url, appId));
    // The poll alone would find two of five within so long.
    expect(tookMs.filter((ms) => ms < 400).length).toBeGreaterThanOrEqual(8);
  }, 60_000);

  test('with notifications off find within the poll interval what others append and delete', async () => {
    await server.close();
    server = await running({ notify: false, drainSeconds: 1 });
    const appId = await server.anApp();
    await server.anEndpoint(appId, { url: hooks.url });
    const other = await anotherProcess({ notify: false, roles: ['api'], drainSeconds: 1 });
    for (let n = 0; n < 3; n++) expect(await deliveredAfterMs(other.url, appId)).toBeLessThan(4000);
    // The other deletes the app with events under way: its lane here stops.
    hooks.respondWith('hang');
    await deliveredAfterMs(other.url, appId);
    const headers = { authorization: `Bearer ${server.key}` };
    expect((await fetch(`${other.url}/v1/apps/${appId}`, { method: 'DELETE', headers })).status).toBe(204);
    const lanes = async () => /^tidings_lanes (\d+)$/m.exec((await server.call('GET /metrics')).bytes.toString())?.[1];
    await until(async () => (await lanes()) === '0');
  }, 60_000);
});

describe.each([
  { notify: true, words: 'by notifications' },
  { notify: false, words: 'without notifications' },
])('a process that sends nothing asks the owner of the lane, $words', ({ notify }) => {
  let api: Tidings;
  let appId: string;
  let endpointId: string;
  beforeEach(async () => {
    await server.close();
    server = await running({ notify });
    api = await anotherProcess({ roles: ['api'], notify });
    appId = await server.anApp();
    endpointId = await server.anEndpoint(appId, {
      url: hooks.url,
      timeoutMs: 2000,
      retry: { delaysSeconds: [3600] },
    });
    // The processes know of each other from their next turn on.
    await until(
      async () => (await askOther(api, `POST /v1/apps/${appId}/endpoints/${endpointId}/test`)).status === 200,
    );
    hooks.requests.length = 0;
  });

  test('for a test event', async () => {
    const { status, body } = await askOther(api, `POST /v1/apps/${appId}/endpoints/${endpointId}/test`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ cause: 'test', outcome: 'delivered', status: 200 });
    expect(hooks.requests).toHaveLength(1);
    expect(hooks.requests[0].headers['webhook-id']).toBe(body.event);
    const { body: attempts } = await askOther(api, `GET /v1/apps/${appId}/endpoints/${endpointId}/attempts`);
    expect(attempts.data[0].id).toBe(body.id);
  }, 60_000);

  test('for a resend, after which no retry follows', async () => {
    hooks.respondWith(500);
    const { id } = await server.publish(appId);
    await until(async () => (await server.ask(`GET /v1/apps/${appId}/events/${id}/attempts`)).data.length === 1);
    hooks.respondWith(200);
    const { status, body } = await askOther(api, `POST /v1/apps/${appId}/events/${id}/resend`, {
      endpoint: endpointId,
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ cause: 'resend', attempt: 2, outcome: 'delivered' });
    await until(async () => {
      const { retries } = await server.ask(`GET /v1/apps/${appId}/endpoints/${endpointId}/status`);
      return retries.waiting === 0;
    });
    expect(hooks.requests).toHaveLength(2);
  }, 60_000);

  test('and tells why it cannot be done', async () => {
    const forbidden = await server.anEndpoint(appId, { url: hooks.url });
    await server.database.db.query(
      {
        name: 'test_forbid',
        text: `UPDATE endpoints SET config = jsonb_set(config, '{url}', '"http://10.0.0.1/"') WHERE endpoint_id = $1`,
      },
      [uuidFromId('endpoint', forbidden)],
    );
    const { status, body } = await askOther(api, `POST /v1/apps/${appId}/endpoints/${forbidden}/test`);
    expect(status).toBe(400);
    expect(body.code).toBe('address_forbidden');
  }, 60_000);

  test('for replays', async () => {
    const { id } = await server.publish(appId);
    await until(() => hooks.requests.length === 1);
    const created = await askOther(api, `POST /v1/apps/${appId}/endpoints/${endpointId}/replays`, { from: 'oldest' });
    expect(created.status).toBe(201);
    await until(() => hooks.requests.length === 2);
    expect(hooks.requests[1].headers['webhook-id']).toBe(id);
  }, 60_000);

  test('for its status, and for the end of a pause', async () => {
    await server.publish(appId);
    await until(() => hooks.requests.length === 1);
    const route = `GET /v1/apps/${appId}/endpoints/${endpointId}/status`;
    await until(async () => {
      const { body } = await askOther(api, route);
      return body.lag.events === 0 && body.lastAttempt?.cause === 'live';
    });
    const { body } = await askOther(api, route);
    expect(body).toMatchObject({ state: 'active', stale: !notify, inFlight: notify ? 0 : null });

    hooks.respondWith('hang');
    await server.publish(appId);
    await until(() => hooks.requests.length === 2);
    const paused = await askOther(api, `POST /v1/apps/${appId}/endpoints/${endpointId}/pause`);
    expect(paused.body.state).toBe('pausing');
    if (!notify) return; // then it is told by the time that has gone by
    await until(async () => {
      const { body } = await askOther(api, `GET /v1/apps/${appId}/endpoints/${endpointId}`);
      return body.state === 'paused';
    });
  }, 60_000);
});
