// The program of a thread that runs transformations: one batch after the other, each event in the memory that its transformation was loaded into. A run is
// ended from within when its time is up; what cannot be ended so is ended by the pool, with the thread.
import { parentPort, workerData } from 'node:worker_threads';
import { FixedClock } from './fixed-clock.ts';
import { Sandbox, type SandboxFailure } from './sandbox.ts';
import { ownThreadId, ThreadClock } from './thread-clock.ts';
import {
  type Batch,
  type Report,
  RUNNING,
  type RunOrder,
  type RunResult,
  STEP,
  type WorkerStart,
} from './worker-protocol.ts';

/** After so long a batch is ended early, so that the thread's others get their turn; the rest is given again. */
const MAX_BATCH_MS = 10;
/** A reading of the CPU clock this old is read anew, so that a run is charged for little that came before it. */
const CLOCK_AGE_MS = 1;

const { program, timeoutMs, memoryBytes, maxChars, progress } = workerData as WorkerStart;
const port = parentPort!;
const threadId = ownThreadId();
const cpu = new ThreadClock(threadId);
const clock = new FixedClock();
clock.install();

const sandboxes = new Map<string, Sandbox | SandboxFailure>();
/** Code of sandboxes that must be made anew. */
const codes = new Map<string, string>();

let deadlineMs = Number.POSITIVE_INFINITY;
let cpuAtMs: number | null = null;
let readAtMs = 0;
/** When the last batch was reported: the system counts what a thread uses when it takes the processor from it, and so, of short batches, later. */
let reportedCpuMs: number | null = null;

function begin(number: number): void {
  Atomics.store(progress, RUNNING, number);
  Atomics.add(progress, STEP, 1);
  const now = performance.now();
  if (now - readAtMs > CLOCK_AGE_MS) {
    cpuAtMs = cpu.readMs();
    readAtMs = now;
  }
  deadlineMs = now + timeoutMs;
}

/** Whether the run under way has used up its time: the processor's, where the system tells that. */
function isOver(): boolean {
  const now = performance.now();
  if (now < deadlineMs) return false;
  const usedMs = cpu.readMs();
  if (usedMs === null || cpuAtMs === null) return true;
  const leftMs = timeoutMs - (usedMs - cpuAtMs);
  if (leftMs <= 0) return true;
  deadlineMs = now + leftMs;
  return false;
}

async function sandboxOf(key: string): Promise<Sandbox | SandboxFailure> {
  const known = sandboxes.get(key);
  if (known && !(known instanceof Sandbox && known.isSpent)) return known;
  clock.nowMs = 0;
  const made = await Sandbox.create({ program, code: codes.get(key)!, memoryBytes, maxChars, isOver });
  sandboxes.set(key, made);
  return made;
}

async function run(order: RunOrder, key: string, bytes: Uint8Array): Promise<RunResult> {
  begin(order.number);
  const sandbox = await sandboxOf(key);
  begin(order.number);
  clock.nowMs = order.nowMs;
  const startedMs = performance.now();
  return {
    number: order.number,
    answer: answerOf(sandbox, bytes.subarray(order.start, order.end), order.seed),
    durationMs: performance.now() - startedMs,
  };
}

function answerOf(sandbox: Sandbox | SandboxFailure, json: Uint8Array, seed: number): RunResult['answer'] {
  if (!(sandbox instanceof Sandbox)) return { ok: false, ...sandbox };
  return json.length === 0 ? LOADED : sandbox.run(json, seed);
}

const LOADED: RunResult['answer'] = {
  ok: true,
  head: { kind: 'filtered', console: [] },
  payload: new Uint8Array(0),
};

async function runBatch({ key, code, forget, runs, bytes }: Batch): Promise<void> {
  for (const old of forget) {
    sandboxes.delete(old);
    codes.delete(old);
  }
  if (code !== null) codes.set(key, code);
  const startedMs = performance.now();
  const cpuStartedMs = cpu.readMs();
  const earlierMs = cpuStartedMs === null || reportedCpuMs === null ? 0 : cpuStartedMs - reportedCpuMs;
  const results: RunResult[] = [];
  for (const order of runs) {
    results.push(await run(order, key, bytes));
    if (performance.now() - startedMs > MAX_BATCH_MS) break;
  }
  Atomics.store(progress, RUNNING, 0);
  deadlineMs = Number.POSITIVE_INFINITY;
  const cpuEndedMs = cpu.readMs();
  const cpuMs =
    cpuStartedMs === null || cpuEndedMs === null ? performance.now() - startedMs : cpuEndedMs - cpuStartedMs;
  reportedCpuMs = cpuEndedMs;
  port.postMessage({ kind: 'done', results, cpuMs, earlierMs } satisfies Report);
}

port.on('message', (batch: Batch) => void runBatch(batch));
port.postMessage({ kind: 'started', threadId } satisfies Report);
