// Cuts a stream of HTTP/1.1 answers into answers without keeping their bodies: pages of a megabyte are counted as they come in, and only the
// beginning of each is kept. Framed by content-length or by a status that has no body, as our server's answers are.

/** What a reader of the log needs of an answer. */
export interface FramedAnswer {
  status: number;
  /** Headers `tidings-cursor` and `tidings-done`. */
  cursor: string;
  done: boolean;
  bodyBytes: number;
  /** The first bytes of the body, valid during the call. */
  beginning: Buffer;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const KEPT_BYTES = 2048;
const MAX_HEAD_BYTES = 16_384;

export class AnswerFramer {
  readonly #onAnswer: (answer: FramedAnswer) => void;
  readonly #kept = Buffer.alloc(KEPT_BYTES);
  #head: Buffer = Buffer.alloc(0);
  #answer: FramedAnswer | null = null;
  #keptBytes = 0;
  /** Of the body, still to come. */
  #left = 0;

  constructor(onAnswer: (answer: FramedAnswer) => void) {
    this.#onAnswer = onAnswer;
  }

  /** Takes what came in; the chunk may be overwritten after the call. @throws Error when an answer is not understood. */
  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      rest = this.#answer === null ? this.#takeHead(rest) : this.#takeBody(rest);
      if (this.#answer !== null && this.#left === 0) this.#finish();
    }
  }

  #takeHead(chunk: Buffer): Buffer {
    const bytes = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) {
      if (bytes.length > MAX_HEAD_BYTES) throw new Error(`An HTTP head is longer than ${MAX_HEAD_BYTES} bytes.`);
      this.#head = Buffer.from(bytes);
      return bytes.subarray(bytes.length);
    }
    this.#head = Buffer.alloc(0);
    const text = bytes.toString('latin1', 0, end);
    const status = Number(text.slice(9, 12));
    const length = header(text, 'content-length');
    if (length === null && status !== 304) throw new Error(`An answer with status ${status} has no content-length.`);
    this.#left = Number(length ?? 0);
    this.#keptBytes = 0;
    this.#answer = {
      status,
      cursor: header(text, 'tidings-cursor') ?? '',
      done: header(text, 'tidings-done') === 'true',
      bodyBytes: this.#left,
      beginning: this.#kept,
    };
    return bytes.subarray(end + HEAD_END.length);
  }

  #takeBody(chunk: Buffer): Buffer {
    const taken = Math.min(chunk.length, this.#left);
    if (this.#keptBytes < KEPT_BYTES) this.#keptBytes += chunk.copy(this.#kept, this.#keptBytes, 0, taken);
    this.#left -= taken;
    return chunk.subarray(taken);
  }

  #finish(): void {
    const answer = this.#answer!;
    this.#answer = null;
    this.#onAnswer({ ...answer, beginning: this.#kept.subarray(0, this.#keptBytes) });
  }
}

function header(head: string, name: string): string | null {
  return new RegExp(`\r\n${name}:[ \t]*([^\r]*)`, 'i').exec(head)?.[1] ?? null;
}
