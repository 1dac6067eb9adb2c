// SIGKILL at random moments under load: every event that was acknowledged reaches the receiver, and no more is sent twice than was open.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningServer, startServer } from './server.ts';

const KILLS = 10;
const CONCURRENCY = 4;
/** Design rule 8: twice the window of the one lane, which is at most twice what may be in flight. */
const OPEN_BOUND = 2 * 2 * CONCURRENCY;
const PUBLISHERS = 8;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidings-crash-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** An independent receiver: it only notes which webhook-id came how often. */
async function aLedger() {
  const received = new Map<string, number>();
  const server = createServer((request, response) => {
    const id = request.headers['webhook-id'] as string;
    received.set(id, (received.get(id) ?? 0) + 1);
    request.resume().on('end', () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, received, close: () => server.close().closeAllConnections() };
}

describe('a server that is killed', () => {
  test('loses no acknowledged event', { timeout: 240_000 }, async () => {
    const ledger = await aLedger();
    const acknowledged = new Set<string>();
    let server: RunningServer = await startServer(folder);
    const app = (await server.call('POST', '/v1/apps', { name: 'Acme' })).body.id;
    const created = await server.call('POST', `/v1/apps/${app}/endpoints`, {
      url: ledger.url,
      maxConcurrency: CONCURRENCY,
    });
    expect(created.status).toBe(201);

    let publishing = true;
    let number = 0;
    const publish = async (): Promise<void> => {
      while (publishing) {
        const id = `crash-${number++}`;
        const target = server;
        const answer = await target
          .call('POST', `/v1/apps/${app}/events`, { id, type: 'load', data: { id } })
          .catch(() => null);
        if (answer?.status === 202) acknowledged.add(id);
        else await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const publishers = Array.from({ length: PUBLISHERS }, publish);
    for (let kill = 0; kill < KILLS; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 1500));
      await server.kill();
      server = await startServer(folder);
    }
    publishing = false;
    await Promise.all(publishers);

    const missing = (): string[] => [...acknowledged].filter((id) => !ledger.received.has(id));
    const deadline = Date.now() + 60_000;
    while (missing().length > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 200));
    expect(missing()).toEqual([]);
    expect(acknowledged.size).toBeGreaterThan(KILLS);
    const duplicates = [...ledger.received.values()].reduce((sum, times) => sum + times - 1, 0);
    expect(duplicates).toBeLessThanOrEqual(KILLS * OPEN_BOUND);

    // Positions are dense, and the log holds exactly what was acknowledged, and what was stored without its answer arriving.
    let cursor: string | undefined;
    const logged: string[] = [];
    for (let done = false; !done; ) {
      const page = (await server.call('GET', `/v1/apps/${app}/events?limit=500${cursor ? `&after=${cursor}` : ''}`))
        .body;
      for (const event of page.events) {
        expect(event.position).toBe(logged.length + 1);
        logged.push(event.id);
      }
      ({ cursor, done } = page);
    }
    expect(new Set(logged).size).toBe(logged.length);
    for (const id of acknowledged) expect(logged).toContain(id);
    expect(await server.stop()).toBe(0);
    ledger.close();
  });
});
