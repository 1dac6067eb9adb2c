// Several processes that share one port.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAlive } from '../src/storage/postgres-users.ts';
import { type Receiver, receiver } from './receiver.ts';
import { type Serving, serving } from './serving.ts';
import { until } from './until.ts';

let servers: Serving;
let hooks: Receiver;
beforeAll(async () => {
  [servers, hooks] = await Promise.all([serving(), receiver()]);
}, 60_000);
afterAll(async () => {
  await servers.close();
  await hooks.close();
}, 60_000);

/** The processes that answer on a port. */
async function answering(url: string): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: 8 }, () => servers.ask(url, 'GET /metrics').catch(() => '')));
  const pids = answers.flatMap((text) => /^tidings_process_pid (\d+)$/m.exec(text)?.[1] ?? []);
  return [...new Set(pids)].map(Number);
}

describe('a cluster', () => {
  test('serves on one port, replaces a process that was killed, and stops in order', async () => {
    const { child, url, line } = await servers.start('--processes', '2');
    expect(JSON.parse(line)).toEqual({ url });
    const before = await answering(url);
    expect(before).toHaveLength(2);
    expect(before).not.toContain(child.pid);
    const { id } = await servers.ask(url, 'POST /v1/apps', { name: 'An app' });
    await servers.ask(url, `POST /v1/apps/${id}/endpoints`, { url: hooks.url });

    process.kill(before[0], 'SIGKILL');
    let after: number[] = [];
    await until(async () => {
      after = await answering(url);
      return after.length === 2 && !after.includes(before[0]);
    });
    expect(after).toContain(before[1]);
    const published = await servers.ask(url, `POST /v1/apps/${id}/events`, { type: 'a.b', data: 1 });
    // At the latest when the lease of the killed process has run out.
    await until(() => hooks.requests.some(({ headers }) => headers['webhook-id'] === published.id));

    const ended = await servers.cli.stop(child);
    expect(ended.code).toBe(0);
    expect(ended.stdout).toBe(`${line}\n`);
    expect(ended.stderr).toContain(`server process ${before[0]} ended (SIGKILL); another is started`);
    expect(after.filter(isAlive)).toEqual([]);
  }, 60_000);

  test('lets requests and attempts end, for the drain time at most', async () => {
    const { child, url } = await servers.start('--processes', '2', '--drain-seconds', '1');
    const { id } = await servers.ask(url, 'POST /v1/apps', { name: 'Another app' });
    const hanging = await receiver();
    hanging.respondWith('hang');
    await servers.ask(url, `POST /v1/apps/${id}/endpoints`, { url: hanging.url });
    await servers.ask(url, `POST /v1/apps/${id}/events`, { type: 'a.b', data: 1 });
    await hanging.request(1);
    const begin = performance.now();
    expect((await servers.cli.stop(child)).code).toBe(0);
    expect(performance.now() - begin).toBeLessThan(5000);
    await hanging.close();
  }, 60_000);

  test('ends with its primary: in order when that was killed, at once at the second signal', async () => {
    const killed = await servers.start('--processes', '2');
    const orphans = await answering(killed.url);
    killed.child.kill('SIGKILL');
    await until(() => orphans.every((pid) => !isAlive(pid)));
    const live = await servers.database.db.query<{ pid: number }>({
      name: 'live_processes',
      text: "SELECT pid FROM processes WHERE state = 'live'",
    });
    expect(live.filter(({ pid }) => orphans.includes(pid))).toEqual([]);

    const { child, url } = await servers.start('--processes', '2', '--drain-seconds', '60');
    const pids = await answering(url);
    const hanging = await receiver();
    hanging.respondWith('hang');
    const { id } = await servers.ask(url, 'POST /v1/apps', { name: 'A third app' });
    await servers.ask(url, `POST /v1/apps/${id}/endpoints`, { url: hanging.url, timeoutMs: 30_000 });
    await servers.ask(url, `POST /v1/apps/${id}/events`, { type: 'a.b', data: 1 });
    await hanging.request(1);
    child.kill('SIGINT');
    const isServed = (): Promise<boolean> =>
      fetch(`${url}/healthz`, { signal: AbortSignal.timeout(500) }).then(
        () => true,
        () => false,
      );
    await until(async () => !(await isServed()));
    expect(pids.filter(isAlive)).not.toEqual([]); // the attempt has its time
    child.kill('SIGINT');
    expect((await child.ended).code).toBe(130);
    await hanging.close();
    await until(() => pids.every((pid) => !isAlive(pid)));
  }, 60_000);

  test('does not start where one process cannot, and says why', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const env = { DATABASE_URL: servers.database.url, TIDINGS_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') };
    const args = ['serve', '--processes', '2', '--log-level', 'silent'];
    const used = await servers.cli.run([...args, '--port', String(port)], env);
    expect(used).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^tidings: Port \d+ of 127\.0\.0\.1 is in use/),
    });
    taken.close();
    const wrong = { ...env, TIDINGS_MASTER_KEY: Buffer.alloc(32, 8).toString('base64') };
    const { code, stderr } = await servers.cli.run([...args, '--port', '0'], wrong);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^tidings: The master key is not the one .+\n$/);
  }, 60_000);
});
