import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { type DemoOptions, type DemoServer, runDemo } from './demo.ts';
import { type DemoEndpoint, takes } from './demo-endpoints.ts';
import { DemoReceiver } from './receiver.ts';

// A gateway that can be told to do wrong, which the real one cannot: the demo must notice.
type Fault = 'lose' | 'forge' | 'alter' | 'misroute' | 'repeat' | 'refuse publishing';

interface Registered {
  url: string;
  secret: string;
  filter?: { types: string[] };
}

async function startGateway(fault: Fault | null): Promise<DemoServer> {
  const endpoints: Registered[] = [];
  const deliveries = new Set<Promise<unknown>>();
  let events = 0;

  async function deliver({ url, secret }: Registered, id: string, body: string): Promise<void> {
    const key = fault === 'forge' && events === 5 ? `whsec_${Buffer.alloc(24).toString('base64')}` : secret;
    const signedAt = new Date();
    const signature = new Webhook(key).sign(id, signedAt, body);
    for (let attempt = 1, accepted = 0; accepted < (fault === 'repeat' ? 2 : 1) && attempt < 10; attempt++) {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'webhook-id': id,
          'webhook-timestamp': String(Math.floor(signedAt.getTime() / 1000)),
          'webhook-signature': signature,
          'tidings-attempt': String(attempt),
        },
        body,
      });
      if (response.ok) accepted++;
    }
  }

  async function answer(request: IncomingMessage): Promise<[status: number, body: unknown]> {
    const text = Buffer.concat(await request.toArray()).toString();
    const body = JSON.parse(text);
    if (request.url === '/v1/apps') return [201, { id: 'app_1' }];
    if (request.url === '/v1/apps/app_1/endpoints') {
      endpoints.push(body as Registered);
      return [201, { id: `ep_${endpoints.length}` }];
    }
    events++;
    if (fault === 'refuse publishing' && events > 3) return [401, { code: 'unauthorized' }];
    const { id, type } = body as { id: string; type: string };
    let data = text.slice(text.indexOf('"data":') + '"data":'.length, -1);
    if (fault === 'alter' && events === 5) data = ` ${data}`;
    const envelope = `{"type":"${type}","timestamp":"${new Date().toISOString()}","data":${data}}`;
    for (const endpoint of endpoints) {
      if (!takes(endpoint.filter?.types ?? null, type) && !(fault === 'misroute' && events === 5)) continue;
      if (fault === 'lose' && events === 5) continue;
      const delivery = deliver(endpoint, id, envelope).finally(() => deliveries.delete(delivery));
      deliveries.add(delivery);
    }
    return [202, { id, position: events, cursor: String(events), duplicate: false }];
  }

  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const [status, body] = await answer(request);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiKey: 'tdg_x',
    async stop() {
      await Promise.allSettled(deliveries); // one whose receiver is gone already fails
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function setup(fault: Fault | null, options: Partial<DemoOptions> = {}) {
  let written = '';
  const out = new Writable({
    write(chunk, _, done) {
      written += chunk;
      done();
    },
  });
  const secret = `whsec_${Buffer.alloc(24, 3).toString('base64')}`;
  const endpoints: DemoEndpoint[] = [
    { name: 'everything', types: null, secret, trouble: '' },
    { name: 'stars', types: ['github.star'], secret, trouble: '' },
    {
      name: 'flaky',
      types: ['github.issue*'],
      secret,
      fails: { types: ['github.issues'], tries: 2, events: 3 },
      trouble: 'fails',
    },
  ];
  let stopped = 0;
  const code = await runDemo({
    startServer: async () => {
      const gateway = await startGateway(fault);
      return { ...gateway, stop: () => gateway.stop().then(() => void stopped++) };
    },
    startReceiver: () => {
      const receiver = new DemoReceiver();
      return {
        start: (announced) => receiver.start(announced),
        open: (name) => receiver.open(name),
        takeReceipts: async () => receiver.takeReceipts(),
        stop: () => receiver.stop().then(() => void stopped++),
      };
    },
    out: out as unknown as DemoOptions['out'],
    isTty: false,
    color: false,
    json: true,
    events: 1,
    eventsPerSecond: 5000,
    settleSeconds: 2,
    endpoints,
    ...options,
  }).catch((error: Error) => error.message);
  return { code, written, stopped };
}

describe('demo', () => {
  test('ends well when every delivery arrived and was verified', async () => {
    const { code, written, stopped } = await setup(null);
    expect(code, written).toBe(0);
    expect(stopped).toBe(2);
    expect(written.trimEnd()).not.toContain('\n');
    const result = JSON.parse(written);
    expect(result).toMatchObject({ ok: true, events: 329, retried: 3, lost: 0, duplicates: 0, unexpected: 0 });
    expect(result.received).toBe(result.expected);
    expect(result.verified).toBe(result.expected);
    expect(result.endpoints.map(({ name, received }: { name: string; received: number }) => [name, received])).toEqual([
      ['everything', 329],
      ['stars', 3],
      ['flaky', 38],
    ]);
  });

  test('prints progress and a table without escapes into a pipe', async () => {
    const { code, written } = await setup(null, { json: false });
    expect(code, written).toBe(0);
    expect(written).toMatch(/^published \d+\/329, everything \d+\/329, stars \d+\/3, flaky \d+\/38$/m);
    expect(written).toMatch(/^ {2}deliveries +370 of 370 expected$/m);
    expect(written).toMatch(/^ {2}lost +0$/m);
    expect(written).toContain('Every delivery arrived and was verified.');
    expect(written).not.toContain('\u001b');
  });

  test.each([
    ['lose', { lost: 1 }],
    ['forge', { lost: 1 }],
    ['alter', { lost: 0 }],
    ['misroute', { lost: 0, unexpected: 2 }],
  ] as const)('fails when the gateway does wrong: %s', async (fault, expected) => {
    const { code, written } = await setup(fault);
    expect(code).toBe(1);
    expect(JSON.parse(written)).toMatchObject({ ok: false, ...expected });
  });

  test('counts duplicates without failing', async () => {
    const { code, written } = await setup('repeat');
    expect(code, written).toBe(0);
    expect(JSON.parse(written).duplicates).toBeGreaterThan(0);
  });

  test('fails with the answer when publishing is refused, and leaves nothing running', async () => {
    const { code, stopped } = await setup('refuse publishing');
    expect(code).toContain('was answered with 401: {"code":"unauthorized"}');
    expect(stopped).toBe(2);
  });

  test('ends when it is interrupted', async () => {
    const { code, stopped } = await setup(null, { signal: AbortSignal.abort() });
    expect(code).toBe(130);
    expect(stopped).toBe(2);
  });
});
