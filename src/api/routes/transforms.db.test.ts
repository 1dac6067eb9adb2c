import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';
import { buildOnce } from '../../../test/build.ts';
import { MAX_KEPT_VERSIONS } from '../../storage/transformations.ts';

let app: TestApp;
let appId: string;
beforeAll(async () => {
  await buildOnce();
  app = await testApp();
  appId = await app.anApp();
}, 120_000);
afterAll(() => app.close());

const tryOut = (code: string, event: object = { data: { cents: 4200 } }, key?: string) =>
  app.call('POST /v1/transforms/test', { body: { code, event }, ...(key !== undefined && { key }) });

describe('transforms API', () => {
  test('tells output, console and duration', async () => {
    const code =
      'export default (event) => {\n  console.log("in", event.type);\n  return { ...event, type: "x.y", data: { total: event.data.cents / 100 } };\n};';
    const { status, body } = await tryOut(code);
    expect(status).toBe(200);
    expect(body).toEqual({
      verdict: 'sent',
      output: {
        type: 'x.y',
        time: expect.any(String),
        channels: [],
        data: { total: 42 },
        body: null,
        contentType: null,
        method: null,
        path: null,
        headers: {},
      },
      reason: null,
      error: null,
      console: ['in test.event'],
      durationMs: expect.any(Number),
    });
  });

  test('tells of a request, of null and of a failure', async () => {
    const request = await tryOut(
      'export default () => ({ method: "PUT", path: "/x", headers: { a: "b" }, body: { c: 1 } })',
    );
    expect(request.body.output).toMatchObject({
      method: 'PUT',
      path: '/x',
      headers: { a: 'b' },
      body: '{"c":1}',
      contentType: 'application/json',
    });
    const filtered = await tryOut('export default () => { console.log("no"); return null; }');
    expect(filtered.body).toMatchObject({ verdict: 'filtered', output: null, reason: 'no', console: ['no'] });
    const failed = await tryOut('export default () => {\n  console.log(1);\n  throw new Error("no");\n}');
    expect(failed.body).toMatchObject({
      verdict: 'failed',
      error: { reason: 'transform_error', message: 'Error: no', line: 3 },
      console: ['1'],
    });
    const looping = await tryOut('export default () => { while (true); }');
    expect(looping.body).toMatchObject({ verdict: 'failed', error: { reason: 'transform_timeout' } });
    const broken = await tryOut('export default (');
    expect(broken.body.error).toMatchObject({ reason: 'transform_error', line: 1 });
  });

  test('gives the request that a source would, and shows the channels that it would take', async () => {
    const event = { data: null, request: { headers: { 'x-github-event': 'push' } } };
    const code = "export default ({ request }) => ({ data: 1, channels: [request.headers['x-github-event']] })";
    expect((await tryOut(code, event)).body.output.channels).toEqual(['push']);
    expect((await tryOut('export default () => ({ data: 1 })')).body.output.channels).toBeNull();
  });

  test('gives the event as asked for', async () => {
    const event = { id: 'evt_7', type: 'a.b', time: '2026-11-21T10:00:00Z', channels: ['eu'], data: null };
    const { body } = await tryOut('export default (e) => ({ data: [e, new Date().toISOString()] })', event);
    const seen = { ...event, time: '2026-11-21T10:00:00.000Z' };
    expect(body.output.data).toEqual([seen, '2026-11-21T10:00:00.000Z']);
  });

  test.each([
    [{ code: '', event: { data: 1 } }, '/code'],
    [{ code: 'x', event: { data: 1, type: 'no type' } }, '/event/type'],
    [{ code: 'x', event: { data: 1, time: 'yesterday' } }, '/event/time'],
  ])('refuses %#', async (body, path) => {
    const answer = await app.call('POST /v1/transforms/test', { body });
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map((error: { path: string }) => error.path)).toEqual([path]);
  });

  test('needs a key that may manage', async () => {
    const key = await app.aKey({ appId, permissions: ['read', 'publish'] });
    expect((await tryOut('export default () => null', undefined, key)).status).toBe(403);
    const own = await app.aKey({ appId });
    expect((await tryOut('export default () => null', undefined, own)).status).toBe(200);
  });

  test.each([
    ['export default (', /SyntaxError.*line 1/],
    ['export const a = 1', /no default export/],
    ['throw new Error("at once"); export default () => null', /at once/],
    ['import "node:fs"; export default () => null', /load/],
  ])('an endpoint does not take %s', async (transform, message) => {
    const url = 'https://example.com/';
    const created = await app.call(`POST /v1/apps/${appId}/endpoints`, { body: { url, transform } });
    const errors = [{ path: '/transform', message: expect.stringMatching(message) }];
    expect(created).toMatchObject({ status: 400, body: { errors } });
    const endpoint = await app.anEndpoint(appId);
    const changed = await app.call(`PATCH /v1/apps/${appId}/endpoints/${endpoint}`, { body: { transform } });
    expect(changed).toMatchObject({ status: 400, body: { errors } });
  });

  test('keeps the versions of an endpoint', async () => {
    const code = (n: number): string => `export default () => ({ data: ${n} })`;
    const endpoint = await app.anEndpoint(appId, { transform: code(1) });
    const path = `/v1/apps/${appId}/endpoints/${endpoint}`;
    const change = async (transform: string | null) => (await app.call(`PATCH ${path}`, { body: { transform } })).body;
    expect(await change(code(1))).toMatchObject({ transform: code(1), transformVersion: 1 });
    expect(await change(null)).toMatchObject({ transform: null, transformVersion: 1 });
    expect(await change(code(2))).toMatchObject({ transformVersion: 2 });
    expect(await change(code(3))).toMatchObject({ transformVersion: 3 });
    const first = (await app.call(`GET ${path}/transforms?limit=2`)).body;
    const second = (await app.call(`GET ${path}/transforms?limit=2&page=${first.nextPage}`)).body;
    const versions = [...first.data, ...second.data].map((one) => [one.version, one.code]);
    expect(versions).toEqual([3, 2, 1].map((n) => [n, code(n)]));
    expect(second.nextPage).toBeNull();
    expect(MAX_KEPT_VERSIONS).toBeGreaterThan(10);
  });
});
