// JavaScript of sources, end to end: what is acknowledged is in the log, or was not wanted; all else comes again.
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Receiver, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

const SECRET = 'a-secret-of-the-hook';
// biome-ignore lint/suspicious/noExplicitAny: what the API answers is what the tests are about
type Json = any;

describe('a source with a transform', () => {
  let server: Running;
  let api: Receiver;
  let app: string;
  let deliveries = 0;
  beforeAll(async () => {
    [server, api] = await Promise.all([running(), receiver()]);
    app = await server.anApp();
  });
  afterAll(async () => {
    await server.close();
    await api.close();
  });

  const aSource = (transform: string, members: object = {}): Promise<Json> =>
    server.ask(`POST /v1/apps/${app}/sources`, {
      kind: 'webhook',
      provider: 'github',
      secrets: [SECRET],
      transform,
      ...members,
    });
  const change = (source: Json, members: object): Promise<Json> =>
    server.ask(`PATCH /v1/apps/${app}/sources/${source.id}`, members);

  /** As GitHub sends it. */
  function push(source: Json, data: unknown, delivery = `d-${++deliveries}`): Promise<Response> {
    const body = JSON.stringify(data);
    const signature = createHmac('sha256', SECRET).update(body).digest('hex');
    return fetch(`${server.url}${source.path}`, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': delivery,
        'x-hub-signature-256': `sha256=${signature}`,
      },
    });
  }

  /** The events of the log after those that were there. */
  async function follow(): Promise<() => Promise<Json[]>> {
    const { cursor } = await server.ask(`GET /v1/apps/${app}/events?after=now`);
    return async () => (await server.ask(`GET /v1/apps/${app}/events?after=${cursor}&limit=1000`)).events;
  }

  async function requests(source: Json, count: number): Promise<Json[]> {
    let data: Json[] = [];
    await until(async () => {
      ({ data } = await server.ask(`GET /v1/apps/${app}/sources/${source.id}/requests`));
      return data.length >= count;
    });
    expect(data).toHaveLength(count);
    return data;
  }

  test('appends what its code makes of a request', async () => {
    const source = await aSource(`export default ({ type, channels, data, request }) => ({
      type: 'repo.' + request.headers['x-github-event'], channels: ['ref:' + data.ref], data: { was: type, ref: data.ref } })`);
    expect(source).toMatchObject({ transform: expect.stringContaining('repo.'), transformVersion: 1 });
    const added = await follow();
    expect((await push(source, { ref: 'main' })).status).toBe(200);
    expect(await added()).toMatchObject([
      { type: 'repo.push', channels: ['ref:main'], data: { was: 'github.push', ref: 'main' } },
    ]);
  });

  test('acknowledges what its code leaves out, and keeps it with the reason', async () => {
    const code = `export default (event) => { if (event.data.n > 1) return event; console.log('too few'); return null; }`;
    const source = await aSource(code, { response: { status: 202 }, rate: { perSecond: 0.01 } });
    const added = await follow();
    for (const n of [1, 1, 2]) expect((await push(source, { n })).status).toBe(202);
    expect((await added()).map(({ data }) => data)).toEqual([{ n: 2 }]);
    for (const request of await requests(source, 2)) {
      expect(request).toMatchObject({ cause: 'filtered', reason: null, status: 202, type: 'github.push', event: null });
      expect(request.detail).toBe('Version 1 of the transformation returned null. too few');
    }
  });

  test('knows what comes twice by what was received', async () => {
    const source = await aSource(`export default ({ id }) => ({ type: 'made', data: id })`);
    const added = await follow();
    for (const ref of ['one', 'another']) expect((await push(source, { ref }, 'same')).status).toBe(200);
    const [event, ...more] = await added();
    expect(more).toEqual([]);
    expect(event.data).toBe(event.id);
    expect(await requests(source, 1)).toMatchObject([{ cause: 'duplicate', event: event.id }]);
  });

  test('loses nothing that its code fails on: it is not acknowledged, kept, and taken when it comes again', async () => {
    const source = await aSource('export default ({ data }) => {\n  return { data: data.commits.length };\n};');
    const added = await follow();
    const refused = await push(source, { ref: 'main' }, 'again');
    expect(refused.status).toBe(500);
    expect(refused.headers.get('retry-after')).toBe('60');
    expect(await refused.text()).not.toContain('commits');
    const [request] = await requests(source, 1);
    expect(request).toMatchObject({ cause: 'transform_failed', reason: 'transform_error', status: 500, event: null });
    expect(request).toMatchObject({ type: 'github.push', body: '{"ref":"main"}' });
    expect(request.detail).toMatch(/^Version 1 of the transformation failed: TypeError.*\(line 2, column \d+\)$/);
    expect(await added()).toEqual([]);
    const mended = await change(source, { transform: 'export default ({ data }) => ({ data: data.ref })' });
    expect(mended.transformVersion).toBe(2);
    expect((await push(source, { ref: 'main' }, 'again')).status).toBe(200);
    expect((await added()).map(({ data }) => data)).toEqual(['main']);
  });

  test.each([
    ['transform_timeout', 'export default () => { for (;;); }'],
    ['transform_memory', 'export default () => { const all = []; for (;;) all.push(new Array(100000).fill(1)); }'],
  ])('ends a bomb with %s, and other apps do not notice', async (reason, bomb) => {
    const source = await aSource(bomb);
    const [own, other] = [app, await server.anApp()];
    app = other;
    const bystander = await aSource('export default (event) => event');
    app = own;
    const answers = await Promise.all([push(source, {}), push(bystander, {}), push(source, { n: 2 })]);
    expect(answers.map(({ status }) => status)).toEqual([500, 200, 500]);
    for (const request of await requests(source, 2))
      expect(request).toMatchObject({ cause: 'transform_failed', reason });
  });

  test('has other versions of its code, and none of what cannot be loaded', async () => {
    const code = (n: number): string => `export default () => ({ data: ${n} })`;
    const source = await aSource(code(1));
    expect(await change(source, { transform: code(1), description: 'Same' })).toMatchObject({ transformVersion: 1 });
    expect(await change(source, { transform: code(2) })).toMatchObject({ transformVersion: 2, transform: code(2) });
    expect(await change(source, { transform: null })).toMatchObject({ transformVersion: 2, transform: null });
    const added = await follow();
    expect((await push(source, { plain: true })).status).toBe(200);
    expect((await added())[0].data).toEqual({ plain: true });
    for (const [transform, message] of [
      ['export default (event) => {\n  return event +;\n}', /cannot be loaded: SyntaxError.*line 2/],
      ['const a = 1;', /cannot be loaded/],
      [' ', /is empty/],
    ] as const) {
      const created = { kind: 'webhook', provider: 'github', secrets: [SECRET], transform };
      for (const [route, body] of [
        [`POST /v1/apps/${app}/sources`, created],
        [`PATCH /v1/apps/${app}/sources/${source.id}`, { transform }],
      ] as const) {
        const { status, bytes } = await server.call(route, body);
        expect(status).toBe(400);
        const { errors } = JSON.parse(bytes.toString());
        expect(errors).toEqual([{ path: '/transform', message: expect.stringMatching(message) }]);
      }
    }
    const { transform, transformVersion } = await server.ask(`GET /v1/apps/${app}/sources/${source.id}`);
    expect({ transform, transformVersion }).toEqual({ transform: null, transformVersion: 2 });
  });

  test('that is fetched tells what its code makes of items, and nothing of a run that it fails in', async () => {
    api.respondWith({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([{ id: 1 }, { id: 2, skip: true }, { id: 3, bad: true }]),
    });
    const code = `export default ({ data }) => {
      if (data.bad) throw new Error('It is bad.');
      return data.skip ? null : { type: 'item.made', channels: ['item:' + data.id], data: data.id };
    };`;
    const source = await server.ask(`POST /v1/apps/${app}/sources`, {
      kind: 'fetch',
      url: api.url,
      key: 'id',
      start: 'all',
      every: '1h',
      transform: code,
    });
    const added = await follow();
    const runs = async (): Promise<Json[]> => (await server.ask(`GET /v1/apps/${app}/sources/${source.id}/runs`)).data;
    await until(async () => (await runs()).length === 1);
    const [failed] = await runs();
    expect(failed).toMatchObject({ outcome: 'failed', cause: 'transform_failed', created: 0 });
    expect(failed.detail).toContain('It is bad. (line 2, column');
    expect(failed.detail).toContain('the item 3');
    expect(await added()).toEqual([]);
    expect(await change(source, { transform: code.replace('data.bad', 'false') })).toMatchObject({
      transformVersion: 2,
    });
    await until(async () => (await runs()).length === 2);
    expect((await runs())[0]).toMatchObject({ outcome: 'changed', created: 2 });
    expect((await added()).map(({ type, channels, data }) => ({ type, channels, data }))).toEqual(
      [1, 3].map((id) => ({ type: 'item.made', channels: [`item:${id}`], data: id })),
    );
  });
});
