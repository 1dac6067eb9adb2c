// Readers of the log over keep-alive connections: those that page through it as fast as they can, and those that wait at its end.
import net from 'node:net';
import { AnswerFramer, type FramedAnswer } from './answer-framer.ts';
import { Histogram, type HistogramData } from './histogram.ts';
import { monotonicMs } from './monotonic-clock.ts';
import { findStamp, readPublishedAtMs, readSequence } from './stamped-data.ts';

export interface ReadersOptions {
  /** `http://host:port` of the server. */
  origin: string;
  headers: Record<string, string>;
  /** Read in turn: one path for each connection. */
  paths: string[];
  connections: number;
}

export interface PagesResult {
  /** Of full pages: the last page of a log is not counted. */
  events: number;
  /** All that came, heads aside. */
  bytes: number;
  pages: number;
  seconds: number;
  pageMs: HistogramData;
}

/** A reader that waited and was answered with an event. */
export interface Wake {
  sequence: number;
  publishedAtMs: number;
  wokenAtMs: number;
}

const CONNECT_AT_ONCE = 100;
const WAIT_SECONDS = 60;

interface Reader {
  path: string;
  socket: net.Socket;
  cursor: string | null;
  /** Where to begin anew at the end of the log. */
  firstCursor: string | null;
  sentAtMs: number;
}

export class LogReaders {
  readonly #options: ReadersOptions;
  readonly #readers: Reader[] = [];
  #wakes: Wake[] = [];
  #onAnswer: (reader: Reader, answer: FramedAnswer) => void = () => {};
  #onError: (error: Error) => void = () => {};
  #error: Error | null = null;

  constructor(options: ReadersOptions) {
    this.#options = options;
  }

  async connect(): Promise<void> {
    const { paths, connections } = this.#options;
    for (let i = 0; i < connections; i += CONNECT_AT_ONCE) {
      const count = Math.min(CONNECT_AT_ONCE, connections - i);
      await Promise.all(Array.from({ length: count }, (_, n) => this.#open(paths[(i + n) % paths.length])));
    }
  }

  /** Every connection reads page after page, from the beginning again at the end. */
  async readPages({ seconds, limit }: { seconds: number; limit: number }): Promise<PagesResult> {
    const result = { events: 0, bytes: 0, pages: 0 };
    const pageMs = new Histogram();
    const startMs = monotonicMs();
    const endMs = startMs + seconds * 1000;
    let lastMs = startMs;
    await new Promise<void>((resolve, reject) => {
      let reading = this.#readers.length;
      this.#onError = reject;
      this.#onAnswer = (reader, answer) => {
        lastMs = monotonicMs();
        if (answer.status !== 200) reject(new Error(`The server answered a read with ${answer.status}.`));
        pageMs.record(lastMs - reader.sentAtMs);
        result.pages++;
        result.bytes += answer.bodyBytes;
        if (!answer.done) result.events += limit;
        reader.firstCursor ??= answer.cursor;
        reader.cursor = answer.done ? reader.firstCursor : answer.cursor;
        if (lastMs < endMs) this.#get(reader, `limit=${limit}`);
        else if (--reading === 0) resolve();
      };
      for (const reader of this.#readers) this.#get(reader, `limit=${limit}`);
    });
    return { ...result, seconds: (lastMs - startMs) / 1000, pageMs: pageMs.toData() };
  }

  /** Every connection waits at the end of its log, again after each event, until it is closed. */
  startWaiting(): void {
    this.#onAnswer = (reader, answer) => {
      const stamp = findStamp(answer.beginning, 0);
      if (stamp >= 0) {
        const sequence = readSequence(answer.beginning, stamp);
        this.#wakes.push({
          sequence,
          publishedAtMs: readPublishedAtMs(answer.beginning, stamp),
          wokenAtMs: monotonicMs(),
        });
      }
      if (answer.status !== 200) this.#error ??= new Error(`The server answered a wait with ${answer.status}.`);
      reader.cursor = answer.cursor;
      this.#get(reader, `wait=${WAIT_SECONDS}`);
    };
    for (const reader of this.#readers) {
      reader.cursor = 'now';
      this.#get(reader, `wait=${WAIT_SECONDS}`);
    }
  }

  /** All since the last call. @throws Error when a reader was answered wrongly */
  takeWakes(): Wake[] {
    if (this.#error) throw this.#error;
    const wakes = this.#wakes;
    this.#wakes = [];
    return wakes;
  }

  close(): void {
    for (const { socket } of this.#readers.splice(0)) {
      socket.removeAllListeners('close');
      socket.destroy();
    }
  }

  #get(reader: Reader, query: string): void {
    const { headers, origin } = this.#options;
    const lines = Object.entries({ host: new URL(origin).host, ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const after = reader.cursor === null ? '' : `&after=${reader.cursor}`;
    reader.sentAtMs = monotonicMs();
    reader.socket.write(`GET ${reader.path}?${query}${after} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  }

  async #open(path: string): Promise<void> {
    const { hostname, port } = new URL(this.#options.origin);
    const framer = new AnswerFramer((answer) => this.#onAnswer(reader, answer));
    const onread = {
      // One for all: the framer keeps what it needs, and reads are one at a time.
      buffer: SHARED_BUFFER,
      callback: (length: number) => {
        try {
          framer.push(SHARED_BUFFER.subarray(0, length));
        } catch (error) {
          this.#fail(error as Error);
        }
        return true;
      },
    };
    const socket = net.connect({ host: hostname, port: Number(port), noDelay: true, onread });
    const reader: Reader = { path, socket, cursor: null, firstCursor: null, sentAtMs: 0 };
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#fail(new Error(`The server at ${hostname}:${port} closed a connection.`)));
    this.#readers.push(reader);
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#onError(error);
  }
}

const SHARED_BUFFER = Buffer.allocUnsafe(256 * 1024);
