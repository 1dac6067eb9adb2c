import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';
import { type Receiver, receiver } from '../../../test/receiver.ts';

describe('sources that are fetched', () => {
  let app: TestApp;
  let api: Receiver;
  let path: string;
  beforeAll(async () => {
    [app, api] = await Promise.all([testApp(), receiver()]);
    path = `/v1/apps/${await app.anApp()}/sources`;
  });
  afterAll(async () => {
    await app.close();
    await api.close();
  });

  const create = (members: object = {}) =>
    app.call(`POST ${path}`, { body: { kind: 'fetch', url: api.url, ...members } });

  test('are created, shown without what is secret, and changed', async () => {
    const created = await create({
      uid: 'orders',
      key: 'id',
      auth: { type: 'bearer', token: 'geheim' },
      channels: ['shop'],
    });
    expect(created.status).toBe(201);
    expect(created.body).toEqual({
      kind: 'fetch',
      id: expect.stringMatching(/^src_/),
      uid: 'orders',
      state: 'active',
      reason: null,
      description: '',
      channels: ['shop'],
      transform: null,
      transformVersion: 0,
      url: api.url,
      key: 'id',
      auth: { type: 'bearer' },
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    });
    expect((await app.call(`GET ${path}/orders`)).body).toEqual(created.body);
    const change = async (body: object) => (await app.call(`PATCH ${path}/orders`, { body })).body;
    expect(await change({ every: '1h', key: null })).toMatchObject({ every: '1h', auth: { type: 'bearer' } });
    expect(await change({ auth: null, paused: true })).toMatchObject({ state: 'paused', every: '1h' });
    const { body } = await app.call(`GET ${path}/orders`);
    expect(body).not.toHaveProperty('auth');
    expect(body).not.toHaveProperty('key');
    expect((await app.call(`DELETE ${path}/orders`)).status).toBe(204);
  });

  test('are refused with what is wrong with them, and nothing is stored', async () => {
    expect((await create({ url: 'https://forbidden.example/' })).body.code).toBe('address_forbidden');
    const oauth = { type: 'oauth2', tokenUrl: 'https://forbidden.example/', clientId: 'a', clientSecret: 'b' };
    expect((await create({ auth: oauth })).body.code).toBe('address_forbidden');
    const bad = await create({ changes: { by: 'snapshot' }, every: '1s' });
    expect(bad.status).toBe(400);
    expect(bad.body.errors.map((error: { path: string }) => error.path)).toEqual(['/every', '/key']);
    expect((await create({ channels: ['a b'] })).body.errors[0].path).toBe('/channels/0');
    expect((await create({ evry: '1h' })).status).toBe(400);
    expect((await app.call(`GET ${path}`)).body.data).toEqual([]);
  });

  test('have members of their own kind only', async () => {
    const { body: fetched } = await create();
    const { body: hook } = await app.call(`POST ${path}`, { body: { kind: 'webhook', provider: 'github' } });
    const change = async (id: string, body: object) => (await app.call(`PATCH ${path}/${id}`, { body })).body;
    expect((await change(fetched.id, { capture: true })).errors[0].path).toBe('/capture');
    expect((await change(hook.id, { every: '1h' })).errors[0].path).toBe('/every');
    const rotated = await app.call(`POST ${path}/${fetched.id}/secret/rotate`, { body: { secret: 'another-secret' } });
    expect(rotated.status).toBe(409);
  });

  test('show what a run would tell', async () => {
    const { body: source } = await create({ key: 'id', items: 'list', start: 'all', type: 'order.{change}' });
    api.respondWith({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '{"list":[{"id":7,"n":1.50}]}',
    });
    const dry = await app.call(`POST ${path}/${source.id}/run?dry=true`);
    expect(dry.status).toBe(200);
    expect(dry.body).toMatchObject({ outcome: 'changed', cause: null, status: 200, pages: 1, items: 1, told: 1 });
    expect(dry.body.events).toMatchObject([{ type: 'order.created', data: { id: 7, n: 1.5 } }]);
    api.respondWith(500);
    expect((await app.call(`POST ${path}/${source.id}/run?dry=true`)).body).toMatchObject({
      outcome: 'failed',
      cause: 'unreachable',
    });
    expect((await app.call(`GET ${path}/${source.id}/runs`)).body).toEqual({ data: [], nextPage: null });
  });

  test('run when they are asked to, if they can', async () => {
    const { body: source } = await create();
    expect(await app.call(`POST ${path}/${source.id}/run`)).toMatchObject({ status: 202, body: { queued: true } });
    await app.call(`PATCH ${path}/${source.id}`, { body: { paused: true } });
    expect((await app.call(`POST ${path}/${source.id}/run`)).status).toBe(409);
    const { body: hook } = await app.call(`POST ${path}`, { body: { kind: 'webhook', provider: 'github' } });
    expect((await app.call(`POST ${path}/${hook.id}/run`)).status).toBe(409);
  });

  test('may have webhooks too', async () => {
    const fetch = { url: api.url, key: 'id', every: '1h', auth: { type: 'bearer', token: 'geheim' } };
    const { body: hook } = await app.call(`POST ${path}`, { body: { kind: 'webhook', provider: 'github', fetch } });
    expect(hook.fetch).toEqual({ ...fetch, auth: { type: 'bearer' } });
    const change = async (body: object) => (await app.call(`PATCH ${path}/${hook.id}`, { body })).body;
    expect((await change({ description: 'Both' })).fetch).toEqual(hook.fetch);
    expect((await change({ fetch: { url: api.url, every: '1s' } })).errors[0].path).toBe('/fetch/every');
    expect(await change({ fetch: null })).not.toHaveProperty('fetch');
  });
});
