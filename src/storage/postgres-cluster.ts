// The files of a Postgres cluster (one server's databases) in the data folder. It appears at once, by a rename: so two first
// starts at the same time need no lock, and a killed first start leaves nothing half made.
import { createHash, randomBytes } from 'node:crypto';
import { chown, constants, type FileHandle, lstat, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Account, findBarrier, makeFolder, realpathOf, runProgram } from './postgres-account.ts';
import { isAlive } from './postgres-users.ts';

/** The server's superuser, and the database that it makes. */
export const NAME = 'tidings';
const PORT = 5432;
const SOCKET = `.s.PGSQL.${PORT}`;
const PASSWORD_FILE = 'tidings-password';
const SETTINGS_FILE = 'tidings.conf';
const LOG_FILE = 'server.log';
const LOG_MAX_BYTES = 10 * 1024 * 1024;
// sun_path less its final zero.
const SOCKET_PATH_MAX_BYTES = process.platform === 'linux' ? 107 : 103;

// An acknowledged event must survive a power cut, so fsync and synchronous_commit are never to be turned off here.
// Checkpoints are rare because each makes the next writes of every page larger; compressing WAL costs more CPU than its bytes.
const SETTINGS: Record<string, string> = {
  fsync: 'on',
  synchronous_commit: 'on',
  autovacuum: 'on',
  shared_buffers: '128MB',
  huge_pages: 'try',
  // Each process takes up to 15; there may be several.
  max_connections: '300',
  checkpoint_timeout: '15min',
  max_wal_size: '2GB',
  wal_compression: 'off',
  track_commit_timestamp: 'off',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/** Where a server lives and what runs it. */
export interface Place {
  dataFolder: string;
  cluster: string;
  binFolder: string;
  /** Whom the server runs as; null = as ourselves. */
  account: Account | null;
}

/** Makes the cluster if there is none. */
export async function makeCluster(
  { dataFolder, cluster, binFolder, account }: Place,
  log: (line: string) => void,
): Promise<void> {
  if (await stat(cluster).catch(() => null)) return;
  const begin = performance.now();
  for (const name of await readdir(dataFolder)) {
    const [, pid] = /^postgres\.new-(\d+)-/.exec(name) ?? [];
    if (pid && !isAlive(Number(pid))) await rm(join(dataFolder, name), { recursive: true, force: true });
  }
  const folder = `${cluster}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  await makeFolder(folder, 0o700);
  if (account) await chown(folder, account.uid, account.gid);
  // initdb wants an empty folder, so the password's file cannot be in it yet.
  const passwordFile = `${folder}.password`;
  try {
    await writeFileFor(passwordFile, randomBytes(24).toString('base64url'), account);
    // C: text is compared by its bytes, the same on every system and in every release of its libraries.
    const args = ['-D', folder, '-U', NAME, '--auth=scram-sha-256', '--pwfile', passwordFile];
    args.push('--encoding=UTF8', '--locale=C', '--no-instructions');
    const { exitCode, output } = await runProgram(join(binFolder, 'initdb'), args, account);
    if (exitCode !== 0) throw new Error(`The Postgres database in ${cluster} could not be made:\n${output}`);
    const config = await open(join(folder, 'postgresql.conf'), 'a');
    await config.write(`\ninclude '${SETTINGS_FILE}'\n`);
    await config.sync();
    await config.close();
    await rename(passwordFile, join(folder, PASSWORD_FILE));
    await rename(folder, cluster);
    log(`A Postgres database was made in ${cluster} (${Math.round(performance.now() - begin)} ms).`);
  } catch (error) {
    await rm(passwordFile, { force: true });
    await rm(folder, { recursive: true, force: true });
    // Another process was first: its cluster is as good.
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

/** Refuses a cluster that another major version of Postgres wrote. */
export async function checkVersion({ cluster, binFolder, account }: Place): Promise<void> {
  const data = (await readFile(join(cluster, 'PG_VERSION'), 'utf8')).trim();
  const { output } = await runProgram(join(binFolder, 'postgres'), ['--version'], account);
  const program = / (\d+)/.exec(output)?.[1];
  if (program === undefined) throw new Error(`${join(binFolder, 'postgres')} does not run: ${output}`);
  if (program === data) return;
  throw new Error(
    `The data in ${cluster} was written by Postgres ${data}, but the server here is Postgres ${program}. ` +
      'Use the Tidings release that wrote it, or dump the database there and load it into a new folder (--data).',
  );
}

/** Writes the settings that the next start of the server takes. */
export async function writeSettings({ cluster, account }: Place, settings: Record<string, string> = {}): Promise<void> {
  const folder = await findSocketFolder(cluster, account);
  const own = {
    listen_addresses: '',
    port: String(PORT),
    unix_socket_directories: `"${folder.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
  };
  const lines = Object.entries({ ...SETTINGS, ...settings, ...own }).map(
    ([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
  );
  const head = '# Written by Tidings at every start. Your own settings go into postgresql.conf, after the include.';
  await writeFileFor(join(cluster, SETTINGS_FILE), `${head}\n${lines.join('\n')}\n`, account);
}

/** The cluster itself, or, where the socket's path would be too long, a folder under the system's temporary one. */
async function findSocketFolder(cluster: string, account: Account | null): Promise<string> {
  if (isShortEnough(cluster)) return cluster;
  const name = `tidings-${createHash('sha256').update(cluster).digest('hex').slice(0, 16)}`;
  for (const parent of [tmpdir(), '/tmp']) {
    const folder = join(await realpathOf(parent), name);
    if (!isShortEnough(folder) || (account && (await findBarrier(folder, account)))) continue;
    await makeFolder(folder, 0o700);
    const stats = await lstat(folder);
    const owner = account?.uid ?? process.geteuid?.();
    if (account && stats.isDirectory() && stats.uid === 0) await chown(folder, account.uid, account.gid);
    else if (!stats.isDirectory() || stats.uid !== owner || (stats.mode & 0o077) !== 0) {
      throw new Error(
        `${folder} is to hold the socket of the Postgres server, but belongs to somebody else. Remove it.`,
      );
    }
    return folder;
  }
  throw new Error(
    `The path ${cluster} is too long for a socket, and so is ${tmpdir()}. Choose a shorter folder with --data.`,
  );
}

function isShortEnough(folder: string): boolean {
  return Buffer.byteLength(join(folder, SOCKET)) <= SOCKET_PATH_MAX_BYTES;
}

/** Puts a file in place whole, readable by the server only. */
async function writeFileFor(path: string, text: string, account: Account | null): Promise<void> {
  const unfinished = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  const file = await open(unfinished, 'wx', 0o600);
  try {
    await file.writeFile(text);
    if (account) await file.chown(account.uid, account.gid);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
}

export async function readPassword(cluster: string): Promise<string> {
  return (await readFile(join(cluster, PASSWORD_FILE), 'utf8')).trim();
}

export function logPath(cluster: string): string {
  return join(cluster, LOG_FILE);
}

/** The server's log, opened for more, and how many bytes are in it already; a long one is put aside first. */
export async function openLog(
  cluster: string,
  account: Account | null,
): Promise<{ path: string; file: FileHandle; bytes: number }> {
  const path = logPath(cluster);
  const size = await stat(path).then(
    (stats) => stats.size,
    () => 0,
  );
  if (size > LOG_MAX_BYTES) await rename(path, `${path}.1`);
  const file = await open(
    path,
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW,
    0o600,
  );
  if (account) await file.chown(account.uid, account.gid);
  return { path, file, bytes: (await file.stat()).size };
}
