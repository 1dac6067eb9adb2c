// A reader of Server-Sent Events. Frames go to the socket as they are: the answer has neither a length nor chunks and ends with its connection,
// so that a write to it is one buffer that all readers share.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TidingsError } from '../core/errors.ts';
import type { LogStream, StreamSink } from '../pull/log-stream.ts';
import type { OpenStream } from '../pull/open-streams.ts';
import type { LogPlace } from './engine.ts';
import { renderProblem } from './problem.ts';
import { writeSseHead } from './sse-head.ts';
import { sseCursor } from './stream-form.ts';

export interface SseSessionParts {
  response: ServerResponse;
  appId: string;
  keyId: string;
  cursorOf: (place: LogPlace) => string;
  /** After how long a reader that lost its connection comes back. */
  retryMs: number;
}

const HEARTBEAT = ':\n\n';
/** A reader that has taken nothing for so many beats is gone, or may as well come back by its cursor. */
const MAX_STUCK_BEATS = 20;

export class SseSession implements StreamSink, OpenStream {
  readonly appId: string;
  readonly keyId: string;
  readonly #parts: SseSessionParts;
  readonly #socket: Socket;
  #stream: LogStream | null = null;
  /** The position of the cursor that the reader was told last. */
  #told = -1;
  #isEnded = false;
  #bytesTaken = 0;
  #stuckBeats = 0;

  constructor(parts: SseSessionParts) {
    this.#parts = parts;
    this.appId = parts.appId;
    this.keyId = parts.keyId;
    this.#socket = parts.response.socket!;
  }

  /** Sends the head of the answer and begins. `closed` is called once, when the connection is closed. */
  begin(stream: LogStream, closed: () => void): void {
    const { response, retryMs } = this.#parts;
    this.#stream = stream;
    writeSseHead(response);
    this.#socket.on('drain', this.#onDrain);
    response.once('close', () => {
      this.#isEnded = true;
      this.#socket.off('drain', this.#onDrain);
      stream.stop();
      closed();
    });
    this.#socket.write(`retry: ${retryMs}\n\n`);
    this.#tell();
    stream.start();
  }

  room(): number {
    return this.#isEnded || this.#socket.writableNeedDrain ? 0 : Number.POSITIVE_INFINITY;
  }

  write(frames: Buffer, _events: number, last: LogPlace): void {
    this.#socket.write(frames);
    this.#told = last.position;
  }

  failed(error: TidingsError): void {
    this.end(error);
  }

  beat(): void {
    const taken = this.#socket.bytesWritten - this.#socket.writableLength;
    this.#stuckBeats = this.#socket.writableLength > 0 && taken === this.#bytesTaken ? this.#stuckBeats + 1 : 0;
    this.#bytesTaken = taken;
    if (this.#stuckBeats >= MAX_STUCK_BEATS) this.destroy();
    if (this.#isEnded || this.#socket.writableNeedDrain) return;
    if (this.#stream!.cursor.position !== this.#told) this.#tell();
    else this.#socket.write(HEARTBEAT);
  }

  end(reason: TidingsError | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#stream?.stop();
    if (reason !== null) this.#socket.write(`event: problem\ndata: ${renderProblem(reason)}\n\n`);
    this.#parts.response.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onDrain = (): void => this.#stream?.resume();

  // It has to come with data, or some clients would not remember the id.
  #tell(): void {
    const { cursor } = this.#stream!;
    this.#told = cursor.position;
    this.#socket.write(sseCursor(this.#parts.cursorOf(cursor)));
  }
}
