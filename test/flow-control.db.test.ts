// Flow control over real sockets: rate, strict order, batches, and what waits while a receiver is down or its endpoint paused.
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type ReceivedRequest, type Receiver, receiver } from './receiver.ts';
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

/** An app with one endpoint, at a receiver that answers so. */
async function setup(answer: Answer | Answer[] = 200, members: object = {}) {
  const hooks = await receiver();
  hooks.respondWith(answer);
  receivers.push(hooks);
  const appId = await server.anApp();
  const endpointId = await server.anEndpoint(appId, { url: hooks.url, ...members });
  const app = `/v1/apps/${appId}`;
  return { hooks, appId, endpointId, app, endpoint: `${app}/endpoints/${endpointId}` };
}

/** Events e1, e2 … in one batch; `data` tells the number. */
async function publish(appId: string, from: number, to: number): Promise<void> {
  const events = numbers(from, to).map((n) => ({ id: `e${n}`, type: 'a.b', data: { n } }));
  await server.ask(`POST /v1/apps/${appId}/events/batch`, { events });
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const ids = (from: number, to: number): string[] => numbers(from, to).map((n) => `e${n}`);
const idOf = ({ headers }: ReceivedRequest): string => String(headers['webhook-id']);

interface Item {
  id: string;
  type: string;
  data: { n: number };
}
const itemsOf = ({ body }: ReceivedRequest): Item[] => JSON.parse(body.toString());

describe('an endpoint with a rate', () => {
  test('gets no more requests than that, retries among them, and every event', async () => {
    let failures = 0;
    const { hooks, appId, endpointId, endpoint } = await setup(
      () => (hooks.requests.length % 10 === 0 && ++failures <= 5 ? 400 : 200),
      { rate: { perSecond: 50 }, retry: { delaysSeconds: [0.2, 0.2, 0.2] } },
    );
    const beganMs = performance.now();
    await publish(appId, 1, 100);
    await server.settled(appId, endpointId);
    await until(() => hooks.requests.length === 105);
    expect(performance.now() - beganMs).toBeGreaterThan(1900);
    expect(new Set(hooks.requests.map(idOf))).toEqual(new Set(ids(1, 100)));
    await until(async () => (await server.ask(`GET ${endpoint}/attempts?limit=200`)).data.length === 105);
    // By the sender's clock, for on the way requests may catch up with each other. A tenth of a second's worth may have been saved up.
    const { data } = await server.ask(`GET ${endpoint}/attempts?limit=200`);
    const times: number[] = data.map(({ startedAt }: { startedAt: string }) => Date.parse(startedAt)).toSorted();
    for (const [i, from] of times.entries()) {
      expect(times.slice(i).filter((at) => at < from + 1000).length).toBeLessThanOrEqual(50 + 5 + 1);
    }
  });
});

describe('an endpoint with strict order', () => {
  test('gets every event in the order of the log, although many fail at first', async () => {
    const failed = new Map<string, number>();
    const { hooks, appId, endpointId } = await setup(
      (request) => {
        const n = JSON.parse(request.body.toString()).data.n as number;
        const times = failed.get(idOf(request)) ?? 0;
        if (times >= n % 3) return 200;
        failed.set(idOf(request), times + 1);
        return n % 2 === 0 ? 400 : 500;
      },
      { order: 'strict', retry: { delaysSeconds: [0.02, 0.02, 0.02] } },
    );
    for (let n = 1; n <= 20; n += 4) await publish(appId, n, n + 3);
    await server.settled(appId, endpointId);
    await until(() => hooks.requests.length === 41);
    const order = hooks.requests.map(idOf);
    expect(order).toEqual(ids(1, 20).flatMap((id, i) => Array(1 + ((i + 1) % 3)).fill(id)));
  });

  test('that blocks waits for the one event, and goes on from the head when it is told to', async () => {
    const { hooks, appId, endpointId, endpoint, app } = await setup((request) => (idOf(request) === 'e2' ? 400 : 200), {
      order: 'strict',
      onExhausted: 'block',
      retry: { delaysSeconds: [] },
    });
    await publish(appId, 1, 5);
    await until(async () => (await server.ask(`GET ${endpoint}/status`)).blocked === 'exhausted');
    expect(hooks.requests.map(idOf)).toEqual(['e1', 'e2']);
    await server.ask(`POST ${endpoint}/pause`);
    await server.ask(`POST ${endpoint}/resume`, { from: 'head' });
    await publish(appId, 6, 7);
    await server.settled(appId, endpointId);
    expect(hooks.requests.map(idOf)).toEqual(['e1', 'e2', 'e6', 'e7']);
    const { data } = await server.ask(`GET ${app}/dead`);
    expect(data).toMatchObject([{ event: 'e2', reason: 'skipped' }]);
  });
});

describe('an endpoint with batches', () => {
  const batch = { maxEvents: 10, maxWaitMs: 200 };

  test('gets several events in one signed request with an id of its own', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup(200, { batch });
    await publish(appId, 1, 25);
    await server.settled(appId, endpointId);
    const { secret } = await server.ask(`GET ${endpoint}/secret`);
    expect(hooks.requests.map((request) => itemsOf(request).length)).toEqual([10, 10, 5]);
    expect(hooks.requests.flatMap(itemsOf).map(({ id }) => id)).toEqual(ids(1, 25));
    for (const { headers, body } of hooks.requests) {
      expect(() => new Webhook(secret).verify(body, headers as Record<string, string>)).not.toThrow();
      expect(headers).toMatchObject({ 'webhook-id': expect.stringMatching(/^bat_/), 'tidings-attempt': '1' });
    }
    expect(hooks.requests.map(({ headers }) => headers['tidings-batch-size'])).toEqual(['10', '10', '5']);
    expect(hooks.requests.map(({ headers }) => headers['tidings-position'])).toEqual(['10', '20', '25']);
    expect(new Set(hooks.requests.map(idOf)).size).toBe(3);
    expect(itemsOf(hooks.requests[0])[0]).toEqual({
      id: 'e1',
      type: 'a.b',
      timestamp: expect.stringMatching(/Z$/),
      data: { n: 1 },
    });
    const attempts = (await server.ask(`GET ${endpoint}/attempts?limit=100`)).data;
    expect(attempts).toHaveLength(25); // one for each event
  });

  test('that holds a poison event is halved until that stands alone: it dies, and no other', async () => {
    const refuses = (request: ReceivedRequest): number =>
      itemsOf(request).some(({ data }) => data.n === 6) ? 422 : 200;
    const { hooks, appId, endpointId, endpoint, app } = await setup(refuses, {
      batch: { maxEvents: 8, maxWaitMs: 200 },
      retry: { delaysSeconds: [0.05] },
    });
    await publish(appId, 1, 8);
    await until(async () => (await server.ask(`GET ${app}/dead`)).data.length > 0);
    await server.settled(appId, endpointId);
    expect((await server.ask(`GET ${app}/dead`)).data.map(({ event }: { event: string }) => event)).toEqual(['e6']);
    const delivered = hooks.requests.filter((request) => refuses(request) === 200).flatMap(itemsOf);
    expect(delivered.map(({ id }) => id).toSorted()).toEqual(ids(1, 8).filter((id) => id !== 'e6'));
    const refused = hooks.requests
      .filter((request) => refuses(request) === 422)
      .map((request) => itemsOf(request).length);
    expect(refused).toEqual([8, 4, 2, 1, 1]); // alone, the schedule holds: one delay, two attempts
    expect((await server.ask(`GET ${endpoint}/status`)).breaker.state).toBe('closed');
  });
});

describe('a backlog', () => {
  test("of a receiver that was down is drained when it is back, at the endpoint's rate", {
    timeout: 60_000,
  }, async () => {
    let isDown = true;
    const times: number[] = [];
    const { hooks, appId, endpointId, endpoint } = await setup(
      () => {
        if (!isDown) times.push(performance.now());
        return isDown ? 503 : 200;
      },
      { rate: { perSecond: 100 }, retry: { delaysSeconds: [0.2, 0.2] } },
    );
    await publish(appId, 1, 10);
    await until(async () => (await server.ask(`GET ${endpoint}/status`)).breaker.state === 'open');
    const before = hooks.requests.length;
    await publish(appId, 11, 150);
    const { lag } = await server.ask(`GET ${endpoint}/status`);
    expect(lag.events).toBeGreaterThanOrEqual(140);
    expect(hooks.requests.length - before).toBeLessThanOrEqual(3); // probes, and no attempt for each event
    isDown = false;
    await server.settled(appId, endpointId);
    await until(() => new Set(hooks.requests.slice(-times.length).map(idOf)).size === 150);
    expect(times[times.length - 1] - times[0]).toBeGreaterThan(1000);
  });

  test('of a paused endpoint waits in the log, and all of it is sent in order of the log when it is resumed', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup(200, { order: 'strict' });
    await publish(appId, 1, 3);
    await server.settled(appId, endpointId);
    await server.ask(`POST ${endpoint}/pause`);
    await until(async () => (await server.ask(`GET ${endpoint}/status`)).state === 'paused');
    await publish(appId, 4, 60);
    expect((await server.ask(`GET ${endpoint}/status`)).lag.events).toBe(57);
    await server.ask(`POST ${endpoint}/resume`);
    await server.settled(appId, endpointId);
    expect(hooks.requests.map(idOf)).toEqual(ids(1, 60));
  });
});
