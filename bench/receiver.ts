// The origin that deliveries go to, made as cheap as a process on sockets can be: what it costs is taken from the
// server's share of the machine. It answers everything with 200 and counts by path `/r/<index>` which sequence numbers
// arrived, so that a delivery made twice does not pass for two.
import net from 'node:net';
import { Histogram, type HistogramData } from './histogram.ts';
import { HttpFramer } from './http-framer.ts';
import { monotonicMs } from './monotonic-clock.ts';
import { findStamp, readPublishedAtMs, readSequence } from './stamped-data.ts';

const RESPONSE = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
const RESPONSES = Array.from({ length: 33 }, (_, count) => Buffer.from(RESPONSE.repeat(count)));
const FIRST_DIGIT_AT = 'POST /r/'.length;

export interface ReceiverStats {
  requests: number;
  /** Deliveries by path and sequence number, each counted once. */
  distinct: number;
  duplicates: number;
  /** Requests that carried no stamp, and connections dropped because their framing was not understood. */
  malformed: number;
  connections: number;
  /** Monotonic time of the latest delivery that was not a duplicate. */
  lastDistinctAtMs: number;
  /** Monotonic times at which `distinct` passed the numbers that are watched for, as far as it has. */
  passedAtMs: number[];
}

export class Receiver {
  readonly #server = net.createServer({ noDelay: true }, (socket) => this.#accept(socket));
  readonly #sockets = new Set<net.Socket>();
  readonly #latency = new Histogram();
  /** By path index: one byte per sequence number. */
  readonly #seen: Uint8Array[] = [];
  #requests = 0;
  #distinct = 0;
  #duplicates = 0;
  #malformed = 0;
  #connections = 0;
  #lastDistinctAtMs = 0;
  #watched: number[] = [];
  #passedAtMs: number[] = [];
  /** By path index: monotonic time of the latest first delivery, and the longest time between two. */
  #lastAtMs: number[] = [];
  #gapMs: number[] = [];

  async listen(): Promise<{ port: number }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', 1024, resolve);
    });
    return { port: (this.#server.address() as net.AddressInfo).port };
  }

  stats(): ReceiverStats {
    return {
      requests: this.#requests,
      distinct: this.#distinct,
      duplicates: this.#duplicates,
      malformed: this.#malformed,
      connections: this.#connections,
      lastDistinctAtMs: this.#lastDistinctAtMs,
      passedAtMs: this.#passedAtMs,
    };
  }

  /** Notes when `distinct` passes these numbers, which ascend; forgets those of before. */
  watchFor(distinct: number[]): void {
    this.#watched = distinct;
    this.#passedAtMs = [];
  }

  /** By path index, the longest time without a first delivery between two; since the last `resetGaps`. */
  longestGapsMs(): number[] {
    return Array.from(this.#gapMs, (gap) => gap ?? 0);
  }

  resetGaps(): void {
    this.#lastAtMs = [];
    this.#gapMs = [];
  }

  /** Publish to receive, of first deliveries since the last `resetLatency`. */
  latency(): HistogramData {
    return this.#latency.toData();
  }

  resetLatency(): void {
    this.#latency.clear();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: net.Socket): void {
    this.#sockets.add(socket);
    this.#connections++;
    let answers = 0;
    const framer = new HttpFramer((bytes, start, bodyStart) => {
      answers++;
      this.#count(bytes, start, bodyStart);
    });
    socket.on('data', (chunk) => {
      answers = 0;
      try {
        framer.push(chunk);
      } catch {
        this.#malformed++;
        socket.destroy();
        return;
      }
      if (answers > 0) socket.write(RESPONSES[answers] ?? RESPONSE.repeat(answers));
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #count(bytes: Buffer, start: number, bodyStart: number): void {
    this.#requests++;
    const stamp = findStamp(bytes, bodyStart);
    if (stamp < 0) {
      this.#malformed++;
      return;
    }
    let index = 0;
    for (let at = start + FIRST_DIGIT_AT; bytes[at] >= 48 && bytes[at] <= 57; at++) index = index * 10 + bytes[at] - 48;
    const sequence = readSequence(bytes, stamp);
    let seen = this.#seen[index] ?? new Uint8Array(65_536);
    if (sequence >= seen.length) {
      const grown = new Uint8Array(Math.max(sequence + 1, seen.length * 2));
      grown.set(seen);
      seen = grown;
    }
    this.#seen[index] = seen;
    if (seen[sequence] !== 0) {
      this.#duplicates++;
      return;
    }
    seen[sequence] = 1;
    this.#distinct++;
    const now = monotonicMs();
    this.#lastDistinctAtMs = now;
    this.#latency.record(now - readPublishedAtMs(bytes, stamp));
    const gap = now - (this.#lastAtMs[index] ?? now);
    this.#lastAtMs[index] = now;
    if (gap >= (this.#gapMs[index] ?? 0)) this.#gapMs[index] = gap;
    if (this.#distinct === this.#watched[this.#passedAtMs.length]) this.#passedAtMs.push(now);
  }
}
