import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { until } from '../test/until.ts';
import { Histogram } from './histogram.ts';
import { HttpFramer } from './http-framer.ts';
import { monotonicMs } from './monotonic-clock.ts';
import { Receiver } from './receiver.ts';
import { findStamp, stampedData, writeStamp } from './stamped-data.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function delivery(path: string, sequence: number): Buffer {
  const body = Buffer.from(`{"type":"a","data":${stampedData(200)}}`);
  writeStamp(body, findStamp(body, 0), { sequence, publishedAtMs: monotonicMs() });
  return Buffer.concat([
    Buffer.from(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`),
    body,
  ]);
}

async function setup() {
  const receiver = new Receiver();
  cleanups.push(() => receiver.close());
  const { port } = await receiver.listen();
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  cleanups.push(() => void socket.destroy());
  let answered = 0;
  let wake = () => {};
  const framer = new HttpFramer((bytes, start) => {
    expect(bytes.toString('latin1', start, start + 15)).toBe('HTTP/1.1 200 OK');
    answered++;
    wake();
  });
  socket.on('data', (chunk) => framer.push(chunk));
  const answers = async (count: number) => {
    while (answered < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { receiver, socket, answers };
}

describe('receiver', () => {
  test('counts each sequence number once by path and tells duplicates apart', async () => {
    const { receiver, socket, answers } = await setup();
    socket.write(
      Buffer.concat([delivery('/r/0', 7), delivery('/r/1', 7), delivery('/r/0', 7), delivery('/r/12', 200_000)]),
    );
    await answers(4);
    expect(receiver.stats()).toMatchObject({ requests: 4, distinct: 3, duplicates: 1, malformed: 0, connections: 1 });
  });

  test('answers more requests in one packet than it has answers prepared for', async () => {
    const { receiver, socket, answers } = await setup();
    socket.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => delivery('/r/0', i))));
    await answers(100);
    expect(receiver.stats().distinct).toBe(100);
  });

  test('takes a request that comes in pieces', async () => {
    const { receiver, socket, answers } = await setup();
    const bytes = delivery('/r/3', 1);
    for (let at = 0; at < bytes.length; at += 50) {
      await new Promise((resolve) => socket.write(bytes.subarray(at, at + 50), resolve));
    }
    await answers(1);
    expect(receiver.stats()).toMatchObject({ requests: 1, distinct: 1 });
  });

  test('measures from the stamp to the receipt', async () => {
    const { receiver, socket, answers } = await setup();
    const before = monotonicMs();
    socket.write(delivery('/r/0', 1));
    await answers(1);
    const latency = receiver.latency();
    const { lastDistinctAtMs } = receiver.stats();
    expect(latency.count).toBe(1);
    expect(latency.maxMs).toBeGreaterThanOrEqual(0);
    expect(latency.maxMs).toBeLessThanOrEqual(monotonicMs() - before);
    expect(lastDistinctAtMs).toBeGreaterThanOrEqual(before);
    receiver.resetLatency();
    expect(receiver.latency()).toEqual(new Histogram().toData());
  });

  test('counts what it cannot read', async () => {
    const { receiver, socket, answers } = await setup();
    socket.write('POST /r/0 HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}');
    await answers(1);
    socket.write('POST /r/0 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(receiver.stats()).toMatchObject({ malformed: 2, distinct: 0 });
  });

  test('notes when the numbers watched for are passed', async () => {
    const { receiver, socket, answers } = await setup();
    receiver.watchFor([1, 3, 9]);
    const before = monotonicMs();
    socket.write(Buffer.concat([delivery('/r/0', 1), delivery('/r/0', 1), delivery('/r/1', 1)]));
    await answers(3);
    const between = monotonicMs();
    socket.write(delivery('/r/2', 1));
    await answers(4);
    const { passedAtMs } = receiver.stats();
    expect(passedAtMs).toHaveLength(2);
    expect(passedAtMs[0]).toBeGreaterThanOrEqual(before);
    expect(passedAtMs[0]).toBeLessThanOrEqual(between);
    expect(passedAtMs[1]).toBeGreaterThanOrEqual(between);
    receiver.watchFor([5]);
    expect(receiver.stats().passedAtMs).toEqual([]);
  });

  test('measures the longest time between two first deliveries of a path', async () => {
    const { receiver, socket, answers } = await setup();
    socket.write(delivery('/r/1', 1));
    await answers(1);
    const first = receiver.stats().lastDistinctAtMs;
    await until(() => monotonicMs() - first > 30);
    socket.write(Buffer.concat([delivery('/r/0', 1), delivery('/r/1', 1), delivery('/r/1', 2)]));
    await answers(4);
    expect(receiver.stats().distinct).toBe(3);
    const [other, gap] = receiver.longestGapsMs();
    expect(other).toBe(0);
    expect(gap).toBeGreaterThan(30);
    expect(gap).toBeLessThanOrEqual(monotonicMs() - first);
    receiver.resetGaps();
    expect(receiver.longestGapsMs()).toEqual([]);
  });
});
