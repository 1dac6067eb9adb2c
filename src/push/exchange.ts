// One request and its response. The head decides: once it is there, its status is the outcome, and a body that breaks off, is too
// large, or drips until the deadline only costs the connection. For a receiver that said 2xx has the event, and sending it again
// would be a duplicate.
import type { Dispatcher } from 'undici';
import { type AttemptTimings, classifyStatus, type SendResult } from '../core/outcome.ts';
import type { Target } from './address-guard.ts';
import type { Connection, Connections, ConnectionUser } from './connections.ts';
import { Deadline, type Deadlines } from './deadlines.ts';
import { parseRetryAfter } from './retry-after.ts';
import { errorCode, exchangeFailure, outcomeOfFailure, SendFailure } from './send-failure.ts';

export interface SendRequest {
  target: Target;
  /** Names and values; as a list they alternate. Host and content-length are added. */
  headers: Record<string, string> | string[];
  body: Buffer;
  /** Total deadline, from the name's resolution to the end of the response. */
  timeoutMs: number;
}

export interface ExchangeParts {
  connections: Connections;
  deadlines: Deadlines;
  maxResponseBytes: number;
  /** Name, TCP and TLS together. */
  maxConnectMs: number;
  /** Wall time in milliseconds, for a `Retry-After` that is a date. */
  now: () => number;
  onSettled: (done: (result: SendResult) => void, result: SendResult) => void;
}

const MAX_INFORMATIONAL = 16;
const MAX_RECORDED_HEAD_BYTES = 4096;
const MAX_RECORDED_BODY_BYTES = 16 * 1024;
const MAX_REPEATS = 2;
type ResponseHeaders = Record<string, string | string[] | undefined>;

export class Exchange extends Deadline implements Dispatcher.DispatchHandler, ConnectionUser {
  readonly #parts: ExchangeParts;
  readonly #request: SendRequest;
  readonly #done: (result: SendResult) => void;
  readonly #startedMs = performance.now();
  #connection: Connection | null = null;
  #remoteAddress: string | null = null;
  #dnsUs: number | null = null;
  #connectUs: number | null = null;
  #tlsUs: number | null = null;
  #firstByteUs: number | null = null;
  /** Whether bytes of the request may have left. */
  #written = false;
  #repeats = 0;
  #informational = 0;
  #status = 0;
  #statusMessage = '';
  #headers: ResponseHeaders | null = null;
  #bodyBytes = 0;
  #bodyChunks: Buffer[] | null = null;
  #settled = false;

  constructor(parts: ExchangeParts, request: SendRequest, done: (result: SendResult) => void) {
    super();
    this.#parts = parts;
    this.#request = request;
    this.#done = done;
  }

  begin(): void {
    const { target, headers, body, timeoutMs } = this.#request;
    this.#parts.deadlines.set(this, this.#startedMs + timeoutMs);
    this.#connection = this.#parts.connections.acquire(target, this);
    // With the origin given, the client need not write it out anew for every request.
    const { origin, path } = target;
    this.#connection.client.dispatch({ origin, path, method: 'POST', headers, body }, this);
  }

  /** Ends the exchange now, for a reason that is not the endpoint's. */
  cancel(): void {
    this.#end(new SendFailure('internal_error', 'The attempt was cancelled because the server stops.'));
  }

  onConnecting(): void {
    const { deadlines, maxConnectMs } = this.#parts;
    const totalMs = this.#startedMs + this.#request.timeoutMs;
    deadlines.set(this, Math.min(totalMs, performance.now() + maxConnectMs));
  }

  override onDeadline(): void {
    const { target, timeoutMs } = this.#request;
    const elapsedMs = Math.round(performance.now() - this.#startedMs);
    this.#end(
      this.#written
        ? new SendFailure('timeout_total', `${target.origin} did not answer within ${timeoutMs} ms.`)
        : new SendFailure('timeout_connect', `There was no connection to ${target.origin} after ${elapsedMs} ms.`),
    );
  }

  onRequestStart(): void {
    this.#written = true;
    const connection = this.#connection!;
    this.#remoteAddress = connection.remoteAddress;
    if (connection.opened === null) return;
    const { resolvedMs, connectedMs, securedMs } = connection.opened;
    connection.opened = null;
    if (resolvedMs !== null) this.#dnsUs = this.#microsAt(resolvedMs);
    this.#connectUs = this.#microsAt(connectedMs);
    if (securedMs !== null) this.#tlsUs = this.#microsAt(securedMs);
    this.#parts.deadlines.set(this, this.#startedMs + this.#request.timeoutMs);
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: ResponseHeaders,
    statusMessage?: string,
  ): void {
    if (this.#settled) return;
    if (this.#firstByteUs === null) this.#firstByteUs = this.#microsAt(performance.now());
    if (status < 200) {
      if (++this.#informational > MAX_INFORMATIONAL) {
        const detail = `${this.#request.target.origin} sent more than ${MAX_INFORMATIONAL} informational responses.`;
        this.#end(new SendFailure('protocol_error', detail));
      }
      return;
    }
    this.#status = status;
    this.#statusMessage = statusMessage ?? '';
    this.#headers = headers;
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    const room = MAX_RECORDED_BODY_BYTES - this.#bodyBytes;
    this.#bodyBytes += chunk.length;
    if (room > 0 && (this.#status >= 300 || this.#status < 200)) {
      this.#bodyChunks ??= [];
      // A copy, as the chunk is a view of all that the socket read.
      this.#bodyChunks.push(Buffer.from(chunk.subarray(0, room)));
    }
    if (this.#bodyBytes > this.#parts.maxResponseBytes) this.#end(null);
  }

  onResponseEnd(): void {
    if (this.#settled) return;
    this.#parts.connections.release(this.#connection!);
    this.#connection = null;
    this.#settle(this.#describeResponse());
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#settled) return;
    const code = errorCode(error);
    if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED' || code.startsWith('UND_ERR_REQ_')) {
      // Refused in `dispatch` itself; `done` is never called before `send` has returned.
      process.nextTick(() => this.#end(exchangeFailure(error, this.#request.target.origin)));
      return;
    }
    // The kept connection was lost before anything was written: that is no attempt yet.
    if (!this.#written && !(error instanceof SendFailure) && this.#repeats < MAX_REPEATS) {
      this.#repeats++;
      this.#parts.connections.discard(this.#connection!);
      this.begin();
      return;
    }
    this.#end(exchangeFailure(error, this.#request.target.origin));
  }

  /** Ends it with its connection: by the head if there is one, else by the failure. */
  #end(failure: SendFailure | null): void {
    if (this.#settled) return;
    // First, as closing the connection reports an error here again.
    this.#settled = true;
    if (this.#connection !== null) this.#parts.connections.discard(this.#connection);
    this.#connection = null;
    this.#settle(this.#status !== 0 || failure === null ? this.#describeResponse() : this.#describeFailure(failure));
  }

  #describeResponse(): SendResult {
    const retryAfter = this.#headers?.['retry-after'];
    const retryAfterMs = retryAfter === undefined ? null : parseRetryAfter(retryAfter, this.#parts.now());
    const { outcome, reason } = classifyStatus(this.#status, retryAfterMs !== null);
    return {
      outcome,
      reason,
      status: this.#status,
      timings: this.#timings(),
      remoteAddress: this.#remoteAddress,
      responseHead: this.#formatHead(),
      responseBody: outcome === 'delivered' ? null : joinChunks(this.#bodyChunks),
      retryAfterMs,
      error: null,
    };
  }

  #describeFailure({ reason, message }: SendFailure): SendResult {
    return {
      outcome: outcomeOfFailure(reason),
      reason,
      status: null,
      timings: this.#timings(),
      remoteAddress: this.#remoteAddress,
      responseHead: null,
      responseBody: null,
      retryAfterMs: null,
      error: message,
    };
  }

  #timings(): AttemptTimings {
    return {
      dnsUs: this.#dnsUs,
      connectUs: this.#connectUs,
      tlsUs: this.#tlsUs,
      firstByteUs: this.#firstByteUs,
      totalUs: this.#microsAt(performance.now()),
    };
  }

  #microsAt(ms: number): number {
    return Math.round((ms - this.#startedMs) * 1000);
  }

  // From the parsed headers, as undici has made those anyway: to decode the raw ones would cost a call for each name and value.
  #formatHead(): string {
    let head = `HTTP/1.1 ${this.#status} ${this.#statusMessage}`;
    for (const name in this.#headers) {
      const value = this.#headers[name];
      if (typeof value === 'string') head += `\r\n${name}: ${value}`;
      else for (const one of value ?? []) head += `\r\n${name}: ${one}`;
    }
    return head.length <= MAX_RECORDED_HEAD_BYTES ? head : head.slice(0, MAX_RECORDED_HEAD_BYTES);
  }

  #settle(result: SendResult): void {
    this.#settled = true;
    this.#parts.deadlines.clear(this);
    this.#parts.onSettled(this.#done, result);
  }
}

function joinChunks(chunks: Buffer[] | null): Buffer {
  if (chunks === null) return Buffer.alloc(0);
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}
