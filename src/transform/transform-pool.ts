// Runs transformations on a few threads, which start with the first of them. Apps take turns; each has its share of the processor and a bounded queue, so
// that what one app's code does costs the others nothing: an app never has all threads, and those for which threads had to be ended share one.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { MAX_TRANSFORMED_BYTES, type Verdict } from '../core/transformation.ts';
import { AppQueue } from './app-queue.ts';
import { compileEngine, type EngineProgram } from './engine.ts';
import { type QueuedRun, queueRun, type RunEnd, type RunRequest } from './queued-run.ts';
import type { SandboxFailure } from './sandbox.ts';
import { toVerdict } from './verdict.ts';
import type { RunResult } from './worker-protocol.ts';
import { type ThreadParts, WorkerThread } from './worker-thread.ts';

export interface TransformPoolOptions {
  /** Threads at most. */
  threads: number;
  /** Of CPU for one event. */
  timeoutMs: number;
  memoryBytes: number;
  /** Of one core for one app. */
  appShare: number;
}

export const TRANSFORM_POOL_DEFAULTS: TransformPoolOptions = {
  threads: 2,
  timeoutMs: 50,
  memoryBytes: 32 * 1024 * 1024,
  appShare: 0.5,
};

export interface TransformPoolParts {
  options?: Partial<TransformPoolOptions>;
  onError: (error: unknown) => void;
  /** The program of the threads. */
  program?: URL;
}

/** Who was told that there is no room, and is to ask again. */
interface Waiter {
  wake(): void;
}

/** How a run can end, as it is counted. */
export const RUN_ENDS = ['sent', 'filtered', 'failed', 'unavailable'] as const satisfies readonly Verdict['kind'][];

const MAX_WAITING_PER_APP = 64;
const MAX_WAITING = 1024;
const BATCH = { maxRuns: 16, maxBytes: 512 * 1024 };
const BURST_MS = 500;
const WATCH_EVERY_MS = 10;
const IDLE_MS = 60_000;
/** Loaded transformations that a thread keeps; each takes about a megabyte, and at worst what it can use without growing, 11 MB. */
const SANDBOXES_PER_THREAD = 16;
/** A run is given up when so many threads were lost with it. */
const MAX_LOSSES = 2;

interface Thread {
  worker: WorkerThread;
  /** Of what it runs now. */
  queue: AppQueue | null;
  /** Of what it ran before that. */
  earlier: AppQueue | null;
  runs: Map<number, QueuedRun>;
  nextNumber: number;
  /** Of the transformations that it has loaded, the one used last at the end. */
  keys: Set<string>;
  idleSinceMs: number;
}

export class TransformPool {
  readonly #parts: TransformPoolParts;
  readonly #options: TransformPoolOptions;
  readonly #apps = new Map<string, AppQueue>();
  /** With something that waits, in turn. */
  #turns: AppQueue[] = [];
  /** By app. */
  readonly #refused = new Map<string, Set<Waiter>>();
  readonly #threads = new Set<Thread>();
  #engine: EngineProgram | null = null;
  #waiting = 0;
  #watch: NodeJS.Timeout | null = null;
  #again: NodeJS.Timeout | null = null;
  #againMs = Number.POSITIVE_INFINITY;
  #stopped = false;
  #cpuMs = 0;
  /** Of events so far. */
  readonly counts: Record<Verdict['kind'], number> = { sent: 0, filtered: 0, failed: 0, unavailable: 0 };

  constructor(parts: TransformPoolParts) {
    this.#parts = parts;
    this.#options = { ...TRANSFORM_POOL_DEFAULTS, ...parts.options };
  }

  /** Of threads that run. */
  get threadCount(): number {
    return this.#threads.size;
  }

  /** Runs that wait for a thread. */
  get waitingCount(): number {
    return this.#waiting;
  }

  /** Used so far. */
  get cpuSeconds(): number {
    return this.#cpuMs / 1000;
  }

  async start(): Promise<void> {
    this.#stopped = false;
  }

  /** Ends the threads; what waits or runs is `unavailable`. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#watch) clearInterval(this.#watch);
    if (this.#again) clearTimeout(this.#again);
    this.#watch = null;
    this.#again = null;
    this.#againMs = Number.POSITIVE_INFINITY;
    this.#refused.clear();
    const threads = [...this.#threads];
    this.#threads.clear();
    const left = [
      ...this.#turns.flatMap(({ waiting }) => waiting),
      ...threads.flatMap(({ runs }) => [...runs.values()]),
    ];
    this.#apps.clear();
    this.#turns = [];
    this.#waiting = 0;
    await Promise.all(threads.map(({ worker }) => worker.stop()));
    for (const run of left) run.done({ unavailable: 'the server stops' });
  }

  /** Whether an event of the app need not wait long; if not, `waiter` is woken once, when it is to ask again. */
  hasRoom(appId: string, waiter: Waiter | null): boolean {
    if (this.#isOpenTo(appId)) return true;
    if (waiter === null) return false;
    const waiters = this.#refused.get(appId);
    if (waiters) waiters.add(waiter);
    else this.#refused.set(appId, new Set([waiter]));
    this.#lookAgain();
    return false;
  }

  #isOpenTo(appId: string): boolean {
    const queue = this.#apps.get(appId);
    if (queue === undefined) return true;
    const waiting = queue.waiting.length;
    if (waiting >= MAX_WAITING_PER_APP || (this.#waiting >= MAX_WAITING && waiting > 0)) return false;
    return queue.share.nextMs(performance.now()) === 0;
  }

  /** What a transformation says of an event. Never rejects. */
  async run(request: RunRequest): Promise<Verdict> {
    const end = await this.try(request);
    const verdict: Verdict =
      'unavailable' in end ? { kind: 'unavailable', message: end.unavailable } : toVerdict(end.answer, request.event);
    this.counts[verdict.kind]++;
    return verdict;
  }

  /** What is wrong with a transformation before it has seen an event; null = nothing. */
  async check(code: Omit<RunRequest, 'event'>): Promise<SandboxFailure | { unavailable: string } | null> {
    const end = await this.#run(code, null);
    if ('unavailable' in end) return end;
    return end.answer.ok ? null : end.answer;
  }

  /** The same as the sandbox gave it, with the console. Never rejects. */
  try(request: RunRequest): Promise<RunEnd> {
    return this.#run(request, request.event);
  }

  #run(code: Omit<RunRequest, 'event'>, event: RunRequest['event'] | null): Promise<RunEnd> {
    return new Promise((resolve) => {
      if (this.#stopped) {
        resolve({ unavailable: 'the server stops' });
        return;
      }
      this.#enqueue(this.#queueOf(code.appId), [queueRun(code, event, resolve)]);
      this.#dispatch();
    });
  }

  #queueOf(appId: string): AppQueue {
    let queue = this.#apps.get(appId);
    if (queue === undefined) {
      const share = { share: this.#options.appShare, burstMs: BURST_MS };
      queue = new AppQueue(appId, share, performance.now());
      this.#apps.set(appId, queue);
    }
    return queue;
  }

  #enqueue(queue: AppQueue, runs: QueuedRun[], at: 'end' | 'front' = 'end'): void {
    if (queue.waiting.length === 0) this.#turns.push(queue);
    if (at === 'end') queue.waiting.push(...runs);
    else queue.waiting.unshift(...runs);
    this.#waiting += runs.length;
  }

  // ---- threads and turns

  #dispatch(): void {
    if (this.#stopped) return;
    for (let left = this.#turns.length; left > 0; left--) {
      const queue = this.#turns.shift()!;
      if (queue.waiting.length === 0) continue;
      const thread = this.#mayRun(queue) ? this.#freeThread(queue) : null;
      if (thread !== null) this.#give(thread, queue);
      if (queue.waiting.length > 0) this.#turns.push(queue);
    }
    if (this.#turns.length > 0) this.#lookAgain();
  }

  #mayRun(queue: AppQueue): boolean {
    const now = performance.now();
    if (queue.share.nextMs(now) > 0) return false;
    if (queue.threads >= Math.max(1, this.#options.threads - 1)) return false;
    if (!queue.isSuspect(now)) return true;
    for (const other of this.#threads) if (other.queue?.isSuspect(now)) return false;
    return true;
  }

  /** A thread that has nothing to do, rather one that knows the transformation; a new one if there may be more. */
  #freeThread(queue: AppQueue): Thread | null {
    let free: Thread | null = null;
    for (const thread of this.#threads) {
      if (thread.worker.isBusy) continue;
      if (thread.keys.has(queue.waiting[0].key)) return thread;
      free ??= thread;
    }
    if (free !== null || this.#threads.size >= this.#options.threads) return free;
    return this.#startThread();
  }

  #startThread(): Thread {
    this.#engine ??= compileEngine(readFileSync(createRequire(import.meta.url).resolve(ENGINE_FILE)));
    const { timeoutMs, memoryBytes } = this.#options;
    const worker = new WorkerThread({
      engine: this.#engine,
      program: this.#parts.program ?? PROGRAM,
      options: { timeoutMs, memoryBytes, maxChars: MAX_TRANSFORMED_BYTES },
      onDone: (results, cpuMs, earlierMs) => {
        this.#spend(thread.earlier, earlierMs);
        this.#done(thread, results, cpuMs);
      },
      onEnded: (ended) => this.#ended(thread, ended),
    });
    const thread: Thread = {
      worker,
      queue: null,
      earlier: null,
      runs: new Map(),
      nextNumber: 1,
      keys: new Set(),
      idleSinceMs: performance.now(),
    };
    this.#threads.add(thread);
    this.#watch ??= setInterval(() => this.#look(), WATCH_EVERY_MS).unref();
    return thread;
  }

  #give(thread: Thread, queue: AppQueue): void {
    const runs = queue.takeBatch(BATCH);
    this.#waiting -= runs.length;
    queue.threads++;
    thread.queue = queue;
    const { key, code } = runs[0];
    const isKnown = thread.keys.delete(key);
    thread.keys.add(key);
    const forget = [...thread.keys].slice(0, Math.max(0, thread.keys.size - SANDBOXES_PER_THREAD));
    for (const old of forget) thread.keys.delete(old);
    const bytes = new Uint8Array(runs.reduce((sum, { json }) => sum + json.length, 0));
    let start = 0;
    const orders = runs.map((run) => {
      const number = thread.nextNumber++;
      thread.runs.set(number, run);
      bytes.set(run.json, start);
      const order = { number, start, end: start + run.json.length, nowMs: run.nowMs, seed: run.seed };
      start = order.end;
      return order;
    });
    thread.worker.run({ key, code: isKnown ? null : code, forget, runs: orders, bytes });
  }

  #done(thread: Thread, results: RunResult[], cpuMs: number): void {
    const queue = this.#free(thread, cpuMs);
    const { runs } = thread;
    thread.runs = new Map();
    for (const { number, answer, durationMs } of results) {
      const run = runs.get(number)!;
      runs.delete(number);
      run.done({ answer, durationMs });
    }
    if (runs.size > 0) this.#enqueue(queue, [...runs.values()], 'front');
    this.#dispatch();
    this.#tellRoom();
  }

  #ended(thread: Thread, ended: Parameters<ThreadParts['onEnded']>[0]): void {
    this.#threads.delete(thread);
    if (thread.queue === null) return;
    const queue = this.#free(thread, Math.max(ended.cpuMs, 1));
    // Without one it is whatever the thread was to do: it never came to it.
    const culprit = thread.runs.get(ended.run ?? 0);
    const blamed = culprit ? [culprit] : [...thread.runs.values()];
    if (ended.reason === 'transform_timeout') queue.suspect(performance.now());
    else this.#parts.onError(new Error(`A thread of transformations was lost: ${ended.words}.`));
    const again = [...thread.runs.values()].filter((run) => !blamed.includes(run) || !this.#judge(run, ended));
    if (again.length > 0) this.#enqueue(queue, again, 'front');
    this.#dispatch();
    this.#tellRoom();
  }

  /** What becomes of a run that a thread was ended for; false = it is tried once more. */
  #judge(run: QueuedRun, { reason, words }: Parameters<ThreadParts['onEnded']>[0]): boolean {
    if (reason !== 'lost') {
      const error = { message: words, line: null, column: null };
      const durationMs = this.#options.timeoutMs;
      run.done({ answer: { ok: false, reason, error, console: [] }, durationMs });
      return true;
    }
    if (++run.losses < MAX_LOSSES) return false;
    run.done({ unavailable: words });
    return true;
  }

  #free(thread: Thread, cpuMs: number): AppQueue {
    const queue = thread.queue!;
    const now = performance.now();
    thread.queue = null;
    thread.earlier = queue;
    thread.idleSinceMs = now;
    queue.threads--;
    this.#spend(queue, cpuMs);
    return queue;
  }

  #spend(queue: AppQueue | null, cpuMs: number): void {
    this.#cpuMs += cpuMs;
    queue?.share.spend(cpuMs, performance.now());
  }

  #look(): void {
    const now = performance.now();
    for (const thread of this.#threads) {
      thread.worker.watch();
      if (thread.queue !== null || now - thread.idleSinceMs < IDLE_MS) continue;
      this.#threads.delete(thread);
      void thread.worker.stop();
    }
    if (this.#threads.size > 0 || this.#watch === null) return;
    clearInterval(this.#watch);
    this.#watch = null;
  }

  /** When something of an app's share is left again, and for those that were refused. */
  #lookAgain(): void {
    if (this.#stopped) return;
    const now = performance.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { share } of this.#turns) nextMs = Math.min(nextMs, share.nextMs(now) || now + WATCH_EVERY_MS);
    for (const appId of this.#refused.keys()) {
      nextMs = Math.min(nextMs, this.#apps.get(appId)?.share.nextMs(now) || now + WATCH_EVERY_MS);
    }
    if (nextMs >= this.#againMs) return;
    if (this.#again) clearTimeout(this.#again);
    this.#againMs = nextMs;
    this.#again = setTimeout(() => {
      this.#again = null;
      this.#againMs = Number.POSITIVE_INFINITY;
      this.#dispatch();
      this.#tellRoom();
    }, nextMs - now).unref();
  }

  #tellRoom(): void {
    for (const [appId, waiters] of this.#refused) {
      if (!this.#isOpenTo(appId)) continue;
      this.#refused.delete(appId);
      for (const waiter of waiters) waiter.wake();
    }
    if (this.#refused.size > 0) this.#lookAgain();
    if (this.#apps.size <= MAX_WAITING) return;
    const now = performance.now();
    for (const [appId, queue] of this.#apps) if (queue.isForgettable(now)) this.#apps.delete(appId);
  }
}

const ENGINE_FILE = '@jitl/quickjs-ng-wasmfile-release-sync/wasm';

// Node 20 runs no TypeScript: where this file is a source, its thread is the built one.
const PROGRAM = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/transform/transform-worker.js' : './transform-worker.js',
  import.meta.url,
);
