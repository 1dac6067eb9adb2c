import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';

describe('event types API', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await testApp();
  });
  afterAll(() => app.close());
  const put = (type: string, body: object) => app.call(`PUT /v1/event-types/${type}`, { body });

  test('keeps a catalogue', async () => {
    const first = await put('invoice.paid', { description: 'Paid.' });
    expect(first.body).toMatchObject({ type: 'invoice.paid', description: 'Paid.', archived: false });
    const second = await put('invoice.paid', { description: 'Was paid.', archived: true });
    expect(second.body).toMatchObject({ description: 'Was paid.', archived: true, createdAt: first.body.createdAt });
    expect((await app.call('GET /v1/event-types/invoice.paid')).body).toEqual(second.body);
    expect((await app.call('DELETE /v1/event-types/invoice.paid')).status).toBe(204);
    expect((await app.call('DELETE /v1/event-types/invoice.paid')).status).toBe(404);
    expect((await app.call('GET /v1/event-types/invoice.paid')).status).toBe(404);
  });

  test('lists each type once over all pages, newest first', async () => {
    const types = Array.from({ length: 7 }, (_, i) => `list.${i}`);
    for (const type of types) await put(type, { description: '' });
    const seen: { type: string; createdAt: string }[] = [];
    let page = '';
    do {
      const { body } = await app.call(`GET /v1/event-types?limit=3${page}`);
      seen.push(...body.data);
      page = body.nextPage === null ? '' : `&page=${body.nextPage}`;
    } while (page !== '');
    expect(seen.map(({ type }) => type).sort()).toEqual(types);
    const times = seen.map(({ createdAt }) => createdAt);
    expect(times).toEqual(times.toSorted().reverse());
  });

  test('refuses what is no type, and members of no meaning here', async () => {
    expect((await put('a%20b', { description: '' })).body.errors[0].path).toBe('/type');
    expect((await put('a'.repeat(129), { description: '' })).status).toBe(400);
    expect((await put('a'.repeat(128), { description: '' })).status).toBe(200);
    expect((await put('a.b', { description: 'd'.repeat(4001) })).body.errors[0].path).toBe('/description');
    const { body } = await put('a.b', { description: '', validation: 'reject' });
    expect(body.errors).toEqual([{ path: '/validation', message: '`validation` is not known here.' }]);
  });
});
