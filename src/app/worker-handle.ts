// The primary's hold on one server process of a cluster.
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.ts';

/** What the primary tells a worker. */
export type WorkerOrder =
  | { kind: 'start'; config: Config; graceMs: number | undefined }
  /** Stop, as another has its place: the port stays served, so it is ready to the last. */
  | { kind: 'retire' };

/** What a worker tells the primary. */
export type WorkerReport =
  /** It listens: what is sent to it earlier is lost. */
  | { kind: 'loaded' }
  | { kind: 'ready'; url: string }
  /** It could not start; these are the members of the error. */
  | { kind: 'failed'; error: WorkerFailure };

export interface WorkerFailure {
  message: string;
  code?: string;
  syscall?: string;
  address?: string;
  port?: number;
}

const PROGRAM = fileURLToPath(new URL('./worker-process.js', import.meta.url));

export class WorkerHandle {
  readonly pid: number;
  /** Resolves with the server's URL; rejects when the worker ends before it is ready. */
  readonly ready: Promise<string>;
  /** Resolves when the process has ended, in words: with which exit code, or by which signal. */
  readonly ended: Promise<string>;
  readonly #worker: Worker;
  readonly #startedMs = performance.now();
  #hasEnded = false;
  #isStopping = false;

  /** Starts a process, which runs what is on the disk now. */
  constructor(order: Omit<Extract<WorkerOrder, { kind: 'start' }>, 'kind'>) {
    cluster.setupPrimary({ exec: PROGRAM, args: [] });
    const worker = cluster.fork();
    this.#worker = worker;
    this.pid = worker.process.pid!;
    const closeHandedOver = watchHandedOver(worker);
    // 'exit' comes too when the process could not even be started.
    this.ended = once(worker, 'exit').then(([code, signal]) => {
      this.#hasEnded = true;
      if (!this.#isStopping) closeHandedOver();
      return signal ?? `exit code ${code}`;
    });
    this.ready = new Promise((resolve, reject) => {
      worker.on('message', (report: WorkerReport) => {
        if (report.kind === 'loaded') worker.send({ kind: 'start', ...order } satisfies WorkerOrder);
        else if (report.kind === 'ready') resolve(report.url);
        else if (report.kind === 'failed') reject(Object.assign(new Error(report.error.message), report.error));
      });
      void this.ended.then((how) => reject(new Error(`A server process ended before it was ready (${how}).`)));
    });
    this.ready.catch(() => {}); // whoever waits for it is told; nobody need wait
    worker.on('error', () => {}); // a message to a process that has just ended
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether it was told to stop. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  get ageMs(): number {
    return performance.now() - this.#startedMs;
  }

  /** Has it stop gracefully, and killed when that takes longer than `limitMs`. Resolves when it has ended, as `ended` does. */
  async stop({ replaced, limitMs }: { replaced: boolean; limitMs: number }): Promise<string> {
    this.#isStopping = true;
    if (replaced && this.#worker.isConnected()) this.#worker.send({ kind: 'retire' } satisfies WorkerOrder);
    else this.#worker.process.kill('SIGTERM');
    const limit = setTimeout(() => this.kill(), limitMs);
    return this.ended.finally(() => clearTimeout(limit));
  }

  kill(): void {
    this.#isStopping = true;
    this.#worker.process.kill('SIGKILL');
  }
}

/**
 * Node hands a worker one connection after another and waits for its word on each. A worker that dies gives none: the connection would stay
 * open in the primary, answered by nobody, until the client loses patience. What is returned closes it; Node has closed all earlier ones.
 */
function watchHandedOver({ process: child }: Worker): () => void {
  let last: { close?: () => void } | undefined;
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  child.send = (...args: unknown[]) => {
    if (typeof args[1] === 'object' && args[1] !== null) last = args[1];
    return send(...args);
  };
  return () => last?.close?.();
}
