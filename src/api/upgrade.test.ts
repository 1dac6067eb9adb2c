import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { takeUpgrades } from './upgrade.ts';

let server: Server;
let taken: string[];
beforeEach(async () => {
  taken = [];
  server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const { upgrade = null, connection, 'http2-settings': settings = null } = request.headers;
    response.end(JSON.stringify({ method: request.method, upgrade, connection, settings, body }));
  });
  takeUpgrades(server, (request, socket) => {
    if (request.url !== '/socket') return false;
    taken.push(request.url);
    socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    return true;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const part of request) body += part;
  return body;
}

/** Sends the pieces one after the other and resolves with what is answered until the server ends the connection. */
async function send(...pieces: string[]): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await once(socket, 'close');
  return text;
}

const H2C = 'host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';

describe('upgrade', () => {
  test('to WebSocket is taken where there is one, and ignored elsewhere', async () => {
    const upgrade = 'host: x\r\nConnection: Upgrade, close\r\nUpgrade: WebSocket\r\n\r\n';
    expect(await send(`GET /socket HTTP/1.1\r\n${upgrade}`)).toContain(' 101 ');
    expect(taken).toEqual(['/socket']);
    expect(await send(`GET /other HTTP/1.1\r\n${upgrade}`)).toContain('{"method":"GET","upgrade":null,');
    expect(await send(`POST /socket HTTP/1.1\r\n${upgrade}`)).toContain('{"method":"POST","upgrade":null,');
    expect(taken).toHaveLength(1);
  });

  test('to HTTP/2 is ignored, with the body whole and the connection kept', async () => {
    const body = 'ü'.repeat(50_000);
    const length = `content-length: ${Buffer.byteLength(body)}\r\n\r\n`;
    const answers = await send(
      `POST / HTTP/1.1\r\n${H2C}${length}${body.slice(0, 10)}`,
      body.slice(10, 30_000),
      body.slice(30_000),
      `POST / HTTP/1.1\r\n${H2C}transfer-encoding: chunked\r\n\r\n3\r\na`,
      'bc\r\n0\r\n\r\n',
      'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
    );
    const bodies = [...answers.matchAll(/"body":"(\S*?)"/g)].map(([, text]) => text);
    expect(bodies).toEqual([body, 'abc', '']);
    expect(answers).not.toContain('h2c');
    expect(answers.match(/"settings":null/g)).toHaveLength(3);
  });
});
