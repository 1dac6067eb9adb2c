// An endpoint that is turned from push to pull and back keeps its cursor: each event is sent or fetched, and what was fetched is not sent.
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Receiver, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

let server: Running;
const receivers: Receiver[] = [];
beforeAll(async () => {
  server = await running();
});
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((hooks) => hooks.close()));
});
afterAll(() => server.close());

interface Page {
  events: {
    id: string;
    position: number;
    cursor: string;
    webhook?: { headers: Record<string, string>; body: string };
  }[];
  cursor: string;
  done: boolean;
}

/** An app with an endpoint at a receiver. */
async function setup(members: object = {}) {
  const hooks = await receiver();
  receivers.push(hooks);
  const appId = await server.anApp();
  const endpointId = await server.anEndpoint(appId, { url: hooks.url, ...members });
  const endpoint = `/v1/apps/${appId}/endpoints/${endpointId}`;
  return {
    hooks,
    appId,
    endpointId,
    endpoint,
    turn: (mode: 'push' | 'pull') => server.ask(`PATCH ${endpoint}`, { mode }),
    page: (query = ''): Promise<Page> => server.ask(`GET ${endpoint}/events?${query}`),
    commit: (cursor: string) => server.ask(`POST ${endpoint}/commit`, { cursor }),
    status: () => server.ask(`GET ${endpoint}/status`),
    sent: () => hooks.requests.map(({ headers }) => String(headers['webhook-id'])),
  };
}

const idsOf = (page: Page): string[] => page.events.map(({ id }) => id);

describe('an endpoint in mode pull', () => {
  test('is sent nothing, and has its events fetched and committed', async () => {
    const { hooks, appId, endpointId, endpoint, turn, page, commit, status, sent } = await setup({
      filter: { types: ['invoice.*'] },
    });
    await server.publish(appId, { id: 'before', type: 'invoice.paid' });
    await hooks.request(1);
    await server.settled(appId, endpointId);
    expect((await turn('pull')).state).toBe('pull');
    expect(await page()).toMatchObject({ events: [], done: true });
    for (const id of ['one', 'two', 'three']) await server.publish(appId, { id, type: 'invoice.paid' });
    await server.publish(appId, { id: 'other', type: 'user.created' });

    const first = await page('limit=2');
    expect(idsOf(first)).toEqual(['one', 'two']);
    expect(first.done).toBe(false);
    expect(idsOf(await page('limit=2'))).toEqual(['one', 'two']);
    expect(await status()).toMatchObject({ state: 'pull', stale: false, lag: { events: 4 } });
    expect(await commit(first.events[0].cursor)).toEqual({ cursor: first.events[0].cursor });
    expect(idsOf(await page())).toEqual(['two', 'three']);
    expect(await commit(first.cursor)).toEqual({ cursor: first.cursor });
    expect(await commit(first.events[0].cursor)).toEqual({ cursor: first.cursor }); // never back
    expect((await server.call(`POST ${endpoint}/commit`, { cursor: 'x' })).body.code).toBe('invalid_cursor');

    const explained = await server.ask(`GET /v1/apps/${appId}/events/one/explain?endpoint=${endpointId}`);
    expect(explained.state).toBe('pulled');
    const waiting = await server.ask(`GET /v1/apps/${appId}/events/three/explain?endpoint=${endpointId}`);
    expect(waiting).toMatchObject({ state: 'pending', endpointState: 'pull' });
    expect((await server.call(`POST /v1/apps/${appId}/events/one/resend`, { endpoint: endpointId })).status).toBe(409);

    expect((await turn('push')).state).toBe('active');
    await until(() => sent().includes('three'));
    await server.settled(appId, endpointId);
    expect(sent()).toEqual(['before', 'three']);
    expect((await server.call(`POST ${endpoint}/commit`, { cursor: first.cursor })).body.code).toBe('conflict');
  });

  test('gives each event as it would be sent, with its signature', async () => {
    const { appId, endpoint, page, turn, hooks } = await setup({ headers: { 'x-team': 'billing' }, mode: 'pull' });
    await server.publish(appId, { id: 'signed', type: 'invoice.paid', data: { amount: 12, text: 'Zoë 🦓' } });
    const { secret } = await server.ask(`GET ${endpoint}/secret`);
    const [event] = (await page('signatures=true')).events;
    expect(event.webhook!.headers).toMatchObject({ 'x-team': 'billing', 'tidings-position': '1' });
    expect(new Webhook(secret).verify(event.webhook!.body, event.webhook!.headers)).toMatchObject({
      type: 'invoice.paid',
      data: { amount: 12, text: 'Zoë 🦓' },
    });
    expect((await page()).events[0].webhook).toBeUndefined();
    await turn('push');
    const pushed = await hooks.request(1);
    expect(pushed.body.toString()).toBe(event.webhook!.body);
    const names = Object.keys(event.webhook!.headers);
    expect(Object.keys(pushed.headers)).toEqual(expect.arrayContaining(names));
  });

  test('has what failed before it was turned fetched first, and not sent again', async () => {
    const { hooks, appId, endpointId, turn, page, commit, status, sent } = await setup({
      retry: { delaysSeconds: [3600] },
    });
    hooks.respondWith(400);
    for (const id of ['first', 'second']) await server.publish(appId, { id });
    await until(async () => (await status()).retries.waiting === 2);
    hooks.respondWith(200);
    await server.publish(appId, { id: 'third' });
    await until(() => sent().includes('third'));
    await server.settled(appId, endpointId);
    hooks.respondWith(400);
    await turn('pull');
    await server.publish(appId, { id: 'fourth' });
    const due = await page();
    expect(idsOf(due)).toEqual(['first', 'second', 'fourth']);
    expect(idsOf(await page('limit=1'))).toEqual(idsOf(due).slice(0, 1));
    await commit(due.events[0].cursor);
    expect(idsOf(await page())).toEqual(idsOf(due).slice(1));
    await commit(due.cursor);
    expect((await status()).retries.waiting).toBe(0);
    hooks.respondWith(200);
    const before = sent().length;
    await turn('push');
    await server.publish(appId, { id: 'last' });
    await until(() => sent().includes('last'));
    await server.settled(appId, endpointId);
    expect(sent().slice(before)).toEqual(['last']);
  });

  test('shows what it was due after any cursor, delivered or not, by the filter of the time', async () => {
    const { appId, endpointId, endpoint, page } = await setup({ filter: { types: ['a.*'] } });
    const start = (await server.ask(`GET /v1/apps/${appId}/events?after=now`)).cursor;
    await server.publish(appId, { id: 'a1', type: 'a.b' });
    await server.publish(appId, { id: 'c1', type: 'c.d' });
    await server.settled(appId, endpointId);
    await server.ask(`PATCH ${endpoint}`, { filter: { types: ['c.*'] } });
    await server.publish(appId, { id: 'a2', type: 'a.b' });
    await server.publish(appId, { id: 'c2', type: 'c.d' });
    await server.settled(appId, endpointId);
    expect(idsOf(await page(`after=${start}`))).toEqual(['a1', 'c2']);
    expect(idsOf(await page())).toEqual([]);
    const late = await server.anEndpoint(appId, { url: 'https://example.com/' });
    const { events } = await server.ask(`GET /v1/apps/${appId}/endpoints/${late}/events?after=${start}`);
    expect(events).toEqual([]); // from before its time
  });

  test('holds a request until something comes', async () => {
    const { appId, page } = await setup({ mode: 'pull' });
    const waiting = page('wait=20');
    const consumer = `/v1/apps/${appId}/consumers/waiting`;
    await server.ask(`PUT ${consumer}`, { filter: { types: ['c.*'] } });
    const leasing = server.ask(`POST ${consumer}/lease`, { wait: 20 });
    await server.publish(appId, { id: 'a' });
    expect(idsOf(await waiting)).toEqual(['a']);
    await server.publish(appId, { id: 'c', type: 'c.d' });
    expect((await leasing).events.map(({ id }: { id: string }) => id)).toEqual(['c']);
  });
});

describe('switching under load', () => {
  test.each(['none', 'strict'] as const)(
    'loses nothing and skips nothing, with order %s',
    { timeout: 90_000 },
    async (order) => {
      const delaysSeconds = Array.from({ length: 30 }, () => 0.2);
      const { hooks, appId, endpointId, turn, page, commit, sent } = await setup({ retry: { delaysSeconds }, order });
      let answers = 0;
      hooks.respondWith(() => (answers++ % 20 === 3 ? 400 : 200));
      const published: string[] = [];
      let isPublishing = true;
      const publishing = (async () => {
        while (isPublishing) {
          const id = `e${published.length}`;
          await server.publish(appId, { id });
          published.push(id);
        }
      })();
      const fetched = new Set<string>();
      const rounds = 8;
      for (let round = 0; round < rounds; round++) {
        await turn('pull');
        for (let pages = 0; pages < 3; pages++) {
          const due = await page('limit=50');
          for (const { id } of due.events) fetched.add(id);
          await commit(due.cursor);
        }
        await turn('push');
        const goal = sent().length + 30;
        await until(() => sent().length >= goal);
      }
      isPublishing = false;
      await publishing;
      hooks.respondWith(200); // what is left need not take its time
      const delivered = async (): Promise<boolean> =>
        (await server.ask(`GET /v1/apps/${appId}/endpoints/${endpointId}/status`)).retries.waiting === 0;
      await server.settled(appId, endpointId);
      await until(delivered);
      const pushed = new Set(sent());
      expect(published.filter((id) => !pushed.has(id) && !fetched.has(id))).toEqual([]);
      expect(fetched.size).toBeGreaterThan(rounds);
      expect(pushed.size).toBeGreaterThan(rounds * 20);
    },
  );
});
