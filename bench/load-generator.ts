// Publishes over keep-alive connections with request bytes prepared once; per request only the stamps are overwritten.
// That is safe because a connection has one request under way: its bytes have left before the response can arrive.
import net from 'node:net';
import { Histogram, type HistogramData } from './histogram.ts';
import { HttpFramer } from './http-framer.ts';
import { monotonicMs } from './monotonic-clock.ts';
import { findStamps, type Stamp, stampedData, writeStamp } from './stamped-data.ts';

export interface LoadOptions {
  /** `http://host:port` of the server. */
  origin: string;
  /** Published to in turn. All of one length, so that one buffer serves for all. */
  paths: string[];
  headers: Record<string, string>;
  connections: number;
  /** 1 publishes single events, more publishes batches. */
  eventsPerRequest: number;
  dataBytes: number;
}

export interface LoadResult {
  /** Events acknowledged with 2xx; each has a sequence number of its own, counted on from run to run. */
  events: number;
  requests: number;
  /** Requests answered 429 or 503, which were sent again with the same events. */
  refused: number;
  firstSentAtMs: number;
  lastAckAtMs: number;
  ackMs: HistogramData;
  /** When each event was acknowledged, by its sequence number; only of an open loop that was asked for it. */
  ackedAtMs: [sequence: number, atMs: number][];
}

interface Run {
  result: Omit<LoadResult, 'ackMs'>;
  recordsAcks: boolean;
  ackMs: Histogram;
  /** Requests that connections which become free are still to begin; null = an open loop, where the clock begins them. */
  left: number | null;
  /** Open loop: publish times that came while every connection was taken. */
  waiting: number[];
  stopping: boolean;
  resolve: () => void;
  reject: (error: Error) => void;
}

const REFUSED_PAUSE_MS = 50;
const EVENT_TYPE = 'bench.event';
const PATH_AT = 'POST '.length;
// A timer is late by up to its resolution; that much of the delay is the generator's, the rest is held against the run.
const TIMER_RESOLUTION_MS = 1;

export class LoadGenerator {
  readonly #options: LoadOptions;
  readonly #connections: Connection[] = [];
  readonly #free: Connection[] = [];
  #nextSequence = 0;
  #nextPath = 0;
  #run: Run | null = null;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async connect(): Promise<void> {
    const { paths } = this.#options;
    if (paths.some(({ length }) => length !== paths[0].length)) throw new Error('The paths differ in length.');
    const request = prepareRequest(this.#options);
    const { hostname, port } = new URL(this.#options.origin);
    for (let i = 0; i < this.#options.connections; i++) {
      const connection = new Connection(request, {
        onResponse: (status, body) => this.#settle(connection, status, body),
        onLost: (error) => this.#run?.reject(error),
      });
      this.#connections.push(connection);
      await connection.open(hostname, Number(port));
      this.#free.push(connection);
    }
  }

  /** Every connection publishes its next request when the last was answered, for `seconds`. */
  runClosedLoop(options: { seconds: number }): Promise<LoadResult> {
    return this.#start(Number.POSITIVE_INFINITY, (run) => {
      this.#fill(run);
      const timer = setTimeout(() => this.#stop(run), options.seconds * 1000);
      return () => clearTimeout(timer);
    });
  }

  /** The same until so many requests were answered. */
  runRequests(options: { requests: number }): Promise<LoadResult> {
    return this.#start(options.requests, (run) => {
      this.#fill(run);
      return () => {};
    });
  }

  /**
   * Publishes at times drawn beforehand (a Poisson process of `perSecond`), whether or not earlier requests were
   * answered; the time an event waits for a connection counts as its latency.
   */
  runOpenLoop(options: {
    perSecond: number;
    seconds: number;
    seed?: number;
    recordsAcks?: boolean;
  }): Promise<LoadResult> {
    return this.#start(null, (run) => {
      run.recordsAcks = options.recordsAcks ?? false;
      const gap = exponentialGaps(1000 / options.perSecond, options.seed ?? 1);
      const startMs = monotonicMs();
      const endMs = startMs + options.seconds * 1000;
      let dueMs = startMs + gap();
      let timer: NodeJS.Timeout;
      const tick = () => {
        const now = monotonicMs();
        for (; dueMs <= now && dueMs < endMs; dueMs += gap()) this.#publishDue(run, dueMs, now);
        if (dueMs >= endMs) this.#stop(run);
        else timer = setTimeout(tick, Math.max(0, dueMs - now));
      };
      timer = setTimeout(tick, Math.max(0, dueMs - startMs));
      return () => clearTimeout(timer);
    });
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #fill(run: Run): void {
    while (this.#free.length > 0 && takeOne(run)) this.#sendNext(this.#free.pop()!, monotonicMs());
  }

  async #start(requests: number | null, begin: (run: Run) => () => void): Promise<LoadResult> {
    if (this.#run) throw new Error('The load generator runs one load at a time.');
    const result: Run['result'] = {
      events: 0,
      requests: 0,
      refused: 0,
      firstSentAtMs: 0,
      lastAckAtMs: 0,
      ackedAtMs: [],
    };
    let end = () => {};
    try {
      const run = await new Promise<Run>((resolve, reject) => {
        const started: Run = {
          result,
          recordsAcks: false,
          ackMs: new Histogram(),
          left: requests,
          waiting: [],
          stopping: false,
          resolve: () => resolve(started),
          reject,
        };
        this.#run = started;
        end = begin(started);
      });
      return { ...result, ackMs: run.ackMs.toData() };
    } finally {
      end();
      this.#run = null;
    }
  }

  #publishDue(run: Run, dueMs: number, nowMs: number): void {
    const publishedAtMs = Math.min(nowMs, dueMs + TIMER_RESOLUTION_MS);
    const connection = this.#free.pop();
    if (connection) this.#sendNext(connection, publishedAtMs);
    else run.waiting.push(publishedAtMs);
  }

  #sendNext(connection: Connection, publishedAtMs: number): void {
    const run = this.#run!;
    if (run.result.firstSentAtMs === 0) run.result.firstSentAtMs = publishedAtMs;
    const { paths, eventsPerRequest } = this.#options;
    connection.prepare(paths[this.#nextPath], { sequence: this.#nextSequence, publishedAtMs });
    this.#nextPath = (this.#nextPath + 1) % paths.length;
    this.#nextSequence += eventsPerRequest;
    connection.send();
  }

  #settle(connection: Connection, status: number, body: string): void {
    const run = this.#run;
    if (!run) return;
    const now = monotonicMs();
    if (status === 503 || status === 429) {
      run.result.refused++;
      setTimeout(() => connection.send(), REFUSED_PAUSE_MS);
      return;
    }
    if (status < 200 || status > 299) {
      run.reject(new Error(`The server answered a publish with ${status}: ${body.slice(0, 500)}`));
      return;
    }
    run.result.requests++;
    run.result.events += this.#options.eventsPerRequest;
    run.result.lastAckAtMs = now;
    run.ackMs.record(now - connection.publishedAtMs);
    if (run.recordsAcks) run.result.ackedAtMs.push([connection.sequence, now]);
    if (run.waiting.length > 0) {
      this.#sendNext(connection, run.waiting.shift()!);
    } else if (takeOne(run)) {
      this.#sendNext(connection, now);
    } else {
      this.#free.push(connection);
      this.#endIfDone(run);
    }
  }

  #stop(run: Run): void {
    run.stopping = true;
    this.#endIfDone(run);
  }

  #endIfDone(run: Run): void {
    const begins = !run.stopping && run.left !== 0;
    if (!begins && this.#free.length === this.#connections.length) run.resolve();
  }
}

/** Whether a connection that is free is to begin a further request; counts it. */
function takeOne(run: Run): boolean {
  if (run.stopping || run.left === null || run.left === 0) return false;
  run.left--;
  return true;
}

interface PreparedRequest {
  bytes: Buffer;
  stamps: number[];
}

function prepareRequest(options: LoadOptions): PreparedRequest {
  const event = `{"type":"${EVENT_TYPE}","data":${stampedData(options.dataBytes)}}`;
  const { eventsPerRequest } = options;
  const body = eventsPerRequest === 1 ? event : `{"events":[${Array(eventsPerRequest).fill(event).join(',')}]}`;
  const headers = {
    host: new URL(options.origin).host,
    'content-type': 'application/json',
    ...options.headers,
    'content-length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const bytes = Buffer.from(`POST ${options.paths[0]} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  return { bytes, stamps: findStamps(bytes) };
}

/** One keep-alive connection with its own copy of the request bytes and one request under way at most. */
class Connection {
  readonly #bytes: Buffer;
  readonly #stamps: number[];
  readonly #on: { onResponse: (status: number, body: string) => void; onLost: (error: Error) => void };
  #socket: net.Socket | null = null;
  publishedAtMs = 0;
  /** Of the first event of the request. */
  sequence = 0;

  constructor(
    request: PreparedRequest,
    on: { onResponse: (status: number, body: string) => void; onLost: (error: Error) => void },
  ) {
    this.#bytes = Buffer.from(request.bytes);
    this.#stamps = request.stamps;
    this.#on = on;
  }

  async open(host: string, port: number): Promise<void> {
    const framer = new HttpFramer((bytes, start, bodyStart, end) => {
      const status = (bytes[start + 9] - 48) * 100 + (bytes[start + 10] - 48) * 10 + (bytes[start + 11] - 48);
      if (status < 200) return;
      this.#on.onResponse(status, status > 299 ? bytes.toString('utf8', bodyStart, end) : '');
    });
    // One buffer for every read: what is kept beyond a call is copied by the framer.
    const buffer = Buffer.allocUnsafe(65_536);
    const onread = {
      buffer,
      callback: (length: number) => {
        try {
          framer.push(buffer.subarray(0, length));
        } catch (error) {
          this.#on.onLost(error as Error);
        }
        return true;
      },
    };
    const socket = net.connect({ host, port, noDelay: true, onread });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#on.onLost(new Error(`The server at ${host}:${port} closed a connection.`)));
    this.#socket = socket;
  }

  /** Addresses and stamps the next request; `first` is the stamp of its first event. */
  prepare(path: string, first: Stamp): void {
    const { sequence, publishedAtMs } = first;
    this.publishedAtMs = publishedAtMs;
    this.sequence = sequence;
    this.#bytes.write(path, PATH_AT, 'latin1');
    for (let i = 0; i < this.#stamps.length; i++) {
      writeStamp(this.#bytes, this.#stamps[i], { sequence: sequence + i, publishedAtMs });
    }
  }

  send(): void {
    this.#socket?.write(this.#bytes);
  }

  close(): void {
    this.#socket?.removeAllListeners('close');
    this.#socket?.destroy();
  }
}

/** Gaps between the events of a Poisson process; the same seed gives the same gaps in every run. */
function exponentialGaps(meanMs: number, seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return -Math.log(state / 2147483647) * meanMs;
  };
}
