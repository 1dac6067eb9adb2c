// APIs without webhooks, fetched by a whole server.
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Receiver, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

const SECRET = 'a-secret-of-the-hook';

describe('a source that is fetched', () => {
  let server: Running;
  let api: Receiver;
  let app: string;
  beforeAll(async () => {
    [server, api] = await Promise.all([running(), receiver()]);
    app = await server.anApp();
  });
  afterAll(async () => {
    await server.close();
    await api.close();
  });

  const json = (value: unknown) => ({
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(value),
  });
  const runs = async (id: string) => (await server.ask(`GET /v1/apps/${app}/sources/${id}/runs`)).data;
  const events = async (type: string) => (await server.ask(`GET /v1/apps/${app}/events?types=${type}`)).events;

  test('becomes events as soon as it is created, and again when it is asked for', async () => {
    api.respondWith(json([{ id: 1 }]));
    const members = { kind: 'fetch', url: api.url, key: 'id', start: 'all', type: 'order.{change}' };
    const { id } = await server.ask(`POST /v1/apps/${app}/sources`, members);
    await until(async () => (await runs(id)).length === 1);
    expect((await runs(id))[0]).toMatchObject({ outcome: 'changed', created: 1 });
    api.respondWith(json([{ id: 1 }, { id: 2 }]));
    await server.ask(`POST /v1/apps/${app}/sources/${id}/run`);
    await until(async () => (await events('order.*')).length === 2);
  });

  test('finds the webhook that was lost, and tells the others once', async () => {
    api.respondWith(json([]));
    const fetch = { url: api.url, key: 'guid', type: 'github.{event}', start: 'all', every: '1h' };
    const members = { kind: 'webhook', provider: 'github', secrets: [SECRET], fetch };
    const { id, path } = await server.ask(`POST /v1/apps/${app}/sources`, members);
    await until(async () => (await runs(id)).length === 1);
    const push = async (delivery: string): Promise<void> => {
      const body = JSON.stringify({ delivery });
      const signature = createHmac('sha256', SECRET).update(body).digest('hex');
      const headers = {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': delivery,
        'x-hub-signature-256': `sha256=${signature}`,
      };
      expect((await globalThis.fetch(`${server.url}${path}`, { method: 'POST', body, headers })).status).toBe(200);
    };
    await push('came');
    api.respondWith(json(['came', 'lost'].map((guid) => ({ guid, event: 'push' }))));
    await server.ask(`POST /v1/apps/${app}/sources/${id}/run`);
    await until(async () => (await runs(id)).length === 2);
    expect((await runs(id))[0]).toMatchObject({ outcome: 'changed', items: 2, created: 1 });
    await push('lost');
    const told = await events('github.*');
    expect(told.map(({ data }: { data: { delivery?: string; guid?: string } }) => data.delivery ?? data.guid)).toEqual([
      'came',
      'lost',
    ]);
  });
});
