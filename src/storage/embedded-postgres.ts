// A real Postgres server that runs from the data folder. It is started detached and belongs to no process: whoever
// is killed leaves it running, and the next start adopts it. The processes that use it write themselves down
// (postgres-users.ts); the last one to stop stops the server.
import { access, chmod, constants, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import {
  type Account,
  ensureAccount,
  findBarrier,
  isRoot,
  makeFolder,
  mayEnter,
  realpathOf,
  runProgram,
  startProgram,
} from './postgres-account.ts';
import { findPackage, provideBinaries } from './postgres-binaries.ts';
import {
  checkVersion,
  logPath,
  makeCluster,
  NAME,
  openLog,
  type Place,
  readPassword,
  writeSettings,
} from './postgres-cluster.ts';
import { PostgresUser } from './postgres-users.ts';
import { findPostmaster, type Postmaster, removeStalePidFile } from './postmaster.ts';
import { PostmasterWatch } from './postmaster-watch.ts';

export interface EmbeddedPostgresOptions {
  dataFolder: string;
  /** A folder with initdb, postgres and pg_ctl; without it the ones from npm are used. */
  binFolder?: string;
  log?: (line: string) => void;
  /** Told when the server ended while it was in use; it is started again. */
  onError?: (error: unknown) => void;
  /** How often it is looked after. */
  watchEveryMs?: number;
  /** Server settings by name, over the defaults below; they apply when this start is the one that starts the server. */
  settings?: Record<string, string>;
  /** How long a start may take, recovery after a crash included. */
  startTimeoutMs?: number;
}

const STOP_TIMEOUT_SECONDS = 30;

export class EmbeddedPostgres {
  readonly #options: EmbeddedPostgresOptions;
  readonly #log: (line: string) => void;
  #connection: pg.ClientConfig | null = null;
  #place: Place | null = null;
  #user: PostgresUser | null = null;
  #watch: PostmasterWatch | null = null;
  /** What is under way to start the server again is given up. */
  #isLeaving = false;
  // start and stop take turns.
  #turn: Promise<void> = Promise.resolve();

  constructor(options: EmbeddedPostgresOptions) {
    this.#options = options;
    this.#log = options.log ?? (() => {});
  }

  /** How to reach the database: a Unix socket, the user, its password. */
  get connection(): pg.ClientConfig {
    if (!this.#connection) throw new Error('The embedded Postgres server has not been started.');
    return this.#connection;
  }

  /** Starts the server, or joins the one that runs on the data folder. Throws in words when it cannot. */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#connection) return;
      const place = await this.#findPlace();
      this.#place = place;
      const users = join(place.dataFolder, 'users');
      await makeFolder(users, 0o700);
      this.#user = await PostgresUser.enter(users, this.#startTimeoutMs);
      try {
        this.#connection = await this.#reach(place);
      } catch (error) {
        // What went wrong is the start; a failing stop would hide it.
        await this.#leave().catch(() => {});
        throw error;
      }
      this.#watch = new PostmasterWatch({
        isRunning: async () => (await findPostmaster(place.cluster)) !== null,
        start: () => this.#reach(place),
        onError: this.#options.onError ?? (() => {}),
        everyMs: this.#options.watchEveryMs,
      });
      await this.#watch.start();
    });
  }

  /** Leaves the server, and stops it when nobody else uses it. */
  stop(): Promise<void> {
    return this.#inTurn(() => this.#leave());
  }

  get #startTimeoutMs(): number {
    return this.#options.startTimeoutMs ?? 120_000;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #leave(): Promise<void> {
    this.#isLeaving = true;
    await this.#watch?.stop();
    this.#isLeaving = false;
    this.#watch = null;
    const user = this.#user;
    this.#connection = null;
    this.#user = null;
    if (!user || !this.#place) return;
    try {
      if (await user.beginLeave()) await this.#stopServer(this.#place);
    } finally {
      await user.leave();
    }
  }

  async #findPlace(): Promise<Place> {
    const dataFolder = await realpathOf(this.#options.dataFolder).catch(refuseFolder(this.#options.dataFolder));
    const cluster = join(dataFolder, 'postgres');
    const account = isRoot() ? await accountOf(cluster) : null;
    if (account) await refuseUnreachable(dataFolder, account);
    await makeFolder(dataFolder, account ? 0o711 : 0o700).catch(refuseFolder(dataFolder));
    await access(dataFolder, constants.W_OK | constants.X_OK).catch(refuseFolder(dataFolder));
    const stats = await stat(account ? dataFolder : cluster).catch(() => null);
    if (account && stats && !mayEnter(stats, account)) await chmod(dataFolder, (stats.mode & 0o7777) | 0o011);
    if (!account && stats && stats.uid !== process.geteuid?.()) {
      throw new Error(
        `The data in ${cluster} belongs to another user (uid ${stats.uid}), who must run its server. ` +
          'Start Tidings as that user or as root, or choose another folder with --data.',
      );
    }
    const binFolder = this.#options.binFolder ?? (await provideBinaries(findPackage(), dataFolder, account));
    return { dataFolder, cluster, binFolder, account };
  }

  async #reach(place: Place): Promise<pg.ClientConfig> {
    const timeoutMs = this.#startTimeoutMs;
    const deadline = performance.now() + timeoutMs;
    await makeCluster(place, this.#log);
    const password = await readPassword(place.cluster);
    for (let wait = 20; ; wait = Math.min(2 * wait, 500)) {
      const server = await findPostmaster(place.cluster);
      let problem: string;
      if (server) {
        const connection = await connect(server, password);
        if (typeof connection !== 'string') return connection;
        problem = connection;
      } else {
        const failure = await this.#startServer(place, deadline);
        if (failure === null) continue;
        problem = failure;
      }
      if (this.#isLeaving || performance.now() > deadline) {
        throw new Error(
          `The Postgres server in ${place.cluster} did not answer within ${Math.round(timeoutMs / 1000)} s: ${problem}\n` +
            `Its log: ${logPath(place.cluster)}`,
        );
      }
      await pause(wait);
    }
  }

  /** Null when it was started; else why not, if it may do later. Throws if it never will. */
  async #startServer(place: Place, deadline: number): Promise<string | null> {
    const { cluster, account } = place;
    await checkVersion(place);
    if (await removeStalePidFile(cluster))
      this.#log(`The server of ${cluster} had been killed; its pid file was removed.`);
    await writeSettings(place, this.#options.settings);
    const log = await openLog(cluster, account);
    const begin = performance.now();
    const server = startProgram(join(place.binFolder, 'postgres'), ['-D', cluster], account, log.file.fd);
    await log.file.close();
    while (server.isRunning() && !this.#isLeaving && performance.now() < deadline) {
      const found = await findPostmaster(cluster);
      if (found?.ready && found.pid === server.pid) {
        this.#log(`Postgres was started in ${cluster} (${Math.round(performance.now() - begin)} ms).`);
        return null;
      }
      await pause(10);
    }
    const said = (await readFile(log.path)).subarray(log.bytes).toString().trim();
    const words = said.split('\n').slice(-10).join('\n');
    // A killed server's children hold its shared memory for a moment; another process may be starting the server too.
    const passes = /lock file .* already exists|pre-existing shared memory|in use|could not bind|shutting down/;
    if (server.isRunning() || passes.test(words) || (await findPostmaster(cluster))) return words;
    throw new Error(`The Postgres server in ${cluster} could not be started:\n${words}`);
  }

  async #stopServer({ cluster, binFolder, account }: Place): Promise<void> {
    for (const mode of ['fast', 'immediate']) {
      const server = await findPostmaster(cluster);
      if (!server) return;
      const args = ['stop', '--wait', '-t', String(STOP_TIMEOUT_SECONDS), '-m', mode, '-D', cluster];
      const { exitCode } = await runProgram(join(binFolder, 'pg_ctl'), args, account);
      if (exitCode !== 0) continue;
      if (server.socketFolder && server.socketFolder !== cluster) {
        await rm(server.socketFolder, { recursive: true, force: true });
      }
      this.#log(`Postgres was stopped in ${cluster}.`);
      return;
    }
    const left = await findPostmaster(cluster);
    if (left) throw new Error(`The Postgres server in ${cluster} (pid ${left.pid}) does not stop.`);
  }
}

function refuseFolder(dataFolder: string): (cause: Error) => never {
  return (cause) => {
    const problem = `The data folder ${dataFolder} cannot be used: ${cause.message}.`;
    throw new Error(`${problem} Choose another folder with --data, or change its owner or mode.`, { cause });
  };
}

async function refuseUnreachable(dataFolder: string, account: Account): Promise<void> {
  const barrier = await findBarrier(dataFolder, account);
  if (!barrier) return;
  throw new Error(
    `The data folder ${dataFolder} cannot be used: Postgres runs as the system user postgres, which may not enter ` +
      `${barrier.folder} (mode ${barrier.mode}). Choose another folder with --data, or let it in: chmod o+x ${barrier.folder}`,
  );
}

/** As root: the owner of the cluster where there is one that is not root, else the system user postgres. */
async function accountOf(cluster: string): Promise<Account> {
  const stats = await stat(cluster).catch(() => null);
  return stats && stats.uid !== 0 ? { uid: stats.uid, gid: stats.gid } : ensureAccount();
}

/** How to connect, once the server has answered; a string says why it does not answer yet. */
async function connect(server: Postmaster, password: string): Promise<pg.ClientConfig | string> {
  if (server.socketFolder === null) return 'it has not opened its socket';
  const connection = { host: server.socketFolder, port: server.port, user: NAME, password, ssl: false };
  try {
    await query({ ...connection, database: 'postgres' }, async (client) => {
      const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [NAME]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${NAME}`);
    });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    // 42P04, 23505: another process has just made the database. The rest: starting up, shutting down, ending, out of connections.
    if (code === '42P04' || code === '23505') return 'its database is being made';
    if (/^(57P|53|08|E[A-Z]+$)/.test(code ?? '') || /Connection terminated|timeout/.test(message)) return message;
    throw new Error(`The Postgres server in ${server.socketFolder} (pid ${server.pid}) refuses Tidings: ${message}`, {
      cause: error,
    });
  }
  return { ...connection, database: NAME };
}

async function query(config: pg.ClientConfig, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ ...config, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}
