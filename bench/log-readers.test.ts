import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../test/until.ts';
import { LogReaders } from './log-readers.ts';
import { monotonicMs } from './monotonic-clock.ts';
import { findStamp, stampedData, writeStamp } from './stamped-data.ts';

let server: http.Server;
let urls: string[];
let answer: (url: URL, response: http.ServerResponse) => void;
let readers: LogReaders;

beforeEach(async () => {
  urls = [];
  server = http.createServer((request, response) => {
    urls.push(request.url!);
    answer(new URL(request.url!, 'http://x'), response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  readers = new LogReaders({ origin, headers: { authorization: 'Bearer x' }, paths: ['/a', '/b'], connections: 2 });
});
afterEach(async () => {
  readers.close();
  await new Promise((resolve) => server.close(resolve));
});

function send(response: http.ServerResponse, cursor: string, done: boolean, body: string | Buffer): void {
  const headers = { 'content-length': Buffer.byteLength(body), 'tidings-cursor': cursor, 'tidings-done': String(done) };
  response.writeHead(200, headers).end(body);
}

describe('log readers', () => {
  test('page through a log again and again, and count full pages', async () => {
    answer = (url, response) => {
      const page = Number(url.searchParams.get('after') ?? 0);
      send(response, String(page + 1), page === 2, 'x'.repeat(10));
    };
    await readers.connect();
    const { events, bytes, pages, pageMs } = await readers.readPages({ seconds: 0.2, limit: 5 });
    expect(urls.slice(0, 2).sort()).toEqual(['/a?limit=5', '/b?limit=5']);
    expect(bytes).toBe(pages * 10);
    expect(pageMs.count).toBe(pages);
    // Of each log two pages are full once, and then one in two.
    const ends = urls.filter((url) => url.endsWith('after=2')).length;
    expect(events).toBe((pages - ends) * 5);
    expect(pages).toBe(urls.length);
  });

  test('wait, are answered, and wait on from there', async () => {
    const held: http.ServerResponse[] = [];
    answer = (_url, response) => void held.push(response);
    await readers.connect();
    readers.startWaiting();
    await until(() => held.length === 2);
    expect(urls.sort()).toEqual(['/a?wait=60&after=now', '/b?wait=60&after=now']);
    const body = Buffer.from(stampedData(200));
    writeStamp(body, findStamp(body, 0), { sequence: 1, publishedAtMs: monotonicMs() });
    for (const response of held) send(response, '7', true, body);
    await until(() => held.length === 4);
    expect(urls.slice(2).every((url) => url.endsWith('?wait=60&after=7'))).toBe(true);
    const wakes = readers.takeWakes();
    expect(wakes.map(({ sequence }) => sequence)).toEqual([1, 1]);
    for (const { publishedAtMs, wokenAtMs } of wakes) {
      expect(wokenAtMs - publishedAtMs).toBeGreaterThanOrEqual(0);
      expect(wokenAtMs - publishedAtMs).toBeLessThan(20_000);
    }
    expect(readers.takeWakes()).toEqual([]);
  });

  test('tell what went wrong', async () => {
    answer = (_url, response) => void response.writeHead(500, { 'content-length': 0 }).end();
    await readers.connect();
    await expect(readers.readPages({ seconds: 1, limit: 5 })).rejects.toThrow('500');
  });
});
