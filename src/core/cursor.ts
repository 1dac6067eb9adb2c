// A cursor is a position as clients see it: opaque, versioned, and bound to its app. Its 21 bytes in base64url:
//
//   version 1 | generation 4 | position 6 | day 2 (days since 2000) | mac 8
//
// mac = the first 8 bytes of HMAC-SHA256 (RFC 2104, RFC 4868) over the app's UUID and the 13 bytes before it: the app is
// bound without being told. 64 bits suffice, as a guess can only be tried against the server. 21 bytes are 28 characters
// with no bits over, so that a cursor has exactly one spelling.
import { hash, timingSafeEqual } from 'node:crypto';
import { TidingsError } from './errors.ts';

export interface CursorPosition {
  /** The log's generation, raised after a restore (design rule 6). */
  generation: number;
  position: number;
  /** The position's partition day, `YYYY-MM-DD` UTC. */
  day: string;
}

const VERSION = 1;
const BLOCK_BYTES = 64;
const UUID_CHARACTERS = 36;
const FIELD_BYTES = 13;
const MAC_BYTES = 8;
const CURSOR_BYTES = FIELD_BYTES + MAC_BYTES;
const DAY_MS = 86_400_000;
const EPOCH_DAY = 10_957; // 2000-01-01 in days since 1970

/**
 * Writes a cursor. `generation` ≥ 0 and below 2^32, `position` ≥ 0 and below 2^48, `day` from 2000-01-01 to 2179-06-06.
 * @throws RangeError outside of these
 */
export function encodeCursor(key: Buffer, cursor: CursorPosition & { appUuid: string }): string {
  const bytes = Buffer.allocUnsafe(CURSOR_BYTES);
  bytes[0] = VERSION;
  bytes.writeUInt32BE(cursor.generation, 1);
  bytes.writeUIntBE(cursor.position, 5, 6);
  bytes.writeUInt16BE(dayNumber(cursor.day), 11);
  writeMac(key, cursor.appUuid, bytes, bytes);
  return bytes.toString('base64url');
}

/** Makes cursors of one app. */
export function cursorWriter(
  { cursorKey, generation }: { cursorKey: Buffer; generation: number },
  appUuid: string,
): (place: { position: number; day: string }) => string {
  return ({ position, day }) => encodeCursor(cursorKey, { appUuid, generation, position, day });
}

/** Reads a cursor of the app. @throws TidingsError `invalid_cursor` when this server did not write it for this app */
export function decodeCursor(key: Buffer, appUuid: string, text: string): CursorPosition {
  // Decoding base64 forgives other alphabets, padding and stray characters: what is not the one spelling is refused.
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length !== CURSOR_BYTES || bytes.toString('base64url') !== text) {
    throw invalidCursor('it is not one that this server writes');
  }
  if (bytes[0] !== VERSION) throw invalidCursor('it is of a version that this server does not know');
  const expected = Buffer.allocUnsafe(CURSOR_BYTES);
  writeMac(key, appUuid, bytes, expected);
  if (!timingSafeEqual(expected.subarray(FIELD_BYTES), bytes.subarray(FIELD_BYTES))) {
    throw invalidCursor('it was changed, or belongs to another app or another installation');
  }
  return {
    generation: bytes.readUInt32BE(1),
    position: bytes.readUIntBE(5, 6),
    day: new Date((bytes.readUInt16BE(11) + EPOCH_DAY) * DAY_MS).toISOString().slice(0, 10),
  };
}

function invalidCursor(reason: string): TidingsError {
  return new TidingsError(
    'invalid_cursor',
    `The cursor cannot be used: ${reason}. Pass one just as a response gave it, or leave it out to begin at the oldest event.`,
  );
}

// HMAC(key, text) = H(key ^ opad, H(key ^ ipad, text)). Written out over the one-shot hash it takes a third of the time
// of createHmac, which sets up its objects anew for every cursor; a test holds the two equal. The two blocks of a key
// are kept with room behind them for the text.
interface HmacBlocks {
  inner: Buffer;
  outer: Buffer;
}
const blocksByKey = new WeakMap<Buffer, HmacBlocks>();

function hmacBlocks(key: Buffer): HmacBlocks {
  let blocks = blocksByKey.get(key);
  if (blocks === undefined) {
    const padded = Buffer.alloc(BLOCK_BYTES);
    if (key.length > BLOCK_BYTES) padded.write(hash('sha256', key, 'hex'), 'hex');
    else key.copy(padded);
    blocks = {
      inner: Buffer.alloc(BLOCK_BYTES + UUID_CHARACTERS + FIELD_BYTES),
      outer: Buffer.alloc(BLOCK_BYTES + 32),
    };
    for (let i = 0; i < BLOCK_BYTES; i++) {
      blocks.inner[i] = padded[i] ^ 0x36;
      blocks.outer[i] = padded[i] ^ 0x5c;
    }
    blocksByKey.set(key, blocks);
  }
  return blocks;
}

/** Puts the mac over an app and the fields of one cursor into its place in another (or the same). */
function writeMac(key: Buffer, appUuid: string, fields: Buffer, into: Buffer): void {
  if (appUuid.length !== UUID_CHARACTERS) throw new RangeError(`Not a UUID: ${appUuid}`);
  const { inner, outer } = hmacBlocks(key);
  inner.write(appUuid, BLOCK_BYTES, 'latin1');
  fields.copy(inner, BLOCK_BYTES + UUID_CHARACTERS, 0, FIELD_BYTES);
  outer.write(hash('sha256', inner, 'binary'), BLOCK_BYTES, 'latin1');
  into.write(hash('sha256', outer, 'binary'), FIELD_BYTES, MAC_BYTES, 'latin1');
}

// Cursors written at one time are of one day.
let lastDay = '';
let lastDayNumber = 0;

function dayNumber(day: string): number {
  if (day !== lastDay) {
    const ms = Date.parse(`${day}T00:00:00.000Z`);
    if (Number.isNaN(ms) || day.length !== 10) throw new RangeError(`Not a day: ${day}`);
    lastDayNumber = ms / DAY_MS - EPOCH_DAY;
    lastDay = day;
  }
  return lastDayNumber;
}
