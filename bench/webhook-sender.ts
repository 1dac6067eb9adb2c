// Sends webhooks as GitHub does, over keep-alive connections with request bytes prepared once. The signature is of the body alone, so only the
// delivery's id is written over for each request: each is a new event all the same.
import { createHmac } from 'node:crypto';
import net from 'node:net';
import { Histogram, type HistogramData } from './histogram.ts';
import { HttpFramer } from './http-framer.ts';
import { monotonicMs } from './monotonic-clock.ts';

export interface WebhookSenderOptions {
  /** `http://host:port` of the server. */
  origin: string;
  /** Of the source, `/in/…`. */
  path: string;
  /** What the requests are signed with. */
  secret: string;
  bodyBytes: number;
  connections: number;
  /** What each request is to be answered. */
  status: number;
  /** Tells the ids of several senders apart: a number below 1,000. */
  number: number;
}

export interface WebhookResult {
  requests: number;
  seconds: number;
  answerMs: HistogramData;
}

interface Run {
  requests: number;
  answerMs: Histogram;
  /** Open loop: times that came while every connection was taken; null in a closed loop. */
  waiting: number[] | null;
  isStopping: boolean;
  resolve: () => void;
  reject: (error: Error) => void;
}

interface Connection {
  socket: net.Socket;
  bytes: Buffer;
  sentAtMs: number;
}

const DELIVERY_DIGITS = 15;
const TICK_MS = 1;

export class WebhookSender {
  readonly #options: WebhookSenderOptions;
  readonly #free: Connection[] = [];
  readonly #all: Connection[] = [];
  #deliveryAt = 0;
  #next = 0;
  #run: Run | null = null;

  constructor(options: WebhookSenderOptions) {
    this.#options = options;
  }

  async connect(): Promise<void> {
    const { hostname, port } = new URL(this.#options.origin);
    const { bytes, deliveryAt } = prepareRequest(this.#options);
    this.#deliveryAt = deliveryAt;
    for (let n = 0; n < this.#options.connections; n++) {
      const socket = net.connect({ host: hostname, port: Number(port), noDelay: true });
      const connection: Connection = { socket, bytes: Buffer.from(bytes), sentAtMs: 0 };
      const framer = new HttpFramer((answer, start) => {
        this.#settle(connection, Number(answer.toString('latin1', start + 9, start + 12)));
      });
      socket.on('data', (chunk: Buffer) => {
        try {
          framer.push(chunk);
        } catch (error) {
          this.#run?.reject(error as Error);
        }
      });
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      socket.on('error', () => {});
      socket.on('close', () => this.#run?.reject(new Error('The server closed a connection.')));
      this.#all.push(connection);
      this.#free.push(connection);
    }
  }

  /** Every connection sends its next request when the last was answered. */
  runClosedLoop({ seconds }: { seconds: number }): Promise<WebhookResult> {
    return this.#start(null, (run) => {
      while (this.#free.length > 0) this.#send(this.#free.pop()!, monotonicMs());
      const timer = setTimeout(() => this.#stop(run), seconds * 1000);
      return () => clearTimeout(timer);
    });
  }

  /** So many a second, evenly, whether or not earlier requests were answered; waiting for a connection counts. */
  runOpenLoop({ perSecond, seconds }: { perSecond: number; seconds: number }): Promise<WebhookResult> {
    return this.#start([], (run) => {
      const gapMs = 1000 / perSecond;
      const endMs = monotonicMs() + seconds * 1000;
      let dueMs = monotonicMs();
      const timer = setInterval(() => {
        const nowMs = monotonicMs();
        for (; dueMs <= nowMs && dueMs < endMs; dueMs += gapMs) {
          // A timer is late by up to its resolution, which is the sender's own.
          const atMs = Math.min(nowMs, dueMs + TICK_MS);
          const connection = this.#free.pop();
          if (connection === undefined) run.waiting!.push(atMs);
          else this.#send(connection, atMs);
        }
        if (dueMs >= endMs) this.#stop(run);
      }, TICK_MS);
      return () => clearInterval(timer);
    });
  }

  close(): void {
    for (const { socket } of this.#all) socket.removeAllListeners('close').destroy();
  }

  async #start(waiting: number[] | null, begin: (run: Run) => () => void): Promise<WebhookResult> {
    const startMs = monotonicMs();
    let end = (): void => {};
    try {
      const run = await new Promise<Run>((resolve, reject) => {
        const started: Run = {
          requests: 0,
          answerMs: new Histogram(),
          waiting,
          isStopping: false,
          resolve: () => resolve(started),
          reject,
        };
        this.#run = started;
        end = begin(started);
      });
      const { requests, answerMs } = run;
      return { requests, seconds: (monotonicMs() - startMs) / 1000, answerMs: answerMs.toData() };
    } finally {
      end();
      this.#run = null;
    }
  }

  #send(connection: Connection, atMs: number): void {
    connection.sentAtMs = atMs;
    const id = this.#options.number * 1e12 + this.#next++;
    connection.bytes.write(String(id).padStart(DELIVERY_DIGITS, '0'), this.#deliveryAt, 'latin1');
    connection.socket.write(connection.bytes);
  }

  #settle(connection: Connection, status: number): void {
    const run = this.#run;
    if (run === null) return;
    if (status !== this.#options.status) {
      run.reject(new Error(`A webhook was answered ${status}, not ${this.#options.status}.`));
      return;
    }
    const nowMs = monotonicMs();
    run.requests++;
    run.answerMs.record(nowMs - connection.sentAtMs);
    if (run.waiting !== null && run.waiting.length > 0) this.#send(connection, run.waiting.shift()!);
    else if (run.waiting === null && !run.isStopping) this.#send(connection, nowMs);
    else {
      this.#free.push(connection);
      this.#endIfDone(run);
    }
  }

  #stop(run: Run): void {
    run.isStopping = true;
    this.#endIfDone(run);
  }

  #endIfDone(run: Run): void {
    if (run.isStopping && this.#free.length === this.#all.length) run.resolve();
  }
}

function prepareRequest({ origin, path, secret, bodyBytes }: WebhookSenderOptions): {
  bytes: Buffer;
  deliveryAt: number;
} {
  const [before, after] = ['{"ref":"refs/heads/main","message":"', '"}'];
  const body = before + 'x'.repeat(Math.max(0, bodyBytes - before.length - after.length)) + after;
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: ${new URL(origin).host}`,
    'content-type: application/json',
    'user-agent: GitHub-Hookshot/0000000',
    'x-github-event: push',
    `x-hub-signature-256: sha256=${signature}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-github-delivery: ${'0'.repeat(DELIVERY_DIGITS)}`,
  ].join('\r\n');
  return { bytes: Buffer.from(`${head}\r\n\r\n${body}`), deliveryAt: head.length - DELIVERY_DIGITS };
}
