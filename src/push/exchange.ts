// One request and its response. The head decides: once it is there, its status is the outcome, and a body that breaks off, is too
// large, or drips until the deadline only costs the connection. For a receiver that said 2xx has the event, and sending it again
// would be a duplicate.
import { type AttemptTimings, classifyStatus, type SendResult } from '../core/outcome.ts';
import type { Target } from '../net/address-guard.ts';
import { parseRetryAfter } from '../net/retry-after.ts';
import { outcomeOfFailure, SendFailure } from '../net/send-failure.ts';
import type { Connection, ConnectionUser } from './connection.ts';
import type { Connections } from './connections.ts';
import { hideEchoes, hideEchoesInBytes } from './credential-echo.ts';
import { Deadline, type Deadlines } from './deadlines.ts';
import type { ResponseHead } from './response-parser.ts';

export interface SendRequest {
  /** POST if absent. */
  method?: string | undefined;
  target: Target;
  /** Host and content-length are added. */
  headers: Record<string, string>;
  body: Buffer;
  /** Total deadline, from the name's resolution to the end of the response. */
  timeoutMs: number;
  /** Whether the result has the response body although it was delivered. */
  keepsBody?: boolean;
  /** What is blotted out of a response that repeats it; absent or null = nothing. */
  echoes?: readonly string[] | null;
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

export class Exchange extends Deadline implements ConnectionUser {
  readonly #parts: ExchangeParts;
  readonly #target: Target;
  readonly #timeoutMs: number;
  readonly #keepsBody: boolean;
  readonly #echoes: readonly string[] | null;
  /** Until it is written: headers and body are not kept while the endpoint takes its time. */
  #request: SendRequest | null;
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
  #informational = 0;
  #status = 0;
  #head: ResponseHead | null = null;
  #bodyBytes = 0;
  #bodyChunks: Buffer[] | null = null;
  #settled = false;

  constructor(parts: ExchangeParts, request: SendRequest, done: (result: SendResult) => void) {
    super();
    this.#parts = parts;
    this.#target = request.target;
    this.#timeoutMs = request.timeoutMs;
    this.#keepsBody = request.keepsBody === true;
    this.#echoes = request.echoes ?? null;
    this.#request = request;
    this.#done = done;
  }

  begin(): void {
    const { method = 'POST', target, headers, body } = this.#request!;
    this.#request = null;
    this.#parts.deadlines.set(this, this.#startedMs + this.#timeoutMs);
    let bytes: Buffer;
    try {
      bytes = writeRequest(method, target, headers, body);
    } catch (error) {
      this.#end(new SendFailure('internal_error', (error as Error).message, error));
      return;
    }
    this.#connection = this.#parts.connections.acquire(target, this);
    this.#connection.request(bytes);
  }

  /** Ends the exchange now, for a reason that is not the endpoint's. */
  cancel(): void {
    this.#end(new SendFailure('internal_error', 'The attempt was cancelled because the server stops.'));
  }

  onConnecting(): void {
    const { deadlines, maxConnectMs } = this.#parts;
    const totalMs = this.#startedMs + this.#timeoutMs;
    deadlines.set(this, Math.min(totalMs, performance.now() + maxConnectMs));
  }

  override onDeadline(): void {
    const elapsedMs = Math.round(performance.now() - this.#startedMs);
    this.#end(
      this.#written
        ? new SendFailure('timeout_total', `${this.#target.origin} did not answer within ${this.#timeoutMs} ms.`)
        : new SendFailure(
            'timeout_connect',
            `There was no connection to ${this.#target.origin} after ${elapsedMs} ms.`,
          ),
    );
  }

  onWriting(): void {
    this.#written = true;
    const connection = this.#connection!;
    this.#remoteAddress = connection.remoteAddress;
    if (connection.opened === null) return;
    const { resolvedMs, connectedMs, securedMs } = connection.opened;
    connection.opened = null;
    if (resolvedMs !== null) this.#dnsUs = this.#microsAt(resolvedMs);
    this.#connectUs = this.#microsAt(connectedMs);
    if (securedMs !== null) this.#tlsUs = this.#microsAt(securedMs);
    this.#parts.deadlines.set(this, this.#startedMs + this.#timeoutMs);
  }

  onHead(head: ResponseHead): void {
    if (this.#settled) return;
    if (this.#firstByteUs === null) this.#firstByteUs = this.#microsAt(performance.now());
    if (head.status >= 200) {
      this.#status = head.status;
      this.#head = head;
    } else if (++this.#informational > MAX_INFORMATIONAL) {
      const detail = `${this.#target.origin} sent more than ${MAX_INFORMATIONAL} informational responses.`;
      this.#end(new SendFailure('protocol_error', detail));
    }
  }

  onBody(chunk: Buffer): void {
    if (this.#settled) return;
    const room = MAX_RECORDED_BODY_BYTES - this.#bodyBytes;
    this.#bodyBytes += chunk.length;
    if (room > 0 && (this.#status >= 300 || this.#status < 200 || this.#keepsBody)) {
      this.#bodyChunks ??= [];
      this.#bodyChunks.push(Buffer.from(chunk.subarray(0, room))); // a copy, as the socket reads into it again
    }
    if (this.#bodyBytes > this.#parts.maxResponseBytes) this.#end(null);
  }

  onEnd(keepAliveMs: number | null): void {
    if (this.#settled) return;
    this.#parts.connections.release(this.#connection!, keepAliveMs);
    this.#connection = null;
    this.#settle(this.#describeResponse());
  }

  onFailure(failure: SendFailure): void {
    this.#end(failure);
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
    const retryAfter = this.#head?.retryAfter ?? null;
    const retryAfterMs = retryAfter === null ? null : parseRetryAfter(retryAfter, this.#parts.now());
    const { outcome, reason } = classifyStatus(this.#status, retryAfterMs !== null);
    const echoes = this.#echoes;
    const head = this.#head?.text ?? null;
    const body = outcome === 'delivered' && !this.#keepsBody ? null : joinChunks(this.#bodyChunks);
    return {
      outcome,
      reason,
      status: this.#status,
      timings: this.#timings(),
      remoteAddress: this.#remoteAddress,
      responseHead:
        (head !== null && echoes !== null ? hideEchoes(head, echoes) : head)?.slice(0, MAX_RECORDED_HEAD_BYTES) ?? null,
      responseBody: body !== null && echoes !== null ? hideEchoesInBytes(body, echoes) : body,
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

// RFC 9110, section 5.5: what a field value may hold. Checked here once more, for a line break in it would be another header.
const NO_FIELD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** The whole request as bytes (RFC 9112, section 3). @throws Error for a header that cannot be sent */
function writeRequest(method: string, target: Target, headers: Record<string, string>, body: Buffer): Buffer {
  let head = `${method} ${target.path} HTTP/1.1\r\nhost: ${target.origin.slice(target.tls ? 8 : 7)}\r\nconnection: keep-alive\r\n`;
  for (const name in headers) {
    const value = headers[name];
    if (NO_FIELD_VALUE.test(value)) throw new Error(`The header ${name} holds a character that cannot be sent.`);
    head += `${name}: ${value}\r\n`;
  }
  head += `content-length: ${body.length}\r\n\r\n`;
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 0, 'latin1');
  body.copy(bytes, head.length);
  return bytes;
}
