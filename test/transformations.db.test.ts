// Transformations from end to end: what endpoints with one are sent, what becomes of the events that are not, and what others notice.
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { buildOnce } from './build.ts';
import { type Answer, type ReceivedRequest, type Receiver, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

let server: Running;
const receivers: Receiver[] = [];
beforeAll(async () => {
  await buildOnce();
  server = await running({ transformAppPercent: 4 });
}, 120_000);
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((hooks) => hooks.close()));
});
afterAll(() => server.close());

async function aReceiver(answer: Answer | Answer[] = 200): Promise<Receiver> {
  const hooks = await receiver();
  hooks.respondWith(answer);
  receivers.push(hooks);
  return hooks;
}

/** An app with one endpoint whose events go through this code. */
async function setup(
  code: string | null,
  { answer = 200 as Answer | Answer[], ...members }: Record<string, unknown> = {},
) {
  const hooks = await aReceiver(answer as Answer);
  const appId = await server.anApp();
  const given = { url: hooks.url, retry: { delaysSeconds: [0.05, 0.05] }, transform: code, ...members };
  const endpointId = await server.anEndpoint(appId, given);
  const endpoint = `/v1/apps/${appId}/endpoints/${endpointId}`;
  return {
    hooks,
    appId,
    endpointId,
    endpoint,
    publish: (data: unknown, id?: string) => server.publish(appId, { data, ...(id !== undefined && { id }) }),
    settled: () => server.settled(appId, endpointId),
    /** What explain says once it is written down, as it may be a moment after it is settled. */
    explain: async (id: string) => {
      const ask = () => server.ask(`GET /v1/apps/${appId}/events/${id}/explain?endpoint=${endpointId}`);
      await until(async () => (await ask()).state !== 'pending');
      return await ask();
    },
    attempts: async () => (await server.ask(`GET ${endpoint}/attempts`)).data,
    change: (transform: string | null) => server.ask(`PATCH ${endpoint}`, { transform }),
  };
}

const bodyOf = ({ body }: ReceivedRequest) => JSON.parse(body.toString());
const dataOf = (request: ReceivedRequest) => bodyOf(request).data;
const idOf = ({ headers }: ReceivedRequest): string => String(headers['webhook-id']);

describe('a transformation', () => {
  test('changes what is sent, signed as it is sent', async () => {
    const { hooks, endpoint, publish, attempts } = await setup(
      'export default (event) => ({ ...event, type: "order.shipped", data: { total: event.data.cents / 100 } });',
    );
    const { id } = await publish({ cents: 4200 });
    const request = await hooks.request(1);
    expect(bodyOf(request)).toMatchObject({ type: 'order.shipped', data: { total: 42 } });
    expect(request.headers).toMatchObject({ 'webhook-id': id, 'tidings-position': '1' });
    const { secret } = await server.ask(`GET ${endpoint}/secret`);
    new Webhook(secret).verify(request.body.toString(), request.headers as Record<string, string>);
    await until(async () => (await attempts()).length === 1);
    expect((await attempts())[0]).toMatchObject({ outcome: 'delivered', transformVersion: 1 });
  });

  test('leaves bytes alone that it does not touch', async () => {
    const { hooks, appId } = await setup('export default (event) => event;');
    await server.ask(`POST /v1/apps/${appId}/events`, '{"type":"a.b","data":{"n":12345678901234567890}}');
    expect((await hooks.request(1)).body.toString()).toContain('"data":{"n":12345678901234567890}');
  });

  test('makes another request of an event', async () => {
    const { hooks, publish } = await setup(
      `export default ({ data }) => ({
        method: 'PUT', path: '/orders/' + data.id + '?by=tidings',
        headers: { 'X-Account': data.account, 'Content-Type': 'text/csv' }, body: 'id,total\\n7,42\\n',
      });`,
      { headers: { 'x-account': 'none', 'x-kept': 'yes' } },
    );
    await publish({ id: 7, account: 'acme' });
    const { method, path, headers, body } = await hooks.request(1);
    expect({ method, path, body: body.toString() }).toEqual({
      method: 'PUT',
      path: '/orders/7?by=tidings',
      body: 'id,total\n7,42\n',
    });
    expect(headers).toMatchObject({ 'x-account': 'acme', 'x-kept': 'yes', 'content-type': 'text/csv' });
    expect(headers['webhook-signature']).toMatch(/^v1,/);
  });

  test('goes before the format', async () => {
    const { hooks, publish } = await setup('export default (event) => ({ ...event, data: { text: "It is paid." } });', {
      format: 'slack',
    });
    await publish({ cents: 4200 });
    expect((await hooks.request(1)).body.toString()).toContain('It is paid.');
  });

  test('filters with null, and what it wrote is kept as the reason', async () => {
    const { hooks, publish, settled, explain, attempts } = await setup(
      'export default (event) => {\n  if (event.data.cents < 100) { console.log("too small"); return null; }\n  return event;\n};',
    );
    const small = await publish({ cents: 1 });
    await publish({ cents: 1000 });
    await hooks.request(1);
    await settled();
    expect(hooks.requests.map(dataOf)).toEqual([{ cents: 1000 }]);
    const words = expect.stringMatching(/Version 1 of the transformation returned null\. too small/);
    expect(await explain(small.id)).toMatchObject({ state: 'filtered', words });
    const filtered = (await attempts()).find(({ event }: { event: string }) => event === small.id);
    expect(filtered).toMatchObject({ outcome: 'filtered', reason: 'filtered', transformVersion: 1, status: null });
  });

  test('that fails makes that event dead, with error and line, and the others go on', async () => {
    const { hooks, appId, publish, explain, settled } = await setup(
      'export default (event) => {\n  return { ...event, data: event.data.user.name };\n};',
    );
    const bad = await publish({ cents: 1 });
    await publish({ user: { name: 'Ada' } });
    await hooks.request(1);
    await settled();
    expect(hooks.requests.map(dataOf)).toEqual(['Ada']);
    const { state, words, attempts } = await explain(bad.id);
    const { data: dead } = await server.ask(`GET /v1/apps/${appId}/dead`);
    expect(dead).toMatchObject([{ event: bad.id, reason: 'transform_error', attempts: 1 }]);
    expect({ state, words }).toEqual({
      state: 'dead',
      words: expect.stringMatching(/TypeError: .* \(line 2, column \d+\)/),
    });
    expect(attempts.last).toMatchObject({ reason: 'transform_error', error: expect.stringMatching(/line 2/) });
  });

  test('that loops makes that event dead, and the server answers meanwhile', async () => {
    const { hooks, publish, explain, settled } = await setup(
      'export default (event) => {\n  while (event.data.loop);\n  return event;\n};',
    );
    const other = await setup(null);
    const looping = await publish({ loop: true });
    await other.publish({ is: 'untouched' });
    await other.hooks.request(1);
    await publish({ loop: false });
    await hooks.request(1);
    await settled();
    const reason = expect.objectContaining({ reason: 'transform_timeout' });
    expect(await explain(looping.id)).toMatchObject({ state: 'dead', dead: reason });
  });

  test('is mended, and the dead are sent with the newest version', async () => {
    const { hooks, appId, endpointId, publish, explain, settled, change } = await setup(
      'export default () => { throw new Error("not yet"); };',
    );
    const { id } = await publish({ n: 1 });
    const second = await publish({ n: 2 });
    await settled();
    expect((await explain(second.id)).state).toBe('dead');
    await change('export default (event) => ({ ...event, data: [event.data.n] });');
    const resent = await server.ask(`POST /v1/apps/${appId}/events/${id}/resend`, { endpoint: endpointId });
    expect(resent).toMatchObject({ outcome: 'delivered', transformVersion: 2 });
    await server.ask(`POST /v1/apps/${appId}/dead/resend`, {});
    await hooks.request(2);
    expect(hooks.requests.map(dataOf)).toEqual([[1], [2]]);
    await until(async () => (await explain(second.id)).state === 'delivered');
  });

  test('is tried again in the version that was tried first, also after a restart', async () => {
    const { hooks, publish, change, attempts, settled } = await setup(
      'export default (event) => ({ ...event, data: "first" });',
      { answer: [500, 200], retry: { delaysSeconds: [1] } },
    );
    const { id } = await publish({});
    await hooks.request(1);
    await until(async () => (await attempts()).length === 1);
    await change('export default (event) => ({ ...event, data: "second" });');
    await server.stop();
    await server.start();
    const later = await publish({});
    await hooks.request(3);
    await settled();
    const sent = hooks.requests.map((request) => [idOf(request), dataOf(request)]);
    expect(sent.toSorted()).toEqual(
      [
        [id, 'first'],
        [id, 'first'],
        [later.id, 'second'],
      ].toSorted(),
    );
  });

  test('is tried again even where it was taken out, and nothing that came before it goes through it', async () => {
    const { hooks, publish, change, attempts } = await setup(null, {
      answer: [500, 200],
      retry: { delaysSeconds: [0.3] },
    });
    await publish('plain');
    await hooks.request(1);
    await until(async () => (await attempts()).length === 1);
    await change('export default (event) => ({ ...event, data: "changed" });');
    expect(dataOf(await hooks.request(2))).toBe('plain');
    hooks.respondWith([500, 200]);
    await publish('new');
    await hooks.request(3);
    await until(async () => (await attempts()).length === 3);
    await change(null);
    expect(dataOf(await hooks.request(4))).toBe('changed');
  });

  test('keeps strict order, and is waited for', async () => {
    const { hooks, publish, settled } = await setup(
      'export default async (event) => { await null; return event.data.n % 3 === 0 ? null : event; };',
      { order: 'strict' },
    );
    for (let n = 1; n <= 12; n++) await publish({ n });
    await until(() => hooks.requests.length === 8);
    await settled();
    expect(hooks.requests.map((request) => dataOf(request).n)).toEqual([1, 2, 4, 5, 7, 8, 10, 11]);
  });

  test('sees each event of a batch alone', async () => {
    const { hooks, appId, publish, settled, explain } = await setup(
      `export default (event) => {
        if (event.data.n === 2) return null;
        if (event.data.n === 3) throw new Error('three');
        if (event.data.n === 4) return { body: 'four' };
        return { ...event, data: event.data.n * 10 };
      };`,
      { batch: { maxEvents: 5, maxWaitMs: 10_000 } },
    );
    const ids: string[] = [];
    for (let n = 1; n <= 5; n++) ids.push((await publish({ n })).id);
    const request = await hooks.request(1);
    expect(bodyOf(request).map(({ data }: { data: unknown }) => data)).toEqual([10, 50]);
    expect(request.headers['tidings-batch-size']).toBe('2');
    await settled();
    const states = await Promise.all(ids.map(async (id) => (await explain(id)).state));
    expect(states).toEqual(['delivered', 'filtered', 'dead', 'dead', 'delivered']);
    const { data: dead } = await server.ask(`GET /v1/apps/${appId}/dead`);
    expect(dead.map(({ reason }: { reason: string }) => reason)).toEqual(['transform_error', 'transform_error']);
    await publish({ n: 2 });
    await publish({ n: 2 });
    await publish({ n: 2 });
    await publish({ n: 2 });
    await publish({ n: 2 });
    await settled();
    expect(hooks.requests).toHaveLength(1);
  });

  test('that failed for the endpoint is tried again with what it said', async () => {
    const { hooks, publish, settled } = await setup('export default (event) => ({ ...event, data: [event.data] });', {
      answer: [500, 200],
      batch: { maxEvents: 2, maxWaitMs: 10_000 },
    });
    await publish(1);
    await publish(2);
    await settled();
    await until(() => hooks.requests.length === 3);
    const sent = hooks.requests.map((request) => bodyOf(request).map(({ data }: { data: unknown }) => data));
    expect(sent[0]).toEqual([[1], [2]]);
    expect(sent.slice(1).toSorted()).toEqual([[[1]], [[2]]]);
  });

  test('of a test event is run too', async () => {
    const { hooks, endpoint } = await setup(
      'export default (event) => { console.log("of no interest"); return event.type === "tidings.test" ? null : event; };',
    );
    const attempt = await server.ask(`POST ${endpoint}/test`);
    expect(attempt).toMatchObject({ outcome: 'filtered', error: expect.stringMatching(/of no interest/) });
    expect(hooks.requests).toHaveLength(0);
  });

  test('that is always over its share stalls its own lanes only', async () => {
    const burning = 'export default (event) => { for (let i = 0; i < 3e5; i++) Math.sqrt(i); return event; };';
    const busy = await setup(burning);
    const plain = await server.anEndpoint(busy.appId, { url: `${busy.hooks.url}/plain` });
    const other = await setup('export default (event) => ({ ...event, data: "quick" });');
    const events = Array.from({ length: 100 }, (_, n) => ({ type: 'a.b', data: { n } }));
    await server.ask(`POST /v1/apps/${busy.appId}/events/batch`, { events });
    await until(() => busy.hooks.requests.filter(({ path }) => path === '/plain').length === 100);
    expect(busy.hooks.requests.length).toBeLessThan(200);
    await until(async () =>
      /share of the processor/.test((await server.ask(`GET ${busy.endpoint}/status`)).reason ?? ''),
    );
    await other.publish({});
    expect(dataOf(await other.hooks.request(1))).toBe('quick');
    await server.settled(busy.appId, plain);
    expect(busy.hooks.requests.length).toBeLessThan(200);
  });

  test('is counted', async () => {
    const { hooks, publish } = await setup('export default (event) => event;');
    await publish({});
    await hooks.request(1);
    const metrics = (await server.call('GET /metrics')).bytes.toString();
    expect(metrics).toMatch(/^tidings_transform_runs_total\{end="sent"\} [1-9]/m);
    expect(metrics).toMatch(/^tidings_transform_cpu_seconds_total 0?\.?\d/m);
    expect(metrics).toMatch(/^tidings_transform_threads [12]$/m);
  });
});
