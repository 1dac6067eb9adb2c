// Ids are UUIDv7 in Crockford base32 with a prefix: app_01k…. Storage keeps the 16 bytes; everything above storage sees
// the prefixed string. `app_tidings`, the built-in app of the operational events, is the one readable exception.
import { TidingsError } from './errors.ts';

export const ID_PREFIXES = {
  app: 'app_',
  endpoint: 'ep_',
  event: 'evt_',
  attempt: 'att_',
  source: 'src_',
  request: 'req_',
  run: 'run_',
  replay: 'rpl_',
  batch: 'bat_',
  lease: 'lse_',
  key: 'key_',
  process: 'prc_',
} as const;
export type IdKind = keyof typeof ID_PREFIXES;

export const TIDINGS_APP_ID = 'app_tidings';
export const TIDINGS_APP_UUID = '00000000-0000-7000-8000-000000000000';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const VALUES = new Int8Array(128).fill(-1);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;
const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
const ENCODED_LENGTH = 26;
const MAX_MS = 2 ** 48 - 1;

/** Writes 16 bytes as 26 characters of base32, most significant first, so that the text sorts like the bytes. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = ALPHABET[bytes[0] >> 5] + ALPHABET[bytes[0] & 31];
  let buffer = 0;
  let bits = 0;
  for (let i = 1; i < 16; i++) {
    buffer = (buffer << 8) | bytes[i];
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(buffer >> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  return text;
}

function decodeBase32(text: string): string | null {
  if (text.length !== ENCODED_LENGTH) return null;
  const bytes = new Uint8Array(16);
  let buffer = 0;
  let bits = -2; // 26 × 5 = 130: the first two bits must be zero
  let at = 0;
  for (let i = 0; i < ENCODED_LENGTH; i++) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? VALUES[code] : -1;
    if (value < 0 || (i === 0 && value > 7)) return null;
    buffer = (buffer << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (buffer >> bits) & 255;
      buffer &= (1 << bits) - 1;
    }
  }
  return formatUuid(bytes);
}

/** Formats 16 bytes as a lower-case UUID (RFC 9562, section 4). */
export function formatUuid(b: Uint8Array): string {
  return (
    `${HEX[b[0]]}${HEX[b[1]]}${HEX[b[2]]}${HEX[b[3]]}-${HEX[b[4]]}${HEX[b[5]]}-${HEX[b[6]]}${HEX[b[7]]}-` +
    `${HEX[b[8]]}${HEX[b[9]]}-${HEX[b[10]]}${HEX[b[11]]}${HEX[b[12]]}${HEX[b[13]]}${HEX[b[14]]}${HEX[b[15]]}`
  );
}

/** The id of a kind for a UUID as Postgres prints it. */
export function idFromUuid(kind: IdKind, uuid: string): string {
  if (kind === 'app' && uuid === TIDINGS_APP_UUID) return TIDINGS_APP_ID;
  return ID_PREFIXES[kind] + encodeBase32(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
}

/** An id that sorts before all that are minted from then on. Milliseconds since 1970. */
export function idAt(kind: IdKind, ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');
  return idFromUuid(kind, `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`);
}

/** The UUID inside an id, or null when the text is not an id of that kind. */
export function parseId(kind: IdKind, id: string): string | null {
  if (kind === 'app' && id === TIDINGS_APP_ID) return TIDINGS_APP_UUID;
  const prefix = ID_PREFIXES[kind];
  const uuid = id.startsWith(prefix) ? decodeBase32(id.slice(prefix.length)) : null;
  // One app, one id: the built-in app is not found under its encoded UUID too.
  return kind === 'app' && uuid === TIDINGS_APP_UUID ? null : uuid;
}

/** The UUID inside an id that is known to be one. @throws TidingsError `not_found` otherwise. */
export function uuidFromId(kind: IdKind, id: string): string {
  const uuid = parseId(kind, id);
  if (uuid === null) throw new TidingsError('not_found', `There is no ${kind} ${id}.`);
  return uuid;
}

/** Whether a caller's own `uid` could be taken for one of our ids. */
export function looksLikeId(uid: string): boolean {
  return uid === TIDINGS_APP_ID || Object.values(ID_PREFIXES).some((prefix) => uid.startsWith(prefix));
}

/**
 * Mints UUIDv7s (RFC 9562, section 5.7): monotonic within the process, and after `observe` above every id seen. So an
 * id minted by the process that takes over a lane sorts after the ids of the one before, whatever their clocks say.
 */
export class IdGenerator {
  #lastMs = 0;
  #counter = 0;
  readonly #now: () => number;
  readonly #randomBytes: (size: number) => Buffer;
  #pool: Buffer = Buffer.alloc(0);
  #poolAt = 0;
  /** The UUID minted last; written over by the next, so that minting allocates nothing but the text. */
  readonly #bytes = new Uint8Array(16);

  constructor(parts: { now: () => number; randomBytes: (size: number) => Buffer }) {
    this.#now = parts.now;
    this.#randomBytes = parts.randomBytes;
  }

  /** The time inside the id minted last, in milliseconds since 1970. */
  get lastMs(): number {
    return this.#lastMs;
  }

  uuid(): string {
    this.#mint();
    return formatUuid(this.#bytes);
  }

  id(kind: IdKind): string {
    this.#mint();
    return ID_PREFIXES[kind] + encodeBase32(this.#bytes);
  }

  // 48 bits of milliseconds, a 26-bit counter from a random start, 48 random bits.
  #mint(): void {
    const now = this.#now();
    if (this.#poolAt + 10 > this.#pool.length) {
      this.#pool = this.#randomBytes(2560);
      this.#poolAt = 0;
    }
    const random = this.#pool;
    const at = this.#poolAt;
    this.#poolAt += 10;
    if (now > this.#lastMs) {
      this.#lastMs = now;
      // The upper half is left free: room to count within the millisecond.
      this.#counter =
        (random[at] | (random[at + 1] << 8) | (random[at + 2] << 16) | (random[at + 3] << 24)) & 0x1ffffff;
    } else if (++this.#counter > 0x3ffffff) {
      this.#lastMs++;
      this.#counter = 0;
    }
    const bytes = this.#bytes;
    const counter = this.#counter;
    const upperMs = Math.floor(this.#lastMs / 0x10000);
    bytes[0] = upperMs >>> 24;
    bytes[1] = upperMs >>> 16;
    bytes[2] = upperMs >>> 8;
    bytes[3] = upperMs;
    bytes[4] = this.#lastMs >>> 8;
    bytes[5] = this.#lastMs;
    bytes[6] = 0x70 | (counter >>> 22);
    bytes[7] = counter >>> 14;
    bytes[8] = 0x80 | ((counter >>> 8) & 63);
    bytes[9] = counter;
    for (let i = 0; i < 6; i++) bytes[10 + i] = random[at + 4 + i];
  }

  /** Moves the generator past a UUID minted elsewhere. One of the last millisecond there is has nothing after it. */
  observe(uuid: string): void {
    const ms = Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
    if (ms >= this.#lastMs && ms < MAX_MS) {
      this.#lastMs = ms + 1;
      this.#counter = 0;
    }
  }
}
