// Several server processes on one machine that share the port (node:cluster hands them the connections in turn). The primary serves
// nothing: it holds the embedded database open, replaces a worker that died, and renews the workers one by one when told.
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { onErrorOf, openLog } from './log.ts';
import { openDatabase } from './open-database.ts';
import { prepareSchema } from './prepare-schema.ts';
import { STOP_MARGIN_MS, type Tidings, type TidingsOptions } from './tidings.ts';
import { WorkerHandle } from './worker-handle.ts';

export interface ClusterOptions {
  config: Config;
  processes: number;
  graceMs: number | undefined;
  log: Logger;
}

/** A worker that lived for so long was well: it is replaced at once. */
const WELL_AFTER_MS = 10_000;
const MIN_WAIT_MS = 100;
const MAX_WAIT_MS = 10_000;
/** What a worker may take longer to stop than it allows itself. */
const KILL_MARGIN_MS = 3000;

export class Cluster {
  readonly #options: ClusterOptions;
  readonly #workers = new Set<WorkerHandle>();
  /** Workers that ended early, one after another. */
  #failures = 0;
  #timer: NodeJS.Timeout | null = null;
  #rolling: Promise<void> | null = null;
  #rollAgain = false;
  #isRunning = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Starts all workers and resolves with their URL when the last is ready. @throws what the first that failed said; also when aborted */
  async start(signal: AbortSignal): Promise<string> {
    this.#isRunning = true;
    const stop = (): void => void this.stop().catch(() => {});
    signal.addEventListener('abort', stop);
    const workers = Array.from({ length: this.#options.processes }, () => this.#fork());
    try {
      const [url] = await Promise.all(workers.map((worker) => worker.ready));
      return url;
    } catch (error) {
      await this.stop().catch(() => {});
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Stops all workers at once. @throws Error when one did not end in order */
  async stop(): Promise<void> {
    this.#isRunning = false;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const ends = await Promise.all([...this.#workers].map((worker) => this.#stopWorker(worker, false)));
    await this.#rolling;
    // SIGTERM ends one that had not begun to listen to it.
    const bad = ends.find((how) => how !== 'exit code 0' && how !== 'SIGTERM');
    if (bad !== undefined) throw new Error(`A server process did not stop in order (${bad}).`);
  }

  /**
   * Replaces the workers one after another: a new one is started, and when it is ready an old one stops. So the port is served all the time,
   * and by no fewer processes. Given up when a new worker does not get ready. Called while it runs: it runs once more.
   */
  roll(): Promise<void> {
    this.#rollAgain = this.#rolling !== null;
    this.#rolling ??= this.#rollAll().finally(() => {
      this.#rolling = null;
    });
    return this.#rolling;
  }

  /** Ends all workers at once, for a primary that has to end now. */
  kill(): void {
    this.#isRunning = false;
    for (const worker of this.#workers) worker.kill();
  }

  async #rollAll(): Promise<void> {
    do {
      this.#rollAgain = false;
      for (const old of [...this.#workers]) {
        if (!this.#isRunning) return;
        if (old.hasEnded || old.isStopping) continue;
        const fresh = this.#fork();
        try {
          await fresh.ready;
        } catch (error) {
          if (!this.#isRunning) return;
          this.#options.log.error(`The rolling restart was given up: ${(error as Error).message}`);
          this.#fill();
          return;
        }
        await this.#stopWorker(old, true);
      }
      this.#fill();
    } while (this.#rollAgain && this.#isRunning);
    this.#options.log.info('all server processes were renewed');
  }

  #fork(): WorkerHandle {
    const { config, graceMs } = this.#options;
    const worker = new WorkerHandle({ config, graceMs });
    this.#workers.add(worker);
    void worker.ended.then((how) => this.#onEnded(worker, how));
    return worker;
  }

  #stopWorker(worker: WorkerHandle, replaced: boolean): Promise<string> {
    const limitMs = this.#options.config.drainSeconds * 1000 + STOP_MARGIN_MS + KILL_MARGIN_MS;
    return worker.stop({ replaced, limitMs });
  }

  #onEnded(worker: WorkerHandle, how: string): void {
    this.#workers.delete(worker);
    if (!this.#isRunning || worker.isStopping) return;
    this.#failures = worker.ageMs > WELL_AFTER_MS ? 0 : this.#failures + 1;
    const waitMs = this.#failures === 0 ? 0 : Math.min(MAX_WAIT_MS, MIN_WAIT_MS * 2 ** (this.#failures - 1));
    this.#options.log.warn(`server process ${worker.pid} ended (${how}); another is started`);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#fill();
    }, waitMs);
  }

  /** Starts what is missing. */
  #fill(): void {
    while (this.#isRunning && this.#workers.size < this.#options.processes) {
      const worker = this.#fork();
      worker.ready.catch((error) => {
        if (this.#isRunning) this.#options.log.error(`a server process could not be started: ${error.message}`);
      });
    }
  }
}

export interface ClusteredTidings extends Tidings {
  roll(): Promise<void>;
  kill(): void;
}

export interface StartClusterOptions extends TidingsOptions {
  processes: number;
  /** Ends the start. */
  signal: AbortSignal;
}

/** Starts `processes` servers on one port. Whatever was started is stopped again when one fails. */
export async function startCluster(config: Config, options: StartClusterOptions): Promise<ClusteredTidings> {
  const { migrate, graceMs, processes, signal } = options;
  const log = openLog(config);
  const database = await openDatabase(config, onErrorOf(log));
  const cluster = new Cluster({ config, processes, graceMs, log });
  try {
    await prepareSchema(database.db, { migrate, log });
    const url = await cluster.start(signal);
    return {
      url,
      databaseUrl: database.url,
      db: database.db,
      roll: () => cluster.roll(),
      kill: () => cluster.kill(),
      stop: () => cluster.stop().finally(() => database.close()),
    };
  } catch (error) {
    await database.close().catch(() => {});
    throw error;
  }
}
