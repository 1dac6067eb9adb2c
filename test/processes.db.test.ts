// Several whole servers on one database: how they share the lanes, and what one asks of another.
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Config } from '../src/app/config.ts';
import { startTidings, type Tidings } from '../src/app/tidings.ts';
import { liveProcesses } from '../src/storage/processes.ts';
import { type Receiver, receiver } from './receiver.ts';
import { type Running, running, testConfig } from './running.ts';
import { until } from './until.ts';

let server: Running;
let hooks: Receiver;
const others: Tidings[] = [];
beforeEach(async () => {
  server = await running();
  hooks = await receiver();
});
afterEach(async () => {
  for (const other of others.splice(0)) await other.stop();
  await server.close();
  await hooks.close();
});

async function anotherProcess(options: Partial<Config> = {}): Promise<Tidings> {
  const other = await startTidings(testConfig(server.database.url, options), { migrate: false });
  others.push(other);
  return other;
}

/** Slots by process, sorted. */
async function shares(): Promise<number[]> {
  const processes = await liveProcesses(server.database.db);
  return processes.map(({ slotCount }) => slotCount).sort((a, b) => a - b);
}

/** Publishes from several clients at once, some hundred events a second, until it is stopped. */
function publishing(appId: string): { stop(): Promise<string[]> } {
  const ids: string[] = [];
  let going = true;
  const clients = Array.from({ length: 4 }, async () => {
    for (; going; await delay(10)) ids.push((await server.publish(appId)).id);
  });
  return {
    stop: async () => {
      going = false;
      await Promise.all(clients);
      return ids;
    },
  };
}

describe('several processes', () => {
  test('share the lanes under load, and each event is sent to each endpoint once', async () => {
    const appId = await server.anApp();
    const endpoints = await Promise.all(
      Array.from({ length: 24 }, (_, n) => server.anEndpoint(appId, { url: `${hooks.url}/${n}` })),
    );
    const load = publishing(appId);
    await until(() => hooks.requests.length > 400);
    await anotherProcess();
    await until(async () => (await shares())[0] >= 16);
    const ids = await load.stop();
    await until(() => hooks.requests.length >= ids.length * endpoints.length);
    // A second attempt may follow a timeout on a busy machine; a first attempt made twice is two owners, or one that forgot.
    const first = hooks.requests
      .filter(({ headers }) => headers['tidings-attempt'] === '1')
      .map(({ path, headers }) => `${path} ${headers['webhook-id']}`);
    expect(new Set(first).size).toBe(first.length);
    expect(first).toHaveLength(ids.length * endpoints.length);
  }, 60_000);

  test('one that stops has its lanes with the other within a second, but for those that wait for a slow endpoint', async () => {
    const appId = await server.anApp();
    const slow = await receiver();
    slow.respondWith('hang');
    await server.anEndpoint(appId, { url: slow.url, timeoutMs: 4000 });
    await Promise.all(Array.from({ length: 10 }, (_, n) => server.anEndpoint(appId, { url: `${hooks.url}/${n}` })));
    const other = await anotherProcess();
    await server.publish(appId);
    await until(() => slow.requests.length === 1 && hooks.requests.length === 10);
    const stoppingMs = performance.now();
    const stopping = server.stop();
    await until(async () => Math.max(...(await shares())) >= 200);
    expect(performance.now() - stoppingMs).toBeLessThan(1500);
    await stopping;
    await until(async () => (await shares()).join() === '256');
    expect(other.url).not.toBe('');
    await slow.close();
  }, 60_000);
});
