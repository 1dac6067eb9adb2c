// Tests that start the command line run what is shipped: dist/. It is built when it is older than what it is made from.
import { execFile } from 'node:child_process';
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isAlive } from '../src/storage/postgres-users.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'dist');
const STAMP = join(DIST, '.built');
const LOCK = join(ROOT, 'node_modules', '.tidings-build.lock');

/** Builds dist/ if need be, once for all test workers, and returns its folder. */
export async function buildOnce(): Promise<string> {
  while (!(await isBuilt())) {
    if (!(await takeLock())) {
      await pause(50);
      continue;
    }
    try {
      if (await isBuilt()) break;
      const newest = await newestSource();
      await promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/tsdown/dist/run.mjs')], { cwd: ROOT });
      await writeFile(STAMP, String(newest));
    } finally {
      await rm(LOCK, { force: true });
    }
  }
  return DIST;
}

// The stamp holds the newest source that the build has seen: one that was changed during the build is newer.
async function isBuilt(): Promise<boolean> {
  const stamp = await readFile(STAMP, 'utf8').catch(() => null);
  return stamp !== null && Number(stamp) === (await newestSource());
}

async function newestSource(): Promise<number> {
  let newest = 0;
  for (const name of ['package.json', 'tsdown.config.ts', 'tsconfig.json', 'src']) {
    const path = join(ROOT, name);
    const files = name === 'src' ? await readdir(path, { recursive: true }) : [''];
    for (const file of files) newest = Math.max(newest, (await stat(join(path, file))).mtimeMs);
  }
  return newest;
}

/** A lock whose owner was killed is put aside by a rename, which only one of several can do. */
async function takeLock(): Promise<boolean> {
  try {
    await writeFile(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const owner = Number(await readFile(LOCK, 'utf8').catch(() => ''));
  const ageMs = Date.now() - (await stat(LOCK).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
  if (owner > 0 ? !isAlive(owner) : ageMs > 10_000) {
    const aside = `${LOCK}.${process.pid}`;
    await rename(LOCK, aside).catch(() => {});
    await rm(aside, { force: true });
  }
  return false;
}
