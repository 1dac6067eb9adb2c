import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { isAlive, listUsers, PostgresUser } from './postgres-users.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-test-'));
  folders.push(folder);
  return folder;
}

describe('postgres user', () => {
  test('is the last when nobody else is left', async () => {
    const folder = await aFolder();
    const [one, two] = [await PostgresUser.enter(folder, 10_000), await PostgresUser.enter(folder, 10_000)];
    expect(await one.beginLeave()).toBe(false);
    await one.leave();
    expect(await two.beginLeave()).toBe(true);
    await two.leave();
    expect(await readdir(folder)).toEqual([]);
  });

  test('waits to enter while another leaves', async () => {
    const folder = await aFolder();
    const leaving = await PostgresUser.enter(folder, 10_000);
    expect(await leaving.beginLeave()).toBe(true);
    let entered = false;
    const entering = PostgresUser.enter(folder, 10_000).then(() => {
      entered = true;
    });
    while ((await readdir(folder)).length < 2);
    expect(entered).toBe(false);
    await leaving.leave();
    await entering;
  });

  test('does not wait for ever for one that leaves', async () => {
    const folder = await aFolder();
    const leaving = await PostgresUser.enter(folder, 1000);
    await leaving.beginLeave();
    const words = `The process ${process.pid} is stopping the Postgres server and does not come to an end.`;
    await expect(PostgresUser.enter(folder, 50)).rejects.toThrow(words);
    expect(await readdir(folder)).toHaveLength(1);
  });

  test('does not count the dead, nor a process that got the pid of one', async () => {
    const folder = await aFolder();
    const { pid } = spawnSync('true');
    expect(isAlive(pid)).toBe(false);
    await writeFile(join(folder, `${pid}-0-aa`), '');
    await writeFile(join(folder, `${pid}-0-bb.leaving`), '');
    await writeFile(join(folder, `${process.pid}-1-cc`), '');
    await writeFile(join(folder, 'a note'), '');
    const user = await PostgresUser.enter(folder, 10_000);
    expect(await listUsers(folder)).toHaveLength(1);
    expect(await readdir(folder)).toHaveLength(2);
    expect(await user.beginLeave()).toBe(true);
  });
});
