// What the machine and Node allow: the same HTTP in (Fastify, the body as a buffer), the same HMAC (Standard Webhooks v1)
// and the same HTTP out (undici's dispatch) as the server's, with nothing stored, matched, authenticated or recorded. The
// ratio of the server to this floor says what durability costs, and stays comparable between machines.
import { createHmac } from 'node:crypto';
import Fastify, { type FastifyInstance } from 'fastify';
import { Pool } from 'undici';

export interface FloorOptions {
  /** Where deliveries go, `http://host:port`; endpoint n is at `/r/<n>`. */
  receiverOrigin: string;
  endpoints: number;
}

// Enough to keep the process busy; more cost without giving more. No more is taken in than the server keeps open (design rule 8).
const CONNECTIONS = 64;
const MAX_OPEN = 5000;
const KEY = Buffer.alloc(32, 7);
const EVENT_START = Buffer.from('{"type":"');
const TYPE_END = '","data":';
const ACCEPTED = Buffer.from('{"id":"evt_00000000000000000000000000","position":1,"cursor":"0","duplicate":false}');

export class FloorServer {
  readonly #options: FloorOptions;
  readonly #server: FastifyInstance;
  readonly #pool: Pool;
  readonly #waiting: (() => void)[] = [];
  #open = 0;
  #sent = 0;

  constructor(options: FloorOptions) {
    this.#options = options;
    this.#pool = new Pool(options.receiverOrigin, {
      connections: CONNECTIONS,
      pipelining: 1,
      keepAliveTimeout: 60_000,
    });
    this.#server = Fastify({ bodyLimit: 1024 * 1024 });
    this.#server.removeAllContentTypeParsers();
    this.#server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
    for (const path of ['/v1/apps/:app/events', '/v1/apps/:app/events/batch']) {
      this.#server.post(path, async (request, reply) => {
        await this.#take(request.body as Buffer);
        reply.code(202).header('content-type', 'application/json');
        return ACCEPTED;
      });
    }
  }

  async listen(): Promise<{ port: number }> {
    const address = await this.#server.listen({ host: '127.0.0.1', port: 0 });
    return { port: Number(new URL(address).port) };
  }

  async close(): Promise<void> {
    await this.#server.close();
    await this.#pool.destroy();
  }

  async #take(body: Buffer): Promise<void> {
    while (this.#open >= MAX_OPEN) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const time = new Date().toISOString();
    for (const { type, data } of splitEvents(body)) {
      const envelope = Buffer.concat([Buffer.from(`{"type":"${type}","timestamp":"${time}","data":`), data, CLOSE]);
      const id = `evt_${String(++this.#sent).padStart(26, '0')}`;
      for (let endpoint = 0; endpoint < this.#options.endpoints; endpoint++) this.#send(endpoint, id, envelope);
    }
  }

  #send(endpoint: number, id: string, body: Buffer): void {
    const timestamp = Math.floor(Date.now() / 1000);
    const signature = createHmac('sha256', KEY).update(`${id}.${timestamp}.`).update(body).digest('base64');
    this.#open++;
    const settle = () => {
      this.#open--;
      if (this.#open < MAX_OPEN) this.#waiting.shift()?.();
    };
    this.#pool.dispatch(
      {
        method: 'POST',
        path: `/r/${endpoint}`,
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': `v1,${signature}`,
          'user-agent': 'Tidings/0',
          'tidings-attempt': '1',
          'tidings-position': String(this.#sent),
        },
        body,
      },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData() {},
        onResponseEnd: settle,
        onResponseError: settle,
      },
    );
  }
}

const CLOSE = Buffer.from('}');

/** The events in a body as the load generator makes it, single or batch: cut, not parsed. */
export function splitEvents(body: Buffer): { type: string; data: Buffer }[] {
  const events: { type: string; data: Buffer }[] = [];
  let start = body.indexOf(EVENT_START);
  while (start >= 0) {
    const next = body.indexOf(EVENT_START, start + 1);
    // Before the next event stands a comma; after the last one of a batch `]}`.
    const end = next >= 0 ? next - 1 : start === 0 ? body.length : body.length - 2;
    const typeEnd = body.indexOf(TYPE_END, start);
    events.push({
      type: body.toString('latin1', start + EVENT_START.length, typeEnd),
      data: body.subarray(typeEnd + TYPE_END.length, end - 1),
    });
    start = next;
  }
  return events;
}
