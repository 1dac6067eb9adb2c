import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../../test/app.ts';

describe('server', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await testApp();
  });
  afterAll(() => app.close());

  test('tells that it lives and is ready, without a key', async () => {
    expect((await app.call('GET /healthz', { key: null })).body).toEqual({ ok: true });
    expect((await app.call('GET /readyz', { key: null })).body).toEqual({ ok: true, checks: { database: 'ok' } });
    app.engine.isReady = false;
    const { status, body } = await app.call('GET /readyz', { key: null });
    expect([status, body]).toEqual([503, { ok: false, checks: { database: 'cannot be reached' } }]);
    const metrics = await app.call('GET /metrics', { key: null });
    expect([metrics.status, metrics.text]).toEqual([200, '# metrics\n']);
    expect(metrics.headers['content-type']).toContain('version=0.0.4');
  });

  test('answers an unknown path and a wrong method as problems', async () => {
    const unknown = await app.call('GET /v1/nothing?secret=1');
    expect(unknown.status).toBe(404);
    expect(unknown.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(unknown.body).toEqual({
      type: 'urn:tidings:error:not_found',
      title: 'Not found',
      status: 404,
      code: 'not_found',
      detail: 'There is nothing at /v1/nothing. /docs lists all calls.',
    });
    const wrong = await app.call('DELETE /v1/apps/x/events');
    expect([wrong.status, wrong.body.code, wrong.headers.allow]).toEqual([
      405,
      'method_not_allowed',
      'GET, HEAD, POST',
    ]);
    expect((await app.call('PUT /healthz')).headers.allow).toBe('GET, HEAD');
  });

  test.each<[string, string | Buffer, number, string]>([
    ['broken JSON', '{', 400, 'invalid_json'],
    ['a key twice', '{"name":"a","name":"b"}', 400, 'invalid_json'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff]), 400, 'invalid_json'],
    ['depth', '['.repeat(200_000), 400, 'invalid_json'],
    ['a prototype', '{"name":"x","__proto__":{"admin":true}}', 400, 'invalid_request'],
    ['more than 256 KiB', ' '.repeat(256 * 1024 + 1), 413, 'payload_too_large'],
    ['nothing', '', 400, 'invalid_request'],
  ])('refuses a body of %s', async (_, body, status, code) => {
    const answer = await app.call('POST /v1/apps', { body });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test('refuses other content types and encodings', async () => {
    const text = await app.call('POST /v1/apps', { body: 'name=x', headers: { 'content-type': 'text/plain' } });
    expect([text.status, text.body.code]).toEqual([415, 'unsupported_media_type']);
    const packed = await app.call('POST /v1/apps', { body: '{}', headers: { 'content-encoding': 'gzip' } });
    expect([packed.status, packed.body.code]).toEqual([415, 'unsupported_media_type']);
  });

  test('refuses paths it cannot read', async () => {
    expect((await app.call('GET /v1/apps/%')).body.code).toBe('invalid_request');
    expect((await app.call('GET /v1/apps/%00')).status).toBe(404);
    expect((await app.call(`GET /v1/apps/${'x'.repeat(600)}`)).status).toBe(404);
  });

  test('answers what is no HTTP as a problem', async () => {
    const url = new URL(await app.server.listen({ host: '127.0.0.1', port: 0 }));
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(url.port), url.hostname, () => socket.write('nonsense\r\n\r\n'));
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      socket.on('end', () => resolve(text)).on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"invalid_request"');
  });

  test('serves its reference from local files only', async () => {
    const page = await app.call('GET /docs/', { key: null });
    expect(page.status).toBe(200);
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toMatch(/https:|\.io|upgrade-insecure/);
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(3);
    for (const link of links) {
      expect(link).toMatch(/^\.?\//);
      expect((await app.call(`GET ${new URL(link, 'http://x/docs/').pathname}`, { key: null })).status).toBe(200);
    }
    const script = await app.call('GET /docs/static/swagger-initializer.js', { key: null });
    expect(script.text).toContain('validatorUrl: null');
  });

  test('serves its description', async () => {
    const { status, body } = await app.call('GET /openapi.json', { key: null });
    expect([status, body.openapi]).toEqual([200, '3.1.0']);
  });
});
