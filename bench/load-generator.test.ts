import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Histogram } from './histogram.ts';
import { HttpFramer } from './http-framer.ts';
import { LoadGenerator, type LoadOptions } from './load-generator.ts';
import { monotonicMs } from './monotonic-clock.ts';

interface Published {
  head: string;
  body: { events?: { data: { n: string } }[]; data?: { n: string; atUs: string } };
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** A server that answers each request with what `answer` says, in packets of 30 bytes. */
async function setup(options: Partial<LoadOptions>, answer: (request: Published, count: number) => string | null) {
  const requests: Published[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    const framer = new HttpFramer((bytes, start, bodyStart, end) => {
      const request = {
        head: bytes.toString('latin1', start, bodyStart),
        body: JSON.parse(bytes.toString('utf8', bodyStart, end)),
      };
      requests.push(request);
      const response = answer(request, requests.length);
      if (response === null) socket.destroy();
      for (let at = 0; at < (response ?? '').length; at += 30) socket.write(response!.slice(at, at + 30));
    });
    socket.on('data', (chunk) => framer.push(chunk));
  });
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const generator = new LoadGenerator({
    origin: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    paths: ['/v1/apps/a/events'],
    headers: { authorization: 'Bearer k' },
    connections: 3,
    eventsPerRequest: 1,
    dataBytes: 256,
    ...options,
  });
  cleanups.push(() => generator.close());
  await generator.connect();
  return { generator, requests };
}

const ACCEPTED = 'HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\nContent-Length: 2\r\n\r\n{}';

describe('load generator', () => {
  test('publishes every sequence number once and counts what was acknowledged, run after run', async () => {
    const { generator, requests } = await setup({}, () => ACCEPTED);
    const before = monotonicMs();
    const first = await generator.runClosedLoop({ seconds: 0.05 });
    const second = await generator.runClosedLoop({ seconds: 0.05 });
    expect(first.events + second.events).toBe(requests.length);
    const sequences = requests.map(({ body }) => Number(body.data!.n)).sort((a, b) => a - b);
    expect(sequences).toEqual(sequences.map((_, i) => i));
    expect(requests[0].head).toContain('POST /v1/apps/a/events HTTP/1.1\r\n');
    expect(requests[0].head).toContain('authorization: Bearer k\r\n');
    expect(Buffer.byteLength(JSON.stringify(requests[0].body.data))).toBe(256);
    expect(Histogram.fromData(second.ackMs).count).toBe(second.requests);
    expect(first.firstSentAtMs).toBeGreaterThanOrEqual(before);
    expect(second.lastAckAtMs).toBeGreaterThan(second.firstSentAtMs);
  });

  test('numbers the events of a batch', async () => {
    const { generator, requests } = await setup({ eventsPerRequest: 4, connections: 1 }, () => ACCEPTED);
    const result = await generator.runClosedLoop({ seconds: 0.02 });
    expect(result.events).toBe(4 * result.requests);
    expect(requests[1].body.events!.map(({ data }) => Number(data.n))).toEqual([4, 5, 6, 7]);
  });

  test('publishes a number of requests, to several paths in turn', async () => {
    const paths = ['/v1/apps/a/events', '/v1/apps/b/events', '/v1/apps/c/events'];
    const { generator, requests } = await setup({ paths, connections: 4 }, () => ACCEPTED);
    expect(await generator.runRequests({ requests: 10 })).toMatchObject({ events: 10, requests: 10 });
    expect(await generator.runRequests({ requests: 2 })).toMatchObject({ events: 2, requests: 2 });
    const counts = paths.map((path) => requests.filter(({ head }) => head.startsWith(`POST ${path} HTTP`)).length);
    expect(counts).toEqual([4, 4, 4]);
    const sequences = requests.map(({ body }) => Number(body.data!.n)).sort((a, b) => a - b);
    expect(sequences).toEqual(sequences.map((_, i) => i));
  });

  test('refuses paths that differ in length', async () => {
    await expect(setup({ paths: ['/a', '/bb'] }, () => ACCEPTED)).rejects.toThrow('differ in length');
  });

  test('sends the same events again when it is refused', async () => {
    const refused = 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\n\r\n';
    const { generator, requests } = await setup({ connections: 1 }, (_, count) => (count === 2 ? refused : ACCEPTED));
    const result = await generator.runClosedLoop({ seconds: 0.01 });
    expect(result.refused).toBe(1);
    expect(requests.slice(0, 3).map(({ body }) => Number(body.data!.n))).toEqual([0, 1, 1]);
    expect(result.events).toBe(requests.length - 1);
  });

  test('publishes in an open loop at the planned times, however slow the answers', async () => {
    const { generator, requests } = await setup({ connections: 2 }, () => ACCEPTED);
    const result = await generator.runOpenLoop({ perSecond: 1000, seconds: 0.2, seed: 7 });
    const again = await generator.runOpenLoop({ perSecond: 1000, seconds: 0.2, seed: 7, recordsAcks: true });
    expect(result.ackedAtMs).toEqual([]);
    const acked = again.ackedAtMs.map(([sequence]) => sequence).sort((a, b) => a - b);
    expect(acked).toEqual(Array.from({ length: again.events }, (_, n) => result.events + n));
    expect(result.events).toBe(again.events);
    expect(result.events).toBeGreaterThan(120);
    expect(result.events).toBeLessThan(280);
    expect(requests).toHaveLength(2 * result.events);
    const times = requests.slice(0, result.events).map(({ body }) => Number(body.data!.atUs));
    expect(times.at(-1)! - times[0]).toBeLessThan(202_000);
  });

  test('fails the run with the answer when the server refuses for good', async () => {
    const body = '{"code":"unauthorized"}';
    const { generator } = await setup(
      {},
      () => `HTTP/1.1 401 Unauthorized\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await expect(generator.runClosedLoop({ seconds: 5 })).rejects.toThrow('401: {"code":"unauthorized"}');
  });

  test('fails the run when the server closes a connection', async () => {
    const { generator } = await setup({}, () => null);
    await expect(generator.runClosedLoop({ seconds: 5 })).rejects.toThrow('closed a connection');
  });
});
