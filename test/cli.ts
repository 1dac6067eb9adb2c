// The command line as a user has it: the built program, in processes of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buildOnce } from './build.ts';

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export type CliProcess = ChildProcess & { ended: Promise<Ended> };

export interface ReadyServer {
  child: CliProcess;
  /** The line it printed. */
  line: string;
  url: string;
  apiKey: string;
  databaseUrl: string;
}

export interface TestCli {
  /** Where it runs; removed by `close`. */
  folder: string;
  start(args: string[], env?: Record<string, string>): CliProcess;
  run(args: string[], env?: Record<string, string>): Promise<Ended>;
  /** Starts a server on a free port and waits for the line it prints when it is ready. */
  ready(args: string[], env?: Record<string, string>): Promise<ReadyServer>;
  /** SIGTERM. */
  stop(child: CliProcess): Promise<Ended>;
  /** Kills what still runs. */
  close(): Promise<void>;
}

export async function testCli(): Promise<TestCli> {
  const program = join(await buildOnce(), 'cli', 'main.js');
  const folder = await mkdtemp(join(tmpdir(), 'tidings-cli-'));
  // Under root Postgres runs as another user, who must be able to enter.
  await chmod(folder, 0o755);
  const running = new Set<CliProcess>();

  function start(args: string[], env: Record<string, string> = {}): CliProcess {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, ...env },
    });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (part: string) => {
        texts[name] += part;
      });
    }
    const ended = once(child, 'close').then(([code]) => {
      running.delete(owned);
      return { code: code as number | null, ...texts };
    });
    const owned = Object.assign(child, { ended });
    running.add(owned);
    return owned;
  }

  async function ready(args: string[], env: Record<string, string> = {}): Promise<ReadyServer> {
    const child = start([...args, '--port', '0', '--json', '--log-level', 'warn'], env);
    const failed = child.ended.then(({ stderr }) => Promise.reject(new Error(`The server ended: ${stderr}`)));
    const lines = createInterface({ input: child.stdout! });
    const [line] = await Promise.race([once(lines, 'line') as Promise<[string]>, failed]);
    failed.catch(() => {});
    return { child, line, ...JSON.parse(line) };
  }

  async function stop(child: CliProcess): Promise<Ended> {
    child.kill('SIGTERM');
    return child.ended;
  }

  return {
    folder,
    start,
    run: (args, env) => start(args, env).ended,
    ready,
    stop,
    close: async () => {
      for (const child of [...running]) await stop(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
