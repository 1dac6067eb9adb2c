// A strict JSON checker that leaves the bytes alone. Publishing keeps `data` byte for byte, so nothing is parsed and
// written again: one pass proves the body to be JSON (RFC 8259) in UTF-8 with no key twice in an object, and tells where
// values begin and end. Numbers that no double holds, "\u0000" and lone surrogate escapes are legal and pass untouched.
//
// It runs over every published byte, therefore: no recursion, no allocation per key, arrays that are kept. The body is
// copied into one that ends in a zero byte, which stands in no token, so that the loops need no test for the end.
import { isUtf8 } from 'node:buffer';
import type { TidingsError } from './errors.ts';
import { invalidJson, type JsonProblem } from './json-error.ts';
import { ESCAPES, HEX_DIGITS, hashByte, JsonKeys } from './json-keys.ts';

export const MAX_JSON_DEPTH = 128;
export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

// Bytes that stand in a string as they are; those above 0x7f do, as the whole body was found to be UTF-8 before.
const PLAIN = new Uint8Array(256).fill(1, 0x20);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;

const KEPT_BYTES = 1 << 20;

/**
 * Walks a body: the caller steps through the containers it knows with `enterObject`/`nextMember` and
 * `enterArray`/`nextElement`, passes over every other value with `skipValue`, and closes with `finish`. Every byte is
 * then checked, once. All methods throw TidingsError `invalid_json` with line, column, byte offset and JSON pointer.
 * A scanner is used for one body after another; it keeps its arrays but no reference to a body.
 */
export class JsonScanner {
  /** Byte offset: before a value that of its first byte, after `skipValue` that of the byte after its last. */
  at = 0;
  /** The raw key of the member that `nextMember` stopped at, without its quotes: byte offsets. */
  keyFrom = 0;
  keyTo = 0;
  keyHasEscape = false;

  #text = new Uint8Array(1 << 14);
  /** The same bytes, four at a time: strings are passed over in words. */
  #words = new Int32Array(this.#text.buffer);
  #length = 0;
  #depth = 0;
  #maxDepth = MAX_JSON_DEPTH;
  /** A container was entered and none of its members seen. */
  #fresh = false;
  // By depth: whether the container is an object, and where its keys begin on the stack of keys.
  #isObject = new Uint8Array(0);
  #firstKey = new Int32Array(0);
  #keys = new JsonKeys();

  /** Begins a body and stops at its value. `maxDepth` = how many containers may be open at once. */
  open(body: Uint8Array, maxDepth = MAX_JSON_DEPTH): void {
    const length = body.length;
    // A large body's array is kept until a small body comes.
    if (this.#text.length <= length || (this.#text.length > KEPT_BYTES && length < KEPT_BYTES)) {
      const step = length < KEPT_BYTES ? 1 << 14 : 1 << 20;
      this.#text = new Uint8Array(Math.ceil((length + 1) / step) * step);
      this.#words = new Int32Array(this.#text.buffer);
    }
    this.#text.set(body);
    this.#text[length] = 0;
    this.#length = length;
    if (this.#isObject.length <= maxDepth) {
      this.#isObject = new Uint8Array(maxDepth + 1);
      this.#firstKey = new Int32Array(maxDepth + 1);
    }
    this.#maxDepth = maxDepth;
    this.#depth = 0;
    this.#keys.open(this.#text);
    if (!isUtf8(body)) throw this.#error(0, 'encoding');
    if (length >= 3 && body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) throw this.#error(0, 'bom');
    this.at = skipSpace(this.#text, 0);
    if (this.at === length) throw this.#error(length, 'empty');
  }

  /** The kind of the value that begins at `at`. */
  kind(): JsonKind {
    const kind = kindOf(this.#text[this.at]);
    if (kind === null) throw this.#error(this.at, 'value');
    return kind;
  }

  /** Enters the object at `at`. */
  enterObject(): void {
    this.#enter(this.at, 1);
    this.at++;
    this.#fresh = true;
  }

  /** Enters the array at `at`. */
  enterArray(): void {
    this.#enter(this.at, 0);
    this.at++;
    this.#fresh = true;
  }

  /** Goes to the next member's value, its key in `keyFrom` … `keyTo`; at the object's end, leaves it and says false. */
  nextMember(): boolean {
    const text = this.#text;
    let i = skipSpace(text, this.at);
    if (text[i] === CLOSE_OBJECT) return this.#leave(i);
    if (!this.#fresh) {
      if (text[i] !== COMMA) throw this.#error(i, 'afterMember');
      i = skipSpace(text, i + 1);
    }
    this.#fresh = false;
    this.at = this.#readKey(text, i);
    return true;
  }

  /** Goes to the next element; at the array's end, leaves it and says false. */
  nextElement(): boolean {
    const text = this.#text;
    let i = skipSpace(text, this.at);
    if (text[i] === CLOSE_ARRAY) return this.#leave(i);
    if (!this.#fresh) {
      if (text[i] !== COMMA) throw this.#error(i, 'afterElement');
      i = skipSpace(text, i + 1);
    }
    this.#fresh = false;
    this.at = i;
    return true;
  }

  /** Checks the value at `at`, whatever it is, and stops after its last byte. */
  skipValue(): void {
    const text = this.#text;
    const words = this.#words;
    const floor = this.#depth;
    let i = this.at;
    for (;;) {
      // Here a value begins.
      let c = text[i];
      if (c === QUOTE) {
        i++;
        for (;;) {
          while (PLAIN[text[i]] === 1) {
            if ((++i & 3) === 0) {
              let w = words[i >> 2];
              while (isPlainWord(w)) {
                i += 4;
                w = words[i >> 2];
              }
            }
          }
          if (text[i] === QUOTE) break;
          i = this.#skipEscape(text, i);
        }
        i++;
      } else if (c === OPEN_OBJECT) {
        this.#enter(i, 1);
        i = skipSpace(text, i + 1);
        if (text[i] !== CLOSE_OBJECT) {
          i = this.#readKey(text, i);
          continue;
        }
        this.#leave(i++);
      } else if (c === OPEN_ARRAY) {
        this.#enter(i, 0);
        i = skipSpace(text, i + 1);
        if (text[i] !== CLOSE_ARRAY) continue;
        this.#leave(i++);
      } else if (c === MINUS || (c >= ZERO && c <= 0x39)) {
        i = this.#skipNumber(text, i);
      } else {
        i = this.#skipWord(text, i);
      }
      // Here a value has ended: go on to its next sibling, or out of every container that ends here.
      for (;;) {
        if (this.#depth === floor) {
          this.at = i;
          return;
        }
        c = text[i];
        if (c <= 0x20) {
          i = skipSpace(text, i);
          c = text[i];
        }
        if (c === COMMA) {
          i++;
          if (text[i] <= 0x20) i = skipSpace(text, i);
          if (this.#isObject[this.#depth] === 1) i = this.#readKey(text, i);
          break;
        }
        if (this.#isObject[this.#depth] === 1) {
          if (c !== CLOSE_OBJECT) throw this.#error(i, 'afterMember');
        } else if (c !== CLOSE_ARRAY) throw this.#error(i, 'afterElement');
        this.#leave(i++);
      }
    }
  }

  /** Holds that nothing but white space follows the value. */
  finish(): void {
    this.at = skipSpace(this.#text, this.at);
    if (this.at < this.#length) throw this.#error(this.at, 'trailing');
  }

  #enter(i: number, isObject: 0 | 1): void {
    const depth = this.#depth + 1;
    if (depth > this.#maxDepth) throw this.#error(i, 'depth');
    this.#depth = depth;
    this.#isObject[depth] = isObject;
    this.#firstKey[depth] = this.#keys.count;
  }

  /** Leaves the container that ends with the byte at `i`. */
  #leave(i: number): false {
    if (this.#isObject[this.#depth] === 1) {
      const repeated = this.#keys.close(this.#firstKey[this.#depth]);
      if (repeated >= 0) throw this.#error(repeated - 1, 'duplicate');
    }
    this.#depth--;
    this.#fresh = false;
    this.at = i + 1;
    return false;
  }

  /** Reads a key and its colon; says where the member's value begins. */
  #readKey(text: Uint8Array, quote: number): number {
    if (text[quote] !== QUOTE) throw this.#error(quote, 'key');
    const from = quote + 1;
    const first = this.#firstKey[this.#depth];
    let i = from;
    let hash = 0;
    let c = text[i];
    while (PLAIN[c] === 1) {
      hash = hashByte(hash, c);
      c = text[++i];
    }
    this.keyHasEscape = c !== QUOTE;
    while (text[i] !== QUOTE) i = PLAIN[text[i]] === 1 ? i + 1 : this.#skipEscape(text, i);
    const isNew = this.keyHasEscape ? this.#keys.addEscaped(first, from, i) : this.#keys.add(first, from, i, hash);
    if (!isNew) throw this.#error(quote, 'duplicate');
    this.keyFrom = from;
    this.keyTo = i;
    i++;
    if (text[i] !== COLON) {
      i = skipSpace(text, i);
      if (text[i] !== COLON) throw this.#error(i, 'colon');
    }
    i++;
    return text[i] <= 0x20 ? skipSpace(text, i) : i;
  }

  /** Passes over the escape at `i`, inside a string; anything else that stops a string there is an error. */
  #skipEscape(text: Uint8Array, i: number): number {
    if (text[i] !== BACKSLASH) throw this.#error(i, 'control');
    if (ESCAPES[text[i + 1]] !== 0) return i + 2;
    if (text[i + 1] !== 0x75) throw this.#error(i + 1 < this.#length ? i : i + 1, 'escape');
    for (let k = i + 2; k < i + 6; k++) {
      if (HEX_DIGITS[text[k]] < 0) throw this.#error(k < this.#length ? i : k, 'escape');
    }
    return i + 6;
  }

  #skipNumber(text: Uint8Array, from: number): number {
    let i = text[from] === MINUS ? from + 1 : from;
    let c = text[i];
    if (c === ZERO) {
      c = text[++i];
      if (c >= ZERO && c <= 0x39) throw this.#error(from, 'leadingZero');
    } else {
      if (!(c > ZERO && c <= 0x39)) throw this.#error(i, 'digit');
      do c = text[++i];
      while (c >= ZERO && c <= 0x39);
    }
    if (c === DOT) {
      c = text[++i];
      if (!(c >= ZERO && c <= 0x39)) throw this.#error(i, 'digit');
      do c = text[++i];
      while (c >= ZERO && c <= 0x39);
    }
    if (c === 0x65 || c === 0x45) {
      c = text[++i];
      if (c === 0x2b || c === MINUS) c = text[++i];
      if (!(c >= ZERO && c <= 0x39)) throw this.#error(i, 'digit');
      do c = text[++i];
      while (c >= ZERO && c <= 0x39);
    }
    return i;
  }

  /** true, false or null; nothing else begins with another byte than those of `skipValue`. */
  #skipWord(text: Uint8Array, i: number): number {
    const word = text[i] === 0x74 ? 'true' : text[i] === 0x66 ? 'false' : text[i] === 0x6e ? 'null' : '';
    if (word === '') throw this.#error(i, 'value');
    for (let k = 1; k < word.length; k++) {
      if (text[i + k] !== word.charCodeAt(k)) throw this.#error(i + k < this.#length ? i : i + k, 'value');
    }
    return i + word.length;
  }

  #error(offset: number, problem: JsonProblem): TidingsError {
    return invalidJson(Buffer.from(this.#text.buffer, 0, this.#length), offset, problem);
  }
}

/** Holds that a body is one JSON value as the scanner understands it. @throws TidingsError `invalid_json` */
export function checkJson(body: Uint8Array, maxDepth = MAX_JSON_DEPTH): void {
  shared.open(body, maxDepth);
  shared.skipValue();
  shared.finish();
}

const shared = new JsonScanner();

/** The kind of a value by its first byte; null = no value begins so. */
export function kindOf(c: number): JsonKind | null {
  if (c === OPEN_OBJECT) return 'object';
  if (c === QUOTE) return 'string';
  if (c === OPEN_ARRAY) return 'array';
  if (c === MINUS || (c >= ZERO && c <= 0x39)) return 'number';
  if (c === 0x6e) return 'null';
  return c === 0x74 || c === 0x66 ? 'boolean' : null;
}

function skipSpace(text: Uint8Array, i: number): number {
  let c = text[i];
  while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) c = text[++i];
  return i;
}

/** Whether four bytes are all ASCII and may stand in a string: a bit 7 is set, or is borrowed by a byte that may not. */
function isPlainWord(w: number): boolean {
  return (
    ((w | (w - 0x20202020) | ((w ^ 0x22222222) - 0x01010101) | ((w ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080) === 0
  );
}
