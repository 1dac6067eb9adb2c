// Filters with a `where`, from end to end: whichever way events are read, the same ones come.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Receiver, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

let server: Running;
const receivers: Receiver[] = [];
const sockets: WebSocket[] = [];
beforeAll(async () => {
  server = await running();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close();
  await Promise.all(receivers.splice(0).map((hooks) => hooks.close()));
});
afterAll(() => server.close());

const WHERE = { data: { 'customer.country': { $in: ['DE', 'FR'] }, amount: { $gte: 100 } } };
const WHERE_QUERY = `where=${encodeURIComponent(JSON.stringify(WHERE))}`;

async function setup(filter: object = { where: WHERE }) {
  const hooks = await receiver();
  receivers.push(hooks);
  const appId = await server.anApp();
  const endpointId = await server.anEndpoint(appId, { url: hooks.url, filter });
  const app = `/v1/apps/${appId}`;
  return { hooks, appId, endpointId, app, endpoint: `${app}/endpoints/${endpointId}` };
}

/** Of four events the first and the last are what the filter takes. */
async function publish(appId: string, prefix = 'e') {
  const order = (country: string, amount: number) => ({ customer: { country }, amount });
  const data = [order('DE', 100), order('US', 100), order('FR', 99), order('FR', 250)];
  for (const [i, one] of data.entries()) {
    await server.publish(appId, { id: `${prefix}${i + 1}`, type: 'order.placed', data: one });
  }
}

const sent = (hooks: Receiver): string[] => hooks.requests.map(({ headers }) => String(headers['webhook-id'])).sort();
const idsOf = ({ events }: { events: { id: string }[] }): string[] => events.map(({ id }) => id);

describe('a filter with where', () => {
  test('gives endpoints, pages, streams and consumers the same events', async () => {
    const { hooks, appId, endpointId, app, endpoint } = await setup();
    await server.ask(`PUT ${app}/consumers/c`, { filter: { where: WHERE }, start: 'oldest' });
    const waiting = server.ask(`GET ${app}/events?after=now&wait=20&${WHERE_QUERY}`);
    const frames: string[] = [];
    const socket = new WebSocket(
      `${server.url.replace('http', 'ws')}${app}/stream?after=now&${WHERE_QUERY}`,
      'tidings',
      {
        headers: { authorization: `Bearer ${server.key}` },
      },
    );
    sockets.push(socket);
    socket.on('message', (text) => frames.push(JSON.parse(String(text)).event?.id));
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(JSON.stringify({ type: 'grant', events: 100 }));
    const sse = await fetch(`${server.url}${app}/stream?${WHERE_QUERY}`, {
      headers: { authorization: `Bearer ${server.key}` },
    });
    let streamed = '';
    const following = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of sse.body!) {
        streamed += decoder.decode(chunk, { stream: true });
        if (streamed.includes('"e4"')) return;
      }
    })();

    await publish(appId);
    await server.settled(appId, endpointId);
    expect(sent(hooks)).toEqual(['e1', 'e4']);
    expect(idsOf(await waiting)).toEqual(['e1']);
    await following;
    expect([...streamed.matchAll(/"id":"(e\d)"/g)].map(([, id]) => id)).toEqual(['e1', 'e4']);
    await until(() => frames.includes('e4'));
    expect(frames.filter(Boolean)).toEqual(['e1', 'e4']);
    expect(idsOf(await server.ask(`GET ${app}/events?${WHERE_QUERY}`))).toEqual(['e1', 'e4']);
    expect(idsOf(await server.ask(`GET ${app}/events?types=x.*&${WHERE_QUERY}`))).toEqual([]);
    expect(idsOf(await server.ask(`POST ${app}/consumers/c/lease`))).toEqual(['e1', 'e4']);
    const { cursor } = await server.ask(`GET ${app}/events/e1`);
    expect(idsOf(await server.ask(`GET ${endpoint}/events?after=${cursor}`))).toEqual(['e4']);
    expect((await server.ask(`GET ${app}/consumers/c`)).filter).toEqual({ where: WHERE });
    expect((await server.ask(`GET ${endpoint}`)).filter).toEqual({ where: WHERE });
  });

  test('is explained: which condition was not met, by the filter that was valid there', async () => {
    const { appId, endpointId, app, endpoint } = await setup();
    await publish(appId);
    await server.settled(appId, endpointId);
    await server.ask(`PATCH ${endpoint}`, { filter: { where: { data: { amount: 99 } } } });
    const explained = await server.ask(`GET ${app}/events/e3/explain?endpoint=${endpointId}`);
    expect(explained).toMatchObject({
      state: 'unmatched',
      words: expect.stringContaining('its data.amount is 99, asked for is {"$gte":100}'),
      filter: { matches: false, where: WHERE, why: [{ path: '/data/amount', expected: { $gte: 100 }, actual: 99 }] },
    });
    const { filter } = await server.ask(`GET ${app}/events/e1/explain?endpoint=${endpointId}`);
    expect(filter).toMatchObject({ matches: true, why: [] });
  });

  test('goes for replays by its version where the event stands, in plan and deed', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup();
    await publish(appId, 'a');
    await server.settled(appId, endpointId);
    await server.ask(`PATCH ${endpoint}`, { filter: { where: { data: { amount: 99 } } } });
    await publish(appId, 'b');
    await server.settled(appId, endpointId);
    expect(sent(hooks)).toEqual(['a1', 'a4', 'b3']);
    expect(await server.ask(`POST ${endpoint}/replays/plan`, { from: 'oldest' })).toMatchObject({
      events: 3,
      approximate: false,
    });
    const { id } = await server.ask(`POST ${endpoint}/replays`, { from: 'oldest' });
    await until(async () => (await server.ask(`GET ${endpoint}/replays/${id}`)).state === 'done');
    expect(sent(hooks)).toEqual(['a1', 'a1', 'a4', 'a4', 'b3', 'b3']);
  });

  test('an event that the filter cannot be asked about is dead, is listed, and can be resent', async () => {
    const list = Array.from({ length: 200 }, (_, i) => [i]);
    const { hooks, appId, endpointId, app, endpoint } = await setup({
      where: { data: { items: { a: { $in: list } } } },
    });
    await server.publish(appId, { id: 'small', data: { items: [{ a: [3] }] } });
    await server.publish(appId, { id: 'large', data: { items: Array.from({ length: 10_000 }, () => ({ a: 'x' })) } });
    await server.publish(appId, { id: 'other', data: { items: [{ a: [4] }] } });
    await server.settled(appId, endpointId);
    expect(sent(hooks)).toEqual(['other', 'small']);
    const { data } = await server.ask(`GET ${app}/dead`);
    expect(data).toMatchObject([{ event: 'large', reason: 'filter_error' }]);
    const [attempt] = (await server.ask(`GET ${app}/events/large/attempts`)).data;
    expect(attempt).toMatchObject({ reason: 'filter_error', error: expect.stringContaining('gave up') });
    expect((await server.ask(`GET ${endpoint}/status`)).breaker.state).toBe('closed');
    await server.ask(`POST ${app}/events/large/resend`, { endpoint: endpointId });
    expect(sent(hooks)).toEqual(['large', 'other', 'small']);
  });

  test('is refused with a path to what is wrong, wherever it is given', async () => {
    const { app, endpoint } = await setup({});
    const where = { data: { amount: { $gtt: 1 } } };
    const query = `where=${encodeURIComponent(JSON.stringify(where))}`;
    const pathsOf = async (route: string, body?: unknown) => {
      const answer = await server.call(route, body);
      expect(answer.status).toBe(400);
      return answer.body.errors.map(({ path }: { path: string }) => path);
    };
    const inFilter = ['/filter/where/data/amount/$gtt'];
    expect(await pathsOf(`POST ${app}/endpoints`, { url: 'https://example.com', filter: { where } })).toEqual(inFilter);
    expect(await pathsOf(`PATCH ${endpoint}`, { filter: { where } })).toEqual(inFilter);
    expect(await pathsOf(`PUT ${app}/consumers/c`, { filter: { where } })).toEqual(inFilter);
    expect(await pathsOf('POST /v1/filters/test', { filter: { where }, event: { type: 'a', data: 1 } })).toEqual(
      inFilter,
    );
    expect(await pathsOf(`GET ${app}/events?${query}`)).toEqual(['/where/data/amount/$gtt']);
    expect(await pathsOf(`GET ${app}/stream?${query}`)).toEqual(['/where/data/amount/$gtt']);
    expect(await pathsOf(`GET ${app}/events?where={data`)).toEqual(['/where']);
    expect(await pathsOf(`GET ${app}/events?where=5`)).toEqual(['/where']);
  });

  test('can be tried before it is used', async () => {
    const filter = { types: ['order.*'], where: WHERE };
    const event = { type: 'order.placed', data: { customer: { country: 'US' }, amount: 7 } };
    expect(await server.ask('POST /v1/filters/test', { filter, event })).toEqual({
      matches: false,
      why: [
        { path: '/data/customer/country', expected: { $in: ['DE', 'FR'] }, actual: 'US' },
        { path: '/data/amount', expected: { $gte: 100 }, actual: 7 },
      ],
      failure: null,
    });
    const paid = { id: 'e1', position: 3, ...event, data: { customer: { country: 'FR' }, amount: 100 } };
    expect(await server.ask('POST /v1/filters/test', { filter, event: paid })).toEqual({
      matches: true,
      why: [],
      failure: null,
    });
    const wrong = await server.call('POST /v1/filters/test', { filter, event: { ...event, time: 'soon' } });
    expect(wrong.body.errors).toMatchObject([{ path: '/event/time' }]);
  });
});
