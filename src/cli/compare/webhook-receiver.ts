// The other side of an endpoint. While it is away its port refuses connections.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Consumer, ConsumerParts } from './consumer.ts';

export class WebhookReceiver implements Consumer {
  readonly #parts: Pick<ConsumerParts, 'meter' | 'received'>;
  #server: Server | null = null;
  #port = 0;

  constructor(parts: Pick<ConsumerParts, 'meter' | 'received'>) {
    this.#parts = parts;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  async resume(): Promise<void> {
    const server = createServer((request, response) => this.#receive(request, response));
    this.#server = server;
    // Longer than events are apart: closing an idle connection races with the request that would use it next.
    server.keepAliveTimeout = 120_000;
    server.on('connection', (socket) => this.#parts.meter.watch(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
  }

  /** What has come in whole is answered first, or it would come again. */
  async interrupt(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const { meter, received } = this.#parts;
    request.resume();
    request.on('end', () => {
      meter.request();
      received(String(request.headers['webhook-id']));
      if (this.#server === null) response.setHeader('connection', 'close');
      response.writeHead(204).end();
    });
    request.on('error', () => {});
  }
}
