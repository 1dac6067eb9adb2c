import { readFile } from 'node:fs/promises';
import Fastify from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { referenceRoutes } from './reference.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function setup() {
  const server = Fastify();
  cleanups.push(() => server.close());
  server.setNotFoundHandler((_request, reply) => reply.code(404).send('nothing here'));
  referenceRoutes(server);
  return server;
}

describe('reference', () => {
  test('has the description that was generated', async () => {
    const answer = await setup().inject('/openapi.json');
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.body).toBe(await readFile(new URL('../../openapi.json', import.meta.url), 'utf8'));
  });

  test('shows that description on its pages, whichever way they are reached', async () => {
    const server = setup();
    const pages = await Promise.all(['/docs', '/docs/'].map((url) => server.inject(url)));
    for (const { statusCode, body, headers } of pages) {
      expect([statusCode, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
      expect(body).toContain('swagger-ui');
    }
    const { body } = await server.inject('/docs/json');
    expect(JSON.parse(body)).toEqual(JSON.parse((await server.inject('/openapi.json')).body));
    const head = await server.inject({ method: 'HEAD', url: '/docs/' });
    expect([head.statusCode, head.body]).toEqual([200, '']);
  });

  test('serves them over a socket', async () => {
    const server = setup();
    const origin = await server.listen({ host: '127.0.0.1', port: 0 });
    for (const path of ['/docs', '/docs/static/swagger-ui-bundle.js', '/docs/json', '/openapi.json']) {
      const answer = await fetch(origin + path, { headers: { connection: 'close' } });
      expect([path, answer.status]).toEqual([path, 200]);
      expect((await answer.arrayBuffer()).byteLength).toBe(Number(answer.headers.get('content-length')));
    }
  });

  test('answers for a page that does not exist as for anything else', async () => {
    const { statusCode, body } = await setup().inject('/docs/static/nothing.js');
    expect([statusCode, body]).toEqual([404, 'nothing here']);
  });

  test('lets a browser keep what has not changed', async () => {
    const server = setup();
    const url = '/docs/static/swagger-ui.css';
    const { headers, rawPayload } = await server.inject(url);
    expect(rawPayload.length).toBeGreaterThan(10_000);
    const again = await server.inject({ url, headers: { 'if-none-match': String(headers.etag) } });
    expect(again.statusCode).toBe(304);
  });
});
