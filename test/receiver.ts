// A scriptable receiver of webhooks on loopback, for tests: it records what it is sent, and answers as told, well or badly.
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface ReceivedRequest {
  method: string;
  path: string;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  /** Which connection it came on: 1, 2, 3 … */
  connection: number;
}

// What a receiver can do instead of answering: each is a raw misbehaviour of the socket.
const MISBEHAVIOURS = {
  /** Never answers. */
  hang: () => {},
  /** A response head of which a byte comes every 20 ms. */
  dripHead: (socket) => drip(socket, `HTTP/1.1 200 OK\r\nx-slow: ${'s'.repeat(1_000_000)}`),
  /** A 200 whose body comes a byte every 20 ms. */
  dripBody: (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n');
    drip(socket, 's'.repeat(1_000_000));
  },
  drip500: (socket) => {
    socket.write('HTTP/1.1 500 No\r\ncontent-length: 1000000\r\n\r\nbroken');
    drip(socket, 's'.repeat(1_000_000));
  },
  reset: (socket) => socket.resetAndDestroy(),
  close: (socket) => socket.destroy(),
  resetInHead: (socket) => void socket.write('HTTP/1.1 200 OK\r\nx-half:', () => socket.resetAndDestroy()),
  resetInBody: (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () => socket.end());
  },
  garbage: (socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\nthis is not HTTP\r\n\r\n'),
  /** A body of 10 GB, as fast as it is taken. */
  endless: (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n');
    pour(socket, Buffer.alloc(64 * 1024, 'x'));
  },
  endlessChunks: (socket) => {
    socket.write('HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n');
    pour(socket, Buffer.from(`4000\r\n${'x'.repeat(0x4000)}\r\n`));
  },
  /** `103 Early Hints` without an end. */
  informationalStorm: (socket) => pour(socket, Buffer.from('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(4))),
  /** Slow enough to stay below a count, without an end. */
  informationalDrip: (socket) => {
    const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 40);
    socket.on('close', () => clearInterval(timer));
  },
  hugeHead: (socket) => void socket.write(`HTTP/1.1 200 OK\r\nx-huge: ${'h'.repeat(40_000)}\r\n\r\n`),
  /** A 204 must have no body; these bytes belong to nothing. */
  bodyOn204: (socket) => void socket.write('HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello'),
  bodyOn304: (socket) => void socket.write('HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\nhello'),
  badChunks: (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n');
  },
  /** The body ends where the connection does. */
  noLength: (socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\ndone'),
  /** Two responses to one request. */
  twoResponses: (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno');
  },
  garbageAfter: (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more'),
} satisfies Record<string, (socket: Socket) => void>;
export type Misbehaviour = keyof typeof MISBEHAVIOURS;

export interface Response {
  status: number;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

/** A status, a response, a misbehaviour, or what decides by the request. */
export type Answer = number | Response | Misbehaviour | ((request: ReceivedRequest) => Answer | Promise<Answer>);

export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly requests: ReceivedRequest[];
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Connections open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** A list is a script: one answer for each request, the last one for all further. */
  respondWith(answer: Answer | Answer[]): void;
  /** Resolves with the request of this number (from 1), once it has come. */
  request(number: number): Promise<ReceivedRequest>;
  close(): Promise<void>;
}

export interface ReceiverOptions {
  /** With these it speaks TLS. */
  tls?: https.ServerOptions;
  keepAlive?: boolean;
  host?: string;
  port?: number;
}

export async function receiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const { tls, keepAlive = true, host = '127.0.0.1', port = 0 } = options;
  const requests: ReceivedRequest[] = [];
  const sockets = new Set<Socket>();
  const numbers = new WeakMap<Socket, number>();
  const arrivals = new EventEmitter();
  let accepted = 0;
  let script: Answer[] = [200];

  const server = tls === undefined ? http.createServer() : https.createServer(tls);
  server.keepAliveTimeout = 60_000;
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    numbers.set(socket, ++accepted);
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('request', async (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    await once(request, 'end').catch(() => {});
    const received: ReceivedRequest = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks),
      connection: numbers.get(request.socket) ?? 0,
    };
    const number = requests.push(received);
    let answer = script[Math.min(number, script.length) - 1];
    arrivals.emit('request');
    while (typeof answer === 'function') answer = await answer(received);
    if (typeof answer === 'string') {
      MISBEHAVIOURS[answer](request.socket);
      return;
    }
    const { status, headers = {}, body = '' } = typeof answer === 'number' ? { status: answer } : answer;
    if (!keepAlive) response.setHeader('connection', 'close');
    response.writeHead(status, headers).end(body);
  });
  server.listen(port, host);
  await once(server, 'listening');
  const at = (server.address() as AddressInfo).port;

  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${at}`,
    port: at,
    requests,
    sockets,
    get accepted() {
      return accepted;
    },
    respondWith(answer) {
      const from = requests.length;
      const answers = Array.isArray(answer) ? answer : [answer];
      script = [...Array.from({ length: from }, () => 200), ...answers];
    },
    async request(number) {
      while (requests.length < number) await once(arrivals, 'request');
      return requests[number - 1];
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function drip(socket: Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++]), 20);
  socket.on('close', () => clearInterval(timer));
}

function pour(socket: Socket, piece: Buffer): void {
  const go = (): void => {
    if (!socket.destroyed) socket.write(piece, () => setImmediate(go));
  };
  go();
}
