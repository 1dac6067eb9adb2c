// Requests to change the protocol. Node gives a server that listens for them all such requests, also those that may be ignored: `Upgrade: h2c`,
// which some clients send with every plain request (Java's by default), has to be answered as if it were not there (RFC 9110, 7.8).
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** Takes a request to change to WebSocket; false: there is none at this path. */
export type WebSocketTaker = (request: IncomingMessage, socket: Socket, head: Buffer) => boolean;

export function takeUpgrades(server: Server, takeWebSocket: WebSocketTaker): void {
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const isWebSocket = request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
    if (isWebSocket && takeWebSocket(request, socket, head)) return;
    serveWithout(server, request, socket, head);
  });
}

// The HTTP parser has let go of the connection. It is given back with the request as it came, less what asked for another protocol.
function serveWithout(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const [name, value] = [request.rawHeaders[i], request.rawHeaders[i + 1]];
    if (/^(upgrade|http2-settings|connection)$/i.test(name)) continue;
    lines.push(`${name}: ${value}`);
  }
  const kept = (request.headers.connection ?? '')
    .split(',')
    .filter((token) => /^\s*(close|keep-alive)\s*$/i.test(token));
  if (kept.length > 0) lines.push(`connection: ${kept.join(',')}`);
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}
