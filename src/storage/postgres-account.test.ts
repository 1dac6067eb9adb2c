import { chmod, mkdir, mkdtemp, realpath, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  defaultDataFolder,
  findBarrier,
  isRoot,
  makeFolder,
  mayEnter,
  realpathOf,
  runProgram,
} from './postgres-account.ts';

const STRANGER = { uid: 4_000_001, gid: 4_000_001 };

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function aFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'tidings-test-')));
  folders.push(folder);
  await chmod(folder, 0o755);
  return folder;
}

describe('postgres account', () => {
  test('may enter by the bits of the owner, else of the group, else of all', () => {
    const account = { uid: 5, gid: 6 };
    expect(mayEnter({ mode: 0o700, uid: 5, gid: 0 }, account)).toBe(true);
    expect(mayEnter({ mode: 0o077, uid: 5, gid: 6 }, account)).toBe(false);
    expect(mayEnter({ mode: 0o710, uid: 0, gid: 6 }, account)).toBe(true);
    expect(mayEnter({ mode: 0o701, uid: 0, gid: 6 }, account)).toBe(false);
    expect(mayEnter({ mode: 0o701, uid: 0, gid: 0 }, account)).toBe(true);
    expect(mayEnter({ mode: 0o770, uid: 0, gid: 0 }, account)).toBe(false);
  });

  test('finds the folder on the way that keeps it out, through links', async () => {
    const folder = await aFolder();
    await mkdir(join(folder, 'closed'), { mode: 0o700 });
    await symlink(join(folder, 'closed'), join(folder, 'link'));
    const barrier = { folder: join(folder, 'closed'), mode: '0700' };
    expect(await findBarrier(join(folder, 'closed', 'not', 'yet'), STRANGER)).toEqual(barrier);
    expect(await findBarrier(join(folder, 'link', 'data'), STRANGER)).toEqual(barrier);
    // The folder itself is not on the way to it.
    expect(await findBarrier(join(folder, 'closed'), STRANGER)).toBeNull();
    expect(await findBarrier(join(folder, 'open', 'not', 'yet'), STRANGER)).toBeNull();
  });

  test('keeps data in the working folder, or for root where the system user gets to', async () => {
    const folder = await aFolder();
    expect(await defaultDataFolder(folder)).toEqual({ folder: join(folder, '.tidings'), note: null });
    await chmod(folder, 0o700);
    const chosen = await defaultDataFolder(folder);
    if (isRoot()) {
      expect(chosen.folder).toMatch(/^\/var\/lib\/tidings\/[0-9a-f]{12}$/);
      expect(chosen.note).toContain(`may not enter ${folder} (mode 0700)`);
      expect(chosen.note).toContain('--data');
      expect(await defaultDataFolder(folder)).toEqual(chosen);
    } else {
      expect(chosen).toEqual({ folder: join(folder, '.tidings'), note: null });
    }
  });

  test('makes folders with the mode that is asked for and leaves those that exist', async () => {
    const folder = await aFolder();
    await makeFolder(join(folder, 'a', 'b'), 0o711);
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o711);
    expect((await stat(join(folder, 'a', 'b'))).mode & 0o777).toBe(0o711);
    await makeFolder(join(folder, 'a', 'b'), 0o700);
    expect((await stat(join(folder, 'a', 'b'))).mode & 0o777).toBe(0o711);
    expect((await stat(folder)).mode & 0o777).toBe(0o755);
  });

  test('resolves links of a path that does not exist wholly', async () => {
    const folder = await aFolder();
    await symlink(folder, join(folder, 'link'));
    expect(await realpathOf(join(folder, 'link', 'x', 'y'))).toBe(join(folder, 'x', 'y'));
  });

  test('runs programs with a plain umask and environment', async () => {
    expect(await runProgram('sh', ['-c', 'umask; echo "$1"; exit 3', 'sh', 'a "b" $c'])).toEqual({
      exitCode: 3,
      output: '0022\na "b" $c',
    });
    expect((await runProgram('env', [])).output).not.toContain('VITEST');
    expect((await runProgram('/no/such/program', [])).exitCode).not.toBe(0);
  });
});
