import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';

describe('keys API', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await testApp();
  });
  afterAll(() => app.close());
  const create = (body: object) => app.call('POST /v1/keys', { body });

  test('shows a new key once, and it works until it is deleted', async () => {
    const appId = await app.anApp({ uid: 'acme' });
    const created = await create({ name: 'CI', scope: 'app', app: 'acme', permissions: ['read'] });
    expect(created.status).toBe(201);
    expect(created.headers['cache-control']).toBe('no-store');
    const { key, ...shown } = created.body;
    expect(shown).toEqual({
      id: expect.stringMatching(/^key_/),
      name: 'CI',
      scope: 'app',
      app: appId,
      permissions: ['read'],
      hint: key.slice(0, 10),
      expiresAt: null,
      createdAt: expect.any(String),
    });
    expect((await app.call('GET /v1/apps/acme', { key })).status).toBe(200);
    const list = await app.call('GET /v1/keys');
    expect(list.body.data[0]).toEqual(shown);
    expect(list.text).not.toContain(key);
    expect((await app.call(`DELETE /v1/keys/${shown.id}`)).status).toBe(204);
    expect((await app.call('GET /v1/apps/acme', { key })).status).toBe(401);
    expect((await app.call(`DELETE /v1/keys/${shown.id}`)).status).toBe(404);
  });

  test('ends a key at its time, also one that is remembered', async () => {
    const key = await app.aKey({ appId: null, expiresAt: new Date(Date.now() + 300) });
    const answers: number[] = [];
    do answers.push((await app.call('GET /v1/apps', { key })).status);
    while (answers.at(-1) === 200);
    expect(answers[0]).toBe(200);
    expect(answers.at(-1)).toBe(401);
  });

  test.each<[string, object, string]>([
    ['an app key without its app', { scope: 'app' }, '/app'],
    ['an instance key with an app', { scope: 'instance', app: 'x' }, '/app'],
    ['no permission', { permissions: [] }, '/permissions'],
    ['an unknown permission', { permissions: ['rule'] }, '/permissions/0'],
    ['a time that is past', { expiresAt: '2020-01-01T00:00:00Z' }, '/expiresAt'],
    ['a time that is none', { expiresAt: 'tomorrow' }, '/expiresAt'],
    ['an empty name', { name: '' }, '/name'],
  ])('refuses %s', async (_, members, path) => {
    const { status, body } = await create({ name: 'x', scope: 'instance', permissions: ['read'], ...members });
    expect([status, body.errors[0].path]).toEqual([400, path]);
  });

  test('makes no key for an app that is not there', async () => {
    const { status } = await create({ name: 'x', scope: 'app', app: 'nobody', permissions: ['read'] });
    expect(status).toBe(404);
  });
});
