// Several `tidings dev` on one data folder: the first starts the database, the others join it, and the last one out stops it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPostmaster } from '../src/storage/postmaster.ts';
import { type ReadyServer, type TestCli, testCli } from './cli.ts';

let cli: TestCli;
beforeAll(async () => {
  cli = await testCli();
}, 60_000);
afterAll(() => cli.close(), 60_000);

async function databaseOf(folder: string): Promise<number | null> {
  return (await findPostmaster(join(folder, 'postgres')))?.pid ?? null;
}

async function apps({ url, apiKey }: ReadyServer): Promise<string[]> {
  const answer = await fetch(`${url}/v1/apps`, { headers: { authorization: `Bearer ${apiKey}` } });
  const { data } = (await answer.json()) as { data: { name: string }[] };
  return data.map(({ name }) => name);
}

async function addApp({ url, apiKey }: ReadyServer, name: string): Promise<number> {
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
  return (await fetch(`${url}/v1/apps`, { method: 'POST', headers, body: JSON.stringify({ name }) })).status;
}

describe('a data folder', () => {
  test('is shared by two that start at the same instant, and by whoever comes while another is there', async () => {
    const data = join(cli.folder, 'shared');
    const [one, two] = await Promise.all([cli.ready(['dev', '--data', data]), cli.ready(['dev', '--data', data])]);
    expect(two.apiKey).toBe(one.apiKey);
    expect(two.databaseUrl).toBe(one.databaseUrl);
    expect(await addApp(one, 'of both')).toBe(201);
    expect(await apps(two)).toContain('of both');
    expect((await readdir(data)).sort()).toEqual(['admin.key', 'master.key', 'postgres', 'users']);
    const database = await databaseOf(data);

    expect(await cli.stop(one.child)).toMatchObject({ code: 0, stderr: '' });
    expect(await addApp(two, 'of the second')).toBe(201);
    const three = await cli.ready(['dev', '--data', data, '--processes', '2']);
    expect(await apps(three)).toContain('of the second');
    expect(await readdir(join(data, 'users'))).toHaveLength(4);

    // Whoever is killed leaves the database to the others; the last one stops it.
    two.child.kill('SIGKILL');
    await two.child.ended;
    expect(await addApp(three, 'of the third')).toBe(201);
    expect(await databaseOf(data)).toBe(database);
    expect((await cli.stop(three.child)).code).toBe(0);
    expect(await databaseOf(data)).toBeNull();
    expect(await readdir(join(data, 'users'))).toEqual([]);
  }, 120_000);

  test('is left running by the last when it is killed, and taken over by the next', async () => {
    const data = join(cli.folder, 'left');
    const killed = await cli.ready(['dev', '--data', data]);
    expect(await addApp(killed, 'kept')).toBe(201);
    const database = await databaseOf(data);
    killed.child.kill('SIGKILL');
    await killed.child.ended;
    expect(await databaseOf(data)).toBe(database);
    const next = await cli.ready(['dev', '--data', data]);
    expect(await databaseOf(data)).toBe(database);
    expect(await apps(next)).toContain('kept');
    expect((await cli.stop(next.child)).code).toBe(0);
    expect(await databaseOf(data)).toBeNull();
  }, 60_000);

  test('has a database that Ctrl-C in the terminal does not reach', async () => {
    const data = join(cli.folder, 'group');
    const holder = await cli.ready(['dev', '--data', data]);
    const database = await databaseOf(data);
    // A process group of its own, as a shell makes for a command; the signal goes to all of it.
    const main = holder.child.spawnargs[1];
    const args = [main, 'dev', '--data', data, '--port', '0', '--json', '--processes', '2'];
    const group = spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = once(group, 'exit');
    try {
      await once(group.stdout, 'data');
      process.kill(-group.pid!, 'SIGINT');
      expect((await ended)[0]).toBe(0);
    } finally {
      group.kill('SIGKILL');
    }
    expect(await databaseOf(data)).toBe(database);
    expect(await addApp(holder, 'after')).toBe(201);
    expect((await cli.stop(holder.child)).code).toBe(0);
  }, 60_000);
});
