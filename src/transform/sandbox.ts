// One transformation in an engine of its own. What its code does when it is loaded is done once; that state of the memory is kept, and put back before
// each event. So no event sees anything of another one, and no two transformations ever share a memory.
import type { TransformationError, TransformationFailure } from '../core/transformation.ts';
import { Engine, EngineOutOfMemory, type EngineProgram, type Thrown, type Value } from './engine.ts';
import { type Place, placeOf } from './error-place.ts';
import { type AnswerHead, HARNESS } from './harness.ts';

const FILE = 'transform.js';
const NOWHERE: Place = { line: null, column: null };
const MAX_MESSAGE_CHARS = 2000;

export interface SandboxParts {
  program: EngineProgram;
  code: string;
  memoryBytes: number;
  /** Of an answer. */
  maxChars: number;
  /** Asked again and again while code runs; true ends it. */
  isOver: () => boolean;
}

export interface SandboxFailure {
  reason: TransformationFailure;
  error: TransformationError;
  console: string[];
}

export type SandboxAnswer = { ok: true; head: AnswerHead; payload: Uint8Array } | ({ ok: false } & SandboxFailure);

export class Sandbox {
  readonly #parts: SandboxParts;
  readonly #engine: Engine;
  #begin!: Value;
  #finish!: Value;
  #isBroken = false;

  private constructor(parts: SandboxParts, engine: Engine) {
    this.#parts = parts;
    this.#engine = engine;
  }

  /** Compiles the code and runs what is outside of its functions; or says why it cannot be used, whatever the event. */
  static async create(parts: SandboxParts): Promise<Sandbox | SandboxFailure> {
    const sandbox = new Sandbox(parts, await Engine.create(parts));
    return sandbox.#guarded(() => sandbox.#load()) ?? sandbox;
  }

  /** Whether it must not be used again. */
  get isSpent(): boolean {
    return this.#isBroken || this.#engine.hasGrown;
  }

  /** `json` is the event, without a NUL; `seed` an integer that its random numbers follow from. */
  run(json: Uint8Array, seed: number): SandboxAnswer {
    this.#engine.restore();
    let answer: SandboxAnswer | null = null;
    const failure = this.#guarded(() => {
      const result = this.#run(json, seed);
      if ('reason' in result) return result;
      answer = { ok: true, ...result };
      return null;
    });
    return answer ?? { ok: false, ...failure! };
  }

  #load(): SandboxFailure | null {
    const engine = this.#engine;
    const harness = engine.evaluate(HARNESS, 'harness.js', 'script');
    const namespace = engine.evaluate(this.#parts.code, FILE, 'module');
    const thrown = engine.thrown(namespace);
    if (thrown) return this.#failureOf(thrown);
    const transform = engine.property(namespace, 'default');
    if (engine.typeOf(transform) !== 'function') {
      return failed('It has no default export that is a function. Write `export default (event) => …`.');
    }
    const made = engine.call(harness, [transform]);
    this.#begin = engine.property(made, 'begin');
    this.#finish = engine.property(made, 'finish');
    engine.keep();
    return null;
  }

  #run(json: Uint8Array, seed: number): { head: AnswerHead; payload: Uint8Array } | SandboxFailure {
    const engine = this.#engine;
    const values = [engine.text(json), engine.number(seed), engine.number(this.#parts.maxChars)];
    const failure = this.#failureIn(engine.call(this.#begin, values)) ?? this.#runJobs();
    if (failure) return failure;
    const answer = engine.call(this.#finish, []);
    const late = this.#failureIn(answer);
    if (late) return late;
    const bytes = engine.read(answer);
    const end = bytes.indexOf(0x0a);
    const head = JSON.parse(bytes.toString('utf8', 0, end < 0 ? bytes.length : end)) as AnswerHead;
    if (head.kind === 'failed') {
      const { message, stack, name, console } = head;
      return { ...this.#failureOf({ name, message, stack }), console };
    }
    return { head, payload: end < 0 ? new Uint8Array(0) : new Uint8Array(bytes.subarray(end + 1)) };
  }

  #runJobs(): SandboxFailure | null {
    for (;;) {
      const { isLeft, result } = this.#engine.runJob();
      if (!isLeft) return null;
      const failure = result === null ? null : this.#failureIn(result);
      if (failure) return failure;
      // Jobs that put themselves off for ever are each too short for the engine's own look at the clock.
      if (this.#parts.isOver()) return tookTooLong();
    }
  }

  #failureIn(value: Value): SandboxFailure | null {
    const thrown = this.#engine.thrown(value);
    return thrown && this.#failureOf(thrown);
  }

  #failureOf({ name, message, stack }: Thrown): SandboxFailure {
    if (this.#engine.wasInterrupted) return tookTooLong(this.#placeIn('', stack));
    if (name === 'InternalError' && message.endsWith('out of memory')) return this.#tookTooMuch(stack);
    if (message === '[uninitialized]') return this.#tookTooMuch(stack);
    const full = name === '' || message.startsWith(`${name}: `) ? message : `${name}: ${message}`;
    return failed(full.slice(0, MAX_MESSAGE_CHARS), this.#placeIn(full, stack));
  }

  #tookTooMuch(stack: string): SandboxFailure {
    const megabytes = Math.round(this.#parts.memoryBytes / 1024 / 1024);
    const message = `It took more than ${megabytes} MB of memory.`;
    return { reason: 'transform_memory', error: { message, ...this.#placeIn('', stack) }, console: [] };
  }

  #placeIn(message: string, stack: string): Place {
    return placeOf(this.#parts.code, FILE, { message, stack });
  }

  /** An engine that fails is not used again; that it did is the code's doing, for there is nothing else in it. */
  #guarded(work: () => SandboxFailure | null): SandboxFailure | null {
    try {
      return work();
    } catch (error) {
      this.#isBroken = true;
      if (this.#engine.wasInterrupted) return tookTooLong();
      if (error instanceof EngineOutOfMemory) return this.#tookTooMuch('');
      return failed(`It made the sandbox fail: ${(error as Error).message}`);
    }
  }
}

function tookTooLong(place: Place = NOWHERE): SandboxFailure {
  return { reason: 'transform_timeout', error: { message: 'It took too long.', ...place }, console: [] };
}

function failed(message: string, place: Place = NOWHERE): SandboxFailure {
  return { reason: 'transform_error', error: { message, ...place }, console: [] };
}
