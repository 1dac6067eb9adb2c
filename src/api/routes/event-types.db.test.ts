import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';

const SCHEMA = {
  type: 'object',
  properties: { amount: { type: 'integer', minimum: 0 }, note: { type: 'string' } },
  required: ['amount'],
};

describe('event types API', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await testApp();
  });
  afterAll(() => app.close());
  const put = (type: string, body: object, query = '') => app.call(`PUT /v1/event-types/${type}${query}`, { body });
  const patch = (type: string, body: object, query = '') => app.call(`PATCH /v1/event-types/${type}${query}`, { body });
  const get = async (type: string, below = '') => (await app.call(`GET /v1/event-types/${type}${below}`)).body;

  test('keeps a catalogue', async () => {
    const definition = {
      description: 'Paid.',
      schema: SCHEMA,
      examples: [{ amount: 1 }],
      validation: 'warn',
      deprecated: true,
    };
    const first = (await put('invoice.paid', definition)).body;
    expect(first).toMatchObject({
      type: 'invoice.paid',
      ...definition,
      version: 1,
      archived: false,
      breakingChanges: [],
    });
    const second = await put('invoice.paid', { description: 'Was paid.', archived: true });
    expect(second.body).toMatchObject({
      schema: null,
      version: null,
      examples: [],
      validation: 'off',
      deprecated: false,
    });
    const { breakingChanges, ...stored } = second.body;
    expect(breakingChanges).toMatchObject([{ affects: 'receivers', path: '' }]);
    expect(stored).toMatchObject({ description: 'Was paid.', archived: true, createdAt: first.createdAt });
    expect(await get('invoice.paid')).toEqual(stored);
    expect((await app.call('DELETE /v1/event-types/invoice.paid')).status).toBe(204);
    for (const route of ['DELETE', 'GET', 'PATCH']) {
      expect((await app.call(`${route} /v1/event-types/invoice.paid`, { body: {} })).status).toBe(404);
    }
    expect((await put('invoice.paid', { schema: true })).body).toMatchObject({ schema: true, version: 1 });
  });

  test('keeps a schema as it was written', async () => {
    const schema = JSON.parse(
      '{"type":"object","properties":{"z":{},"a":{"const":"\\u0000"},"__proto__":{"type":"string"}}}',
    );
    await put('as.written', { schema });
    expect(JSON.stringify((await get('as.written')).schema)).toBe(JSON.stringify(schema));
  });

  test('changes what is given, and counts versions of the schema', async () => {
    await put('a.b', { description: 'A', schema: SCHEMA, validation: 'reject' });
    expect((await patch('a.b', { description: 'B' })).body).toMatchObject({
      description: 'B',
      version: 1,
      validation: 'reject',
    });
    const again = { required: SCHEMA.required, properties: SCHEMA.properties, type: SCHEMA.type };
    expect((await patch('a.b', { schema: again })).body).toMatchObject({ version: 1, breakingChanges: [] });
    const wider = { ...SCHEMA, required: [] };
    expect((await patch('a.b', { schema: wider })).body).toMatchObject({
      version: 2,
      breakingChanges: [{ affects: 'receivers', path: '/amount', message: 'This may be absent now.' }],
    });
    expect(await get('a.b', '/versions')).toMatchObject({ data: [{ version: 2 }, { version: 1 }], nextPage: null });
    const { nextPage } = await get('a.b', '/versions?limit=1');
    expect((await get('a.b', `/versions?limit=1&page=${nextPage}`)).data).toMatchObject([{ version: 1 }]);
    expect(await get('a.b', '/versions/1')).toMatchObject({ version: 1, schema: SCHEMA });
    expect(await get('a.b', '/versions/3')).toMatchObject({ code: 'not_found' });
    expect(await get('a.b', '/changes?from=1')).toMatchObject({
      from: 1,
      to: 2,
      breakingChanges: [{ path: '/amount' }],
    });
    expect(await get('a.b', '/changes?from=2&to=1')).toMatchObject({ breakingChanges: [{ affects: 'publishers' }] });
    expect(await get('none', '/versions')).toMatchObject({ code: 'not_found' });
  });

  test('tells beforehand what a change would be, and refuses one that breaks when asked to', async () => {
    await put('c.d', { schema: SCHEMA });
    const wider = { schema: { ...SCHEMA, required: [] } };
    const planned = (await patch('c.d', wider, '?dryRun=true')).body;
    expect(planned).toMatchObject({ version: 2, schema: wider.schema, breakingChanges: [{ path: '/amount' }] });
    const refused = (await patch('c.d', wider, '?breaking=refuse')).body;
    expect(refused).toMatchObject({ code: 'breaking_change', errors: [{ path: '/c.d/amount' }] });
    expect(await get('c.d')).toMatchObject({ version: 1 });
    expect((await put('e.f', {}, '?dryRun=true')).status).toBe(200);
    expect(await get('e.f')).toMatchObject({ code: 'not_found' });
  });

  test('takes a single example without a list', async () => {
    const { body } = await put('invoice.single', { example: { amount: 1 } });
    expect(body).toMatchObject({ examples: [{ amount: 1 }] });
    expect(body).not.toHaveProperty('example');
  });

  test('lists each type once over all pages, newest first', async () => {
    const types = Array.from({ length: 7 }, (_, i) => `list.${i}`);
    for (const type of types) await put(type, { schema: {}, examples: [1] });
    const seen: { type: string; createdAt: string }[] = [];
    let page = '';
    do {
      const { body } = await app.call(`GET /v1/event-types?limit=3${page}`);
      seen.push(...body.data);
      page = body.nextPage === null ? '' : `&page=${body.nextPage}`;
    } while (page !== '');
    expect(
      seen
        .map(({ type }) => type)
        .filter((type) => type.startsWith('list.'))
        .sort(),
    ).toEqual(types);
    expect(seen[0]).not.toHaveProperty('schema');
    const times = seen.map(({ createdAt }) => createdAt);
    expect(times).toEqual(times.toSorted().reverse());
  });

  test('refuses what is no type, no schema, or an example that does not fit', async () => {
    const errorsOf = async (type: string, body: object) => (await put(type, body)).body.errors;
    expect((await errorsOf('a%20b', {}))[0].path).toBe('/type');
    expect((await put('a'.repeat(129), {})).status).toBe(400);
    expect((await put('a'.repeat(128), {})).status).toBe(200);
    expect((await errorsOf('x', { description: 'd'.repeat(4001) }))[0].path).toBe('/description');
    expect(await errorsOf('x', { sample: 1 })).toEqual([{ path: '/sample', message: '`sample` is not known here.' }]);
    expect((await errorsOf('x', { validation: 'warn' }))[0].path).toBe('/validation');
    expect((await errorsOf('x', { schema: { properties: { a: { type: 'text' } } } }))[0].path).toBe(
      '/schema/properties/a/type',
    );
    expect((await errorsOf('x', { schema: { $ref: 'https://example.com/x' } }))[0].path).toBe('/schema/$ref');
    expect(await errorsOf('x', { schema: SCHEMA, examples: [{ amount: 1 }, { amount: -1 }, {}] })).toEqual([
      { path: '/examples/1/amount', message: 'This must be at least 0.' },
      { path: '/examples/2/amount', message: 'This is required.' },
    ]);
    expect(await errorsOf('x', { schema: SCHEMA, example: { amount: -1 } })).toEqual([
      { path: '/example/amount', message: 'This must be at least 0.' },
    ]);
    expect((await errorsOf('x', { example: 1, examples: [2] }))[0].path).toBe('/example');
    expect(await get('x')).toMatchObject({ code: 'not_found' });
  });
});

describe('validation on publish', () => {
  let app: TestApp;
  let appId: string;
  beforeAll(async () => {
    app = await testApp();
    appId = await app.anApp();
    for (const validation of ['off', 'warn', 'reject']) {
      const body = { schema: SCHEMA, validation };
      expect((await app.call(`PUT /v1/event-types/${validation}`, { body })).status).toBe(200);
    }
  });
  afterAll(() => app.close());
  const publish = (type: string, data: unknown, ref = appId) =>
    app.call(`POST /v1/apps/${ref}/events`, { body: { type, data } });
  const count = async () => (await app.call(`GET /v1/apps/${appId}/events`)).body.events.length;

  test('does what the type says', async () => {
    for (const type of ['off', 'warn', 'reject', 'unknown']) {
      const { status, body } = await publish(type, { amount: 1 });
      expect(status).toBe(202);
      expect(body).not.toHaveProperty('warnings');
    }
    const before = await count();
    expect((await publish('off', {})).body).not.toHaveProperty('warnings');
    expect((await publish('warn', { amount: 'x' })).body).toMatchObject({
      duplicate: false,
      warnings: [{ path: '/data/amount', message: 'This must be an integer, not a string.' }],
    });
    const refused = await publish('reject', { amount: -1, note: 5 });
    expect(refused.status).toBe(422);
    expect(refused.headers['content-type']).toMatch('application/problem+json');
    expect(refused.body).toMatchObject({
      code: 'schema_violation',
      errors: [
        { path: '/data/amount', message: 'This must be at least 0.' },
        { path: '/data/note', message: 'This must be a string, not -1.'.replace('-1', '5') },
      ],
    });
    expect(await count()).toBe(before + 2);
  });

  test('looks at every event of a batch, and stores all or none', async () => {
    const batch = (events: object[]) => app.call(`POST /v1/apps/${appId}/events/batch`, { body: { events } });
    const [good, odd, bad] = [
      { type: 'reject', data: { amount: 1 } },
      { type: 'warn', data: {} },
      { type: 'reject', data: 1 },
    ];
    const { body } = await batch([good, odd]);
    expect(body.events[0]).not.toHaveProperty('warnings');
    expect(body.events[1].warnings).toEqual([{ path: '/events/1/data/amount', message: 'This is required.' }]);
    const before = await count();
    const refused = await batch([good, bad, odd, bad]);
    expect(refused.status).toBe(422);
    expect(refused.body.errors.map(({ path }: { path: string }) => path)).toEqual(['/events/1/data', '/events/3/data']);
    expect(await count()).toBe(before);
  });

  test('does what the app says in place of its types', async () => {
    const strict = await app.anApp({ validation: 'reject' });
    expect((await publish('off', {}, strict)).status).toBe(422);
    expect((await publish('warn', {}, strict)).status).toBe(422);
    expect((await publish('off', {})).status).toBe(202);
    const change = (validation: string | null) => app.call(`PATCH /v1/apps/${strict}`, { body: { validation } });
    expect((await change('off')).body.validation).toBe('off');
    expect((await publish('reject', {}, strict)).body).not.toHaveProperty('warnings');
    expect((await change('warn')).status).toBe(200);
    expect((await publish('reject', {}, strict)).body.warnings).toHaveLength(1);
    expect((await change(null)).body.validation).toBeNull();
    expect((await publish('reject', {}, strict)).status).toBe(422);
    expect((await publish('off', {}, strict)).status).toBe(202);
  });

  test('holds to a change at once, and refuses what is archived', async () => {
    await app.call('PUT /v1/event-types/late', { body: { schema: { type: 'string' }, validation: 'reject' } });
    expect((await publish('late', 1)).status).toBe(422);
    await app.call('PATCH /v1/event-types/late', { body: { schema: { type: 'integer' } } });
    expect((await publish('late', 1)).status).toBe(202);
    await app.call('PATCH /v1/event-types/late', { body: { archived: true } });
    expect((await publish('late', 1)).body.errors[0].path).toBe('/type');
    await app.call('DELETE /v1/event-types/late');
    expect((await publish('late', '')).status).toBe(202);
  });

  test('ends on data that takes long, whatever the schema', async () => {
    const slow = { items: { anyOf: Array.from({ length: 50 }, (_, i) => ({ items: { items: { const: i } } })) } };
    await app.call('PUT /v1/event-types/slow', { body: { schema: slow, validation: 'reject' } });
    const row = Array.from({ length: 100 }, () => Array(100).fill(-1));
    const begin = performance.now();
    expect((await publish('slow', Array(30).fill(row))).status).toBe(422);
    expect(performance.now() - begin).toBeLessThan(5000);
  });
});
