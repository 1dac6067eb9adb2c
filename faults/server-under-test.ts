// One `tidings serve` as users start it, in a process of its own that can be killed, halted and continued.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface ServerOptions {
  databaseUrl: string;
  masterKey: string;
  /** As TIDINGS_FAILPOINTS takes them. */
  failpoints?: string;
  env?: Record<string, string>;
  args?: string[];
}

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const LOG_LINES_KEPT = 40;
const OPTIONS = [
  '--port',
  '0',
  '--json',
  '--processes',
  '1',
  '--log-level',
  'warn',
  '--allow-http',
  '--allow-private',
  '127.0.0.0/8',
];

export class ServerUnderTest {
  readonly #options: ServerOptions;
  #child: ChildProcess | null = null;
  #url = '';
  #exited: Promise<void> = Promise.resolve();
  readonly log: string[] = [];
  /** It was asked to end, by a signal of ours. */
  asked: 'kill' | 'stop' | null = null;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { databaseUrl, masterKey, failpoints, env, args = [] } = this.#options;
    const child = spawn(process.execPath, [CLI, 'serve', ...OPTIONS, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: databaseUrl,
        TIDINGS_MASTER_KEY: masterKey,
        ...(failpoints && { TIDINGS_FAILPOINTS: failpoints }),
        ...env,
      },
      // Its own group: a Ctrl-C in the terminal reaches the suite alone, which ends its servers itself.
      detached: true,
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()));
    createInterface({ input: child.stderr! }).on('line', (line) => {
      this.log.push(line);
      if (this.log.length > LOG_LINES_KEPT) this.log.shift();
    });
    this.#url = await this.#ready(child);
  }

  get url(): string {
    return this.#url;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when the process has ended, whatever ended it. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL' | 'SIGTERM'): void {
    if (this.isRunning) this.#child!.kill(signal);
  }

  async kill(): Promise<void> {
    this.asked = 'kill';
    this.signal('SIGKILL');
    await this.#exited;
  }

  /** Ends it with all that it has started, halted or not. */
  async destroy(): Promise<void> {
    this.asked = 'kill';
    if (this.#child?.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // Nothing of it is left.
    }
    await this.#exited;
  }

  /** SIGTERM; false when it did not end by itself in time and was killed. */
  async stop(): Promise<boolean> {
    this.asked = 'stop';
    this.signal('SIGTERM');
    this.signal('SIGCONT');
    let inTime = true;
    const killer = setTimeout(() => {
      inTime = false;
      this.signal('SIGKILL');
    }, STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(killer);
    return inTime;
  }

  /** Memory that is resident now. */
  async memoryBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  }

  /** Whether SIGSTOP holds it. */
  async isHalted(): Promise<boolean> {
    const stat = await readFile(`/proc/${this.pid}/stat`, 'utf8').catch(() => '');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'T';
  }

  #ready(child: ChildProcess): Promise<string> {
    return new Promise((resolve, reject) => {
      const fail = (what: string) => reject(new Error(`A server ${what}.\n${this.log.join('\n')}`.trim()));
      const timer = setTimeout(() => fail(`was not ready within ${READY_TIMEOUT_MS / 1000} s`), READY_TIMEOUT_MS);
      child.once('error', (error) => fail(`could not be started: ${error.message}`));
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        fail(`ended before it was ready (${signal ?? `exit code ${code}`})`);
      });
      createInterface({ input: child.stdout! }).once('line', (line) => {
        clearTimeout(timer);
        child.stdout!.resume();
        resolve((JSON.parse(line) as { url: string }).url);
      });
    });
  }
}
