import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { buildOnce } from '../../test/build.ts';
import { until } from '../../test/until.ts';
import { EmbeddedPostgres, type EmbeddedPostgresOptions } from './embedded-postgres.ts';
import { isRoot } from './postgres-account.ts';
import { isAlive } from './postgres-users.ts';
import { findPostmaster } from './postmaster.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-test-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o711);
  return folder;
}

// A first start takes most of a second: those who don't ask about it begin with a copy of a stopped server's folder.
let template: string;
beforeAll(async () => {
  template = await mkdtemp(join(tmpdir(), 'tidings-test-'));
  await chmod(template, 0o711);
  const server = new EmbeddedPostgres({ dataFolder: template });
  await server.start();
  await server.stop();
});
afterAll(() => rm(template, { recursive: true, force: true }));

async function aUsedFolder(): Promise<string> {
  const folder = join(await aFolder(), 'data');
  await promisify(execFile)('cp', ['-a', template, folder]);
  return folder;
}

function aServer(dataFolder: string, options: Partial<EmbeddedPostgresOptions> = {}): EmbeddedPostgres {
  const server = new EmbeddedPostgres({ dataFolder, ...options });
  cleanups.push(() => server.stop());
  return server;
}

async function ask(server: EmbeddedPostgres, sql: string): Promise<unknown> {
  const client = new pg.Client(server.connection);
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query({ text: sql, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

async function pidOf(dataFolder: string): Promise<number | undefined> {
  return (await findPostmaster(join(dataFolder, 'postgres')))?.pid;
}

/** A process of its own that starts the server and stays until it is killed. */
async function aProcessWithServer(dataFolder: string, umask = '022'): Promise<{ pid: number; kill(): Promise<void> }> {
  const module = join(await buildOnce(), 'storage/embedded-postgres.js');
  const script = `import { EmbeddedPostgres } from ${JSON.stringify(module)};
    await new EmbeddedPostgres({ dataFolder: ${JSON.stringify(dataFolder)} }).start();
    console.log('started');
    setInterval(() => {}, 1000);`;
  const child = spawn('/bin/sh', [
    '-c',
    `umask ${umask}; exec "$0" "$@"`,
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ]);
  let said = '';
  child.stderr.on('data', (bytes) => {
    said += bytes;
  });
  const ended = once(child, 'close');
  const started = await Promise.race([once(child.stdout, 'data'), ended.then(() => null)]);
  if (!started) throw new Error(said);
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  cleanups.push(kill);
  return { pid: child.pid!, kill };
}

describe('embedded postgres', () => {
  test('makes a database at the first start and keeps it over a restart', async () => {
    const folder = join(await aFolder(), 'data');
    const server = aServer(folder);
    await server.start();
    await server.start();
    await ask(server, 'CREATE TABLE kept AS SELECT 7 AS number');
    expect(await ask(server, 'SELECT current_database()')).toBe('tidings');
    await server.stop();
    expect(await pidOf(folder)).toBeUndefined();
    expect(() => server.connection).toThrow('has not been started');
    await server.start();
    expect(await ask(server, 'SELECT number FROM kept')).toBe(7);
  });

  test('may be stopped before it is started, and twice', async () => {
    const folder = await aUsedFolder();
    const server = aServer(folder);
    await server.stop();
    await server.start();
    await Promise.all([server.stop(), server.stop()]);
    expect(await pidOf(folder)).toBeUndefined();
    expect(await readdir(join(folder, 'users'))).toEqual([]);
  });

  test('is durable, reached by its socket only, and wants a password', async () => {
    const folder = await aUsedFolder();
    const server = aServer(folder, { settings: { work_mem: '5MB' } });
    await server.start();
    expect(await ask(server, 'SHOW fsync')).toBe('on');
    expect(await ask(server, 'SHOW synchronous_commit')).toBe('on');
    expect(await ask(server, 'SHOW listen_addresses')).toBe('');
    expect(await ask(server, 'SHOW server_encoding')).toBe('UTF8');
    expect(await ask(server, 'SHOW work_mem')).toBe('5MB');
    const passwordFile = join(folder, 'postgres', 'tidings-password');
    expect((await stat(passwordFile)).mode & 0o777).toBe(0o600);
    const stranger = new pg.Client({ ...server.connection, password: 'guess' });
    await expect(stranger.connect()).rejects.toThrow('password authentication failed');
  });

  test('is started once by two at the same time', async () => {
    const folder = await aFolder();
    const [one, two] = [aServer(folder), aServer(folder)];
    await Promise.all([one.start(), two.start()]);
    const pid = await pidOf(folder);
    expect(pid).toBeGreaterThan(0);
    expect(two.connection).toEqual(one.connection);
    expect((await readdir(folder)).sort()).toEqual(['postgres', 'users']);
    await one.stop();
    expect(await pidOf(folder)).toBe(pid);
    expect(await ask(two, 'SELECT 1')).toBe(1);
    await two.stop();
    expect(await pidOf(folder)).toBeUndefined();
  });

  test('survives one stopping while another starts', async () => {
    const folder = await aUsedFolder();
    const servers = [aServer(folder), aServer(folder), aServer(folder)];
    await servers[0].start();
    for (let round = 0; round < 6; round++) {
      const leaving = servers[round % 3];
      const entering = servers[(round + 1) % 3];
      await Promise.all([leaving.stop(), entering.start()]);
      expect(await ask(entering, 'SELECT 1')).toBe(1);
    }
  });

  test('outlives a killed process and is adopted by the next', async () => {
    const folder = await aUsedFolder();
    const killed = await aProcessWithServer(folder);
    const pid = await pidOf(folder);
    await killed.kill();
    const server = aServer(folder);
    await server.start();
    expect(await pidOf(folder)).toBe(pid);
    expect(await ask(server, 'SELECT 1')).toBe(1);
    await server.stop();
    expect(await pidOf(folder)).toBeUndefined();
  });

  test('starts again when the server was killed too', async () => {
    const folder = await aUsedFolder();
    const killed = await aProcessWithServer(folder);
    const observer = aServer(folder);
    await observer.start();
    await ask(observer, 'CREATE TABLE kept AS SELECT 8 AS number');
    const client = new pg.Client(observer.connection);
    client.on('error', () => {});
    await client.connect();
    // A backend that is at work when its server dies holds the shared memory for a while.
    const busy = client.query('SELECT pg_sleep(1)').catch(() => {});
    await killed.kill();
    const pid = (await pidOf(folder))!;
    process.kill(pid, 'SIGKILL');
    const server = aServer(folder);
    await server.start();
    expect(await pidOf(folder)).not.toBe(pid);
    expect(await ask(server, 'SELECT number FROM kept')).toBe(8);
    await busy;
  });

  test('is started again when it ends while it is in use', async () => {
    const errors: unknown[] = [];
    const folder = await aUsedFolder();
    const options = { watchEveryMs: 20, onError: (error: unknown) => void errors.push(error) };
    const users = [aServer(folder, options), aServer(folder, options)];
    for (const user of users) await user.start();
    await ask(users[0], 'CREATE TABLE kept AS SELECT 9 AS number');
    const pid = (await pidOf(folder))!;
    process.kill(pid, 'SIGKILL');
    await until(async () => ![undefined, pid].includes(await pidOf(folder)));
    await until(() =>
      ask(users[1], 'SELECT number FROM kept').then(
        (number) => number === 9,
        () => false,
      ),
    );
    expect(String(errors[0])).toContain('had ended while it was in use; it is started again');
    await users[0].stop();
    await users[1].stop();
    expect(await pidOf(folder)).toBeUndefined();
  });

  test('is not misled by a pid file whose pid belongs to another process now', async () => {
    const folder = await aUsedFolder();
    const server = aServer(folder);
    await server.start();
    const pidFile = join(folder, 'postgres', 'postmaster.pid');
    const pid = (await pidOf(folder))!;
    const text = await readFile(pidFile, 'utf8');
    await server.stop();
    await writeFile(pidFile, text.replace(String(pid), String(process.pid)));
    await server.start();
    expect(await ask(server, 'SELECT 1')).toBe(1);
    expect(isAlive(process.pid)).toBe(true);
  });

  test('starts under umask 077', async () => {
    const folder = join(await aFolder(), 'made', 'under', 'it');
    const starter = await aProcessWithServer(folder, '077');
    const server = aServer(folder);
    await server.start();
    await starter.kill();
    expect(await ask(server, 'SELECT 1')).toBe(1);
  });

  test('puts the socket elsewhere when the path of the data folder is too long for one', async () => {
    const folder = join(await aFolder(), 'a'.repeat(60), 'b \'c\', "d"'.repeat(5));
    const server = aServer(folder);
    await server.start();
    const { host } = server.connection;
    expect(host).toMatch(/\/tidings-[0-9a-f]{16}$/);
    expect((await stat(host!)).mode & 0o777).toBe(0o700);
    expect(await ask(server, 'SELECT 1')).toBe(1);
    await server.stop();
    await expect(stat(host!)).rejects.toThrow('ENOENT');
  });

  test('says what Postgres said when it does not start', async () => {
    const server = aServer(await aFolder(), { settings: { max_connections: 'many' } });
    await expect(server.start()).rejects.toThrow(/could not be started:\n.*max_connections/s);
  });

  test('refuses the data of another major version', async () => {
    const folder = await aUsedFolder();
    const server = aServer(folder);
    await server.start();
    await server.stop();
    await writeFile(join(folder, 'postgres', 'PG_VERSION'), '14\n');
    await expect(server.start()).rejects.toThrow(/was written by Postgres 14, but the server here is Postgres \d+/);
    expect(await readdir(join(folder, 'users'))).toEqual([]);
  });

  test('refuses a data folder that is a file, or under one', async () => {
    const file = join(await aFolder(), 'file');
    await writeFile(file, '');
    await expect(aServer(file).start()).rejects.toThrow(`The data folder ${file} cannot be used: EEXIST`);
    await expect(aServer(join(file, 'data')).start()).rejects.toThrow('Choose another folder with --data');
  });

  test.runIf(isRoot())('names the folder that keeps the system user out', async () => {
    const closed = join(await aFolder(), 'closed');
    await mkdir(closed, { mode: 0o700 });
    await expect(aServer(join(closed, 'data')).start()).rejects.toThrow(
      `may not enter ${closed} (mode 0700). Choose another folder with --data, or let it in: chmod o+x ${closed}`,
    );
  });
});
