// The other side of the demo: an HTTP server that knows nothing of Tidings but the Standard Webhooks specification, and
// checks each request with its official library.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { DemoEndpoint } from './demo-endpoints.ts';

/** One request that came in, verified or not. */
export interface Receipt {
  endpoint: string;
  /** The `webhook-id`. */
  id: string;
  /** The `tidings-attempt`. */
  attempt: number;
  /** Machine-wide monotonic time. */
  receivedAtMs: number;
  verified: boolean;
  /** SHA-256 of the bytes of `data` in the body, in hex. */
  dataHash: string;
  /** Whether it was answered with 200; else with 500 or 401. */
  accepted: boolean;
}

interface Served {
  endpoint: DemoEndpoint;
  webhook: Webhook;
  server: Server;
  port: number;
  /** Tries refused so far, by event. */
  refused: Map<string, number>;
}

export class DemoReceiver {
  readonly #served = new Map<string, Served>();
  #receipts: Receipt[] = [];

  /** Gives each endpoint a port, and listens on it unless the endpoint begins down. Returns the URLs by name. */
  async start(endpoints: DemoEndpoint[]): Promise<Record<string, string>> {
    const urls: Record<string, string> = {};
    for (const endpoint of endpoints) {
      const webhook = new Webhook(endpoint.secret);
      const served: Served = {
        endpoint,
        webhook,
        server: this.#createServer(endpoint.name),
        port: 0,
        refused: new Map(),
      };
      this.#served.set(endpoint.name, served);
      await listen(served);
      if (endpoint.downMs !== undefined) {
        await close(served.server);
        served.server = this.#createServer(endpoint.name);
      }
      urls[endpoint.name] = `http://127.0.0.1:${served.port}/${endpoint.name}`;
    }
    return urls;
  }

  /** An endpoint that began down comes up, on the port it was announced with. */
  async open(name: string): Promise<void> {
    await listen(this.#served.get(name)!);
  }

  /** What came in since the last call. */
  takeReceipts(): Receipt[] {
    const receipts = this.#receipts;
    this.#receipts = [];
    return receipts;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#served.values()].map(({ server }) => close(server)));
  }

  #createServer(name: string): Server {
    const server = createServer((request, response) => this.#receive(name, request, response));
    // Longer than any pause of the demo: closing an idle connection races with the request that would use it next.
    server.keepAliveTimeout = 120_000;
    return server;
  }

  #receive(name: string, request: IncomingMessage, response: ServerResponse): void {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const receivedAtMs = Number(process.hrtime.bigint()) / 1e6;
      const body = Buffer.concat(pieces);
      const headers = request.headers as Record<string, string>;
      const served = this.#served.get(name)!;
      const verified = verify(served.webhook, body, headers);
      const id = headers['webhook-id'] ?? '';
      const accepted = verified && !refuses(served, id, body);
      response.writeHead(accepted ? 200 : verified ? 500 : 401, { 'content-length': 0 }).end();
      this.#receipts.push({
        endpoint: name,
        id,
        attempt: Number(headers['tidings-attempt'] ?? Number.NaN),
        receivedAtMs,
        verified,
        dataHash: createHash('sha256').update(dataOf(body)).digest('hex'),
        accepted,
      });
    });
  }
}

function verify(webhook: Webhook, body: Buffer, headers: Record<string, string>): boolean {
  try {
    webhook.verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

function refuses({ endpoint: { fails }, refused }: Served, id: string, body: Buffer): boolean {
  if (!fails?.types.includes((JSON.parse(body.toString()) as { type: string }).type)) return false;
  const tries = refused.get(id) ?? 0;
  if (tries >= fails.tries || (tries === 0 && refused.size >= fails.events)) return false;
  refused.set(id, tries + 1);
  return true;
}

/** The bytes of `data` in the envelope `{"type":…,"timestamp":…,"data":…}`: its last member. */
function dataOf(body: Buffer): Buffer {
  const at = body.indexOf('"data":');
  return at < 0 ? Buffer.alloc(0) : body.subarray(at + '"data":'.length, body.length - 1);
}

async function listen(served: Served): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    served.server.once('error', reject);
    served.server.listen(served.port, '127.0.0.1', resolve);
  });
  served.port = (served.server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
