// What the pool and its threads say to each other.

import type { EngineProgram } from './engine.ts';
import type { AnswerHead } from './harness.ts';
import type { SandboxFailure } from './sandbox.ts';

/** What a thread begins with. */
export interface WorkerStart {
  program: EngineProgram;
  timeoutMs: number;
  memoryBytes: number;
  maxChars: number;
  /** Shared: what the thread does now, so that it can be watched from outside. */
  progress: Int32Array;
}

/** Indexes into `progress`: the number of the run under way (0 = none), and a count that is raised whenever something new is begun. */
export const RUNNING = 0;
export const STEP = 1;

/** Several events for one transformation. */
export interface Batch {
  /** Of the transformation; its code comes along when the thread does not have it. */
  key: string;
  code: string | null;
  /** Transformations that the thread is to forget. */
  forget: string[];
  runs: RunOrder[];
  /** The events' JSON, one after the other. */
  bytes: Uint8Array<ArrayBuffer>;
}

export interface RunOrder {
  /** From 1, for as long as the thread lives. */
  number: number;
  /** Of the event's JSON; without any the code is only loaded. */
  start: number;
  end: number;
  /** What the clock says while it runs. */
  nowMs: number;
  seed: number;
}

export interface RunResult {
  number: number;
  answer: { ok: true; head: AnswerHead; payload: Uint8Array } | ({ ok: false } & SandboxFailure);
  durationMs: number;
}

/** From the thread. The first tells its id to the watch. */
export type Report =
  | { kind: 'started'; threadId: string | null }
  /** `earlierMs` is what the system told of only after the batch before had been reported. */
  | { kind: 'done'; results: RunResult[]; cpuMs: number; earlierMs: number };
