// Which processes use the server of a data folder: one file each, named `<pid>-<start time>-<random>`, so that a file of a
// killed process is known as such even when its pid is in use again. Whoever leaves renames its file to `….leaving`
// before it looks for others; whoever enters writes its file before it looks for leavers. So of two that meet, at least
// one sees the other: the server is never stopped under somebody who has just entered, and no lock is needed.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const LEAVING = '.leaving';

export class PostgresUser {
  readonly #folder: string;
  readonly #name: string;

  private constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
  }

  /**
   * Writes this process down, and waits while another is leaving, as that one may be stopping the server.
   * @throws Error in words when it does not come to an end within `timeoutMs`
   */
  static async enter(folder: string, timeoutMs: number): Promise<PostgresUser> {
    const name = `${process.pid}-${startTimeOf(process.pid)}-${randomBytes(4).toString('hex')}`;
    await writeFile(join(folder, name), '');
    const user = new PostgresUser(folder, name);
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const leaver = (await listUsers(folder)).find((other) => other.endsWith(LEAVING));
      if (leaver === undefined) return user;
      if (performance.now() > deadline) {
        await user.leave();
        const pid = leaver.split('-')[0];
        throw new Error(
          `The process ${pid} is stopping the Postgres server and does not come to an end. End it: kill -9 ${pid}`,
        );
      }
      await pause(20);
    }
  }

  /** Says whether nobody else is left: then the caller stops the server before it calls `leave`. */
  async beginLeave(): Promise<boolean> {
    await rename(join(this.#folder, this.#name), join(this.#folder, this.#name + LEAVING));
    return (await listUsers(this.#folder)).every((user) => user.endsWith(LEAVING));
  }

  async leave(): Promise<void> {
    await rm(join(this.#folder, this.#name), { force: true });
    await rm(join(this.#folder, this.#name + LEAVING), { force: true });
  }
}

/** The files of live processes; those of dead ones are removed. */
export async function listUsers(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /^\d+-\d+-[0-9a-f]+(\.leaving)?$/.test(name));
  const live = names.filter((name) => {
    const [pid, startTime] = name.split('-').map(Number);
    return isAlive(pid) && startTimeOf(pid) === startTime;
  });
  for (const name of names) if (!live.includes(name)) await rm(join(folder, name), { force: true });
  return live;
}

/** Whether a process with this pid runs; one that has ended and was not waited for by its parent (a zombie) does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return !/^[ZX]/.test(statOf(pid)?.[0] ?? '');
}

/** When the process was started, in clock ticks since boot; 0 where the system does not tell. */
function startTimeOf(pid: number): number {
  return Number(statOf(pid)?.[19] ?? 0);
}

/** The fields of /proc/<pid>/stat from the third (state) on; the second, the program's name, may hold spaces and brackets. */
function statOf(pid: number): string[] | null {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return line.slice(line.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}
