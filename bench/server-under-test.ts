// A server started as users start it, through its command line.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { OpenedDatabase } from './database-under-test.ts';
import {
  type ProcessMemory,
  readAllProcessStats,
  readProcessMemory,
  resetPeakMemory,
  treeCpuMicros,
  treeOf,
} from './process-stats.ts';

export interface ServerOptions {
  database: OpenedDatabase;
  /** As `--processes` takes it. */
  processes: number;
  /** Further options for the server's node, such as `--cpu-prof`. */
  nodeOptions: string[];
}

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const LOG_LINES_KEPT = 20;

export class ServerUnderTest {
  readonly #options: ServerOptions;
  #child: ChildProcess | null = null;
  #origin = '';
  #startMs = Number.NaN;
  #log: string[] = [];

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** `http://host:port` of the API. */
  get origin(): string {
    return this.#origin;
  }

  /** From the start of the program until it was ready. */
  get startMs(): number {
    return this.#startMs;
  }

  async start(): Promise<void> {
    const { database, nodeOptions, processes } = this.#options;
    const args = ['serve', '--port', '0', '--processes', String(processes), '--json', '--log-level', 'warn'];
    const startedAt = performance.now();
    const child = spawn(
      process.execPath,
      [...nodeOptions, CLI, ...args, '--allow-http', '--allow-private', '127.0.0.0/8'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, DATABASE_URL: database.url, TIDINGS_MASTER_KEY: database.masterKey },
        // Its own group: a Ctrl-C in the terminal is passed on by stop(), once.
        detached: true,
      },
    );
    this.#child = child;
    createInterface({ input: child.stderr! }).on('line', (line) => {
      this.#log = [...this.#log, line].slice(-LOG_LINES_KEPT);
    });
    this.#origin = (await this.#firstLine(child)).url;
    this.#startMs = performance.now() - startedAt;
  }

  /** Calls the HTTP API. @throws Error naming call, status and answer when it is not 2xx. */
  async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.#origin + path, {
      method,
      headers: { authorization: `Bearer ${this.#options.database.apiKey}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text.slice(0, 1000)}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** CPU of all its processes. */
  cpuMicros(): number {
    return this.#child ? treeCpuMicros(readAllProcessStats(), this.#child.pid!) : 0;
  }

  /** Resident memory of all its processes, added up: now, and each one's greatest since the start or the last reset. */
  memory(): ProcessMemory {
    const all = this.#pids().map(readProcessMemory);
    const sum = (name: keyof ProcessMemory) => all.reduce((bytes, memory) => bytes + memory[name], 0);
    return { residentBytes: sum('residentBytes'), peakBytes: sum('peakBytes') };
  }

  resetPeakMemory(): void {
    for (const pid of this.#pids()) resetPeakMemory(pid);
  }

  /** Ends it with a signal, SIGTERM by default, and waits until it has ended. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(killer);
  }

  #pids(): number[] {
    return this.#child ? treeOf(readAllProcessStats(), this.#child.pid!).map(({ pid }) => pid) : [];
  }

  #firstLine(child: ChildProcess): Promise<{ url: string }> {
    return new Promise((resolve, reject) => {
      const fail = (what: string) => reject(new Error(`The server ${what}.\n${this.#log.join('\n')}`.trim()));
      const timer = setTimeout(() => fail(`was not ready within ${READY_TIMEOUT_MS / 1000} s`), READY_TIMEOUT_MS);
      child.once('error', (error) => fail(`could not be started: ${error.message}`));
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        fail(`ended (${signal ?? `exit code ${code}`})`);
      });
      const lines = createInterface({ input: child.stdout! });
      lines.once('line', (line) => {
        clearTimeout(timer);
        try {
          resolve(JSON.parse(line) as { url: string });
        } catch {
          fail(`printed no JSON when it was ready but: ${line}`);
        }
        child.stdout!.resume();
      });
    });
  }
}
