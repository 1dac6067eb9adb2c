// Builds dist/ when it is older than what it is made from, once for all who ask at the same time, so that neither
// `npm start` nor the tests need a build step of their own. As a program: node scripts/build.mjs
import { execFile } from 'node:child_process';
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STAMP = join(ROOT, 'dist', '.built');
const LOCK = join(ROOT, 'node_modules', '.tidings-build.lock');
const SOURCES = ['package.json', 'tsdown.config.ts', 'tsconfig.json', 'src'];

/** Builds dist/ if need be. Throws what the bundler said when it fails. */
export async function buildProduct() {
  while (!(await isBuilt())) {
    if (!(await takeLock())) {
      await pause(50);
      continue;
    }
    try {
      if (await isBuilt()) break;
      const newest = await newestSource();
      await bundle([]);
      await writeFile(STAMP, String(newest));
    } finally {
      await rm(LOCK, { force: true });
    }
  }
}

/** Builds the benchmark's programs into dist-bench/. */
export async function buildBench() {
  await bundle(['--config', join('bench', 'tsdown.config.ts')]);
}

/** Builds the fault suite's programs into dist-faults/. */
export async function buildFaults() {
  await bundle(['--config', join('faults', 'tsdown.config.ts')]);
}

async function bundle(args) {
  const program = join(ROOT, 'node_modules', 'tsdown', 'dist', 'run.mjs');
  try {
    await promisify(execFile)(process.execPath, [program, ...args], { cwd: ROOT });
  } catch (error) {
    throw new Error(`The build failed.\n${error.stdout}${error.stderr}`, { cause: error });
  }
}

// The stamp holds the newest source that the build has seen: one that was changed during the build is newer.
async function isBuilt() {
  const stamp = await readFile(STAMP, 'utf8').catch(() => null);
  return stamp !== null && Number(stamp) === (await newestSource());
}

async function newestSource() {
  let newest = 0;
  for (const name of SOURCES) {
    const path = join(ROOT, name);
    const files = name === 'src' ? await readdir(path, { recursive: true }) : [''];
    for (const file of files) newest = Math.max(newest, (await stat(join(path, file))).mtimeMs);
  }
  return newest;
}

/** A lock whose owner was killed is put aside by a rename, which only one of several can do. */
async function takeLock() {
  try {
    await writeFile(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
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

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await buildProduct().catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}
