// Starts the built server as users do, through its command line, and speaks to it through its HTTP API.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PostgresStats } from './postgres-stats.ts';
import { readAllProcessStats, readPeakMemoryBytes, treeCpuMicros } from './process-stats.ts';
import { publishPath, type Target } from './target.ts';

export interface ServerOptions {
  /** Null = the embedded server. The database given is migrated and filled: use one that is there for it. */
  databaseUrl: string | null;
  nodeOptions: string[];
}

interface Ready {
  url: string;
  apiKey: string;
  databaseUrl: string;
}

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const LOG_LINES_KEPT = 20;
// Fixed, so that a benchmark may use the same database again: its stored secrets are nobody's.
const MASTER_KEY = Buffer.from('tidings benchmark, no real secret').subarray(0, 32).toString('base64');

export class ServerUnderTest {
  readonly #options: ServerOptions;
  #child: ChildProcess | null = null;
  #dataFolder: string | null = null;
  #postgres: PostgresStats | null = null;
  #ready: Ready | null = null;
  #log: string[] = [];

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#dataFolder = await mkdtemp(join(tmpdir(), 'tidings-bench-'));
    // Under root Postgres runs as another user, who must be able to enter.
    await chmod(this.#dataFolder, 0o755);
    const { databaseUrl, nodeOptions } = this.#options;
    const args = ['dev', '--port', '0', '--data', join(this.#dataFolder, 'data'), '--json', '--log-level', 'warn'];
    const child = spawn(
      process.execPath,
      [...nodeOptions, CLI, ...args, '--allow-http', '--allow-private', '127.0.0.0/8'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...withoutDatabase(),
          ...(databaseUrl && { DATABASE_URL: databaseUrl, TIDINGS_MASTER_KEY: MASTER_KEY }),
        },
        // Its own group: a Ctrl-C in the terminal is passed on by stop(), once.
        detached: true,
      },
    );
    this.#child = child;
    createInterface({ input: child.stderr! }).on('line', (line) => {
      this.#log = [...this.#log, line].slice(-LOG_LINES_KEPT);
    });
    this.#ready = await this.#firstLine(child);
    this.#postgres = await PostgresStats.connect(databaseUrl ?? this.#ready.databaseUrl);
  }

  /** A new app with `endpoints` endpoints at `/r/0`, `/r/1` … of the receiver. */
  async createTarget(options: { receiverOrigin: string; endpoints: number }): Promise<Target> {
    const { id } = await this.request<{ id: string }>('POST', '/v1/apps', { name: 'bench' });
    for (let i = 0; i < options.endpoints; i++) {
      await this.request('POST', `/v1/apps/${id}/endpoints`, { url: `${options.receiverOrigin}/r/${i}` });
    }
    return {
      origin: this.#ready!.url,
      headers: { authorization: `Bearer ${this.#ready!.apiKey}` },
      publishPath: publishPath(id),
      sample: async () => {
        const walBytes = await this.#postgres!.walBytes();
        const stats = readAllProcessStats();
        return {
          processMicros: treeCpuMicros(stats, this.#child!.pid!, ({ name }) => name === 'postgres'),
          postgresMicros: this.#postgres!.cpuMicros(stats),
          walBytes,
        };
      },
      peakMemoryBytes: () => readPeakMemoryBytes(this.#child!.pid!),
    };
  }

  /** Calls the HTTP API. @throws Error naming call, status and answer when it is not 2xx. */
  async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.#ready!.url + path, {
      method,
      headers: { authorization: `Bearer ${this.#ready!.apiKey}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text.slice(0, 1000)}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async postgresVersion(): Promise<string> {
    return this.#postgres!.version();
  }

  async stop(): Promise<void> {
    await this.#postgres?.close();
    const child = this.#child;
    this.#child = null;
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const killer = setTimeout(() => this.#kill(child), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(killer);
    }
    if (this.#dataFolder) await rm(this.#dataFolder, { recursive: true, force: true, maxRetries: 5 });
    this.#dataFolder = null;
  }

  // A killed server leaves its embedded Postgres running; its data folder is about to go, so it ends too.
  #kill(child: ChildProcess): void {
    child.kill('SIGKILL');
    if (!this.#options.databaseUrl && this.#postgres?.postmasterPid)
      process.kill(this.#postgres.postmasterPid, 'SIGQUIT');
  }

  #firstLine(child: ChildProcess): Promise<Ready> {
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
          resolve(JSON.parse(line) as Ready);
        } catch {
          fail(`printed no JSON when it was ready but: ${line}`);
        }
        child.stdout!.resume();
      });
    });
  }
}

function withoutDatabase(): NodeJS.ProcessEnv {
  const { DATABASE_URL: _, ...env } = process.env;
  return env;
}

/** Runs `work` with a server of its own, and stops it whatever happens. */
export async function withServer<T>(options: ServerOptions, work: (server: ServerUnderTest) => Promise<T>): Promise<T> {
  const server = new ServerUnderTest(options);
  try {
    await server.start();
    return await work(server);
  } finally {
    await server.stop();
  }
}
