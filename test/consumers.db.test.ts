// Consumers from end to end: what they outlive, and what is told of them.
import { afterEach, describe, expect, test } from 'vitest';
import { startTidings } from '../src/app/tidings.ts';
import { receiver } from './receiver.ts';
import { type Running, running, testConfig } from './running.ts';
import { until } from './until.ts';

const servers: Running[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** A server, an app with so many events, and a consumer that begins with the oldest. */
async function setup(events: number, options: Parameters<typeof running>[0] = {}) {
  const server = await running(options);
  servers.push(server);
  const appId = await server.anApp();
  for (let n = 1; n <= events; n++) await server.publish(appId, { id: `e${n}` });
  const consumer = `/v1/apps/${appId}/consumers/billing`;
  await server.ask(`PUT ${consumer}`, { start: 'oldest' });
  return { server, appId, consumer };
}

const idsOf = ({ events }: { events: { id: string }[] }): string[] => events.map(({ id }) => id);

describe('a consumer', () => {
  test('keeps its lease and its cursor when the server is started anew', async () => {
    const { server, consumer } = await setup(3);
    const leased = await server.ask(`POST ${consumer}/lease`, { max: 2 });
    await server.stop();
    await server.start();
    expect((await server.call(`POST ${consumer}/lease`)).body.code).toBe('consumer_leased');
    await server.ask(`POST ${consumer}/commit`, { lease: leased.lease, cursor: leased.cursor });
    await server.stop();
    await server.start();
    expect(idsOf(await server.ask(`POST ${consumer}/lease`))).toEqual(['e3']);
  });

  test('is answered when the server stops while it waits', async () => {
    const { server, consumer } = await setup(0);
    const waiting = server.ask(`POST ${consumer}/lease`, { wait: 60 });
    const endpoint = `${consumer.replace(/consumers.*/, 'endpoints')}`;
    const { id } = await server.ask(`POST ${endpoint}`, { url: 'https://example.com/', mode: 'pull' });
    const fetching = server.ask(`GET ${endpoint}/${id}/events?wait=60`);
    await server.ask(`GET ${endpoint}/${id}`); // the others are under way
    await server.stop();
    expect(await waiting).toMatchObject({ lease: null, events: [], done: true });
    expect(await fetching).toMatchObject({ events: [], done: true });
    await server.start();
  });

  test('is told what retention took from it, and goes on after a seek', async () => {
    const { server, appId, consumer } = await setup(5);
    await server.stop();
    await server.database.db.query({ name: 'drop_oldest', text: 'DELETE FROM events WHERE position <= 2' });
    await server.start();
    const refused = await server.call(`POST ${consumer}/lease`);
    expect([refused.status, refused.body.code]).toEqual([410, 'cursor_expired']);
    expect(refused.body.detail).toContain('Seek to "oldest"');
    const { oldestCursor } = refused.body;
    expect(idsOf(await server.ask(`GET /v1/apps/${appId}/events?after=${oldestCursor}`))).toEqual(['e3', 'e4', 'e5']);
    await server.ask(`POST ${consumer}/seek`, { to: 'oldest' });
    expect(idsOf(await server.ask(`POST ${consumer}/lease`))).toEqual(['e3', 'e4', 'e5']);
  });

  test('is told of when it lags', async () => {
    const { server, appId } = await setup(2, { lagAlertSeconds: 1 });
    await until(async () => {
      const { events } = await server.ask('GET /v1/apps/app_tidings/events?types=consumer.lagging');
      return events.some(({ data }: { data: { app: string; consumer: string; positions: number } }) => {
        return data.app === appId && data.consumer === 'billing' && data.positions === 2;
      });
    });
  });
});

describe('two processes', () => {
  test('wake each other, and turn an endpoint whose lane the other has', async () => {
    const { server, appId, consumer } = await setup(0);
    const hooks = await receiver();
    const other = await startTidings(testConfig(server.database.url, { roles: ['api'] }), {
      migrate: false,
      graceMs: 20,
    });
    const askOther = async (route: string, body?: object) => {
      const [method, path] = route.split(' ');
      const headers = { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' };
      const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
      const response = await fetch(`${other.url}${path}`, init);
      expect(response.status).toBeLessThan(300);
      return (await response.json()) as { events: { id: string }[]; cursor: string };
    };
    try {
      const waiting = askOther(`POST ${consumer}/lease`, { wait: 20 });
      const endpointId = await server.anEndpoint(appId, { url: hooks.url });
      await server.publish(appId, { id: 'sent' });
      expect(idsOf(await waiting)).toEqual(['sent']);
      await server.settled(appId, endpointId);

      const endpoint = `/v1/apps/${appId}/endpoints/${endpointId}`;
      for (let round = 0; round < 5; round++) {
        await askOther(`PATCH ${endpoint}`, { mode: 'pull' });
        await askOther(`POST /v1/apps/${appId}/events`, { id: `fetched-${round}`, type: 'a.b', data: {} });
        const due = await askOther(`GET ${endpoint}/events`);
        expect(idsOf(due)).toEqual([`fetched-${round}`]);
        await askOther(`POST ${endpoint}/commit`, { cursor: due.cursor });
        await askOther(`PATCH ${endpoint}`, { mode: 'push' });
        await askOther(`POST /v1/apps/${appId}/events`, { id: `sent-${round}`, type: 'a.b', data: {} });
        await until(() => hooks.requests.length > round + 1);
        await server.settled(appId, endpointId);
      }
      const sent = hooks.requests.map(({ headers }) => headers['webhook-id']);
      expect(sent).toEqual(['sent', ...Array.from({ length: 5 }, (_, round) => `sent-${round}`)]);
    } finally {
      await other.stop();
      await hooks.close();
    }
  });
});
