// The `data` of a benchmark event: a sequence number and the time of publishing at fixed places, then filling. Fixed
// width lets the generator overwrite digits in bytes it prepared, and the receiver read them without parsing JSON.

const SEQUENCE_DIGITS = 10;
const MICROS_DIGITS = 16;
const PREFIX = '{"n":"';
const MIDDLE = '","atUs":"';
const NEEDLE = Buffer.from(PREFIX);
const ZERO = 48;

export interface Stamp {
  sequence: number;
  publishedAtMs: number;
}

/** A JSON object of exactly `bytes` bytes with both stamps at zero. */
export function stampedData(bytes: number): string {
  const head = `${PREFIX}${'0'.repeat(SEQUENCE_DIGITS)}${MIDDLE}${'0'.repeat(MICROS_DIGITS)}","fill":"`;
  const fillBytes = bytes - head.length - 2;
  if (fillBytes < 0) throw new Error(`Stamped data takes at least ${head.length + 2} bytes, not ${bytes}.`);
  // Not one repeated letter: text that compresses to nothing would make storage look cheaper than it is.
  let seed = 20_261_121;
  let fill = '';
  for (let i = 0; i < fillBytes; i++) {
    seed = (seed * 48271) % 2147483647;
    fill += String.fromCharCode(97 + (seed % 26));
  }
  return `${head}${fill}"}`;
}

/** The places of the stamps of all events in a body made from stampedData. */
export function findStamps(body: Buffer): number[] {
  const places: number[] = [];
  for (let at = body.indexOf(NEEDLE); at >= 0; at = body.indexOf(NEEDLE, at + 1)) places.push(at + NEEDLE.length);
  return places;
}

export function writeStamp(body: Buffer, place: number, stamp: Stamp): void {
  writeDigits(body, place, SEQUENCE_DIGITS, stamp.sequence);
  writeDigits(body, place + SEQUENCE_DIGITS + MIDDLE.length, MICROS_DIGITS, Math.round(stamp.publishedAtMs * 1000));
}

/** Where the first stamp in `bytes` from `from` on stands; -1 when there is none. */
export function findStamp(bytes: Buffer, from: number): number {
  const at = bytes.indexOf(NEEDLE, from);
  return at < 0 ? -1 : at + NEEDLE.length;
}

export function readSequence(bytes: Buffer, place: number): number {
  return readDigits(bytes, place, SEQUENCE_DIGITS);
}

export function readPublishedAtMs(bytes: Buffer, place: number): number {
  return readDigits(bytes, place + SEQUENCE_DIGITS + MIDDLE.length, MICROS_DIGITS) / 1000;
}

function writeDigits(bytes: Buffer, place: number, digits: number, value: number): void {
  let rest = value;
  for (let i = place + digits - 1; i >= place; i--) {
    const next = Math.floor(rest / 10);
    bytes[i] = ZERO + (rest - next * 10);
    rest = next;
  }
}

function readDigits(bytes: Buffer, place: number, digits: number): number {
  let value = 0;
  for (let i = place; i < place + digits; i++) value = value * 10 + (bytes[i] - ZERO);
  return value;
}
