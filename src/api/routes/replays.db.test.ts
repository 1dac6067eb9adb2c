import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';
import { encodeCursor } from '../../core/cursor.ts';
import { uuidFromId } from '../../core/id.ts';

const OWN_CURSOR = '00000000-0000-0000-0000-000000000000';

describe('replays API', () => {
  let app: TestApp;
  let appId: string;
  let endpoint: string;
  let cursors: string[];
  let statements = 0;
  beforeAll(async () => {
    app = await testApp();
    appId = await app.anApp({ uid: 'acme' });
    cursors = [];
    for (let i = 0; i < 8; i++) {
      const body = { type: i % 2 === 0 ? 'even' : 'odd.one', data: 'x'.repeat(i) };
      cursors.push((await app.call(`POST /v1/apps/${appId}/events`, { body })).body.cursor);
    }
  });
  beforeEach(async () => {
    endpoint = await app.anEndpoint(appId);
  });
  afterAll(() => app.close());

  const call = (route: string, body?: object, headers = {}) => {
    const [method, path] = route.split(' ');
    const url = `/v1/apps/acme/endpoints/${endpoint}/replays${path ?? ''}`;
    return app.call(`${method} ${url}`, { ...(body && { body }), headers });
  };
  const sql = (text: string, values: unknown[]) => app.db.query({ name: `test_replay_${statements++}`, text }, values);
  /** Events at positions given up for the endpoint, or waiting for a retry. */
  const fail = (table: 'dead' | 'retries', positions: number[]) => {
    const [columns, values] =
      table === 'dead'
        ? ['reason, died_at', "'status_5xx', now()"]
        : ['consumed, due_at, last_reason, created_at', "1, now(), 'status_5xx', now()"];
    return sql(
      `INSERT INTO ${table} (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, ${columns})
       SELECT app_id, $2, $3, position, day, event_id, 1, ${values} FROM events WHERE app_id = $1 AND position = ANY ($4::bigint[])`,
      [uuidFromId('app', appId), uuidFromId('endpoint', endpoint), OWN_CURSOR, positions],
    );
  };

  test('creates, shows, lists and cancels', async () => {
    const { status, body } = await call('POST', { from: cursors[1], to: cursors[5], types: ['odd.*', 'odd.*'] });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^rpl_/),
      endpoint,
      state: 'running',
      from: cursors[1],
      to: cursors[5],
      cursor: cursors[1],
      fromPosition: 2,
      toPosition: 6,
      position: 2,
      progress: 0,
      only: 'all',
      types: ['odd.*'],
      reason: null,
      delivered: 0,
      dead: 0,
      createdAt: expect.any(String),
      finishedAt: null,
    });
    expect(app.engine.changedReplays).toEqual([endpoint]);
    expect((await call(`GET /${body.id}`)).body).toEqual(body);

    await sql('UPDATE replays SET settled_through = 3, delivered = 1 WHERE replay_id = $1', [
      uuidFromId('replay', body.id),
    ]);
    expect((await call(`GET /${body.id}`)).body).toMatchObject({ position: 3, progress: 0.25, delivered: 1 });

    const { id: second } = (await call('POST', { from: 'now' })).body;
    const list = (await call('GET ?limit=1')).body;
    expect(list.data.map(({ id }: { id: string }) => id)).toEqual([second]);
    expect((await call(`GET ?limit=1&page=${list.nextPage}`)).body).toMatchObject({
      data: [{ id: body.id }],
      nextPage: null,
    });

    const cancelled = await call(`DELETE /${body.id}`);
    expect([cancelled.status, cancelled.body.state, cancelled.body.progress]).toEqual([200, 'cancelled', 0.25]);
    expect((await call(`DELETE /${body.id}`)).body).toEqual(cancelled.body);
    expect(app.engine.changedReplays).toEqual([endpoint, endpoint, endpoint, endpoint]);
    expect((await call('GET /rpl_none')).body.detail).toBe('There is no replay rpl_none of this endpoint.');
  });

  test('takes cursors, times, and the ends of the log', async () => {
    const positions = async (range: object) => {
      const { status, body } = await call('POST', range);
      expect(status).toBe(201);
      await call(`DELETE /${body.id}`);
      return [body.fromPosition, body.toPosition];
    };
    expect(await positions({ from: 'oldest' })).toEqual([0, 8]);
    expect(await positions({ from: cursors[2], to: 'now' })).toEqual([3, 8]);
    expect(await positions({ from: 'oldest', to: cursors[0] })).toEqual([0, 1]);
    expect(await positions({ from: '2026-01-01T00:00:00Z', to: '2099-01-01T00:00:00+01:00' })).toEqual([0, 8]);
    const appended = await sql(
      "SELECT date_part('epoch', appended_at) * 1000 AS ms FROM events WHERE app_id = $1 ORDER BY position",
      [uuidFromId('app', appId)],
    );
    const third = new Date(Math.ceil((appended[2] as { ms: number }).ms)).toISOString();
    const [from] = await positions({ from: third });
    expect([2, 3]).toContain(from); // a millisecond may hold two
    expect((await call('POST', { from: 'now' })).body).toMatchObject({ state: 'done', progress: 1 });
  });

  test.each<[string, object, string]>([
    ['no beginning', {}, '/from'],
    ['a time that is none', { from: '2026-13-01T00:00:00Z' }, '/from'],
    ['a day alone', { from: 'oldest', to: '2026-01-01' }, '/to'],
    ['another choice', { from: 'oldest', only: 'some' }, '/only'],
    ['no types', { from: 'oldest', types: [] }, '/types'],
    ['a type that is none', { from: 'oldest', types: ['a b'] }, '/types/0'],
    ['a later member', { from: 'oldest', until: 'now' }, '/until'],
    ['a number', { from: 5 }, '/from'],
  ])('refuses %s', async (_, range, path) => {
    for (const route of ['POST', 'POST /plan']) {
      const { status, body } = await call(route, range);
      expect([status, body.code, body.errors[0].path]).toEqual([400, 'invalid_request', path]);
    }
    expect((await call('GET')).body.data).toEqual([]);
  });

  test('refuses a range the wrong way round, and cursors that lead nowhere', async () => {
    const { cursorKey, generation } = app.instance;
    const cursorOf = (members: object) =>
      encodeCursor(cursorKey, {
        appUuid: uuidFromId('app', appId),
        generation,
        position: 1,
        day: '2026-11-21',
        ...members,
      });
    for (const [range, code] of [
      [{ from: cursors[3], to: cursors[2] }, 'invalid_request'],
      [{ from: 'nonsense' }, 'invalid_cursor'],
      [{ from: cursorOf({ position: 99 }) }, 'cursor_ahead'],
      [{ from: 'oldest', to: cursorOf({ position: 99 }) }, 'cursor_ahead'],
      [{ from: cursorOf({ generation: generation + 1 }) }, 'cursor_ahead'],
    ] as const) {
      for (const route of ['POST', 'POST /plan']) expect((await call(route, range)).body.code).toBe(code);
    }
  });

  test('begins at the oldest event kept, and refuses a cursor before it', async () => {
    const other = await app.anApp();
    const hook = await app.anEndpoint(other);
    const places = [];
    for (let i = 0; i < 4; i++) {
      places.push((await app.call(`POST /v1/apps/${other}/events`, { body: { type: 'a', data: 1 } })).body.cursor);
    }
    await sql('DELETE FROM events WHERE app_id = $1 AND position <= 2', [uuidFromId('app', other)]);
    const create = (from: string) => app.call(`POST /v1/apps/${other}/endpoints/${hook}/replays`, { body: { from } });
    const expired = await create(places[0]);
    expect([expired.status, expired.body.code]).toEqual([410, 'cursor_expired']);
    for (const from of ['oldest', places[1], '2020-01-01T00:00:00Z']) {
      expect((await create(from)).body).toMatchObject({ fromPosition: 2, toPosition: 4 });
    }
  });

  test('is refused while nothing would be sent, or too much is', async () => {
    await app.call(`POST /v1/apps/acme/endpoints/${endpoint}/pause`);
    const paused = await call('POST', { from: 'oldest' });
    expect([paused.status, paused.body.code]).toEqual([409, 'endpoint_paused']);
    expect(paused.body.detail).toContain('Resume it');
    expect((await call('POST /plan', { from: 'oldest' })).body.events).toBe(8);
    await app.call(`POST /v1/apps/acme/endpoints/${endpoint}/resume`);
    for (let i = 0; i < 10; i++) expect((await call('POST', { from: 'oldest' })).status).toBe(201);
    const { status, body } = await call('POST', { from: 'oldest' });
    expect([status, body.code]).toEqual([409, 'conflict']);
    expect(body.detail).toContain('cancel one');
  });

  test('is made once for an Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'monday' };
    const first = await call('POST', { from: 'oldest' }, headers);
    expect((await call('POST', { from: 'oldest' }, headers)).body.id).toBe(first.body.id);
    expect((await call('POST', { from: 'now' }, headers)).body.code).toBe('idempotency_conflict');
    expect((await call('GET')).body.data).toHaveLength(1);
  });

  test('plans what matched where it stands, and of the failed what failed', async () => {
    const all = (await call('POST /plan', { from: 'oldest' })).body;
    expect(all).toEqual({
      events: 8,
      bytes: 8 * 2 + 28,
      approximate: false,
      oldest: expect.any(String),
      newest: expect.any(String),
      from: expect.any(String),
      to: cursors[7],
      fromPosition: 0,
      toPosition: 8,
    });
    expect(all.oldest < all.newest).toBe(true);
    const count = async (range: object) => (await call('POST /plan', { from: 'oldest', ...range })).body.events;
    expect(await count({ types: ['odd.*'] })).toBe(4);
    expect(await count({ from: cursors[0], to: cursors[3] })).toBe(3);
    expect((await call('POST /plan', { from: 'now' })).body).toMatchObject({ events: 0, bytes: 0, oldest: null });

    expect(await count({ only: 'failed' })).toBe(0);
    await fail('dead', [1, 2, 5]);
    await fail('retries', [3, 4]);
    expect(await count({ only: 'dead' })).toBe(3);
    expect(await count({ only: 'failed' })).toBe(5);
    expect(await count({ only: 'failed', types: ['even'] })).toBe(3);
    expect(await count({ only: 'failed', from: cursors[1], to: cursors[3] })).toBe(2);
  });

  test('plans by the filter of each event, as a naive count does', async () => {
    const appOfIt = await app.anApp();
    const hook = await app.anEndpoint(appOfIt, { start: 'oldest' });
    const filters = [{}, { types: ['a.*'] }, { types: ['b'], channels: ['eu'] }, { channels: ['us', 'eu'] }];
    let filter: { types?: string[]; channels?: string[] } = {};
    let expected = 0;
    let expectedOfA = 0;
    for (let i = 0; i < 60; i++) {
      if (i % 7 === 6) {
        filter = filters[(i * 5) % 4];
        await app.call(`PATCH /v1/apps/${appOfIt}/endpoints/${hook}`, { body: { filter } });
      }
      const type = ['a.x', 'b', 'a.y'][i % 3];
      const channels = [[], ['eu'], ['us', 'asia'], ['asia']][(i * 7) % 4];
      await app.call(`POST /v1/apps/${appOfIt}/events`, { body: { type, channels, data: i } });
      const takesType = !filter.types || filter.types.includes(type) || (filter.types[0] === 'a.*' && type !== 'b');
      if (takesType && (!filter.channels || channels.some((one) => filter.channels?.includes(one)))) {
        expected++;
        if (type === 'a.x') expectedOfA++;
      }
    }
    const plan = async (body: object) =>
      (await app.call(`POST /v1/apps/${appOfIt}/endpoints/${hook}/replays/plan`, { body })).body.events;
    expect(expected).toBeGreaterThan(10);
    expect(expected).toBeLessThan(50);
    expect(await plan({ from: 'oldest' })).toBe(expected);
    expect(await plan({ from: 'oldest', types: ['a.x'] })).toBe(expectedOfA);
  });
});
