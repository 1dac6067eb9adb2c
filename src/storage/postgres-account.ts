// Postgres refuses to run as root, so a Tidings that runs as root starts it as the system user `postgres`. That user must
// be able to reach the data folder and the programs, which is why folders are looked at here before anything is started.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** The system user that the server runs as. */
export interface Account {
  uid: number;
  gid: number;
}

const NAME = 'postgres';

/** Whether another user than ours must run the server. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

async function findAccount(): Promise<Account | null> {
  const ids = await Promise.all([runProgram('id', ['-u', NAME]), runProgram('id', ['-g', NAME])]);
  if (ids.some((id) => id.exitCode !== 0)) return null;
  return { uid: Number(ids[0].output), gid: Number(ids[1].output) };
}

/** The system user `postgres`; it and its group are made if they are missing. */
export async function ensureAccount(): Promise<Account> {
  const found = await findAccount();
  if (found) return found;
  // groupadd fails where the group exists already: useradd says whether that was the reason.
  await runProgram('groupadd', ['--system', NAME]);
  const added = await runProgram('useradd', [
    '--system',
    '--gid',
    NAME,
    '--no-create-home',
    '--shell',
    '/bin/false',
    NAME,
  ]);
  const account = await findAccount();
  if (account) return account;
  throw new Error(
    `Postgres does not run as root, and the system user ${NAME} is missing and could not be made (${added.output}). ` +
      'Make that user, start Tidings as an ordinary user, or give DATABASE_URL.',
  );
}

/** The folder on the way to `path` that the account may not enter (not `path` itself), and its mode; null = it gets there. */
export async function findBarrier(path: string, account: Account): Promise<{ folder: string; mode: string } | null> {
  const ways: string[] = [];
  for (let folder = dirname(await realpathOf(path)); ; folder = dirname(folder)) {
    ways.unshift(folder);
    if (folder === dirname(folder)) break;
  }
  for (const folder of ways) {
    const stats = await stat(folder).catch(() => null);
    // What does not exist yet is made enterable (makeFolder).
    if (!stats) return null;
    if (!mayEnter(stats, account)) return { folder, mode: (stats.mode & 0o7777).toString(8).padStart(4, '0') };
  }
  return null;
}

/** Whether the mode bits let the account enter a folder or execute a file. */
export function mayEnter(stats: { mode: number; uid: number; gid: number }, account: Account): boolean {
  if (stats.uid === account.uid) return (stats.mode & 0o100) !== 0;
  if (stats.gid === account.gid) return (stats.mode & 0o010) !== 0;
  return (stats.mode & 0o001) !== 0;
}

/** `path` with the links in its existing part resolved. */
export async function realpathOf(path: string): Promise<string> {
  const whole = resolve(path);
  try {
    return await realpath(whole);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || whole === dirname(whole)) throw error;
    return join(await realpathOf(dirname(whole)), whole.slice(dirname(whole).length));
  }
}

/** Makes a folder and the missing ones above it with exactly this mode, whatever the umask. */
export async function makeFolder(path: string, mode: number): Promise<void> {
  const made = await mkdir(path, { recursive: true });
  if (made === undefined) return;
  for (let folder = path; ; folder = dirname(folder)) {
    await chmod(folder, mode);
    if (folder === made) return;
  }
}

/**
 * Where the data is kept unless told: `.tidings` in the working folder, or, for root, a folder under /var/lib/tidings when
 * the system user `postgres` cannot reach that one. `note` is a sentence to print, null when there is nothing to say.
 */
export async function defaultDataFolder(cwd: string): Promise<{ folder: string; note: string | null }> {
  const folder = join(resolve(cwd), '.tidings');
  if (!isRoot()) return { folder, note: null };
  // A user that does not exist yet has what everybody has.
  const account = (await findAccount()) ?? { uid: -1, gid: -1 };
  const barrier = await findBarrier(folder, account);
  if (!barrier) return { folder, note: null };
  const reachable = join('/var/lib/tidings', createHash('sha256').update(resolve(cwd)).digest('hex').slice(0, 12));
  return {
    folder: reachable,
    note:
      `The data is kept in ${reachable}: Postgres runs as the system user ${NAME}, which may not enter ` +
      `${barrier.folder} (mode ${barrier.mode}). Choose another folder with --data.`,
  };
}

// Every program starts in / with an environment of its own: PG… variables and the umask of whoever started Tidings must not
// reach the server (umask 077 breaks initdb).
function spawnAs(
  account: Account | null,
  program: string,
  args: readonly string[],
  more: { stdio: StdioOptions; detached?: boolean },
): ChildProcess {
  return spawn('/bin/sh', ['-c', 'umask 022; exec "$0" "$@"', program, ...args], {
    cwd: '/',
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    ...more,
    ...(account ?? {}),
  });
}

/** Runs a program to its end, as the account if one is given, and gathers what it prints. */
export function runProgram(
  program: string,
  args: readonly string[],
  account: Account | null = null,
): Promise<{ exitCode: number | null; output: string }> {
  return new Promise((done) => {
    const child = spawnAs(account, program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const gather = (bytes: Buffer): void => {
      output += bytes.toString();
    };
    child.stdout?.on('data', gather);
    child.stderr?.on('data', gather);
    child.on('error', (error) => done({ exitCode: null, output: error.message }));
    child.on('close', (exitCode) => done({ exitCode, output: output.trim() }));
  });
}

/** Starts a program that outlives this process, out of reach of its terminal; it prints to the open file `logFd`. */
export function startProgram(
  program: string,
  args: readonly string[],
  account: Account | null,
  logFd: number,
): { pid: number | undefined; isRunning(): boolean } {
  const child = spawnAs(account, program, args, { stdio: ['ignore', logFd, logFd], detached: true });
  let running = true;
  child.on('error', () => {
    running = false;
  });
  child.on('exit', () => {
    running = false;
  });
  child.unref();
  return { pid: child.pid, isRunning: () => running };
}
