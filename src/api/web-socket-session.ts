// A reader over WebSocket. It is sent as many events as it has granted and never more, and none of them waits here: without credit the stream
// is only a cursor. What it has acknowledged becomes its consumer's cursor; of acknowledgements that come faster than they can be
// written, the furthest counts.
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { TidingsError } from '../core/errors.ts';
import type { LogStream, StreamSink } from '../pull/log-stream.ts';
import type { OpenStream } from '../pull/open-streams.ts';
import type { LogPlace } from './engine.ts';
import { renderProblem, toTidingsError } from './problem.ts';

export interface WebSocketSessionParts {
  socket: WebSocket;
  /** The connection under it. Frames of events are written to it whole, between those that `socket` writes. */
  connection: Socket;
  onError: (error: unknown) => void;
}

/** What a session knows of its reader once that is let in. */
export interface WebSocketReader {
  appId: string;
  keyId: string;
  stream: LogStream;
  cursorOf: (place: LogPlace) => string;
  /** null: the stream was opened without one. */
  consumer: AcknowledgedConsumer | null;
}

export interface AcknowledgedConsumer {
  /** Where it stands. */
  readonly place: LogPlace;
  /** @throws TidingsError `invalid_cursor`, `cursor_ahead` */
  placeOf(cursor: string): LogPlace;
  commit(place: LogPlace): Promise<void>;
}

const GOING_AWAY = 1001;
const MAX_GRANT = 1_000_000;
const MAX_EARLY = 100;
const MAX_UNREAD_BYTES = 2 * 1024 * 1024;
const MAX_REASON_BYTES = 123;

/** The close code of an error: 4000 and its HTTP status, so far as it is the client's. */
export function closeCodeOf(error: TidingsError): number {
  if (error.status < 500) return 4000 + error.status;
  return error.status === 503 ? 1013 : 1011;
}

export class WebSocketSession implements StreamSink, OpenStream {
  readonly #parts: WebSocketSessionParts;
  #reader: WebSocketReader | null = null;
  #credit = 0;
  #told = -1;
  #isEnded = false;
  /** The reader was heard of since the last beat. */
  #isHeard = true;
  #isCommitting = false;
  /** The furthest place that was acknowledged and is not committed. */
  #toCommit: LogPlace | null = null;
  /** Cursors acknowledged before the reader was let in. */
  readonly #early: string[] = [];

  constructor(parts: WebSocketSessionParts) {
    this.#parts = parts;
    const { socket } = parts;
    socket.on('message', (data, isBinary) => {
      this.#isHeard = true;
      if (!this.#isEnded) this.#take(isBinary ? null : String(data));
      this.#limitAnswers();
    });
    socket.on('ping', () => this.#limitAnswers());
    socket.on('pong', () => {
      this.#isHeard = true;
    });
    socket.on('error', () => {}); // the connection closes
  }

  get appId(): string {
    return this.#reader!.appId;
  }

  get keyId(): string {
    return this.#reader!.keyId;
  }

  get isEnded(): boolean {
    return this.#isEnded || this.#parts.socket.readyState !== this.#parts.socket.OPEN;
  }

  /** `closed` is called once, when the connection is closed. */
  begin(reader: WebSocketReader, closed: () => void): void {
    const { socket, connection } = this.#parts;
    this.#reader = reader;
    const onDrain = (): void => reader.stream.resume();
    connection.on('drain', onDrain);
    socket.once('close', () => {
      this.#isEnded = true;
      connection.off('drain', onDrain);
      reader.stream.stop();
      closed();
    });
    this.#tell();
    reader.stream.start();
    for (const cursor of this.#early.splice(0)) this.#acknowledge(cursor);
  }

  room(): number {
    return this.isEnded || this.#parts.connection.writableNeedDrain ? 0 : this.#credit;
  }

  write(frames: Buffer, events: number, last: LogPlace): void {
    this.#credit -= events;
    this.#told = last.position;
    this.#parts.connection.write(frames);
  }

  failed(error: TidingsError): void {
    this.end(error);
  }

  /** Ends it for whatever was thrown. */
  fail(error: unknown): void {
    const known = toTidingsError(error);
    if (known.status === 500) this.#parts.onError(error);
    this.end(known);
  }

  beat(): void {
    if (this.isEnded) return;
    if (!this.#isHeard) {
      this.destroy();
      return;
    }
    this.#isHeard = false;
    this.#parts.socket.ping();
    if (this.#reader!.stream.cursor.position !== this.#told) this.#tell();
  }

  end(reason: TidingsError | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { socket } = this.#parts;
    this.#reader?.stream.stop();
    if (reason === null) {
      socket.close(GOING_AWAY, 'The server goes away. Connect again after the last cursor.');
      return;
    }
    this.#send({ type: 'problem', problem: JSON.parse(renderProblem(reason)) });
    socket.close(closeCodeOf(reason), shortened(`${reason.code}: ${reason.detail}`));
  }

  destroy(): void {
    this.#parts.socket.terminate();
  }

  #take(text: string | null): void {
    const message = parse(text);
    if (message?.type === 'grant' && isGrant(message.events)) {
      this.#credit = Math.min(this.#credit + message.events, Number.MAX_SAFE_INTEGER);
      this.#reader?.stream.resume();
    } else if (message?.type === 'ack' && typeof message.cursor === 'string') {
      this.#acknowledge(message.cursor);
    } else {
      const wrong =
        'This is no message that a stream takes. Send {"type":"grant","events":100}, from 1 to 1000000 events, or {"type":"ack","cursor":"…"}, as text.';
      this.end(new TidingsError('invalid_request', wrong));
    }
  }

  /** Pings and acks are answered: who sends them and does not read the answers has no claim to what they take up. */
  #limitAnswers(): void {
    if (this.#parts.connection.writableLength > MAX_UNREAD_BYTES) this.destroy();
  }

  #acknowledge(cursor: string): void {
    if (this.#reader === null) {
      // It went on from an earlier connection, and is faster than we.
      this.#early.push(cursor);
      if (this.#early.length > MAX_EARLY) this.fail(new TidingsError('invalid_request', 'Wait for the first message.'));
      return;
    }
    const { consumer } = this.#reader;
    try {
      if (consumer === null) {
        const wrong = 'There is no consumer to acknowledge for: connect with ?consumer=name.';
        throw new TidingsError('invalid_request', wrong);
      }
      const place = consumer.placeOf(cursor);
      if (place.position >= (this.#toCommit ?? consumer.place).position) this.#toCommit = place;
      void this.#commit(consumer);
    } catch (error) {
      this.fail(error);
    }
  }

  async #commit(consumer: AcknowledgedConsumer): Promise<void> {
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    try {
      while (this.#toCommit !== null && !this.isEnded) {
        const place = this.#toCommit;
        await consumer.commit(place);
        if (this.#toCommit === place) this.#toCommit = null;
        if (!this.isEnded) this.#send({ type: 'acked', cursor: this.#reader!.cursorOf(place) });
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.#isCommitting = false;
    }
  }

  #tell(): void {
    const { stream, cursorOf } = this.#reader!;
    this.#told = stream.cursor.position;
    this.#send({ type: 'cursor', cursor: cursorOf(stream.cursor) });
  }

  #send(message: object): void {
    this.#parts.socket.send(JSON.stringify(message));
  }
}

function parse(text: string | null): Record<string, unknown> | null {
  try {
    const message: unknown = text === null ? null : JSON.parse(text);
    return typeof message === 'object' ? (message as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

function isGrant(events: unknown): events is number {
  return Number.isInteger(events) && (events as number) >= 1 && (events as number) <= MAX_GRANT;
}

/** A close frame has room for 123 bytes of words; the message before it has them all. */
function shortened(reason: string): string {
  const bytes = Buffer.from(reason);
  return bytes.length <= MAX_REASON_BYTES
    ? reason
    : bytes
        .subarray(0, MAX_REASON_BYTES)
        .toString()
        .replace(/\uFFFD+$/, '');
}
