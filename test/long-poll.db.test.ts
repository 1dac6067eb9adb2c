// Waiting at the end of the log, over real sockets.
import { once } from 'node:events';
import http from 'node:http';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

/** The names of the statements that this process sends to its database meanwhile. */
async function queriesOf(work: () => Promise<void>): Promise<string[]> {
  const names: string[] = [];
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function (this: pg.Client, ...args: [pg.QueryConfig]) {
    names.push(args[0].name ?? String(args[0]));
    return Reflect.apply(query, this, args);
  } as typeof query;
  try {
    await work();
  } finally {
    pg.Client.prototype.query = query;
  }
  return names;
}

describe('long poll', () => {
  let server: Running;
  beforeAll(async () => {
    server = await running();
  });
  afterAll(() => server.close());

  const read = (appId: string, query: string, headers: Record<string, string> = {}) =>
    server.call(`GET /v1/apps/${appId}/events?${query}`, undefined, headers);

  async function waiting(): Promise<number> {
    const { bytes } = await server.call('GET /metrics');
    return Number(/^tidings_log_readers (\d+)$/m.exec(bytes.toString())?.[1]);
  }

  test('answers as soon as an event is there', async () => {
    const appId = await server.anApp();
    const { cursor } = await server.publish(appId);
    const polls = [read(appId, `after=${cursor}&wait=30`), read(appId, 'after=now', { prefer: 'wait=30' })];
    await until(async () => (await waiting()) === 2);
    const { id } = await server.publish(appId, { data: { n: 1 } });
    const [first, second] = await Promise.all(polls);
    for (const { status, body } of [first, second]) {
      expect(status).toBe(200);
      expect(body).toMatchObject({ events: [{ id, position: 2, data: { n: 1 } }], done: true, pollAfterSeconds: 0 });
    }
    expect(first.headers.get('preference-applied')).toBeNull();
    expect(second.headers.get('preference-applied')).toBe('wait=30');
    expect(second.headers.has('retry-after')).toBe(false);
    expect(await waiting()).toBe(0);
  });

  test('does not wait when there is something to say', async () => {
    const appId = await server.anApp();
    await server.publish(appId);
    expect((await read(appId, 'wait=30')).body.events).toHaveLength(1);
    expect((await read(appId, 'wait=30&limit=1')).body.events).toHaveLength(1);
    expect((await read(appId, 'wait=30&after=x')).status).toBe(400);
    expect(await waiting()).toBe(0);
  });

  test('is answered with an empty page at its end, or that nothing has changed', async () => {
    const appId = await server.anApp();
    const { cursor } = await server.publish(appId);
    const begin = performance.now();
    const { body, headers } = await read(appId, `after=${cursor}&wait=1`);
    expect(performance.now() - begin).toBeGreaterThan(950);
    expect(body).toEqual({ events: [], cursor, done: true, pollAfterSeconds: 0 });
    const etag = { 'if-none-match': headers.get('etag')! };
    expect((await read(appId, `after=${cursor}&wait=1`, etag)).status).toBe(304);
    const poll = read(appId, `after=${cursor}&wait=30`, etag);
    await until(async () => (await waiting()) === 1);
    await server.publish(appId);
    expect((await poll).body.events).toHaveLength(1);
  });

  test('goes on waiting while what comes does not match, and says how far it has come', async () => {
    const appId = await server.anApp();
    await server.publish(appId);
    const poll = read(appId, 'types=user.*&wait=30');
    await until(async () => (await waiting()) === 1);
    for (let n = 0; n < 5; n++) await server.publish(appId, { type: 'invoice.paid' });
    expect(await waiting()).toBe(1);
    const { id } = await server.publish(appId, { type: 'user.left' });
    expect((await poll).body.events.map((event: { id: string }) => event.id)).toEqual([id]);

    const short = read(appId, 'after=now&types=user.*&wait=1');
    await until(async () => (await waiting()) === 1);
    const { cursor } = await server.publish(appId, { type: 'invoice.paid' });
    expect((await short).body).toMatchObject({ events: [], cursor, done: true });
  });

  test('costs no query, neither while it waits nor when it is woken', async () => {
    const appId = await server.anApp();
    const { cursor } = await server.publish(appId);
    const polls = Array.from({ length: 100 }, () => read(appId, `after=${cursor}&wait=30`));
    await until(async () => (await waiting()) === 100);
    const asked = await queriesOf(async () => {
      const from = performance.now();
      await until(() => performance.now() - from > 1500);
      await server.publish(appId);
      for (const { body } of await Promise.all(polls)) expect(body.events).toHaveLength(1);
    });
    expect(asked).toContain('append_events');
    expect(asked.length).toBeLessThan(30); // what the server asks in that time by itself, and one append
  });

  test('ends when its client goes', async () => {
    const appId = await server.anApp();
    const headers = { authorization: `Bearer ${server.key}` };
    const url = `${server.url}/v1/apps/${appId}/events?wait=60`;
    const requests = Array.from({ length: 20 }, () => http.get(url, { headers, agent: false }).on('error', () => {}));
    await until(async () => (await waiting()) === 20);
    for (const request of requests.slice(1)) request.destroy();
    await until(async () => (await waiting()) === 1);
    const answered = once(requests[0], 'response');
    await server.publish(appId);
    expect((await answered)[0].statusCode).toBe(200);
    requests[0].destroy();
    expect(await waiting()).toBe(0);
  });

  test('is answered at once by a server that leaves', async () => {
    const appId = await server.anApp();
    const { cursor } = await server.publish(appId);
    const polls = Array.from({ length: 10 }, () => read(appId, `after=${cursor}&wait=60`));
    await until(async () => (await waiting()) === 10);
    const begin = performance.now();
    const stopped = server.stop();
    for (const { status, body, headers } of await Promise.all(polls)) {
      expect([status, body.cursor, headers.get('connection')]).toEqual([200, cursor, 'close']);
    }
    expect(performance.now() - begin).toBeLessThan(5000);
    await stopped;
    await server.start();
  });
});
