import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';
import { TIDINGS_APP_ID } from '../../core/id.ts';

describe('apps API', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await testApp();
  });
  afterAll(() => app.close());

  test('creates, shows, changes and deletes', async () => {
    const created = await app.call('POST /v1/apps', { body: { name: 'Acme', uid: 'acme', metadata: { plan: 'pro' } } });
    expect(created.status).toBe(201);
    expect(created.body).toEqual({
      id: expect.stringMatching(/^app_[0-9a-z]{26}$/),
      uid: 'acme',
      name: 'Acme',
      validation: null,
      metadata: { plan: 'pro' },
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: expect.any(String),
    });
    const { id } = created.body;
    expect((await app.call('GET /v1/apps/acme')).body).toEqual(created.body);
    const changed = await app.call(`PATCH /v1/apps/${id}`, { body: { uid: 'acme-2', name: 'Acme 2' } });
    expect(changed.body).toMatchObject({ uid: 'acme-2', name: 'Acme 2', metadata: { plan: 'pro' } });
    expect((await app.call('GET /v1/apps/acme')).status).toBe(404);
    expect((await app.call('GET /v1/apps/acme-2')).status).toBe(200);
    const deleted = await app.call('DELETE /v1/apps/acme-2');
    expect([deleted.status, deleted.text]).toEqual([204, '']);
    for (const route of [`GET /v1/apps/${id}`, `DELETE /v1/apps/${id}`, `GET /v1/apps/${id}/endpoints`]) {
      expect((await app.call(route)).status).toBe(404);
    }
    expect(app.engine.changedApps).toContain(id);
  });

  test("a deleted app's key ends at once", async () => {
    const id = await app.anApp();
    const key = await app.aKey({ appId: id });
    expect((await app.call(`GET /v1/apps/${id}`, { key })).status).toBe(200);
    await app.call(`DELETE /v1/apps/${id}`);
    expect((await app.call(`GET /v1/apps/${id}`, { key })).status).toBe(401);
  });

  test('lists newest first, in pages', async () => {
    const made = [await app.anApp(), await app.anApp(), await app.anApp()].reverse();
    const first = (await app.call('GET /v1/apps?limit=2')).body;
    expect(first.data.map(({ id }: { id: string }) => id)).toEqual(made.slice(0, 2));
    const second = (await app.call(`GET /v1/apps?limit=1&page=${first.nextPage}`)).body;
    expect(second.data[0].id).toBe(made[2]);
    let last = second;
    while (last.nextPage !== null) last = (await app.call(`GET /v1/apps?page=${last.nextPage}`)).body;
    expect(last.data.at(-1).id).toBe(TIDINGS_APP_ID);
  });

  test('takes an idempotency key', async () => {
    const headers = { 'idempotency-key': 'k1' };
    const first = await app.call('POST /v1/apps', { body: { name: 'Once' }, headers });
    const again = await app.call('POST /v1/apps', { body: '{ "name": "Once" }', headers });
    expect([again.status, again.body]).toEqual([201, first.body]);
    const other = await app.call('POST /v1/apps', { body: { name: 'Twice' }, headers });
    expect([other.status, other.body.code]).toEqual([409, 'idempotency_conflict']);
    const long = { 'idempotency-key': 'k'.repeat(256) };
    expect((await app.call('POST /v1/apps', { body: { name: 'x' }, headers: long })).body.code).toBe('invalid_request');
  });

  test.each<[string, unknown, string]>([
    ['no name', {}, '/name'],
    ['an empty name', { name: '' }, '/name'],
    ['a name too long', { name: 'n'.repeat(257) }, '/name'],
    ['U+0000 in a name', { name: 'a\u0000b' }, '/name'],
    ['half a surrogate pair', '{"name":"\\ud800"}', '/name'],
    ['a uid like an id', { name: 'x', uid: 'app_1' }, '/uid'],
    ['a uid with a slash', { name: 'x', uid: 'a/b' }, '/uid'],
    ['a uid too long', { name: 'x', uid: 'u'.repeat(129) }, '/uid'],
    ['metadata that is no text', { name: 'x', metadata: { a: 1 } }, '/metadata/a'],
    ['metadata with U+0000', { name: 'x', metadata: { a: '\u0000' } }, '/metadata/a'],
    ['a metadata value too long', { name: 'x', metadata: { a: 'v'.repeat(501) } }, '/metadata/a'],
    [
      'too much metadata',
      { name: 'x', metadata: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, ''])) },
      '/metadata',
    ],
    ['an unknown member', { name: 'x', colour: 'red' }, '/colour'],
    ['no object', '[]', ''],
  ])('refuses %s', async (_, body, path) => {
    const { status, body: problem } = await app.call('POST /v1/apps', { body });
    expect([status, problem.code]).toEqual([400, 'invalid_request']);
    expect(problem.errors[0].path).toBe(path);
  });

  test('takes texts up to their limits', async () => {
    const metadata = Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => [`${i}`.padEnd(64, 'k'), 'v'.repeat(500)]),
    );
    await app.anApp({ name: '🎈'.repeat(128), uid: 'u'.repeat(128), metadata });
    expect((await app.call(`GET /v1/apps/${'u'.repeat(128)}`)).body.metadata).toEqual(metadata);
  });

  test('names the uid that is taken', async () => {
    await app.anApp({ uid: 'taken' });
    const { status, body } = await app.call('POST /v1/apps', { body: { name: 'x', uid: 'taken' } });
    expect([status, body.code]).toEqual([409, 'uid_taken']);
    expect(body.detail).toContain('taken');
  });

  test('keeps the built-in app', async () => {
    expect((await app.call(`GET /v1/apps/${TIDINGS_APP_ID}`)).status).toBe(200);
    expect((await app.call(`DELETE /v1/apps/${TIDINGS_APP_ID}`)).body.code).toBe('conflict');
  });
});
