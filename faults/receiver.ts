// The independent witness: receives webhooks, verifies them with the official library, and writes down every request. How an
// endpoint behaves can be changed at any time.
import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { Receipt } from './receipt.ts';

export type Behaviour =
  | { kind: 'ok'; delayMs?: number }
  | { kind: 'status'; status: number; retryAfterSeconds?: number }
  /** Takes the request and never answers. */
  | { kind: 'hang' }
  /** Events of this type are answered 500, all others 200. */
  | { kind: 'poison'; type: string };

const OK: Behaviour = { kind: 'ok' };
const MAX_RECEIPTS_AT_ONCE = 5000;

/** Of the bytes of an event's data: the ledger compares by it. */
export function hashData(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('base64url').slice(0, 22);
}

/** Listens on one port with a path `/<endpoint>` for each endpoint. */
export class Receiver {
  readonly #server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    this.#receive(request, response);
  });
  readonly #sockets = new Set<Socket>();
  readonly #behaviours = new Map<string, Behaviour>();
  readonly #verifiers = new Map<string, Webhook>();
  readonly #open = new Map<string, number>();
  #receipts: Receipt[] = [];
  #order = 0;
  #port = 0;

  constructor() {
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** Opens the port, the same one as before after a `shut`. */
  async listen(): Promise<{ port: number }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', 1024, resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    return { port: this.#port };
  }

  /** Cuts all connections and refuses new ones, as a receiver that is down. */
  async shut(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Endpoints without a behaviour of their own accept everything. */
  behave(endpoints: string[], behaviour: Behaviour): void {
    for (const endpoint of endpoints) this.#behaviours.set(endpoint, behaviour);
  }

  /** The secret that the endpoint's requests are to be signed with, as the API shows it. */
  expect(endpoint: string, secret: string): void {
    this.#verifiers.set(endpoint, new Webhook(secret));
  }

  /** What was received since the last call; `more` when there is more than fits into one answer. */
  take(): { receipts: Receipt[]; more: boolean } {
    const receipts = this.#receipts.splice(0, MAX_RECEIPTS_AT_ONCE);
    return { receipts, more: this.#receipts.length > 0 };
  }

  #receive(request: http.IncomingMessage, response: http.ServerResponse): void {
    const endpoint = (request.url ?? '').slice(1);
    const concurrent = (this.#open.get(endpoint) ?? 0) + 1;
    this.#open.set(endpoint, concurrent);
    response.on('close', () => this.#open.set(endpoint, this.#open.get(endpoint)! - 1));
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const behaviour = this.#behaviours.get(endpoint) ?? OK;
      const status = statusOf(behaviour, body);
      const isSeen = behaviour.kind !== 'hang';
      this.#receipts.push({
        order: this.#order++,
        endpoint,
        id: String(request.headers['webhook-id'] ?? ''),
        position: Number(request.headers['tidings-position'] ?? 0),
        attempt: Number(request.headers['tidings-attempt'] ?? 0),
        dataHash: isSeen ? hashData(dataOf(body)) : '',
        signature: isSeen ? this.#verify(endpoint, body, request.headers) : 'unseen',
        status,
        concurrent,
        atMs: Date.now(),
      });
      if (status === null) return;
      if (behaviour.kind === 'status' && behaviour.retryAfterSeconds !== undefined) {
        response.setHeader('retry-after', String(behaviour.retryAfterSeconds));
      }
      response.statusCode = status;
      const delayMs = behaviour.kind === 'ok' ? (behaviour.delayMs ?? 0) : 0;
      if (delayMs > 0) setTimeout(() => response.end(), delayMs);
      else response.end();
    });
  }

  #verify(endpoint: string, body: Buffer, headers: http.IncomingHttpHeaders): Receipt['signature'] {
    const verifier = this.#verifiers.get(endpoint);
    if (!verifier) return 'bad';
    const given = headers as Record<string, string>;
    try {
      verifier.verify(body, given);
      return 'good';
    } catch (error) {
      if (!/timestamp/i.test((error as Error).message)) return 'bad';
    }
    // The verifier looks at the time first. A sender whose clock is wrong signs a wrong time, and signs it well or not.
    const sentAt = new Date(Number(given['webhook-timestamp']) * 1000);
    const signature = verifier.sign(given['webhook-id'] ?? '', sentAt, body);
    return (given['webhook-signature'] ?? '').split(' ').includes(signature) ? 'late' : 'bad';
  }
}

function statusOf(behaviour: Behaviour, body: Buffer): number | null {
  switch (behaviour.kind) {
    case 'ok':
      return 200;
    case 'status':
      return behaviour.status;
    case 'hang':
      return null;
    case 'poison':
      return body.includes(`"type":"${behaviour.type}"`) ? 500 : 200;
  }
}

/** The bytes of `data` in the envelope: it is the last member. */
function dataOf(body: Buffer): Buffer {
  const start = body.indexOf('"data":') + '"data":'.length;
  return body.subarray(start, body.length - 1);
}
