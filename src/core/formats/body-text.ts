import { FormatError, MAX_BODY_BYTES } from './event-format.ts';

/** A body that grows piece by piece, and not beyond what a request may have: a few bytes of data can be many in another format. */
export class BodyText {
  #pieces: string[] = [];
  #length = 0;

  /** @throws FormatError when the body becomes too large */
  add(text: string): void {
    this.#pieces.push(text);
    this.#length += text.length;
    if (this.#length > MAX_BODY_BYTES) throw tooLarge();
  }

  toBuffer(): Buffer {
    const body = Buffer.from(this.#pieces.join(''));
    if (body.length > MAX_BODY_BYTES) throw tooLarge();
    return body;
  }
}

function tooLarge(): FormatError {
  return new FormatError(`The event takes more than ${MAX_BODY_BYTES} bytes in the endpoint's format.`);
}
