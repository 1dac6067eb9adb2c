// The pool's hold on one thread. It gives it a batch at a time and watches it: a run that takes too long, or the process too much memory meanwhile, is
// ended with the thread, for the engine can be brought to where it hears of nothing else.
import { Worker } from 'node:worker_threads';
import type { TransformationFailure } from '../core/transformation.ts';
import type { EngineProgram } from './engine.ts';
import { ThreadClock } from './thread-clock.ts';
import { type Batch, type Report, RUNNING, type RunResult, STEP, type WorkerStart } from './worker-protocol.ts';

export interface ThreadOptions {
  timeoutMs: number;
  memoryBytes: number;
  maxChars: number;
}

export interface ThreadParts {
  engine: EngineProgram;
  /** The program of the thread. */
  program: URL;
  options: ThreadOptions;
  /** `earlierMs` is to be added to what the batch before was said to take. */
  onDone: (results: RunResult[], cpuMs: number, earlierMs: number) => void;
  /** The thread is gone; `run` is the number of the run that it was ended for. */
  onEnded: (ended: {
    run: number | null;
    reason: TransformationFailure | 'lost';
    words: string;
    cpuMs: number;
  }) => void;
}

/** A thread ends a run by itself; only when it has not for so long is it ended. */
const GRACE_MS = 20;
/** A run that gets no processor for so long, in multiples of its time, is given up without blame. */
const STARVED_FACTOR = 40;
/** By so much, in multiples of a run's limit, may the process grow while one is under way. */
const MAX_GROWTH_FACTOR = 4;
const MAX_START_MS = 10_000;
/** The JavaScript around the engine needs little. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 8, stackSizeMb: 2 };

export class WorkerThread {
  readonly #parts: ThreadParts;
  readonly #worker: Worker;
  readonly #progress = new Int32Array(new SharedArrayBuffer(8));
  readonly #startedMs = performance.now();
  #cpu = new ThreadClock(null);
  #isBusy = false;
  #hasStarted = false;
  #hasEnded = false;
  /** The step that is watched, since when, and what was then. */
  #watched = { step: -1, sinceMs: 0, cpuMs: null as number | null, residentBytes: 0 };

  constructor(parts: ThreadParts) {
    this.#parts = parts;
    const { timeoutMs, memoryBytes, maxChars } = parts.options;
    const start: WorkerStart = { program: parts.engine, timeoutMs, memoryBytes, maxChars, progress: this.#progress };
    this.#worker = new Worker(parts.program, {
      workerData: start,
      env: {},
      execArgv: [],
      resourceLimits: RESOURCE_LIMITS,
      name: 'transformations',
    });
    this.#worker.on('message', (report: Report) => this.#hear(report));
    let words = 'the thread ended';
    this.#worker.on('error', (error) => {
      words = error.message;
    });
    this.#worker.on('exit', () => this.#ended({ run: this.#running, reason: 'lost', words, cpuMs: 0 }));
    this.#worker.unref();
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  run(batch: Batch): void {
    this.#isBusy = true;
    this.#worker.ref(); // who waits for an answer gets it before the process ends
    this.#worker.postMessage(batch, [batch.bytes.buffer]);
  }

  async stop(): Promise<void> {
    this.#hasEnded = true;
    this.#cpu.close();
    await this.#worker.terminate();
  }

  /** Looks at what the thread does; to be called again and again while it is busy. */
  watch(): void {
    if (!this.#isBusy || this.#hasEnded) return;
    const now = performance.now();
    if (!this.#hasStarted) {
      if (now - this.#startedMs > MAX_START_MS) this.#end('lost', 'a thread did not start');
      return;
    }
    const step = Atomics.load(this.#progress, STEP);
    if (Atomics.load(this.#progress, RUNNING) === 0) return;
    if (step !== this.#watched.step) {
      this.#watched = {
        step,
        sinceMs: now,
        cpuMs: this.#cpu.readMs(),
        residentBytes: process.memoryUsage.rss(),
      };
      return;
    }
    this.#judge(now - this.#watched.sinceMs);
  }

  #judge(elapsedMs: number): void {
    const { timeoutMs, memoryBytes } = this.#parts.options;
    if (process.memoryUsage.rss() - this.#watched.residentBytes > memoryBytes * MAX_GROWTH_FACTOR) {
      // Whose memory it is cannot be told apart: the engine's own is bounded, so this is more likely the server's.
      this.#end('lost', 'the process grew too much meanwhile');
      return;
    }
    if (elapsedMs < timeoutMs + GRACE_MS) return;
    const { cpuMs } = this.#watched;
    const nowMs = this.#cpu.readMs();
    const usedMs = cpuMs === null || nowMs === null ? elapsedMs : nowMs - cpuMs;
    if (usedMs >= timeoutMs) this.#end('transform_timeout', 'It took too long.', usedMs);
    else if (elapsedMs > timeoutMs * STARVED_FACTOR) this.#end('lost', 'the machine was too busy', usedMs);
  }

  get #running(): number | null {
    return Atomics.load(this.#progress, RUNNING) || null;
  }

  #hear(report: Report): void {
    if (this.#hasEnded) return;
    if (report.kind === 'started') {
      this.#hasStarted = true;
      this.#cpu = new ThreadClock(report.threadId);
      return;
    }
    this.#isBusy = false;
    this.#worker.unref();
    this.#parts.onDone(report.results, report.cpuMs, report.earlierMs);
  }

  #end(reason: TransformationFailure | 'lost', words: string, cpuMs = 0): void {
    const run = this.#running;
    void this.#worker.terminate();
    this.#ended({ run, reason, words, cpuMs });
  }

  #ended(ended: Parameters<ThreadParts['onEnded']>[0]): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#isBusy = false;
    this.#cpu.close();
    this.#parts.onEnded(ended);
  }
}
