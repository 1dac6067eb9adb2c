import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type TestApp, testApp } from '../../../test/app.ts';
import { uuidFromId } from '../../core/id.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

/** An app with so many events, and a consumer `billing` of it. */
async function setup({ events = 0, ...members }: { events?: number; start?: unknown; filter?: unknown } = {}) {
  const appId = await app.anApp();
  const path = `/v1/apps/${appId}`;
  const publish = async (count: number, type = 'a.b'): Promise<void> => {
    for (let n = 0; n < count; n++) await app.call(`POST ${path}/events`, { body: { type, data: n } });
  };
  await publish(events);
  const consumer = `${path}/consumers/billing`;
  const created = await app.call(`PUT ${consumer}`, { body: { start: 'oldest', ...members } });
  expect(created.status).toBe(201);
  return {
    appId,
    path,
    consumer,
    publish,
    lease: (body: object = {}) => app.call(`POST ${consumer}/lease`, { body }),
    commit: (cursor: string, lease?: string) => app.call(`POST ${consumer}/commit`, { body: { cursor, lease } }),
    get: () => app.call(`GET ${consumer}`),
    /** The lease's time is over. */
    expire: () =>
      app.db.query(
        {
          name: `expire_${Math.random()}`,
          text: "UPDATE consumers SET leased_until = now() - interval '1 ms' WHERE app_id = $1 AND lease_id IS NOT NULL",
        },
        [uuidFromId('app', appId)],
      ),
  };
}

const positionsOf = ({ body }: Answer): number[] => body.events.map(({ position }: { position: number }) => position);

describe('a consumer', () => {
  test('is made once, and keeps its cursor when it is put again', async () => {
    const { consumer, commit, get, lease } = await setup({ events: 3 });
    const { body: leased } = await lease({ max: 2 });
    await commit(leased.cursor, leased.lease);
    const again = await app.call(`PUT ${consumer}`, { body: { start: 'oldest', filter: { types: ['c.*'] } } });
    expect(again.status).toBe(200);
    expect(again.body).toMatchObject({
      name: 'billing',
      filter: { types: ['c.*'] },
      cursor: leased.cursor,
      lease: null,
    });
    expect((await get()).body).toMatchObject({ lag: { events: 1 }, committedAt: expect.any(String) });
    expect((await app.call(`PUT ${consumer}`)).body.filter).toEqual({});
    expect((await app.call(`DELETE ${consumer}`)).status).toBe(204);
    expect((await get()).status).toBe(404);
    expect((await app.call(`DELETE ${consumer}`)).status).toBe(404);
  });

  test('starts from now, the oldest, a cursor, or the cursor of an endpoint', async () => {
    const { appId, path, lease } = await setup({ events: 3 });
    const { body: first } = await lease({ max: 1 });
    const endpoint = await app.anEndpoint(appId, { start: { cursor: first.cursor } });
    const lagOf = async (start: unknown): Promise<number> => {
      const name = `reader-${Math.random()}`;
      return (await app.call(`PUT ${path}/consumers/${name}`, { body: { start } })).body.lag.events;
    };
    expect(await lagOf('now')).toBe(0);
    expect(await lagOf(undefined)).toBe(0);
    expect(await lagOf('oldest')).toBe(3);
    expect(await lagOf({ cursor: first.cursor })).toBe(2);
    expect(await lagOf({ endpoint })).toBe(2);
    const { body } = await app.call(`PUT ${path}/consumers/x`, { body: { start: { endpoint: 'none' } } });
    expect(body.code).toBe('not_found');
  });

  test('is refused under a bad name, filter or body', async () => {
    const { path } = await setup();
    for (const [name, body] of [
      ['a b', {}],
      ['x'.repeat(129), {}],
      ['x', { filter: { types: ['a b'] } }],
      ['x', { start: 'yesterday' }],
      ['x', { colour: 1 }],
    ] as const) {
      const answer = await app.call(`PUT ${path}/consumers/${encodeURIComponent(name)}`, { body });
      expect([name, answer.status, answer.body.code]).toEqual([name, 400, 'invalid_request']);
    }
    expect((await app.call(`GET ${path}/consumers/a%20b`)).status).toBe(404);
  });

  test('is listed by name, by pages', async () => {
    const { path } = await setup();
    for (const name of ['zeta', 'alpha', 'Beta']) await app.call(`PUT ${path}/consumers/${name}`);
    const names: string[] = [];
    for (let page = ''; ; ) {
      const { body } = await app.call(`GET ${path}/consumers?limit=3${page}`);
      names.push(...body.data.map(({ name }: { name: string }) => name));
      if (body.nextPage === null) break;
      page = `&page=${body.nextPage}`;
    }
    expect(names).toEqual(['Beta', 'alpha', 'billing', 'zeta']);
  });
});

describe('a lease', () => {
  test('hands out what comes after the cursor, to one at a time', async () => {
    const { lease, commit, get } = await setup({ events: 5 });
    const { body: first } = await lease({ max: 2, leaseSeconds: 60 });
    expect(first).toMatchObject({ lease: expect.stringMatching(/^lse_/), done: false });
    expect(first.events.map(({ data }: { data: number }) => data)).toEqual([0, 1]);
    expect(Date.parse(first.expiresAt) - Date.now()).toBeGreaterThan(50_000);
    expect((await get()).body.lease).toEqual({ id: first.lease, expiresAt: first.expiresAt });

    const other = await lease();
    expect([other.status, other.body.code]).toEqual([409, 'consumer_leased']);
    expect(other.body.detail).toContain(first.expiresAt);

    expect((await commit(first.cursor, first.lease)).body).toEqual({ cursor: first.cursor, lease: null });
    const second = await lease();
    expect(positionsOf(second)).toEqual([3, 4, 5]);
    expect(second.body.done).toBe(true);
  });

  test('is committed in parts, and is over with the last', async () => {
    const { lease, commit, get } = await setup({ events: 3 });
    const { body } = await lease();
    const part = await commit(body.events[0].cursor, body.lease);
    expect(part.body).toMatchObject({ cursor: body.events[0].cursor, lease: { id: body.lease } });
    expect((await lease()).status).toBe(409);
    expect((await commit(body.cursor, body.lease)).body.lease).toBeNull();
    expect((await get()).body).toMatchObject({ cursor: body.cursor, lease: null, lag: { events: 0, seconds: 0 } });
    expect((await commit(body.cursor, body.lease)).status).toBe(200); // the answer was lost, say
    expect((await commit(body.events[0].cursor, body.lease)).body.code).toBe('lease_lost');
  });

  test('is there for nobody when there are no events', async () => {
    const { lease } = await setup();
    const empty = { lease: null, expiresAt: null, events: [], done: true };
    expect((await lease()).body).toMatchObject(empty);
    expect((await lease()).body).toMatchObject(empty);
  });

  test('that ran out is handed out again, and its commit is refused once another has leased', async () => {
    const { lease, commit, expire, get } = await setup({ events: 3 });
    const { body: late } = await lease({ max: 2 });
    await expire();
    expect((await get()).body.lease).toBeNull();
    const { body: next } = await lease({ max: 1 });
    expect(next.events).toEqual(late.events.slice(0, 1));
    for (const cursor of [late.cursor, late.events[0].cursor]) {
      const refused = await commit(cursor, late.lease);
      expect([refused.status, refused.body.code]).toEqual([409, 'lease_lost']);
    }
    expect((await get()).body.lag.events).toBe(3);
    expect((await commit(next.cursor, next.lease)).status).toBe(200);
    expect((await get()).body.lag.events).toBe(2);
  });

  test('that ran out may still be committed while nobody else has leased', async () => {
    const { lease, commit, expire } = await setup({ events: 2 });
    const { body } = await lease();
    await expire();
    expect((await commit(body.cursor, body.lease)).status).toBe(200);
  });

  test('goes on for who holds it, with what has come since', async () => {
    const { lease, commit, expire, publish } = await setup({ events: 2 });
    const { body: first } = await lease({ leaseSeconds: 1 });
    await publish(1);
    const renewed = await lease({ lease: first.lease, leaseSeconds: 100 });
    expect(renewed.body.lease).toBe(first.lease);
    expect(positionsOf(renewed)).toEqual([1, 2, 3]);
    const { body: kept } = await lease({ lease: first.lease, max: 0, leaseSeconds: 500 });
    expect(kept).toMatchObject({ lease: first.lease, events: [], done: false });
    expect(Date.parse(kept.expiresAt)).toBeGreaterThan(Date.parse(renewed.body.expiresAt));
    await lease({ lease: first.lease, max: 1 }); // what was handed out before stays so
    expect((await commit(renewed.body.cursor, first.lease)).status).toBe(200);
    expect((await lease({ lease: first.lease })).body.code).toBe('lease_lost');

    await publish(1);
    const { body: second } = await lease();
    await expire();
    await lease();
    expect((await lease({ lease: second.lease })).body.code).toBe('lease_lost');
    expect((await lease({ max: 0 })).body.code).toBe('invalid_request');
  });

  test('is given back', async () => {
    const { consumer, lease } = await setup({ events: 2 });
    const { body: first } = await lease();
    const release = (id: string) => app.call(`POST ${consumer}/release`, { body: { lease: id } });
    expect((await release('lse_none')).body.code).toBe('lease_lost');
    expect((await release(first.lease)).body.lease).toBeNull();
    expect((await release(first.lease)).status).toBe(200);
    expect(positionsOf(await lease())).toEqual([1, 2]);
    expect((await release(first.lease)).body.code).toBe('lease_lost');
  });

  test('is committed no further than what it handed out, and never back', async () => {
    const { path, lease, commit, get } = await setup({ events: 4 });
    const { events } = (await app.call(`GET ${path}/events`)).body;
    const { body } = await lease({ max: 2 });
    expect((await commit(events[2].cursor, body.lease)).body.code).toBe('commit_refused');
    expect((await commit(events[0].cursor)).body.code).toBe('consumer_leased');
    expect((await commit(events[0].cursor, 'lse_none')).body.code).toBe('lease_lost');
    expect((await get()).body.lag.events).toBe(4);
    await commit(events[1].cursor, body.lease);
    expect((await commit(events[3].cursor)).status).toBe(200); // without leases: up to the end of the log
    expect((await commit(events[2].cursor)).body.code).toBe('commit_refused');
    expect((await get()).body.lag.events).toBe(0);
  });

  test('takes what the filter takes, and passes over the rest', async () => {
    const { lease, commit, publish, get } = await setup({ filter: { types: ['c.*'] }, events: 3 });
    expect((await lease()).body).toMatchObject({ lease: null, events: [], done: true });
    expect((await get()).body.lag.events).toBe(0); // none of them waits for it
    await publish(1, 'c.d');
    await publish(1);
    const leased = await lease();
    expect(positionsOf(leased)).toEqual([4]);
    await commit(leased.body.cursor, leased.body.lease);
    expect((await get()).body.lag.events).toBe(0);
  });

  test('is over when the cursor is moved by seek', async () => {
    const { consumer, path, lease, commit, get } = await setup({ events: 4 });
    const { events } = (await app.call(`GET ${path}/events`)).body;
    const seek = (to: string) => app.call(`POST ${consumer}/seek`, { body: { to } });
    const { body } = await lease();
    expect((await seek(events[1].cursor)).body).toMatchObject({ cursor: events[1].cursor, lease: null });
    expect((await commit(body.cursor, body.lease)).body.code).toBe('lease_lost');
    expect(positionsOf(await lease({ max: 1 }))).toEqual([3]);
    expect((await seek('now')).body.lag.events).toBe(0);
    expect((await seek('oldest')).body.lag.events).toBe(4);
    expect((await seek(new Date(Date.now() + 60_000).toISOString())).body.lag.events).toBe(0);
    expect((await seek(new Date(Date.now() - 60_000).toISOString())).body.lag.events).toBe(4);
    expect((await seek('x')).body.code).toBe('invalid_cursor');
    expect((await seek('2026-99-01')).body.code).toBe('invalid_request');
    expect((await get()).body.lag.events).toBe(4);
  });

  test('may be had with a key that reads, moved with one that manages', async () => {
    const { appId, consumer } = await setup({ events: 1 });
    const reader = await app.aKey({ appId, permissions: ['read'] });
    const leased = await app.call(`POST ${consumer}/lease`, { key: reader });
    expect(leased.status).toBe(200);
    const { cursor, lease } = leased.body;
    expect((await app.call(`POST ${consumer}/commit`, { key: reader, body: { cursor, lease } })).status).toBe(200);
    expect((await app.call(`POST ${consumer}/seek`, { key: reader, body: { to: 'oldest' } })).status).toBe(403);
    expect((await app.call(`PUT ${consumer}`, { key: reader })).status).toBe(403);
  });
});
