import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';
import { uuidFromId } from '../../core/id.ts';
import { MAX_SCANNED_DEAD } from '../../storage/dead-listing.ts';

describe('dead API', () => {
  let app: TestApp;
  let appId: string;
  let hook: string;
  let other: string;
  let replayed: string;
  let statements = 0;
  beforeAll(async () => {
    app = await testApp();
    appId = await app.anApp({ uid: 'acme' });
    hook = await app.anEndpoint(appId, { uid: 'hook' });
    other = await app.anEndpoint(appId, { uid: 'other' });
    await app.anEndpoint(appId, { uid: 'well' });
    for (let i = 1; i <= 6; i++) {
      await app.call(`POST /v1/apps/acme/events`, {
        body: { id: `e${i}`, type: i % 2 === 0 ? 'even' : 'odd', data: i },
      });
    }
    replayed = app.ids.id('replay');
    await die(hook, [1, 2, 3], 'redirect');
    await die(hook, [4], 'status_5xx');
    await die(other, [2], 'redirect');
    await die(hook, [6], 'redirect', uuidFromId('replay', replayed));
  });
  afterAll(() => app.close());

  const sql = (text: string, values: unknown[]) => app.db.query({ name: `test_dead_${statements++}`, text }, values);
  const die = (
    endpoint: string,
    positions: number[],
    reason: string,
    cursor = '00000000-0000-0000-0000-000000000000',
  ) =>
    sql(
      `INSERT INTO dead (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, reason, died_at)
       SELECT app_id, $2, $3, position, day, event_id, 10, $4, now() FROM events WHERE app_id = $1 AND position = ANY ($5::bigint[])`,
      [uuidFromId('app', appId), uuidFromId('endpoint', endpoint), cursor, reason, positions],
    );
  const list = async (query = '') => {
    const found: { event: string; endpoint: string }[] = [];
    let page = '';
    do {
      const { status, body } = await app.call(`GET /v1/apps/acme/dead?limit=2&${query}${page}`);
      expect(status).toBe(200);
      found.push(...body.data);
      page = body.nextPage === null ? '' : `&page=${body.nextPage}`;
    } while (page !== '');
    return found.map(({ event, endpoint }) => `${event} ${endpoint === hook ? 'hook' : 'other'}`).toSorted();
  };
  const resend = (body: object = {}, headers = {}) => app.call('POST /v1/apps/acme/dead/resend', { body, headers });

  test('lists all, of an endpoint, of a type, of a reason', async () => {
    expect(await list()).toEqual(['e1 hook', 'e2 hook', 'e2 other', 'e3 hook', 'e4 hook', 'e6 hook']);
    expect(await list('endpoint=other')).toEqual(['e2 other']);
    expect(await list(`endpoint=${hook}&type=even`)).toEqual(['e2 hook', 'e4 hook', 'e6 hook']);
    expect(await list('type=even&reason=redirect')).toEqual(['e2 hook', 'e2 other', 'e6 hook']);
    expect(await list('endpoint=well')).toEqual([]);
    const { data } = (await app.call('GET /v1/apps/acme/dead?limit=1')).body;
    expect(data[0]).toEqual({
      endpoint: hook,
      event: 'e6',
      position: 6,
      replay: replayed,
      attempts: 10,
      reason: 'redirect',
      diedAt: expect.any(String),
    });
    for (const [query, path] of [
      ['reason=broken', '/reason'],
      ['limit=0', '/limit'],
      ['page=x', '/page'],
      ['types=a', '/types'],
    ]) {
      const { status, body } = await app.call(`GET /v1/apps/acme/dead?${query}`);
      expect([status, body.errors[0].path]).toEqual([400, path]);
    }
    expect((await app.call('GET /v1/apps/acme/dead?endpoint=none')).status).toBe(404);
  });

  test('looks at so many for a page, and goes on with the next', async () => {
    const many = await app.anApp({ uid: 'many' });
    const [first, second] = [await app.anEndpoint(many, { uid: 'first' }), await app.anEndpoint(many)];
    await sql(
      `INSERT INTO dead (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, reason, died_at)
       SELECT $1, CASE p WHEN 1 THEN $2::uuid ELSE $3::uuid END, '00000000-0000-0000-0000-000000000000', p, current_date, 'x', 1,
         'redirect', now() + p * interval '1 second' FROM generate_series(1, ${MAX_SCANNED_DEAD + 1}) AS p`,
      [uuidFromId('app', many), uuidFromId('endpoint', first), uuidFromId('endpoint', second)],
    );
    const empty = (await app.call('GET /v1/apps/many/dead?endpoint=first')).body;
    expect(empty).toEqual({ data: [], nextPage: expect.any(String) });
    const rest = (await app.call(`GET /v1/apps/many/dead?endpoint=first&page=${empty.nextPage}`)).body;
    expect(rest).toMatchObject({ data: [{ position: 1 }], nextPage: null });
  });

  test('plans what a resend would send', async () => {
    const { status, body } = await resend({ plan: true });
    expect(status).toBe(200);
    expect(body).toMatchObject({ events: 5, bytes: 5, approximate: false, nextPage: null });
    expect(body.endpoints).toMatchObject([
      { endpoint: hook, events: 4 },
      { endpoint: other, events: 1 },
    ]);
    const count = async (wanted: object) => (await resend({ plan: true, ...wanted })).body.events;
    expect(await count({ endpoint: 'hook', types: ['e*'] })).toBe(2);
    expect(await count({ reason: 'status_5xx' })).toBe(1);
    const { cursor } = (await app.call('GET /v1/apps/acme/events/e2')).body;
    expect(await count({ from: cursor })).toBe(2);
    expect(await count({ to: cursor })).toBe(3);
    expect((await app.call('GET /v1/apps/acme/endpoints/hook/replays')).body.data).toEqual([]);
  });

  test('begins a replay for each endpoint, once for a key', async () => {
    const wanted = { types: ['e*'], reason: 'redirect' };
    const headers = { 'idempotency-key': 'tuesday' };
    const { status, body } = await resend(wanted, headers);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      replays: [
        { endpoint: hook, only: 'dead', types: ['e*'], reason: 'redirect', toPosition: 6, state: 'running' },
        { endpoint: other, only: 'dead' },
      ],
      skipped: [],
      nextPage: null,
    });
    expect((await resend(wanted, headers)).body.replays.map(({ id }: { id: string }) => id)).toEqual(
      body.replays.map(({ id }: { id: string }) => id),
    );
    expect(app.engine.changedReplays.slice(0, 2)).toEqual([hook, other]);
  });

  test('skips endpoints that are not sent to, and says so of the one that was named', async () => {
    await app.call('POST /v1/apps/acme/endpoints/other/pause');
    const { body } = await resend();
    expect(body.replays.map(({ endpoint }: { endpoint: string }) => endpoint)).toEqual([hook]);
    expect(body.skipped).toEqual([
      { endpoint: other, code: 'endpoint_paused', detail: expect.stringContaining('Resume it') },
    ]);
    const named = await resend({ endpoint: 'other' });
    expect([named.status, named.body.code]).toEqual([409, 'endpoint_paused']);
    expect((await resend({ endpoint: 'none' })).status).toBe(404);
  });

  test.each<[string, object, string]>([
    ['an unknown reason', { reason: 'broken' }, '/reason'],
    ['a type that is none', { types: ['a b'] }, '/types/0'],
    ['a time that is none', { from: '2026' }, '/from'],
    ['a page that is none', { page: 'x' }, '/page'],
    ['a later member', { limit: 5 }, '/limit'],
  ])('refuses %s', async (_, body, path) => {
    const answer = await resend(body);
    expect([answer.status, answer.body.errors[0].path]).toEqual([400, path]);
  });

  test('goes on with further endpoints by page', async () => {
    const wide = await app.anApp({ uid: 'wide' });
    await app.call('POST /v1/apps/wide/events', { body: { type: 'a', data: 1 } });
    const endpoints = [];
    for (let i = 0; i < 102; i++) endpoints.push(await app.anEndpoint(wide));
    await sql(
      `INSERT INTO dead (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, reason, died_at)
       SELECT e.app_id, p.endpoint_id, '00000000-0000-0000-0000-000000000000', position, day, event_id, 1, 'redirect', now()
       FROM events e JOIN endpoints p ON p.app_id = e.app_id WHERE e.app_id = $1`,
      [uuidFromId('app', wide)],
    );
    const ask = async (body: object) => (await app.call('POST /v1/apps/wide/dead/resend', { body })).body;
    const first = await ask({});
    const rest = await ask({ page: first.nextPage });
    expect(rest.nextPage).toBeNull();
    const resent = [...first.replays, ...rest.replays].map(({ endpoint }) => endpoint);
    expect(resent).toEqual(endpoints);
    expect((await ask({ plan: true })).events).toBe(100);
  });
});
