import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../../test/app.ts';
import { parseSecret } from '../../core/signature.ts';

describe('endpoints API', () => {
  let app: TestApp;
  let appId: string;
  beforeAll(async () => {
    app = await testApp();
    appId = await app.anApp({ uid: 'acme' });
  });
  afterAll(() => app.close());

  const create = (members: object, headers = {}) =>
    app.call(`POST /v1/apps/${appId}/endpoints`, { body: { url: 'https://example.com/hook', ...members }, headers });
  const patch = (ref: string, body: object) => app.call(`PATCH /v1/apps/${appId}/endpoints/${ref}`, { body });
  const get = (ref: string, rest = '') => app.call(`GET /v1/apps/acme/endpoints/${ref}${rest}`);
  const post = (ref: string, action: string, body?: object) =>
    app.call(`POST /v1/apps/acme/endpoints/${ref}/${action}`, { ...(body && { body }) });

  test('has defaults', async () => {
    const { status, body } = await create({});
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^ep_/),
      uid: null,
      url: 'https://example.com/hook',
      description: '',
      filter: {},
      transform: null,
      transformVersion: 0,
      format: { name: 'standard' },
      headers: {},
      signing: 'v1',
      auth: null,
      retry: null,
      maxConcurrency: 256,
      timeoutMs: 15_000,
      disableAfterSeconds: 432_000,
      rate: null,
      order: 'none',
      onExhausted: 'skip',
      batch: null,
      mode: 'push',
      state: 'active',
      disabledReason: null,
      pausedAt: null,
      disabledAt: null,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    });
    expect((await get(body.id)).body).toEqual(body);
    expect(app.engine.changedApps).toContain(appId);
  });

  test('takes every setting', async () => {
    const settings = {
      uid: 'full',
      url: 'https://example.com/full?x=1',
      description: 'Everything',
      filter: { types: ['invoice.*', 'user.left'], channels: ['eu'] },
      headers: { 'x-env': 'test' },
      retry: { delaysSeconds: [1, 2.5] },
      maxConcurrency: 3,
      timeoutMs: 1000,
      disableAfterSeconds: 60,
      rate: { perSecond: 0.25 },
      order: 'strict',
      onExhausted: 'block',
      batch: { maxEvents: 50, maxWaitMs: 100 },
    };
    const { body } = await create({ ...settings, signing: 'v1a', start: 'oldest' });
    expect(body).toMatchObject({ ...settings, signing: 'v1a' });
    const cleared = {
      uid: null,
      description: null,
      filter: null,
      headers: null,
      retry: null,
      maxConcurrency: null,
      rate: null,
      batch: null,
      order: null,
    };
    expect((await patch('full', cleared)).body).toMatchObject({
      uid: null,
      description: '',
      filter: {},
      headers: {},
      retry: null,
      maxConcurrency: 256,
      timeoutMs: 1000,
      signing: 'v1a',
      rate: null,
      batch: null,
      order: 'none',
      onExhausted: 'block',
    });
    expect((await patch('full', { batch: { maxEvents: 2 } })).status).toBe(404);
    expect((await patch(body.id, { batch: { maxEvents: 2 } })).body.batch).toEqual({ maxEvents: 2, maxWaitMs: 1000 });
  });

  test.each<[string, object, string]>([
    ['no URL', { url: undefined }, '/url'],
    ['a URL that is none', { url: 'example' }, '/url'],
    ['another scheme', { url: 'ftp://example.com/' }, '/url'],
    ['a URL too long', { url: `https://example.com/${'p'.repeat(2048)}` }, '/url'],
    ['a description too long', { description: 'd'.repeat(501) }, '/description'],
    ['U+0000 in a description', { description: '\u0000' }, '/description'],
    ['a uid like an id', { uid: 'ep_1' }, '/uid'],
    ['an empty list of types', { filter: { types: [] } }, '/filter/types'],
    ['a type that is none', { filter: { types: ['a b'] } }, '/filter/types/0'],
    ['a later filter', { filter: { where: {} } }, '/filter/where'],
    ['a reserved header', { headers: { 'Webhook-Id': 'x' } }, '/headers/Webhook-Id'],
    ['a line end in a header', { headers: { 'x-a': 'a\r\nb' } }, '/headers/x-a'],
    [
      'too many headers',
      { headers: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`x-${i}`, ''])) },
      '/headers',
    ],
    ['too many retries', { retry: { delaysSeconds: Array(32).fill(1) } }, '/retry/delaysSeconds'],
    ['a negative delay', { retry: { delaysSeconds: [-1] } }, '/retry/delaysSeconds/0'],
    ['a concurrency of 0', { maxConcurrency: 0 }, '/maxConcurrency'],
    ['a concurrency of 1025', { maxConcurrency: 1025 }, '/maxConcurrency'],
    ['a timeout too short', { timeoutMs: 999 }, '/timeoutMs'],
    ['a timeout too long', { timeoutMs: 60_001 }, '/timeoutMs'],
    ['a fraction', { timeoutMs: 1000.5 }, '/timeoutMs'],
    ['an early disabling', { disableAfterSeconds: 59 }, '/disableAfterSeconds'],
    ['no requests at all', { rate: { perSecond: 0 } }, '/rate/perSecond'],
    ['a rate without a number', { rate: {} }, '/rate/perSecond'],
    ['a rate with something more', { rate: { perSecond: 1, burst: 5 } }, '/rate/burst'],
    ['an unknown order', { order: 'fifo' }, '/order'],
    ['an unknown way on', { onExhausted: 'stop' }, '/onExhausted'],
    ['a batch of one', { batch: { maxEvents: 1 } }, '/batch/maxEvents'],
    ['a batch of half an event', { batch: { maxEvents: 2.5 } }, '/batch/maxEvents'],
    ['a batch that waits too long', { batch: { maxEvents: 2, maxWaitMs: 60_001 } }, '/batch/maxWaitMs'],
    ['a late disabling', { disableAfterSeconds: 2_592_001 }, '/disableAfterSeconds'],
    ['another signing', { signing: 'v2' }, '/signing'],
    [
      'a secret of another scheme',
      { signing: 'v1a', secret: `whsec_${Buffer.alloc(32).toString('base64')}` },
      '/secret',
    ],
    ['another start', { start: 'yesterday' }, '/start'],
    ['a member of a later version', { mirror: 'x' }, '/mirror'],
  ])('refuses %s', async (_, members, path) => {
    const { status, body } = await create(members);
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    expect(body.errors.map((error: { path: string }) => error.path)).toContain(path);
  });

  test('takes a format by name or with options, and back to the default with null', async () => {
    const { body } = await create({ format: 'slack' });
    expect(body.format).toEqual({ name: 'slack' });
    expect((await patch(body.id, { format: body.format })).body.format).toEqual({ name: 'slack' });
    expect((await patch(body.id, { format: null })).body.format).toEqual({ name: 'standard' });
    const unknown = await create({ format: 'soap' });
    expect(unknown).toMatchObject({ status: 400, body: { errors: [{ path: '/format' }] } });
    const batched = await create({ format: { name: 'slack' }, batch: { maxEvents: 10 } });
    expect(batched).toMatchObject({ status: 400, body: { errors: [{ path: '/batch' }] } });
  });

  test('takes the options of a format, and says what is wrong with them', async () => {
    const telegram = { name: 'telegram', chatId: '@example', template: '<b>{{ type }}</b>' };
    expect((await create({ format: telegram })).body.format).toEqual(telegram);
    expect((await create({ format: { name: 'cloudevents' } })).body.format).toEqual({
      name: 'cloudevents',
      mode: 'structured',
    });
    const bad = await create({ format: { name: 'template', body: '{{ x }}', contentType: 'text/plain', size: 1 } });
    expect(bad.status).toBe(400);
    expect(bad.body.errors.map(({ path }: { path: string }) => path)).toEqual(['/format/body', '/format/size']);
    expect((await create({ format: 7 })).body.errors).toMatchObject([{ path: '/format' }]);
    const batch = { maxEvents: 10 };
    expect((await create({ format: { name: 'cloudevents', mode: 'batch' }, batch })).status).toBe(201);
    const { body } = await create({ format: 'xml', batch });
    expect((await patch(body.id, { format: 'raw' })).body.errors).toMatchObject([{ path: '/batch' }]);
    expect((await patch(body.id, { format: 'raw', batch: null })).status).toBe(200);
  });

  test('says that thin needs the address of the server', async () => {
    const { status, body } = await create({ format: 'thin' });
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ path: '/format', message: expect.stringContaining('--public-url') }]);
  });

  test('asks the URL for its consent where the format wants it, and takes the rate that it allows', async () => {
    const { engine } = app;
    const before = engine.asked.length;
    const format = { name: 'cloudevents', handshake: { origin: 'events.example.com' } };
    engine.consent = { ratePerMinute: 90 };
    const { body } = await create({ format, headers: { 'x-key': 'a' } });
    expect(body.rate).toEqual({ perSecond: 1.5 });
    const origin = 'events.example.com';
    const asked = { url: 'https://example.com/hook', headers: { 'x-key': 'a' }, credential: null, origin };
    expect(engine.asked.slice(before)).toEqual([{ ...asked, ratePerMinute: null }]);
    await patch(body.id, { description: 'the same in what it consented to' });
    expect(engine.asked).toHaveLength(before + 1);
    expect((await patch(body.id, { rate: { perSecond: 1 } })).body.rate).toEqual({ perSecond: 1 });
    expect(engine.asked.at(-1)).toEqual({ ...asked, ratePerMinute: 60 });
    expect((await patch(body.id, { rate: { perSecond: 2 } })).body.rate).toEqual({ perSecond: 1.5 });
    expect((await patch(body.id, { mode: 'pull', url: 'https://example.com/other' })).status).toBe(200);
    expect(engine.asked).toHaveLength(before + 3);
    await patch(body.id, { mode: 'push' });
    expect(engine.asked.at(-1)).toMatchObject({ url: 'https://example.com/other' });
    engine.consent = { ratePerMinute: null };
    await patch(body.id, { format: 'standard', url: 'https://example.com/third' });
    expect(engine.asked).toHaveLength(before + 4);
  });

  test('does not repeat a secret that is refused', async () => {
    const { status, text } = await create({ secret: 'whsec_tooshort' });
    expect(status).toBe(400);
    expect(text).not.toContain('tooshort');
  });

  test('asks whether the URL may be used, on creating and on changing', async () => {
    expect((await create({ url: 'https://forbidden.example/' })).body.code).toBe('address_forbidden');
    const id = await app.anEndpoint(appId);
    expect((await patch(id, { url: 'https://forbidden.example/' })).body.code).toBe('address_forbidden');
    expect((await get(id)).body.url).toBe('https://example.com/webhooks');
  });

  test('changes what is named and nothing else', async () => {
    const id = await app.anEndpoint(appId, { description: 'before', headers: { a: '1' } });
    const { body } = await patch(id, { filter: { types: ['x'] }, uid: 'patched' });
    expect(body).toMatchObject({
      description: 'before',
      headers: { a: '1' },
      filter: { types: ['x'] },
      uid: 'patched',
    });
    expect((await patch('patched', {})).status).toBe(200);
    for (const member of ['signing', 'secret', 'start']) {
      expect((await patch(id, { [member]: 'now' })).body.errors[0].path).toBe(`/${member}`);
    }
    await create({ uid: 'other' });
    expect((await patch(id, { uid: 'other' })).body.code).toBe('uid_taken');
  });

  test('takes an idempotency key', async () => {
    const headers = { 'idempotency-key': 'k' };
    const first = await create({}, headers);
    expect((await create({}, headers)).body.id).toBe(first.body.id);
    expect((await create({ timeoutMs: 2000 }, headers)).body.code).toBe('idempotency_conflict');
    await app.call(`DELETE /v1/apps/acme/endpoints/${first.body.id}`);
    expect((await create({}, headers)).body.code).toBe('conflict');
  });

  test('pauses and resumes, without a body too', async () => {
    const id = await app.anEndpoint(appId, { uid: 'pausing' });
    expect((await post('pausing', 'pause')).body).toMatchObject({ id, state: 'paused', pausedAt: expect.any(String) });
    expect((await post(id, 'resume', { from: 'head' })).body).toMatchObject({ state: 'active', pausedAt: null });
    expect((await post(id, 'resume')).status).toBe(200);
    const empty = await app.call(`POST /v1/apps/acme/endpoints/${id}/pause`, {
      headers: { 'content-type': 'application/json' },
    });
    expect(empty.status).toBe(200);
    expect((await post(id, 'resume', { from: 'start' })).body.errors[0].path).toBe('/from');
    expect((await post(id, 'pause', { for: 5 })).body.errors[0].path).toBe('/for');
  });

  test('sends a test event', async () => {
    const id = await app.anEndpoint(appId);
    const { status, body } = await post(id, 'test');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      endpoint: id,
      position: null,
      cause: 'test',
      responseBody: 'no\ufffd',
      responseBodyBase64: 'bm//',
    });
    expect(app.engine.sent.at(-1)).toMatchObject({ event: null, cause: 'test' });
  });

  test('shows its secret to managers, and rotates it', async () => {
    const own = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const id = await app.anEndpoint(appId, { secret: own });
    const shown = await get(id, '/secret');
    expect(shown.headers['cache-control']).toBe('no-store');
    expect(shown.body).toEqual({
      secret: own,
      publicKey: null,
      keyId: null,
      createdAt: expect.any(String),
      expiring: [],
    });

    const rotated = (await post(id, 'secret/rotate')).body;
    expect(parseSecret(rotated.secret).scheme).toBe('v1');
    expect(rotated.expiring).toEqual([
      { secret: own, keyId: null, createdAt: shown.body.createdAt, expiresAt: expect.any(String) },
    ]);
    expect((await get(id, '/secret')).body).toEqual(rotated);
    const given = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
    expect((await post(id, 'secret/rotate', { graceSeconds: 0, secret: given })).body).toMatchObject({
      secret: given,
      expiring: [],
    });
    for (const graceSeconds of [-1, 604_801, 0.5]) {
      expect((await post(id, 'secret/rotate', { graceSeconds })).body.errors[0].path).toBe('/graceSeconds');
    }
    expect((await post(id, 'secret/rotate', { secret: 'x' })).status).toBe(400);
  });

  test('shows the public key of a v1a secret', async () => {
    const id = await app.anEndpoint(appId, { signing: 'v1a' });
    const { body } = await get(id, '/secret');
    expect(parseSecret(body.secret).scheme).toBe('v1a');
    expect(body.publicKey).toMatch(/^whpk_/);
    expect((await post(id, 'secret/rotate')).body.publicKey).not.toBe(body.publicKey);
  });

  test('is listed and deleted', async () => {
    const id = await app.anEndpoint(appId);
    expect((await app.call('GET /v1/apps/acme/endpoints?limit=1')).body).toMatchObject({
      data: [{ id }],
      nextPage: expect.any(String),
    });
    expect((await app.call(`DELETE /v1/apps/acme/endpoints/${id}`)).status).toBe(204);
    expect((await get(id)).status).toBe(404);
    expect((await app.call('GET /v1/apps/acme/endpoints?limit=1')).body.data[0].id).not.toBe(id);
  });

  test('starts at a cursor', async () => {
    const fresh = await app.anApp();
    const publish = () => app.call(`POST /v1/apps/${fresh}/events`, { body: { type: 'a', data: 1 } });
    const { cursor } = (await publish()).body;
    await publish();
    const endpoint = await app.anEndpoint(fresh, { start: { cursor } });
    const { body } = await app.call(`GET /v1/apps/${fresh}/endpoints/${endpoint}/status`);
    expect(body).toMatchObject({ cursor, lag: { events: 1 } });
    const wrong = await app.call(`POST /v1/apps/${fresh}/endpoints`, {
      body: { url: 'https://example.com/', start: { cursor: 'x' } },
    });
    expect(wrong.body.code).toBe('invalid_cursor');
  });

  test('tells its status from the owner, else as it was last written down', async () => {
    const id = await app.anEndpoint(appId);
    const stale = (await get(id, '/status')).body;
    expect(stale).toEqual({
      state: 'active',
      reason: null,
      cursor: expect.any(String),
      lag: { events: 0, seconds: 0 },
      breaker: { state: 'closed', openSince: null, nextProbeAt: null },
      window: null,
      inFlight: null,
      order: 'none',
      onExhausted: 'skip',
      batch: null,
      rate: null,
      rateLimit: null,
      throttledUntil: null,
      blocked: null,
      retries: { waiting: 0, nextDueAt: null },
      replays: [],
      expired: null,
      lastAttempt: null,
      success: { '1h': null, '24h': null },
      stale: true,
    });
    app.engine.lane = 'at rest';
    expect((await get(id, '/status')).body).toEqual({ ...stale, inFlight: 0, rate: 0, stale: false });
    app.engine.lane = {
      state: 'pausing',
      reason: 'The endpoint was paused.',
      settled: { position: 0, day: '2026-11-21' },
      lag: { events: 3, seconds: 1.5 },
      breaker: { state: 'open', openSinceMs: 1000, nextProbeMs: 2000 },
      window: 4,
      inFlight: 1,
      rate: 2.5,
      rateTokens: 7,
      throttledUntilMs: 3000,
      blocked: 'retries',
      lastAttempt: null,
      success: { '1h': { attempts: 5, delivered: 4 }, '24h': null },
    };
    expect((await get(id, '/status')).body).toMatchObject({
      state: 'pausing',
      breaker: { state: 'open', openSince: '1970-01-01T00:00:01.000Z', nextProbeAt: '1970-01-01T00:00:02.000Z' },
      rateLimit: null,
      throttledUntil: '1970-01-01T00:00:03.000Z',
      blocked: 'retries',
      success: { '1h': { attempts: 5, delivered: 4 } },
      stale: false,
    });
    await post(id, 'pause');
    expect((await get(id)).body.state).toBe('pausing');
    app.engine.lane = null;
    expect((await get(id, '/status')).body).toMatchObject({ state: 'paused', reason: 'The endpoint was paused.' });
  });

  test('tells its limits, what waits for a retry, and which replays run', async () => {
    const flow = {
      rate: { perSecond: 5 },
      order: 'strict',
      onExhausted: 'block',
      batch: { maxEvents: 9, maxWaitMs: 0 },
    };
    const id = await app.anEndpoint(appId, { ...flow, start: 'oldest' });
    await app.call(`POST /v1/apps/${appId}/events`, { body: { type: 'a', data: 1 } });
    const replays = `/v1/apps/${appId}/endpoints/${id}/replays`;
    const { body: replay } = await app.call(`POST ${replays}`, { body: { from: 'oldest' } });
    const { body: cancelled } = await app.call(`POST ${replays}`, { body: { from: 'oldest' } });
    await app.call(`DELETE ${replays}/${cancelled.id}`);
    const { batch, order, onExhausted } = flow;
    expect((await get(id, '/status')).body).toMatchObject({
      batch,
      order,
      onExhausted,
      rateLimit: { perSecond: 5, tokens: null },
      replays: [replay],
    });
  });
});
