import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';

describe('sources', () => {
  let app: TestApp;
  let id: string;
  let path: string;
  beforeAll(async () => {
    app = await testApp();
    id = await app.anApp();
    path = `/v1/apps/${id}/sources`;
  });
  afterAll(() => app.close());

  const create = (members: object = {}, headers: Record<string, string> = {}) =>
    app.call(`POST ${path}`, { body: { kind: 'webhook', provider: 'github', ...members }, headers });

  test('are created with what was given, and show no secret', async () => {
    const created = await create({
      uid: 'hub',
      description: 'Pushes',
      secrets: ['one-secret', 'another-secret'],
      channels: ['repo:1'],
      rate: { perSecond: 10 },
      response: { status: 202 },
      filter: { types: ['github.*'], where: { 'data.ref': 'refs/heads/main' } },
      capture: true,
    });
    expect(created.status).toBe(201);
    expect(created.body).toEqual({
      kind: 'webhook',
      id: expect.stringMatching(/^src_/),
      uid: 'hub',
      state: 'active',
      reason: null,
      provider: 'github',
      path: expect.stringMatching(/^\/in\/[0-9a-z]{26}$/),
      description: 'Pushes',
      secrets: 2,
      options: {},
      filter: { types: ['github.*'], where: { 'data.ref': 'refs/heads/main' } },
      transform: null,
      transformVersion: 0,
      channels: ['repo:1'],
      deduplicateSeconds: 86_400,
      rate: { perSecond: 10 },
      response: { status: 202, headers: {}, body: '' },
      capture: true,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    });
    expect(created.text).not.toContain('secret"');
    for (const ref of ['hub', created.body.id]) {
      expect((await app.call(`GET ${path}/${ref}`)).body).toEqual(created.body);
    }
    expect((await create({ uid: 'hub' })).body.code).toBe('uid_taken');
  });

  test('keep options that are secret apart', async () => {
    const { body } = await create({
      provider: 'whatsapp',
      secrets: ['app-secret'],
      options: { verifyToken: 'a-verify-token' },
    });
    expect(body.options).toEqual({});
    const missing = await create({ provider: 'whatsapp', secrets: ['app-secret'] });
    expect(missing.body.errors[0].path).toBe('/options/verifyToken');
    const changed = await app.call(`PATCH ${path}/${body.id}`, { body: { options: { verifyToken: 'another-one' } } });
    expect(changed.status).toBe(200);
    expect(changed.text).not.toContain('another-one');
  });

  test('are listed newest first, by pages', async () => {
    const other = await app.anApp();
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) {
      const { body } = await app.call(`POST /v1/apps/${other}/sources`, {
        body: { kind: 'webhook', provider: 'none' },
      });
      ids.unshift(body.id);
    }
    const first = (await app.call(`GET /v1/apps/${other}/sources?limit=2`)).body;
    const second = (await app.call(`GET /v1/apps/${other}/sources?limit=2&page=${first.nextPage}`)).body;
    expect([...first.data, ...second.data].map((source) => source.id)).toEqual(ids);
    expect(second.nextPage).toBeNull();
  });

  test('are changed in what is given; null is the default', async () => {
    const { body } = await create({ rate: { perSecond: 1 }, deduplicateSeconds: 60, filter: { types: ['a'] } });
    const patch = async (change: object) => (await app.call(`PATCH ${path}/${body.id}`, { body: change })).body;
    expect(await patch({ description: 'New' })).toMatchObject({ description: 'New', deduplicateSeconds: 60 });
    expect(await patch({ rate: null, deduplicateSeconds: null, filter: null, uid: 'mine' })).toMatchObject({
      rate: null,
      deduplicateSeconds: 86_400,
      filter: {},
      uid: 'mine',
      path: body.path,
    });
    expect(await patch({ paused: true })).toMatchObject({ state: 'paused', uid: 'mine' });
    expect(await patch({ paused: false, secrets: ['new-secret'] })).toMatchObject({ state: 'active', secrets: 1 });
  });

  test.each([
    [{ provider: 'nobody' }, '/provider'],
    [{ provider: 'svix', secrets: ['not of its form'] }, '/secrets/0'],
    [{ provider: 'none', secrets: ['any'] }, '/secrets/0'],
    [{ options: { colour: 'red' } }, '/options/colour'],
    [{ provider: 'hmac', options: { hash: 'sha3' } }, '/options/hash'],
    [{ channels: ['a b'] }, '/channels/0'],
    [{ filter: { types: [''] } }, '/filter/types/0'],
    [{ response: { status: 200, headers: { 'content-length': '1' } } }, '/response/headers/content-length'],
    [{ response: { status: 199 } }, '/response/status'],
    [{ deduplicateSeconds: -1 }, '/deduplicateSeconds'],
    [{ secrets: Array.from({ length: 6 }, () => 'secret') }, '/secrets'],
    [{ kind: 'other' }, '/kind'],
  ])('are refused with %j', async (members, where) => {
    const answer = await create(members);
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map((error: { path: string }) => error.path)).toContain(where);
  });

  test('are created once under an Idempotency-Key', async () => {
    const key = { 'idempotency-key': 'once' };
    const [one, again] = [await create({}, key), await create({}, key)];
    expect(again.body).toEqual(one.body);
    expect((await create({ description: 'x' }, key)).status).toBe(409);
  });

  test('have few secrets at a time', async () => {
    const { body } = await create({ secrets: ['secret-0'] });
    const rotate = (n: number, more: object = {}) =>
      app.call(`POST ${path}/${body.id}/secret/rotate`, { body: { secret: `secret-${n}`, ...more } });
    for (let n = 1; n < 5; n++) expect((await rotate(n)).body.secrets).toBe(n + 1);
    expect((await rotate(5)).body.errors[0].path).toBe('/graceSeconds');
    expect((await rotate(6, { graceSeconds: 0 })).body.secrets).toBe(1);
    const { body: open } = await create({ provider: 'none' });
    const refused = await app.call(`POST ${path}/${open.id}/secret/rotate`, { body: { secret: 'x' } });
    expect(refused.body.errors[0].path).toBe('/secret');
  });

  test('are deleted', async () => {
    const { body } = await create();
    expect((await app.call(`DELETE ${path}/${body.id}`)).status).toBe(204);
    for (const call of ['GET', 'DELETE']) expect((await app.call(`${call} ${path}/${body.id}`)).status).toBe(404);
    expect((await app.call(`GET ${path}/${body.id}/requests`)).status).toBe(404);
  });
});
