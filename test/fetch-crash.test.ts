// SIGKILL while an API is fetched: what it has is in the log, each item once, however often a run is broken off.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningServer, startServer } from './server.ts';
import { until } from './until.ts';

const KILLS = 4;
const PAGE = 400;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidings-fetch-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A collection that grows while it is read, page by page. */
async function anApi() {
  let size = 1000;
  const server = createServer((request, response) => {
    size += 7;
    const page = Number(new URL(request.url ?? '/', 'http://localhost').searchParams.get('page'));
    const items = Array.from({ length: size }, (_, id) => ({ id })).slice((page - 1) * PAGE, page * PAGE);
    response.setHeader('content-type', 'application/json').end(JSON.stringify(items));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    get size() {
      return size;
    },
    close: () => server.close().closeAllConnections(),
  };
}

describe('a source that is fetched by a server that is killed', () => {
  test('has each item in the log once', { timeout: 180_000 }, async () => {
    const api = await anApi();
    let server: RunningServer = await startServer(folder);
    const app = (await server.call('POST', '/v1/apps', { name: 'Acme' })).body.id;
    const members = {
      kind: 'fetch',
      url: api.url,
      key: 'id',
      start: 'all',
      pages: { by: 'page', param: 'page', size: PAGE, max: 100 },
    };
    const { id } = (await server.call('POST', `/v1/apps/${app}/sources`, members)).body;
    const run = () => server.call('POST', `/v1/apps/${app}/sources/${id}/run`).catch(() => null);
    for (let kill = 0; kill < KILLS; kill++) {
      await run();
      await pause(200 + Math.random() * 1200);
      await server.kill();
      server = await startServer(folder);
    }
    const wanted = api.size;
    const runs = async () => (await server.call('GET', `/v1/apps/${app}/sources/${id}/runs`)).body.data;
    const before = (await runs()).length;
    await run();
    await until(async () => (await runs()).length > before);

    const stored: number[] = [];
    const ids = new Set<string>();
    let after = '';
    for (let done = false; !done; ) {
      const page = (await server.call('GET', `/v1/apps/${app}/events?limit=1000${after}`)).body;
      for (const event of page.events) {
        stored.push(event.data.id);
        ids.add(event.id);
      }
      after = `&after=${page.cursor}`;
      done = page.done;
    }
    await server.stop();
    api.close();
    expect(ids.size).toBe(stored.length);
    expect(stored.length).toBeGreaterThanOrEqual(wanted);
    expect(stored).toEqual(Array.from({ length: stored.length }, (_, n) => n));
  });
});
