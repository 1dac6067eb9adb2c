import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VERSION } from '../src/app/version.ts';
import { type TestCli, testCli } from './cli.ts';

const MASTER_KEY = Buffer.alloc(32, 1).toString('base64');

let cli: TestCli;
beforeAll(async () => {
  cli = await testCli();
}, 60_000);
afterAll(() => cli.close());

describe('tidings', () => {
  test('prints version and help on standard output, without colour where there is no terminal', async () => {
    expect(await cli.run(['--version'])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
    const help = await cli.run(['dev', '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('--allow-private');
    expect(help.stdout).not.toContain('\u001b');
  });

  test.each([
    [[], /^Usage: tidings/],
    [['publish'], /unknown command 'publish'/],
    [['dev', '--prot', '1'], /unknown option '--prot'/],
    [['dev', '--port', 'http'], /^tidings: --port is "http", which cannot be used\. Give a whole number/],
    [['keys', 'create'], /required option '--name <name>'/],
    [['keys', 'create', '--name', 'x', '--permission', 'all'], /Allowed choices are read, publish, manage/],
    [['demo', '--events', '0'], /^tidings: --events is "0"/],
  ])('is not called rightly as %j', async (args, words) => {
    const { code, stdout, stderr } = await cli.run(args);
    expect(stderr).toMatch(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('stops with a sentence where DATABASE_URL comes without a master key or cannot be reached', async () => {
    const env = { DATABASE_URL: 'postgres://tidings@127.0.0.1:1/tidings' };
    const keyless = await cli.run(['serve'], env);
    expect(keyless.code).toBe(2);
    expect(keyless.stderr).toMatch(/^tidings: TIDINGS_MASTER_KEY is missing: .+\n$/);
    const unreachable = await cli.run(['serve'], { ...env, TIDINGS_MASTER_KEY: MASTER_KEY });
    expect(unreachable.code).toBe(1);
    expect(unreachable.stderr).toMatch(/^tidings: The database cannot be reached: .+\n$/);
  });
});

describe('tidings dev', () => {
  test('prints one line when it is ready and has the same key after a restart', async () => {
    const data = join(cli.folder, 'dev');
    const first = await cli.ready(['dev', '--data', data]);
    expect(Object.keys(JSON.parse(first.line))).toEqual(['url', 'apiKey', 'databaseUrl']);
    const headers = { authorization: `Bearer ${first.apiKey}` };
    expect((await fetch(`${first.url}/v1/keys`, { headers })).status).toBe(200);
    for (const name of ['admin.key', 'master.key']) {
      expect((await stat(join(data, name))).mode & 0o777, name).toBe(0o600);
    }
    expect((await readFile(join(data, 'admin.key'), 'utf8')).trim()).toBe(first.apiKey);

    // A key made beside the running server is good at once.
    const created = await cli.run(['keys', 'create', '--name', 'ci', '--permission', 'read', '--data', data]);
    expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/^tdg_[0-9a-z]{40}\n$/) });
    expect(created.stderr).toMatch(/^Key key_\w+ for the whole instance \(read\); it does not expire/);
    const own = { authorization: `Bearer ${created.stdout.trim()}` };
    expect((await fetch(`${first.url}/v1/apps`, { headers: own })).status).toBe(200);
    expect((await fetch(`${first.url}/v1/keys`, { headers: own })).status).toBe(403);

    const ended = await cli.stop(first.child);
    expect(ended).toMatchObject({ code: 0, stdout: `${first.line}\n` });
    const second = await cli.ready(['dev', '--data', data]);
    expect(second.apiKey).toBe(first.apiKey);
    expect((await cli.stop(second.child)).code).toBe(0);
  }, 60_000);

  test('prints calls to paste', async () => {
    const child = cli.start(['dev', '--data', join(cli.folder, 'dev'), '--port', '0']);
    for await (const line of createInterface({ input: child.stdout! })) if (line.startsWith('Ctrl-C')) break;
    const { stdout } = await cli.stop(child);
    expect(stdout).toMatch(/Tidings \S+ is ready\./);
    expect(stdout.match(/^curl -sS .+$/gm)).toHaveLength(5);
    expect(stdout).not.toContain('\u001b');
  });
});

describe('tidings serve', () => {
  test('refuses a database that is not migrated, and names the command that helps', async () => {
    const data = join(cli.folder, 'serve');
    const refused = await cli.run(['serve', '--data', data, '--log-level', 'warn']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^tidings: .*tidings migrate/);
    const keyless = await cli.run(['keys', 'create', '--name', 'x', '--data', data]);
    expect(keyless.stderr).toMatch(/^tidings: .*tidings migrate/);

    expect((await cli.run(['migrate', '--data', data])).stdout).toMatch(/^(applied \d{4}-[a-z-]+\n)+$/);
    expect(await cli.run(['migrate', '--data', data, '--json'])).toMatchObject({ code: 0, stdout: '{"applied":[]}\n' });
    const { child, url, line } = await cli.ready(['serve', '--data', data]);
    expect(JSON.parse(line)).toEqual({ url });
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect((await cli.stop(child)).code).toBe(0);
  }, 60_000);
});
