// The keys of the objects that are open while a body is scanned, to find one that stands twice in its object. "a" and
// "\u0061" are the same key; lone surrogates are compared as the UTF-16 units they are.
//
// Few keys are compared as they come, by hash and then by bytes. Many are sorted when their object ends: that bounds
// the cost whatever they are, as keys made to collide in the hash (it has no secret) are sorted by their bytes. So a
// hostile object of n keys costs n log n like any other.

/** What the character after a backslash stands for; 0 = it may not stand there. */
export const ESCAPES = new Uint8Array(256);
for (const [name, meaning] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  ESCAPES[name.charCodeAt(0)] = meaning.charCodeAt(0);
}
/** The value of a hexadecimal digit; -1 = not one. */
export const HEX_DIGITS = new Int8Array(256).fill(-1);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  HEX_DIGITS[digit.charCodeAt(0)] = value;
  HEX_DIGITS[digit.toUpperCase().charCodeAt(0)] = value;
}

const BACKSLASH = 0x5c;
/** Up to this many keys of an object are compared as they come. */
const FEW_KEYS = 16;
const KEPT_KEYS = 1 << 16;
/** So that an index and a 32-bit hash fit one double together. */
const MAX_KEYS = 2 ** 21;

/** One step of FNV-1a, the hash that keys are given with. */
export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

export class JsonKeys {
  /** How many keys the open objects have, those of an inner object after those of the outer. */
  count = 0;
  #text = new Uint8Array(0);
  // By key: hash and length of what it means, where it stands in the text, and, if it has escapes, where its meaning
  // stands in #meanings (else -1).
  #hash = new Int32Array(256);
  #length = new Int32Array(256);
  #from = new Int32Array(256);
  #meaning = new Int32Array(256);
  #meanings = new Uint8Array(0);
  #meaningsLength = 0;

  open(text: Uint8Array<ArrayBuffer>): void {
    this.#text = text;
    if (this.#meanings.length > text.length) this.#meanings = new Uint8Array(0);
    if (this.#hash.length > KEPT_KEYS) this.#resize(KEPT_KEYS);
    this.count = 0;
    this.#meaningsLength = 0;
  }

  /** Adds the key at from … to, which has no escapes. `first` = the count when its object began. False = it stands there. */
  add(first: number, from: number, to: number, hash: number): boolean {
    return this.#add(first, from, to - from, hash, -1);
  }

  /** Adds a key with escapes, which are known to be sound. */
  addEscaped(first: number, from: number, to: number): boolean {
    const start = this.#meaningsLength;
    const end = this.#decode(from, to);
    let hash = 0;
    for (let i = start; i < end; i++) hash = hashByte(hash, this.#meanings[i]);
    return this.#add(first, from, end - start, hash, start);
  }

  /** Removes the keys of the object that began at count `first`. Says where one stands the second time, or -1. */
  close(first: number): number {
    const repeated = this.count - first > FEW_KEYS ? this.#findRepeated(first) : -1;
    this.count = first;
    return repeated;
  }

  #add(first: number, from: number, length: number, hash: number, meaning: number): boolean {
    const key = this.count;
    if (key === this.#hash.length) this.#resize(key * 2);
    const hashes = this.#hash;
    hashes[key] = hash;
    this.#length[key] = length;
    this.#from[key] = from;
    this.#meaning[key] = meaning;
    this.count = key + 1;
    if (key - first >= FEW_KEYS) return true;
    for (let k = first; k < key; k++) {
      if (hashes[k] === hash && this.#compare(k, key) === 0) return false;
    }
    return true;
  }

  #findRepeated(first: number): number {
    const count = this.count - first;
    // Beyond the doubles' room all keys are treated as colliding.
    if (count > MAX_KEYS) return this.#findRepeatedAmong(Array.from({ length: count }, (_, i) => first + i));
    const sorted = new Float64Array(count);
    for (let i = 0; i < count; i++) sorted[i] = (this.#hash[first + i] >>> 0) * MAX_KEYS + i;
    sorted.sort();
    let repeated = -1;
    for (let run = 0, next = 1; run < count && repeated < 0; run = next++) {
      const hash = Math.floor(sorted[run] / MAX_KEYS);
      while (next < count && Math.floor(sorted[next] / MAX_KEYS) === hash) next++;
      if (next - run === 1) continue;
      repeated = this.#findRepeatedAmong(Array.from(sorted.subarray(run, next), (value) => first + (value % MAX_KEYS)));
    }
    return repeated;
  }

  #findRepeatedAmong(keys: number[]): number {
    keys.sort((a, b) => this.#compare(a, b) || a - b);
    const at = keys.findIndex((key, i) => i > 0 && this.#compare(keys[i - 1], key) === 0);
    return at < 0 ? -1 : this.#from[keys[at]];
  }

  /** Orders two keys by the length and then the bytes of what they mean; 0 = the same key. */
  #compare(a: number, b: number): number {
    const length = this.#length[a];
    if (length !== this.#length[b]) return length - this.#length[b];
    const left = this.#meaning[a] < 0 ? this.#text : this.#meanings;
    const right = this.#meaning[b] < 0 ? this.#text : this.#meanings;
    let i = this.#meaning[a] < 0 ? this.#from[a] : this.#meaning[a];
    let j = this.#meaning[b] < 0 ? this.#from[b] : this.#meaning[b];
    for (const end = i + length; i < end; i++, j++) {
      if (left[i] !== right[j]) return left[i] - right[j];
    }
    return 0;
  }

  /**
   * Appends the meaning of a key to #meanings and says where it ends. It is WTF-8 (UTF-8 in which a lone surrogate
   * takes three bytes), which is one-to-one with sequences of UTF-16 units, and for a key without escapes is its text.
   */
  #decode(from: number, to: number): number {
    const text = this.#text;
    // A meaning is never longer than its text, so the text's room is room enough for all.
    if (this.#meanings.length < text.length) {
      const old = this.#meanings;
      this.#meanings = new Uint8Array(text.length);
      this.#meanings.set(old);
    }
    const out = this.#meanings;
    let o = this.#meaningsLength;
    for (let i = from; i < to; ) {
      if (text[i] !== BACKSLASH) {
        out[o++] = text[i++];
        continue;
      }
      if (text[i + 1] !== 0x75) {
        out[o++] = ESCAPES[text[i + 1]];
        i += 2;
        continue;
      }
      let code = escapedUnit(text, i);
      i += 6;
      if (code >= 0xd800 && code < 0xdc00 && text[i] === BACKSLASH && text[i + 1] === 0x75) {
        const low = escapedUnit(text, i);
        if (low >= 0xdc00 && low < 0xe000) {
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          i += 6;
        }
      }
      if (code < 0x80) out[o++] = code;
      else {
        if (code < 0x800) out[o++] = 0xc0 | (code >> 6);
        else {
          if (code < 0x10000) out[o++] = 0xe0 | (code >> 12);
          else {
            out[o++] = 0xf0 | (code >> 18);
            out[o++] = 0x80 | ((code >> 12) & 0x3f);
          }
          out[o++] = 0x80 | ((code >> 6) & 0x3f);
        }
        out[o++] = 0x80 | (code & 0x3f);
      }
    }
    this.#meaningsLength = o;
    return o;
  }

  #resize(length: number): void {
    const resized = (old: Int32Array<ArrayBuffer>) => {
      const array = new Int32Array(length);
      array.set(old.subarray(0, length));
      return array;
    };
    this.#hash = resized(this.#hash);
    this.#length = resized(this.#length);
    this.#from = resized(this.#from);
    this.#meaning = resized(this.#meaning);
  }
}

/** The UTF-16 unit of the escape \uXXXX at `i`. */
function escapedUnit(text: Uint8Array, i: number): number {
  const high = (HEX_DIGITS[text[i + 2]] << 12) | (HEX_DIGITS[text[i + 3]] << 8);
  return high | (HEX_DIGITS[text[i + 4]] << 4) | HEX_DIGITS[text[i + 5]];
}
