// Servers are renewed under load: no request is refused, and every event that was acknowledged is delivered.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { aLoad, type Load } from './load.ts';
import { type Receiver, receiver } from './receiver.ts';
import { type Serving, serving } from './serving.ts';
import { until } from './until.ts';

let servers: Serving;
let hooks: Receiver;
let load: Load | null = null;
beforeEach(async () => {
  [servers, hooks] = await Promise.all([serving(), receiver()]);
}, 60_000);
afterEach(async () => {
  await load?.stop();
  load = null;
  await servers.close();
  await hooks.close();
}, 60_000);

async function anApp(url: string): Promise<string> {
  const { id } = await servers.ask(url, 'POST /v1/apps', { name: 'An app' });
  await servers.ask(url, `POST /v1/apps/${id}/endpoints`, { url: hooks.url });
  return id;
}

/** Resolves when so many more events have been acknowledged. */
async function more({ acknowledged }: Load, count: number): Promise<void> {
  const goal = acknowledged.size + count;
  await until(() => acknowledged.size >= goal);
}

/** Ends the load and holds it against what the receiver has. */
async function settle({ acknowledged, refusals, stop }: Load): Promise<void> {
  await stop();
  expect(refusals).toEqual([]);
  expect(acknowledged.size).toBeGreaterThan(100);
  const received = new Set<unknown>();
  await until(() => {
    for (const { headers } of hooks.requests) received.add(headers['webhook-id']);
    return [...acknowledged].every((id) => received.has(id));
  });
  expect([...received].filter((id) => !acknowledged.has(String(id)))).toEqual([]);
}

describe('a rolling restart under load', () => {
  test('of two servers, with clients that go to one that is ready, refuses and loses nothing', async () => {
    const running = [await servers.start('--processes', '1'), await servers.start('--processes', '1')];
    let ready = running.map(({ url }) => url);
    let isWatching = true;
    const watch = (async () => {
      while (isWatching) {
        const answers = await Promise.all(running.map(({ url }) => fetch(`${url}/readyz`).catch(() => null)));
        ready = running.filter((_, i) => answers[i]?.ok).map(({ url }) => url);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    let turn = 0;
    const appId = await anApp(running[0].url);
    load = aLoad({ url: () => ready[turn++ % ready.length], apiKey: servers.apiKey, appId });
    for (let round = 0; round < 4; round++) {
      await more(load, 50);
      const old = running[round % 2];
      expect(await servers.cli.stop(old.child)).toMatchObject({ code: 0, stderr: '' });
      running[round % 2] = await servers.start('--processes', '1');
    }
    await more(load, 50);
    isWatching = false;
    await watch;
    await settle(load);
  }, 120_000);

  test('of the processes of a cluster, by SIGHUP, refuses and loses nothing', async () => {
    const { child, url } = await servers.start('--processes', '2');
    const pids = async (): Promise<Set<string>> => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => servers.ask(url, 'GET /metrics')));
      return new Set(answers.map((text) => /^tidings_process_pid (\d+)$/m.exec(text)![1]));
    };
    const appId = await anApp(url);
    load = aLoad({ url: () => url, apiKey: servers.apiKey, appId });
    for (let round = 0; round < 2; round++) {
      await more(load, 50);
      const before = await pids();
      expect(before.size).toBe(2);
      child.kill('SIGHUP');
      await until(async () => {
        const now = await pids();
        return now.size === 2 && [...now].every((pid) => !before.has(pid));
      });
    }
    await more(load, 50);
    await settle(load);
    expect(await servers.cli.stop(child)).toMatchObject({ code: 0, stderr: '' });
  }, 120_000);
});
