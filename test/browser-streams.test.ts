// Streams in a real browser: its own EventSource and WebSocket, through a server that goes and comes back.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appendEvents } from '../src/storage/append.ts';
import { type Browser, browser } from './browser.ts';
import { anEvent } from './event-log.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

let server: Running;
let chromium: Browser;
let site: http.Server;
beforeAll(async () => {
  [server, chromium] = await Promise.all([running(), browser()]);
  site = await aSite();
}, 60_000);
afterAll(async () => {
  await chromium?.close();
  site?.closeAllConnections();
  site?.close();
  await server?.close();
}, 60_000);

/** What a page needs whose EventSource cannot set headers: a site that adds the key, and passes everything else on. */
async function aSite(): Promise<http.Server> {
  const page = '<!doctype html><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">';
  const created = http.createServer((request, response) => {
    if (!request.url?.startsWith('/v1/')) {
      response.writeHead(200, { 'content-type': 'text/html' }).end(page);
      return;
    }
    const headers = { ...request.headers, authorization: `Bearer ${server.key}` };
    const passed = http.request(server.url + request.url, { headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    passed.end();
  });
  await new Promise<void>((resolve) => created.listen(0, '127.0.0.1', resolve));
  return created;
}

/** What the scripts of the page keep. */
interface PageState {
  seen: number[];
  source: EventSource;
}

const seenBy = (page: Page): Promise<number[]> => page.evaluate(() => (globalThis as unknown as PageState).seen);

describe('a browser', () => {
  test('follows the log by EventSource, and misses nothing of what came while the server was away', async () => {
    const appId = await server.anApp();
    await server.publish(appId);
    const page = await chromium.newPage(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
    await page.evaluate((path) => {
      const state = globalThis as unknown as PageState;
      state.seen = [];
      state.source = new EventSource(path);
      state.source.onmessage = ({ data }) => void state.seen.push(JSON.parse(data).position);
    }, `/v1/apps/${appId}/stream?after=now`);
    const readyState = () => page.evaluate(() => (globalThis as unknown as PageState).source.readyState);
    await until(async () => (await readyState()) === 1);
    // Before it has seen any event: it comes back after the cursor that it was told of.
    await server.stop();
    await appendEvents(server.database.db, [{ appId, events: [anEvent(), anEvent()] }]);
    await server.start();
    await until(async () => (await seenBy(page)).length === 2);
    for (let n = 0; n < 3; n++) await server.publish(appId, { data: { n } });
    await until(async () => (await seenBy(page)).length === 5);
    await server.stop();
    await appendEvents(server.database.db, [{ appId, events: [anEvent()] }]);
    await server.start();
    await server.publish(appId);
    await until(async () => (await seenBy(page)).length === 7);
    expect(await seenBy(page)).toEqual([2, 3, 4, 5, 6, 7, 8]);
    // The app goes: the next try is refused, and EventSource gives up.
    await server.call(`DELETE /v1/apps/${appId}`);
    await until(async () => (await readyState()) === 2);
  }, 60_000);

  test('follows the log by WebSocket with its key as a subprotocol', async () => {
    const appId = await server.anApp();
    for (let n = 0; n < 5; n++) await server.publish(appId, { data: { n } });
    const page = await chromium.newPage(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
    await page.evaluate(
      ([url, key]) => {
        const state = globalThis as unknown as PageState;
        state.seen = [];
        const socket = new WebSocket(url, ['tidings', `bearer.${key}`]);
        socket.onopen = () => socket.send('{"type":"grant","events":3}');
        socket.onmessage = ({ data }) => {
          const message = JSON.parse(data);
          if (message.type !== 'event') return;
          state.seen.push(message.event.position);
          if (state.seen.length === 3) socket.send('{"type":"grant","events":10}');
        };
        socket.onclose = ({ code }) => void state.seen.push(code);
      },
      [`${server.url.replace('http', 'ws')}/v1/apps/${appId}/stream`, server.key] as const,
    );
    await until(async () => (await seenBy(page)).length === 5);
    await server.stop();
    await until(async () => (await seenBy(page)).length === 6);
    await server.start();
    expect(await seenBy(page)).toEqual([1, 2, 3, 4, 5, 1001]);
  }, 60_000);
});
