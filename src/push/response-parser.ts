// HTTP/1.1 responses (RFC 9112) from bytes as they come, split anywhere. Strict where a lax reading would let one response pass for two:
// what cannot be framed for certain ends the connection. Only what the sender needs is taken out of the head; the rest stays text.

export interface ResponseHead {
  status: number;
  /** Status line and header lines as they came, as latin1, without the empty line. */
  text: string;
  retryAfter: string | null;
}

export interface ResponseHandler {
  /** Once for every informational head (1xx) and once for the final one. */
  onHead(head: ResponseHead): void;
  onBody(chunk: Buffer): void;
  /** The response is complete; `keepAliveMs` is how long the peer keeps the connection: null = it did not say, 0 = it closes it. */
  onEnd(keepAliveMs: number | null): void;
}

/** `too_large`: the head; `protocol`: it is not HTTP/1.1. */
export class ResponseError extends Error {
  readonly kind: 'too_large' | 'protocol';

  constructor(kind: 'too_large' | 'protocol', message: string) {
    super(message);
    this.kind = kind;
  }
}

export const MAX_RESPONSE_HEAD_BYTES = 16 * 1024;
const MAX_CHUNK_LINE_BYTES = 1024;
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const HEADER_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/;
const KEEP_ALIVE_TIMEOUT = /(?:^|[,;\s])timeout=(\d{1,6})/i;

type State = 'head' | 'length' | 'until_close' | 'chunk_size' | 'chunk_data' | 'chunk_end' | 'trailer' | 'done';

export class ResponseParser {
  #handler: ResponseHandler | null = null;
  #state: State = 'done';
  /** Bytes of an incomplete head, chunk line or trailer. */
  #rest: Buffer = EMPTY;
  #left = 0;
  #trailerBytes = 0;
  #keepAliveMs: number | null = null;

  /** Whether a response is due. */
  get expecting(): boolean {
    return this.#state !== 'done';
  }

  /** Begins with the response of the next request. */
  expect(handler: ResponseHandler): void {
    this.#handler = handler;
    this.#state = 'head';
    this.#rest = EMPTY;
  }

  /** Takes bytes in; they are only valid during the call. @throws ResponseError */
  feed(bytes: Buffer): void {
    let chunk = bytes;
    if (this.#rest.length > 0) {
      chunk = Buffer.concat([this.#rest, bytes]);
      this.#rest = EMPTY;
    }
    while (chunk.length > 0) {
      const used = this.#step(chunk);
      if (used < 0) {
        this.#rest = Buffer.from(chunk);
        return;
      }
      chunk = used === chunk.length ? EMPTY : chunk.subarray(used);
    }
  }

  /** The peer has closed: the end of a body that is framed by it. False when the response is incomplete. */
  close(): boolean {
    if (this.#state !== 'until_close') return this.#state === 'done';
    this.#end(0);
    return true;
  }

  /** Uses up some of the bytes; −1 when more are needed. */
  #step(chunk: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#takeHead(chunk);
      case 'length': {
        const used = this.#takeBody(chunk);
        if (this.#left === 0) this.#end(this.#keepAliveMs);
        return used;
      }
      case 'until_close':
        this.#handler!.onBody(chunk);
        return chunk.length;
      case 'chunk_size':
        return this.#takeLine(chunk, (line) => {
          const size = /^([0-9a-fA-F]{1,12})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/.exec(line);
          if (!size) throw new ResponseError('protocol', 'a chunk has no valid size');
          this.#left = Number.parseInt(size[1], 16);
          this.#trailerBytes = 0;
          this.#state = this.#left === 0 ? 'trailer' : 'chunk_data';
        });
      case 'chunk_data': {
        const used = this.#takeBody(chunk);
        if (this.#left === 0) this.#state = 'chunk_end';
        return used;
      }
      case 'chunk_end':
        return this.#takeLine(chunk, (line) => {
          if (line !== '') throw new ResponseError('protocol', 'a chunk is longer than its size');
          this.#state = 'chunk_size';
        });
      case 'trailer':
        return this.#takeLine(chunk, (line) => {
          this.#trailerBytes += line.length;
          if (this.#trailerBytes > MAX_RESPONSE_HEAD_BYTES)
            throw new ResponseError('protocol', 'the trailer is too large');
          if (line === '') this.#end(this.#keepAliveMs);
          else if (!HEADER_LINE.test(line)) throw new ResponseError('protocol', 'a trailer line is not valid');
        });
      case 'done':
        throw new ResponseError('protocol', 'a response that was not asked for');
    }
  }

  #takeBody(chunk: Buffer): number {
    const used = Math.min(this.#left, chunk.length);
    this.#left -= used;
    this.#handler!.onBody(used === chunk.length ? chunk : chunk.subarray(0, used));
    return used;
  }

  #takeLine(chunk: Buffer, take: (line: string) => void): number {
    const end = chunk.indexOf(10);
    if (end < 0 && chunk.length <= MAX_CHUNK_LINE_BYTES) return -1;
    if (end < 1 || chunk[end - 1] !== 13 || end > MAX_CHUNK_LINE_BYTES) {
      throw new ResponseError('protocol', 'a line of the chunked body is not valid');
    }
    take(chunk.toString('latin1', 0, end - 1));
    return end + 1;
  }

  #takeHead(chunk: Buffer): number {
    const end = chunk.indexOf(END_OF_HEAD);
    if (end < 0) {
      // What cannot become a status line need not be waited for.
      if (!'HTTP/1.'.startsWith(chunk.toString('latin1', 0, 7)))
        throw new ResponseError('protocol', 'it does not begin with HTTP/1.');
      if (chunk.length > MAX_RESPONSE_HEAD_BYTES) throw new ResponseError('too_large', 'the head is too large');
      return -1;
    }
    if (end > MAX_RESPONSE_HEAD_BYTES) throw new ResponseError('too_large', 'the head is too large');
    this.#readHead(chunk.toString('latin1', 0, end));
    return end + END_OF_HEAD.length;
  }

  #readHead(text: string): void {
    const lineEnd = text.indexOf('\r\n');
    const statusLine = STATUS_LINE.exec(lineEnd < 0 ? text : text.slice(0, lineEnd));
    if (!statusLine) throw new ResponseError('protocol', 'the status line is not valid');
    const status = Number(statusLine[2]);
    const fields = readFields(text, lineEnd);
    const head = { status, text, retryAfter: fields.retryAfter };
    if (status < 200) {
      if (status === 101) throw new ResponseError('protocol', 'it switches protocols unasked');
      this.#handler!.onHead(head);
      return;
    }
    const persistent = statusLine[1] === '1' ? !fields.close : fields.keepAlive && !fields.close;
    this.#keepAliveMs = persistent ? fields.keepAliveMs : 0;
    // RFC 9112, section 6.3. What has both a length and a coding is read by the coding, and its connection not trusted further.
    if (status === 204 || status === 304) {
      this.#left = 0;
      this.#state = 'length';
    } else if (fields.coding !== null) {
      if (fields.length !== null) this.#keepAliveMs = 0;
      this.#state = /(?:^|,)[\t ]*chunked$/i.test(fields.coding) ? 'chunk_size' : 'until_close';
    } else if (fields.length !== null) {
      this.#left = fields.length;
      this.#state = 'length';
    } else {
      this.#state = 'until_close';
    }
    this.#handler!.onHead(head);
    if (this.#state === 'length' && this.#left === 0) this.#end(this.#keepAliveMs);
  }

  #end(keepAliveMs: number | null): void {
    this.#state = 'done';
    const handler = this.#handler!;
    this.#handler = null;
    handler.onEnd(keepAliveMs);
  }
}

interface Fields {
  length: number | null;
  coding: string | null;
  close: boolean;
  keepAlive: boolean;
  keepAliveMs: number | null;
  retryAfter: string | null;
}

function readFields(text: string, firstLineEnd: number): Fields {
  const fields: Fields = {
    length: null,
    coding: null,
    close: false,
    keepAlive: false,
    keepAliveMs: null,
    retryAfter: null,
  };
  for (let start = firstLineEnd + 2; firstLineEnd >= 0 && start <= text.length; ) {
    const found = text.indexOf('\r\n', start);
    const end = found < 0 ? text.length : found;
    const line = HEADER_LINE.exec(text.slice(start, end));
    if (!line) throw new ResponseError('protocol', 'a header line is not valid');
    start = end + 2;
    const value = line[2];
    switch (line[1].toLowerCase()) {
      case 'content-length': {
        const length = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
        if (Number.isNaN(length) || (fields.length !== null && fields.length !== length)) {
          throw new ResponseError('protocol', 'the content length is not valid');
        }
        fields.length = length;
        break;
      }
      case 'transfer-encoding':
        fields.coding = fields.coding === null ? value : `${fields.coding},${value}`;
        break;
      case 'connection':
        for (const token of value.toLowerCase().split(',')) {
          if (token.trim() === 'close') fields.close = true;
          else if (token.trim() === 'keep-alive') fields.keepAlive = true;
        }
        break;
      case 'keep-alive': {
        const timeout = KEEP_ALIVE_TIMEOUT.exec(value);
        if (timeout) fields.keepAliveMs = Number(timeout[1]) * 1000;
        break;
      }
      case 'retry-after':
        fields.retryAfter ??= value;
        break;
    }
  }
  return fields;
}
