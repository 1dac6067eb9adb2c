// Cuts a stream of HTTP/1.1 requests or responses into heads and bodies, whatever packets they come in. It knows one
// way of framing, content-length (RFC 9112, section 6.2): that is what our sender and our server use, and a full parser
// would cost more CPU than the socket. Anything else is an error, never a guess.

const HEAD_END = Buffer.from('\r\n\r\n');
const FRAMING = /\r\n(?:content-length:[ \t]*(\d+)|(transfer-encoding):)/i;
const MAX_HEAD_BYTES = 65_536;

/** `bytes[start, bodyStart)` is the head with its empty line, `bytes[bodyStart, end)` the body; valid during the call. */
export type OnFrame = (bytes: Buffer, start: number, bodyStart: number, end: number) => void;

export class HttpFramer {
  readonly #onFrame: OnFrame;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes the held frame is known to need in all; 0 while its head is not complete. */
  #needed = 0;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  /** Takes what came in; the chunk may be overwritten after the call. @throws Error when the framing is not understood. */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#heldBytes > 0) {
      this.#hold(chunk);
      if (this.#heldBytes < this.#needed) return;
      bytes = Buffer.concat(this.#held, this.#heldBytes);
      this.#held = [];
      this.#heldBytes = 0;
    }
    let start = 0;
    while (start < bytes.length) {
      const headEnd = bytes.indexOf(HEAD_END, start);
      if (headEnd < 0) {
        if (bytes.length - start > MAX_HEAD_BYTES)
          throw new Error(`An HTTP head is longer than ${MAX_HEAD_BYTES} bytes.`);
        this.#needed = 0;
        break;
      }
      const bodyStart = headEnd + HEAD_END.length;
      const end = bodyStart + bodyLength(bytes.toString('latin1', start, headEnd));
      if (end > bytes.length) {
        this.#needed = end - start;
        break;
      }
      this.#onFrame(bytes, start, bodyStart, end);
      start = end;
    }
    if (start < bytes.length) this.#hold(bytes.subarray(start));
  }

  #hold(piece: Buffer): void {
    this.#held.push(Buffer.from(piece));
    this.#heldBytes += piece.length;
  }
}

function bodyLength(head: string): number {
  const framing = FRAMING.exec(head);
  if (framing?.[1] !== undefined) return Number(framing[1]);
  if (framing?.[2] !== undefined)
    throw new Error('An HTTP body is framed by transfer-encoding, which is not understood here.');
  const status = head.startsWith('HTTP/') ? Number(head.slice(9, 12)) : 0;
  if (status >= 200 && status !== 204 && status !== 304) {
    throw new Error(`A response with status ${status} has no content-length.`);
  }
  return 0;
}
