// One reader that follows an app's log: SSE and WebSocket are sinks of it. Between the log and the sink nothing is kept: while the sink has
// no room the stream is only a cursor, and when there is room again it reads on from there, from memory or the database. So a slow reader
// loses nothing and holds no memory, and one at the live end is sent what the log has gained in one write (LogReaders tells it in passes).
import { TidingsError } from '../core/errors.ts';
import type { CompiledFilter } from '../core/filter.ts';
import type { LogPlace } from '../log/event-cache.ts';
import { isUnavailable } from '../storage/database.ts';
import type { Head } from '../storage/heads.ts';
import type { FrameForm, FrameRun, FrameRuns } from './frame-runs.ts';
import type { LogReader } from './log-readers.ts';

/** Where a stream's frames go. */
export interface StreamSink {
  /** How many events it takes now. When there is more room than there was, it calls the stream's `resume`. */
  room(): number;
  /** Takes whole frames, of at most as many events as there is room for; `last` = the place of the last. */
  write(frames: Buffer, events: number, last: LogPlace): void;
  /** The stream cannot go on, and is stopped. */
  failed(error: TidingsError): void;
}

export interface LogStreamParts {
  appId: string;
  after: LogPlace;
  /** The end of the log as it was read last. */
  head: LogPlace;
  form: FrameForm;
  filter: CompiledFilter;
  /** Tells filters apart. */
  filterKey: string;
  sink: StreamSink;
  runs: FrameRuns;
  /** Tells the reader whenever the log moves on, until the function that is returned is called. */
  follow: (reader: LogReader) => () => void;
  /** The end of the log as far as it is known without asking. */
  knownHead: () => Head | null;
  onError: (error: unknown) => void;
}

/** Runs that one stream writes before others have their turn. */
const RUNS_A_TURN = 4;
const RETRY_MS = 1000;

export class LogStream implements LogReader {
  readonly #parts: LogStreamParts;
  #cursor: LogPlace;
  #head: LogPlace;
  /** A run is being loaded, or a turn awaited: it goes on by itself. */
  #busy = false;
  #running = false;
  #unfollow: (() => void) | null = null;
  #retry: NodeJS.Timeout | undefined;

  constructor(parts: LogStreamParts) {
    this.#parts = parts;
    this.#cursor = parts.after;
    this.#head = parts.head;
  }

  /** Everything up to here was written or did not match. */
  get cursor(): LogPlace {
    return this.#cursor;
  }

  start(): void {
    this.#running = true;
    this.#unfollow = this.#parts.follow(this);
    const known = this.#parts.knownHead();
    if (known !== null) this.#noteHead(known);
    this.#pump();
  }

  stop(): void {
    this.#running = false;
    this.#unfollow?.();
    this.#unfollow = null;
    clearTimeout(this.#retry);
  }

  moved(head: Head): void {
    this.#noteHead(head);
    this.#pump();
  }

  /** The sink has room again. */
  resume(): void {
    this.#pump();
  }

  #noteHead(head: LogPlace): void {
    if (head.position > this.#head.position) this.#head = head;
  }

  #pump(): void {
    for (let runs = 0; this.#canWrite(); runs++) {
      const run = runs < RUNS_A_TURN ? this.#parts.runs.peek(this.#next()) : null;
      if (run === null) {
        this.#load();
        return;
      }
      this.#write(run);
    }
  }

  #canWrite(): boolean {
    if (!this.#running || this.#busy || this.#cursor.position >= this.#head.position) return false;
    return this.#parts.sink.room() > 0;
  }

  #next() {
    const { appId, form, filter, filterKey } = this.#parts;
    return { appId, after: this.#cursor, form, filter, filterKey };
  }

  #load(): void {
    this.#busy = true;
    this.#parts.runs.load(this.#next(), this.#head).then(
      (run) => setImmediate(() => this.#loaded(run)),
      (error) => this.#failed(error),
    );
  }

  #loaded(run: FrameRun): void {
    this.#busy = false;
    if (this.#canWrite()) this.#write(run);
    this.#pump();
  }

  #write(run: FrameRun): void {
    const { sink } = this.#parts;
    const room = sink.room();
    const count = Math.min(run.ends.length, room);
    const isWhole = count === run.ends.length;
    this.#cursor = isWhole ? run.to : run.places[count - 1];
    if (count > 0)
      sink.write(isWhole ? run.bytes : run.bytes.subarray(0, run.ends[count - 1]), count, run.places[count - 1]);
  }

  #failed(error: unknown): void {
    if (!this.#running) return;
    if (isUnavailable(error)) {
      // The database is away: the reader keeps its connection and misses nothing.
      this.#retry = setTimeout(() => {
        this.#busy = false;
        this.#pump();
      }, RETRY_MS);
      return;
    }
    this.stop();
    if (error instanceof TidingsError) {
      this.#parts.sink.failed(error);
      return;
    }
    this.#parts.onError(error);
    this.#parts.sink.failed(new TidingsError('internal', 'The stream failed. Open it again where it ended.'));
  }
}
