import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildVisit } from './visit.ts';

let server: Server;
let origin: string;
beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === '/large') response.end('x'.repeat(70_000));
    else if (request.url === '/moved') response.writeHead(302, { location: '/' }).end();
    else response.end(`${request.method} ${request.url} ${request.headers.host}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close().closeAllConnections();
});

const open = { allowHttp: true, allowPrivate: ['127.0.0.0/8'] };

describe('visit', () => {
  test('gets the body of a 2xx', async () => {
    expect(await buildVisit({ rules: open })(`${origin}/a?b=1`)).toBe(`GET /a?b=1 ${origin.slice(7)}`);
  });

  test('follows no redirect and takes no large answer', async () => {
    const visit = buildVisit({ rules: open });
    await expect(visit(`${origin}/moved`)).rejects.toThrow('answered 302');
    await expect(visit(`${origin}/large`)).rejects.toThrow('more than 65536 bytes');
  });

  test('goes to no address that is forbidden', async () => {
    await expect(buildVisit({ rules: { allowHttp: true, allowPrivate: [] } })(origin)).rejects.toThrow('127.0.0.1');
    await expect(buildVisit({ rules: { allowHttp: false, allowPrivate: ['127.0.0.0/8'] } })(origin)).rejects.toThrow();
  });
});
