// A real server in a process of its own, as a user starts it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { buildOnce } from './build.ts';

export interface RunningServer {
  url: string;
  apiKey: string;
  pid: number;
  /** As JSON; the parsed answer with its status. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: ReturnType<typeof JSON.parse> }>;
  /** SIGKILL to the process; Postgres lives on. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

const OPTIONS = ['--port', '0', '--json', '--allow-http', '--allow-private', '127.0.0.0/8'];

/** `tidings dev` on a data folder; resolves when it is ready. */
export async function startServer(dataFolder: string, more: string[] = []): Promise<RunningServer> {
  await buildOnce();
  const child = spawn(process.execPath, ['dist/cli/main.js', 'dev', '--data', dataFolder, ...OPTIONS, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ready = await readyLine(child);
  const exited = once(child, 'exit');
  return {
    ...ready,
    pid: child.pid!,
    async call(method, path, body, headers = {}) {
      const response = await fetch(`${ready.url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${ready.apiKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? null : JSON.parse(text) };
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      child.kill('SIGTERM');
      const [code] = (await exited) as [number | null];
      return code;
    },
  };
}

async function readyLine(child: ChildProcess): Promise<{ url: string; apiKey: string }> {
  for await (const line of createInterface({ input: child.stdout! })) return JSON.parse(line);
  throw new Error('The server ended before it was ready.');
}
