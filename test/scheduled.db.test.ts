// Scheduled events from end to end.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTidings, type Tidings } from '../src/app/tidings.ts';
import { type CliProcess, type TestCli, testCli } from './cli.ts';
import { type Receiver, receiver } from './receiver.ts';
import { MASTER_KEY, type Running, running, testConfig } from './running.ts';
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

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
const TOMORROW = inMs(86_400_000);

describe('a scheduled event', () => {
  test('is listed until its time, then sent with its own time and id', async () => {
    const appId = await server.anApp();
    const path = `/${appId}`;
    await server.anEndpoint(appId, { url: `${hooks.url}${path}` });
    const deliverAt = inMs(1200);
    const data = '{ "n": 12345678901234567890 }';
    const answer = await server.ask(
      `POST /v1/apps/${appId}/events`,
      `{"type":"a.b","data":${data},"deliverAt":"${deliverAt}","channels":["x:y"]}`,
    );
    expect(answer).toEqual({ id: expect.stringMatching(/^evt_/), position: null, cursor: null, duplicate: false });
    const item = {
      id: answer.id,
      type: 'a.b',
      time: deliverAt,
      deliverAt,
      channels: ['x:y'],
      createdAt: expect.any(String),
    };
    expect(await server.ask(`GET /v1/apps/${appId}/scheduled`)).toEqual({ data: [item], nextPage: null });
    const one = await server.call(`GET /v1/apps/${appId}/scheduled/${answer.id}`);
    expect(one.body).toMatchObject(item);
    expect(one.bytes.toString()).toContain(`"data":${data}}`);
    expect((await server.call(`GET /v1/apps/${appId}/events/${answer.id}`)).status).toBe(404);

    await until(() => hooks.requests.some((request) => request.path === path));
    const sent = hooks.requests.find((request) => request.path === path)!;
    expect(sent.headers['webhook-id']).toBe(answer.id);
    expect(sent.body.toString()).toBe(`{"type":"a.b","timestamp":"${deliverAt}","data":${data}}`);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(deliverAt));
    expect(await server.ask(`GET /v1/apps/${appId}/events/${answer.id}`)).toMatchObject({
      position: 1,
      time: deliverAt,
    });
    expect((await server.ask(`GET /v1/apps/${appId}/scheduled`)).data).toEqual([]);
    expect((await server.call(`DELETE /v1/apps/${appId}/scheduled/${answer.id}`)).status).toBe(404);
  });

  test('is cancelled, and then its id is free, but not its Idempotency-Key', async () => {
    const appId = await server.anApp();
    const events = `POST /v1/apps/${appId}/events`;
    const event = { id: 'reminder', type: 'a.b', data: 1, deliverAt: TOMORROW };
    const key = { 'idempotency-key': 'k1' };
    await server.ask(events, event, key);
    expect(await server.ask(events, event)).toEqual({ id: 'reminder', position: null, cursor: null, duplicate: true });
    expect((await server.call(events, { ...event, data: 2 })).body.code).toBe('idempotency_conflict');
    const cancel = `DELETE /v1/apps/${appId}/scheduled/reminder`;
    const answers = await Promise.all([server.call(cancel), server.call(cancel)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404]);
    expect((await server.call(events, event, key)).body.code).toBe('idempotency_conflict');
    expect(await server.ask(events, { ...event, data: 2 })).toMatchObject({ position: null, duplicate: false });
  });

  test('whose time has passed is published at once', async () => {
    const appId = await server.anApp();
    for (const deliverAt of ['2020-01-01T00:00:00Z', inMs(-1)]) {
      const { position, id } = await server.publish(appId, { deliverAt });
      expect(position).toBeGreaterThan(0);
      const { time } = await server.ask(`GET /v1/apps/${appId}/events/${id}`);
      expect(Date.now() - Date.parse(time)).toBeLessThan(10_000);
    }
  });

  test('may stand in a batch with others', async () => {
    const appId = await server.anApp();
    const events = [{ id: 'now' }, { id: 'later', deliverAt: TOMORROW }, { id: 'too' }];
    const batch = { events: events.map((event) => ({ type: 'a.b', data: 1, ...event })) };
    const first = await server.ask(`POST /v1/apps/${appId}/events/batch`, batch);
    expect(first.events.map((event: { position: number }) => event.position)).toEqual([1, null, 2]);
    const again = await server.ask(`POST /v1/apps/${appId}/events/batch`, batch);
    expect(again.events).toEqual(first.events.map((event: object) => ({ ...event, duplicate: true })));
  });

  test.each([
    ['soon', /must be a string in RFC 3339/],
    [7, /must be a string in RFC 3339/],
    [inMs(367 * 86_400_000), /more than 366 days ahead/],
  ])('is refused at %s', async (deliverAt, message) => {
    const appId = await server.anApp();
    const { status, body } = await server.call(`POST /v1/apps/${appId}/events`, { type: 'a.b', data: 1, deliverAt });
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ path: '/deliverAt', message: expect.stringMatching(message) }]);
  });

  test('is listed by pages, newest first', async () => {
    const appId = await server.anApp();
    const batch = { events: [1, 2].map((n) => ({ id: `b${n}`, type: 'a.b', data: n, deliverAt: TOMORROW })) };
    await server.publish(appId, { id: 'c0', deliverAt: TOMORROW });
    await server.ask(`POST /v1/apps/${appId}/events/batch`, batch);
    await server.publish(appId, { id: 'a3', deliverAt: TOMORROW });
    const ids: string[] = [];
    for (let page = ''; ; ) {
      const { data, nextPage } = await server.ask(`GET /v1/apps/${appId}/scheduled?limit=1${page}`);
      ids.push(...data.map((event: { id: string }) => event.id));
      if (nextPage === null) break;
      page = `&page=${nextPage}`;
    }
    expect(ids).toEqual(['a3', 'b2', 'b1', 'c0']);
  });

  test('goes with its app when that is deleted', async () => {
    const appId = await server.anApp();
    await server.publish(appId, { deliverAt: TOMORROW });
    const rows = () =>
      server.database.db.query<{ n: number }>({
        name: 'n',
        text: `SELECT count(*)::integer AS n FROM scheduled WHERE type = 'a.b'`,
      });
    const [{ n }] = await rows();
    expect((await server.call(`DELETE /v1/apps/${appId}`)).status).toBe(204);
    await until(async () => (await rows())[0].n === n - 1);
  });
});

describe('scheduled events of several processes', () => {
  let cli: TestCli;
  const others: Tidings[] = [];
  beforeAll(async () => {
    cli = await testCli();
  }, 60_000);
  afterAll(async () => {
    for (const other of others) await other.stop();
    await cli.close();
  });

  test('are each appended once, though processes are killed in the middle', { timeout: 120_000 }, async () => {
    const env = { DATABASE_URL: server.database.url, TIDINGS_MASTER_KEY: MASTER_KEY };
    others.push(await startTidings(testConfig(server.database.url), { migrate: false }));
    const doomed: CliProcess[] = [];
    for (let i = 0; i < 2; i++) doomed.push((await cli.ready(['serve'], env)).child);
    const apps = await Promise.all(Array.from({ length: 4 }, () => server.anApp()));
    const ids = Array.from({ length: 3000 }, (_, i) => `e${i}`);
    const deliverAt = inMs(6000);
    for (const appId of apps) {
      for (let from = 0; from < ids.length; from += 1000) {
        const events = ids.slice(from, from + 1000).map((id) => ({ id, type: 'a.b', data: id, deliverAt }));
        const { events: answers } = await server.ask(`POST /v1/apps/${appId}/events/batch`, { events });
        expect(answers.every(({ position }: { position: null }) => position === null)).toBe(true);
      }
    }
    const appended = async (): Promise<number> => {
      const text = `SELECT count(*)::integer AS n FROM events WHERE event_id ~ '^e[0-9]+$'`;
      return (await server.database.db.query<{ n: number }>({ name: 'appended', text }))[0].n;
    };
    for (const [i, child] of doomed.entries()) {
      await until(async () => (await appended()) > i * 1500);
      child.kill('SIGKILL');
    }
    await until(async () => (await appended()) === apps.length * ids.length);
    for (const appId of apps) {
      const read: string[] = [];
      for (let after = ''; ; ) {
        const page = await server.ask(`GET /v1/apps/${appId}/events?limit=1000${after}`);
        read.push(...page.events.map((event: { id: string }) => event.id));
        if (page.done) break;
        after = `&after=${page.cursor}`;
      }
      expect(read.toSorted()).toEqual(ids.toSorted());
    }
  });
});
