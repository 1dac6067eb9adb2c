import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';
import { encodeCursor } from '../../core/cursor.ts';
import { uuidFromId } from '../../core/id.ts';

describe('events API', () => {
  let app: TestApp;
  let appId: string;
  const data = '{"big":12345678901234567890,"e":1e400,"z":-0,"one":1.0,"b":"\\u0000\\ud800","a":[ ]}';
  let published: { id: string; cursor: string }[];

  beforeAll(async () => {
    app = await testApp();
    appId = await app.anApp();
    published = [];
    for (const event of [
      `{"type":"invoice.paid","time":"2026-11-21T10:00:00+02:00","channels":["eu","a:b/c"],"data":${data}}`,
      '{"type":"invoice.sent","data":null}',
      '{"type":"user.left","id":"own-1","data":"x"}',
    ]) {
      published.push((await app.call(`POST /v1/apps/${appId}/events`, { body: event })).body);
    }
  });
  afterAll(() => app.close());

  const read = (query = '') => app.call(`GET /v1/apps/${appId}/events${query}`);

  test('gives events back byte for byte', async () => {
    const one = await app.call(`GET /v1/apps/${appId}/events/${published[0].id}`);
    expect(one.text).toBe(
      `{"id":"${published[0].id}","type":"invoice.paid","time":"2026-11-21T08:00:00.000Z","position":1,` +
        `"cursor":"${published[0].cursor}","channels":["eu","a:b/c"],"data":${data}}`,
    );
    expect(one.headers['content-type']).toBe('application/json; charset=utf-8');
    expect((await read()).text).toContain(`{"events":[${one.text},`);
  });

  test('reads on from each cursor to the end', async () => {
    const types: string[] = [];
    let query = '?limit=1';
    for (let done = false; !done; ) {
      const { body } = await read(query);
      types.push(...body.events.map(({ type }: { type: string }) => type));
      done = body.done;
      query = `?limit=1&after=${body.cursor}`;
    }
    expect(types).toEqual(['invoice.paid', 'invoice.sent', 'user.left']);
    expect((await read(query)).body).toMatchObject({ events: [], done: true });
  });

  test('begins at the head', async () => {
    const { body } = await read('?after=now');
    expect(body).toEqual({ events: [], cursor: published[2].cursor, done: true, pollAfterSeconds: expect.any(Number) });
  });

  test('takes types and channels', async () => {
    const typesOf = async (query: string) => (await read(query)).body.events.map(({ type }: { type: string }) => type);
    expect(await typesOf('?types=invoice.*')).toEqual(['invoice.paid', 'invoice.sent']);
    expect(await typesOf('?types=invoice.sent,user.left')).toEqual(['invoice.sent', 'user.left']);
    expect(await typesOf('?channels=a:b/c,none')).toEqual(['invoice.paid']);
  });

  test.each([
    ['?limit=0', '/limit'],
    ['?limit=1001', '/limit'],
    ['?limit=many', '/limit'],
    ['?types=', '/types/0'],
    ['?types=a%20b', '/types/0'],
    [`?types=${Array.from({ length: 257 }, () => 'a').join(',')}`, '/types'],
    ['?channels=*', '/channels/0'],
    ['?wait=61', '/wait'],
    ['?wait=1.5', '/wait'],
    ['?maxBytes=1023', '/maxBytes'],
    ['?before=5', '/before'],
    ['?limit=1&limit=2', '/limit'],
  ])('refuses %s', async (query, path) => {
    const { status, body } = await read(query);
    expect([status, body.code, body.errors[0].path]).toEqual([400, 'invalid_request', path]);
  });

  test('refuses a cursor that is none, ahead, or from before a restore', async () => {
    expect((await read('?after=nonsense')).body.code).toBe('invalid_cursor');
    const { cursorKey, generation } = app.instance;
    const cursor = (more: object) =>
      encodeCursor(cursorKey, {
        appUuid: uuidFromId('app', appId),
        generation,
        position: 1,
        day: '2026-11-21',
        ...more,
      });
    const ahead = await read(`?after=${cursor({ position: 9 })}`);
    expect([ahead.status, ahead.body.code]).toEqual([409, 'cursor_ahead']);
    const older = await read(`?after=${cursor({ generation: generation + 1 })}`);
    expect([older.status, older.body.code]).toEqual([409, 'cursor_ahead']);
  });

  test('finds an event by its own id', async () => {
    expect((await app.call(`GET /v1/apps/${appId}/events/own-1`)).body.data).toBe('x');
    expect((await app.call(`GET /v1/apps/${appId}/events/own-2`)).status).toBe(404);
    expect((await app.call(`GET /v1/apps/${appId}/events/%00`)).status).toBe(404);
  });

  test('resends an event to an endpoint', async () => {
    const endpoint = await app.anEndpoint(appId, { uid: 'hook' });
    const resend = (event: string, body: object) => app.call(`POST /v1/apps/${appId}/events/${event}/resend`, { body });
    const sent = await resend('own-1', { endpoint: 'hook' });
    expect(sent.status).toBe(200);
    expect(sent.body).toMatchObject({ endpoint, event: 'own-1', position: 3, cause: 'resend', outcome: 'rejected' });
    expect(app.engine.sent.at(-1)).toMatchObject({
      cause: 'resend',
      event: { id: 'own-1' },
      endpoint: { id: endpoint },
    });
    expect((await resend('none', { endpoint })).body.detail).toContain('event none');
    expect((await resend('own-1', { endpoint: 'none' })).body.detail).toContain('endpoint none');
    expect((await resend('own-1', {})).body.errors[0].path).toBe('/endpoint');
    await app.call(`POST /v1/apps/${appId}/endpoints/hook/pause`);
    const paused = await resend('own-1', { endpoint });
    expect([paused.status, paused.body.code]).toEqual([409, 'endpoint_paused']);
  });
});
