// The JavaScript engine inside WebAssembly (QuickJS), by its C interface: values are pointers into a memory of its own, which cannot grow beyond its
// limit whatever the engine does. Nothing of it is freed one by one: its memory is put back as a whole to what it was (`restore`).
import exported from '@jitl/quickjs-ng-wasmfile-release-sync';

// TypeScript has these only with the browser's types, and @types/node 20 has not.
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: object);
  }
  class Memory {
    constructor(pages: { initial: number; maximum: number });
    readonly buffer: ArrayBuffer;
  }
}

// Its types are those of its CommonJS form, in which the export would be a member.
const variant = exported as unknown as typeof exported.default;

/** The engine's program, compiled; one for all threads. */
export type EngineProgram = WebAssembly.Module;

/** A value inside the engine. */
export type Value = ReturnType<Ffi['QTS_NewObject']>;

type Ffi = InstanceType<Awaited<ReturnType<typeof variant.importFFI>>>;
type Load = Extract<Awaited<ReturnType<typeof variant.importModuleLoader>>, (...options: never[]) => unknown>;
type Loaded = Awaited<ReturnType<Load>>;

const PAGE_BYTES = 65_536;
/** What it asks for at least; most of it is never touched. */
const INITIAL_BYTES = 16 * 1024 * 1024;
const MAX_STACK_BYTES = 512 * 1024;
/** The static data ends in zeros that cannot be told from the unused stack above it: so much more of them is kept. */
const STATIC_MARGIN_BYTES = 256 * 1024;

/** Of what was thrown, as text: it may be as large as the engine's memory. */
const MAX_THROWN_BYTES = 64 * 1024;

export interface EngineParts {
  program: EngineProgram;
  memoryBytes: number;
  /** Asked again and again while code runs; true ends it. */
  isOver: () => boolean;
}

/** What code threw, as far as it is an Error. */
export interface Thrown {
  name: string;
  message: string;
  stack: string;
}

/** The engine was out of memory for what the host asked of it. */
export class EngineOutOfMemory extends Error {}

export function compileEngine(bytes: Uint8Array): EngineProgram {
  return new WebAssembly.Module(bytes);
}

export class Engine {
  readonly #parts: EngineParts;
  readonly #memory: WebAssembly.Memory;
  #loaded!: Loaded;
  #ffi!: Ffi;
  #runtime!: ReturnType<Ffi['QTS_NewRuntime']>;
  #context!: ReturnType<Ffi['QTS_NewContext']>;
  #snapshot: Snapshot | null = null;
  #wasInterrupted = false;

  private constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#memory = new WebAssembly.Memory({
      initial: INITIAL_BYTES / PAGE_BYTES,
      maximum: Math.floor(Math.max(INITIAL_BYTES, parts.memoryBytes) / PAGE_BYTES),
    });
  }

  static async create(parts: EngineParts): Promise<Engine> {
    const engine = new Engine(parts);
    await engine.#start();
    return engine;
  }

  async #start(): Promise<void> {
    const { program, memoryBytes, isOver } = this.#parts;
    const load = (await variant.importModuleLoader()) as Load;
    const options = {
      wasmMemory: this.#memory,
      print: () => {},
      printErr: () => {},
      instantiateWasm: (imports: object, done: (instance: WebAssembly.Instance) => void) => {
        done(new WebAssembly.Instance(program, imports));
        return {};
      },
    };
    this.#loaded = await load(options as Parameters<Load>[0]);
    const refuse = (): never => {
      throw new Error('There are no functions of the host.');
    };
    this.#loaded.callbacks = {
      shouldInterrupt: () => {
        if (!isOver()) return 0;
        this.#wasInterrupted = true;
        return 1;
      },
      callFunction: refuse,
      loadModuleSource: refuse,
      normalizeModule: refuse,
      freeHostRef: () => {},
    };
    const ffi = new (await variant.importFFI())(this.#loaded);
    this.#ffi = ffi;
    this.#runtime = ffi.QTS_NewRuntime();
    ffi.QTS_RuntimeSetMemoryLimit(this.#runtime, memoryBytes);
    ffi.QTS_RuntimeSetMaxStackSize(this.#runtime, MAX_STACK_BYTES);
    ffi.QTS_RuntimeEnableInterruptHandler(this.#runtime);
    this.#context = ffi.QTS_NewContext(this.#runtime, 0 as Parameters<Ffi['QTS_NewContext']>[1]);
  }

  /** Whether its memory has grown: it does not shrink again. */
  get hasGrown(): boolean {
    return this.#memory.buffer.byteLength > INITIAL_BYTES;
  }

  /** Whether code was ended because `isOver` said so, since the last restore. */
  get wasInterrupted(): boolean {
    return this.#wasInterrupted;
  }

  /** A script's last value, or a module's namespace. */
  evaluate(code: string, file: string, kind: 'script' | 'module'): Value {
    const bytes = Buffer.from(code, 'utf8');
    const [text, flags] = [this.#write(bytes), kind === 'module' ? 1 : 0];
    return this.#ffi.QTS_Eval(this.#context, text as never, bytes.length, file, 0 as never, flags as never);
  }

  call(fn: Value, values: Value[]): Value {
    const list = this.#allocate(4 * Math.max(1, values.length));
    new Uint32Array(this.#memory.buffer, list, values.length).set(values as unknown as number[]);
    const { QTS_Call, QTS_GetUndefined } = this.#ffi;
    return QTS_Call(this.#context, fn, QTS_GetUndefined(), values.length, list as never);
  }

  /** Some of what promises have put off; false when nothing is left. */
  runJob(): { isLeft: boolean; result: Value | null } {
    if (!this.#ffi.QTS_IsJobPending(this.#runtime)) return { isLeft: false, result: null };
    const context = this.#allocate(4);
    return { isLeft: true, result: this.#ffi.QTS_ExecutePendingJob(this.#runtime, 1, context as never) };
  }

  /** What was thrown where a value was asked for; null when it is a value. */
  thrown(value: Value): Thrown | null {
    const thrown = this.#ffi.QTS_ResolveException(this.#context, value);
    if (!thrown) return null;
    const dump = this.#textAt(this.#ffi.QTS_Dump(this.#context, thrown) as unknown as number);
    const text = dump.toString('utf8', 0, Math.min(dump.length, MAX_THROWN_BYTES));
    try {
      const { name, message, stack } = JSON.parse(text) as Record<string, unknown>;
      return { name: String(name), message: String(message), stack: String(stack ?? '') };
    } catch {
      return { name: '', message: text.slice(0, 200), stack: '' };
    }
  }

  property(object: Value, name: string): Value {
    return this.#ffi.QTS_GetProp(this.#context, object, this.text(Buffer.from(name)));
  }

  typeOf(value: Value): string {
    return this.#textAt(this.#ffi.QTS_Typeof(this.#context, value) as unknown as number).toString('latin1');
  }

  number(value: number): Value {
    return this.#ffi.QTS_NewFloat64(this.#context, value);
  }

  /** A string of UTF-8 without a NUL. */
  text(bytes: Uint8Array): Value {
    return this.#ffi.QTS_NewString(this.#context, this.#write(bytes) as never);
  }

  /** A string up to its first NUL. It lies in the engine's memory: what is to last must be copied. */
  read(value: Value): Buffer {
    return this.#textAt(this.#ffi.QTS_GetString(this.#context, value) as unknown as number);
  }

  // ---- its memory

  /** Notes the memory as it is. */
  keep(): void {
    const words = new BigUint64Array(this.#memory.buffer);
    let top = words.length - 1;
    while (words[top] === 0n) top--;
    // Static data, the stack, which grows down and is hardly used, and the heap.
    const stack = longestGap(words, top);
    const memory = new Uint8Array(this.#memory.buffer);
    this.#snapshot = {
      low: memory.slice(0, Math.min(stack.from * 8 + STATIC_MARGIN_BYTES, stack.to * 8)),
      heapStart: stack.to * 8,
      heap: memory.slice(stack.to * 8, (top + 1) * 8),
    };
  }

  /** Puts it back to what it was. What lies beyond is free again, and whoever takes it writes it first. */
  restore(): void {
    this.#wasInterrupted = false;
    if (this.#snapshot === null) return;
    const { low, heapStart, heap } = this.#snapshot;
    const memory = new Uint8Array(this.#memory.buffer);
    memory.set(low, 0);
    memory.set(heap, heapStart);
  }

  #allocate(bytes: number): number {
    const at = this.#loaded._malloc(bytes);
    if (at === 0) throw new EngineOutOfMemory();
    return at;
  }

  #write(bytes: Uint8Array): number {
    const at = this.#allocate(bytes.length + 1);
    const memory = new Uint8Array(this.#memory.buffer);
    memory.set(bytes, at);
    memory[at + bytes.length] = 0;
    return at;
  }

  #textAt(at: number): Buffer {
    if (!(at > 0)) throw new EngineOutOfMemory();
    const memory = Buffer.from(this.#memory.buffer);
    return memory.subarray(at, memory.indexOf(0, at));
  }
}

interface Snapshot {
  low: Uint8Array;
  heapStart: number;
  heap: Uint8Array;
}

function longestGap(words: BigUint64Array, top: number): { from: number; to: number } {
  let longest = { from: 0, to: 0 };
  for (let i = 0; i < top; i++) {
    if (words[i] !== 0n) continue;
    const from = i;
    while (words[i] === 0n) i++;
    if (i - from > longest.to - longest.from) longest = { from, to: i };
  }
  return longest;
}
