// A Postgres server of the scenario's own, from the embedded binaries, that can be ended and brought back.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { EmbeddedPostgres } from '../src/storage/embedded-postgres.ts';
import { ensureAccount, isRoot, runProgram } from '../src/storage/postgres-account.ts';
import { findPackage, provideBinaries } from '../src/storage/postgres-binaries.ts';
import { findPostmaster } from '../src/storage/postmaster.ts';

export interface PostgresOptions {
  /** Server settings over those of the embedded server. */
  settings?: Record<string, string>;
  /** A folder that stands ready and is left alone at the end; by default a new one. */
  folder?: string;
}

/** What the suite's own connections are called, to be told from those of the processes. */
export const SUITE = 'faults';

export class PostgresUnderTest {
  readonly #options: PostgresOptions;
  #folder = '';
  #embedded: EmbeddedPostgres | null = null;
  #pool: pg.Pool | null = null;
  #connection: pg.ClientConfig = {};

  constructor(options: PostgresOptions = {}) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#folder = this.#options.folder ?? (await mkdtemp(join(tmpdir(), 'tidings-faults-')));
    // Under root Postgres runs as another user, who must be able to enter.
    await chmod(this.#folder, 0o755);
    this.#embedded = new EmbeddedPostgres({ dataFolder: this.#folder, settings: this.#options.settings });
    await this.#embedded.start();
    this.#connection = { ...this.#embedded.connection, application_name: SUITE };
    this.#pool = new pg.Pool({ ...this.#connection, max: 3 });
    this.#pool.on('error', () => {});
  }

  async stop(): Promise<void> {
    await this.#pool?.end();
    this.#pool = null;
    await this.#embedded?.stop();
    this.#embedded = null;
    if (!this.#options.folder) await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Its Unix socket. */
  get socketPath(): string {
    return join(String(this.#connection.host), `.s.PGSQL.${this.#connection.port}`);
  }

  get cluster(): string {
    return join(this.#folder, 'postgres');
  }

  /** As DATABASE_URL takes it: over TCP to a port of this machine, or straight to the socket. */
  url(port: number | null): string {
    const { user, password, database, host } = this.#connection;
    const login = `${user}:${encodeURIComponent(String(password))}`;
    if (port !== null) return `postgres://${login}@127.0.0.1:${port}/${database}`;
    return `postgres://${login}@/${database}?${new URLSearchParams({ host: String(host), port: String(this.#connection.port) })}`;
  }

  /** On connections of the suite's own, past any proxy. */
  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.#pool!.query<Row>(text, values)).rows;
  }

  /** A further connection, to be ended by the caller. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client(this.#connection);
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  /** `pg_ctl restart -m immediate`: as a power cut of the database server, recovery included. */
  async restartImmediately(): Promise<void> {
    await this.#control(['restart', '-m', 'immediate', '-w', '-t', '60', '-l', join(this.cluster, 'restarts.log')]);
  }

  /** Whether the server runs and answers. */
  async isUp(): Promise<boolean> {
    if (!(await findPostmaster(this.cluster))) return false;
    return this.query('SELECT 1').then(
      () => true,
      () => false,
    );
  }

  /** Brings up a server that went down by itself. */
  async bringUp(): Promise<void> {
    await this.#control(['start', '-w', '-t', '60', '-l', join(this.cluster, 'restarts.log')]);
  }

  async #control(args: string[]): Promise<void> {
    const account = isRoot() ? await ensureAccount() : null;
    const binFolder = await provideBinaries(findPackage(), this.#folder, account);
    const { exitCode, output } = await runProgram(join(binFolder, 'pg_ctl'), [...args, '-D', this.cluster], account);
    if (exitCode !== 0) throw new Error(`pg_ctl ${args[0]} failed: ${output}`);
  }
}
