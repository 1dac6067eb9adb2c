// Replays from end to end: what was counted is what is sent, whatever comes between.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type Receiver, receiver } from './receiver.ts';
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

async function publish(appId: string, from: number, to: number, type: (i: number) => string = () => 'a.b') {
  for (let i = from; i <= to; i++) await server.publish(appId, { id: `e${i}`, type: type(i) });
}

/** How often each event has come since the request of a number. */
function counts(hooks: Receiver, from: number): Record<string, number> {
  const seen: Record<string, number> = {};
  for (const { headers } of hooks.requests.slice(from)) {
    const id = String(headers['webhook-id']);
    seen[id] = (seen[id] ?? 0) + 1;
  }
  return seen;
}

const once = (numbers: number[]): Record<string, number> => Object.fromEntries(numbers.map((i) => [`e${i}`, 1]));

async function done(endpoint: string, replayId: string) {
  let replay = await server.ask(`GET ${endpoint}/replays/${replayId}`);
  await until(async () => {
    replay = await server.ask(`GET ${endpoint}/replays/${replayId}`);
    return replay.state === 'done';
  });
  return replay;
}

describe('a replay', () => {
  test('sends what its plan has counted, by the filters of the time, with the ids of the events', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup(200, { filter: { types: ['odd'] } });
    await publish(appId, 1, 20, (i) => (i % 2 === 0 ? 'even' : 'odd'));
    await server.ask(`PATCH ${endpoint}`, { filter: { types: ['even', 'odd'] } });
    await publish(appId, 21, 30, (i) => (i % 2 === 0 ? 'even' : 'odd'));
    await server.settled(appId, endpointId);
    const before = hooks.requests.length;
    expect(before).toBe(20);

    const { cursor } = await server.ask(`GET /v1/apps/${appId}/events/e5`);
    const range = { from: cursor, types: ['o*'] };
    const plan = await server.ask(`POST ${endpoint}/replays/plan`, range);
    expect(plan).toMatchObject({ events: 12, approximate: false });
    const { id } = await server.ask(`POST ${endpoint}/replays`, range);
    const replay = await done(endpoint, id);
    expect(replay).toMatchObject({ progress: 1, position: 30, delivered: plan.events, dead: 0 });
    expect(counts(hooks, before)).toEqual(once([7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29]));
    expect((await server.ask(`GET ${endpoint}/status`)).replays).toEqual([]);
    const [attempt] = (await server.ask(`GET ${endpoint}/attempts`)).data;
    expect(attempt.cause).toBe('replay');
  });

  test('of what was published before the endpoint was sends it once', async () => {
    const { hooks, appId, app } = await setup();
    await publish(appId, 1, 3);
    const young = await server.anEndpoint(appId, { url: `${hooks.url}/young`, filter: { types: ['a.*'] } });
    const explained = await server.ask(`GET ${app}/events/e2/explain?endpoint=${young}`);
    expect(explained.state).toBe('skipped');
    const { id } = await server.ask(`POST ${app}/endpoints/${young}/replays`, { from: 'oldest' });
    await done(`${app}/endpoints/${young}`, id);
    const to = (path: string) => hooks.requests.filter((request) => request.path === path).length;
    expect(to('/young')).toBe(3);
    expect((await server.ask(`GET ${app}/events/e2/explain?endpoint=${young}`)).state).toBe('delivered');
  });

  test('is cancelled: what is left is not sent', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup();
    await publish(appId, 1, 60);
    await server.settled(appId, endpointId);
    const before = hooks.requests.length;
    await server.ask(`PATCH ${endpoint}`, { rate: { perSecond: 4 } });
    const { id } = await server.ask(`POST ${endpoint}/replays`, { from: 'oldest' });
    await hooks.request(before + 2);
    const cancelled = await server.ask(`DELETE ${endpoint}/replays/${id}`);
    expect(cancelled.state).toBe('cancelled');
    await server.ask(`PATCH ${endpoint}`, { rate: null });
    await publish(appId, 61, 61);
    await server.settled(appId, endpointId);
    const sent = counts(hooks, before);
    expect(sent.e61).toBe(1);
    expect(Object.keys(sent).length).toBeLessThan(40);
    expect(await server.ask(`GET ${endpoint}/replays/${id}`)).toMatchObject({ state: 'cancelled' });
    expect((await server.ask(`GET ${endpoint}/status`)).retries.waiting).toBe(0);
  });

  test('goes on after a restart and sends nothing twice', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup();
    await publish(appId, 1, 80);
    await server.settled(appId, endpointId);
    const before = hooks.requests.length;
    await server.ask(`PATCH ${endpoint}`, { rate: { perSecond: 40 } });
    const { id } = await server.ask(`POST ${endpoint}/replays`, { from: 'oldest' });
    await hooks.request(before + 10);
    await server.stop();
    await server.start();
    await server.ask(`PATCH ${endpoint}`, { rate: null });
    expect(await done(endpoint, id)).toMatchObject({ delivered: 80, dead: 0 });
    expect(counts(hooks, before)).toEqual(once(Array.from({ length: 80 }, (_, i) => i + 1)));
  });
});

describe('dead events', () => {
  test('are resent in bulk, and leave the list when delivered', async () => {
    const refuse: Answer = ({ body }) => (body.includes('"bad') ? 400 : 200);
    const { hooks, appId, endpointId, app, endpoint } = await setup(refuse, { retry: { delaysSeconds: [] } });
    await publish(appId, 1, 30, (i) => (i % 3 === 0 ? `bad.${i % 2}` : 'good'));
    await server.settled(appId, endpointId);
    const dead = async (): Promise<string[]> =>
      (await server.ask(`GET ${app}/dead`)).data.map(({ event }: { event: string }) => event).sort();
    await until(async () => (await dead()).length === 10);
    expect((await server.ask(`GET ${app}/events/e3/explain?endpoint=${endpointId}`)).state).toBe('dead');

    hooks.respondWith(200);
    const before = hooks.requests.length;
    const wanted = { types: ['bad.1'], reason: 'status_4xx' };
    expect(await server.ask(`POST ${app}/dead/resend`, { ...wanted, plan: true })).toMatchObject({ events: 5 });
    const { replays } = await server.ask(`POST ${app}/dead/resend`, wanted);
    expect(await done(endpoint, replays[0].id)).toMatchObject({ delivered: 5, only: 'dead' });
    expect(counts(hooks, before)).toEqual(once([3, 9, 15, 21, 27]));
    expect(await dead()).toEqual(['e12', 'e18', 'e24', 'e30', 'e6']);
    expect((await server.ask(`GET ${app}/events/e3/explain?endpoint=${endpointId}`)).state).toBe('delivered');
  });

  test('and those that wait for a retry are sent by a replay of the failed, which spares the retries', async () => {
    const { hooks, appId, endpointId, endpoint } = await setup(({ body }) => (body.includes('"bad"') ? 400 : 200), {
      retry: { delaysSeconds: [600] },
    });
    await publish(appId, 1, 12, (i) => (i % 4 === 0 ? 'bad' : 'good'));
    await server.settled(appId, endpointId);
    await until(async () => (await server.ask(`GET ${endpoint}/status`)).retries.waiting === 3);
    hooks.respondWith(200);
    const before = hooks.requests.length;
    expect(await server.ask(`POST ${endpoint}/replays/plan`, { from: 'oldest', only: 'failed' })).toMatchObject({
      events: 3,
    });
    const { id } = await server.ask(`POST ${endpoint}/replays`, { from: 'oldest', only: 'failed' });
    expect(await done(endpoint, id)).toMatchObject({ delivered: 3 });
    expect(counts(hooks, before)).toEqual(once([4, 8, 12]));
    expect((await server.ask(`GET ${endpoint}/status`)).retries).toEqual({ waiting: 0, nextDueAt: null });
  });
});
