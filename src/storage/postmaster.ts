// What Postgres itself says about the server of a cluster: postmaster.pid. The file outlives a killed server, and then its
// pid may belong to anything (in a container that restarts it usually does), or to a zombie that nobody has waited for:
// Postgres would refuse to start. So it is found out here whether the process is that server.
import { execFile } from 'node:child_process';
import { readFile, readlink, realpath, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { isAlive } from './postgres-users.ts';

export interface Postmaster {
  pid: number;
  /** Null while the server has not opened its socket. */
  socketFolder: string | null;
  port: number;
  /** Whether it takes connections. */
  ready: boolean;
}

/** The server that runs on the cluster folder (given as its real path), or null. */
export async function findPostmaster(cluster: string): Promise<Postmaster | null> {
  const text = await readPidFile(cluster);
  if (text === null) return null;
  const [pid, , , port, socketFolder, , , status] = text.split('\n');
  if (!(await isServerOf(Number(pid), cluster))) return null;
  return {
    pid: Number(pid),
    socketFolder: socketFolder || null,
    port: Number(port),
    ready: status?.trim() === 'ready',
  };
}

/** Removes a pid file that names no server of this cluster, whatever process has that pid now. */
export async function removeStalePidFile(cluster: string): Promise<boolean> {
  const text = await readPidFile(cluster);
  // An empty one is being written.
  if (text === null || text === '') return false;
  if ((await findPostmaster(cluster)) || (await readPidFile(cluster)) !== text) return false;
  await rm(join(cluster, 'postmaster.pid'), { force: true });
  return true;
}

function readPidFile(cluster: string): Promise<string | null> {
  return readFile(join(cluster, 'postmaster.pid'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

async function isServerOf(pid: number, cluster: string): Promise<boolean> {
  if (!(pid > 0) || !isAlive(pid)) return false;
  // Not readable in every container, even for root: then the command line decides.
  const workingFolder = await readlink(`/proc/${pid}/cwd`).catch(() => null);
  const command = await commandOf(pid);
  if (basename(command[0] ?? '') !== 'postgres') return false;
  if (workingFolder !== null) return workingFolder === cluster;
  const given = command[command.indexOf('-D') + 1] ?? '';
  return given === cluster || (await realpath(given).catch(() => null)) === cluster;
}

/** A postmaster keeps its command line; its children replace theirs with a title. */
async function commandOf(pid: number): Promise<string[]> {
  try {
    if (process.platform === 'linux') return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    const { stdout } = await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]);
    // ps joins the arguments with blanks, which the folder may hold too: it is the last one.
    const [program, ...folder] = stdout.trim().split(' -D ');
    return [program, '-D', folder.join(' -D ')];
  } catch {
    return [];
  }
}
