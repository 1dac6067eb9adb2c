// Secrets at rest: AES-256-GCM under a master key. A sealed value names its key, so that the master key can be rotated,
// and is bound to its row, so that it cannot be moved to another app's. Nonces are random: safe for 2^32 values a key
// (NIST SP 800-38D, section 8.3), far more than there are secrets.
//
// Layout: version (1 byte) | key id (8) | nonce (12) | tag (16) | ciphertext. Authenticated besides: version, key id, row.
import { createCipheriv, createDecipheriv, createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { TidingsError } from './errors.ts';

export interface MasterKey {
  /** 16 hexadecimal digits, derived from the key: may be shown and logged. */
  readonly id: string;
  readonly key: KeyObject;
}

const ALGORITHM = 'aes-256-gcm';
const VERSION = 1;
const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONCE_AT = 1 + KEY_ID_BYTES;
const TAG_AT = NONCE_AT + NONCE_BYTES;
const CIPHERTEXT_AT = TAG_AT + TAG_BYTES;

/** A master key from 32 bytes as base64 or hex; space around it is passed over. @throws TidingsError `invalid_request`. */
export function parseMasterKey(text: string): MasterKey {
  const trimmed = text.trim();
  const bytes = Buffer.from(trimmed, /^[0-9a-fA-F]{64}$/.test(trimmed) ? 'hex' : 'base64');
  const isBase64 = bytes.toString('base64') === trimmed;
  if (bytes.length !== KEY_BYTES || !(isBase64 || bytes.toString('hex') === trimmed.toLowerCase())) {
    const found =
      isBase64 && trimmed !== '' ? `${bytes.length} bytes` : `${trimmed.length} characters of something else`;
    throw new TidingsError(
      'invalid_request',
      `The master key must be 32 random bytes, as base64 (44 characters) or hex (64 characters); this is ${found}. ` +
        'Make one with `openssl rand -base64 32`.',
    );
  }
  // The id says nothing about the key: it is a digest of 256 random bits.
  const digest = createHash('sha256').update('tidings master key id\0').update(bytes).digest();
  return { id: digest.toString('hex', 0, KEY_ID_BYTES), key: createSecretKey(bytes) };
}

/** The text of a new master key, as `parseMasterKey` takes it. */
export function generateMasterKey(randomBytes: (size: number) => Buffer): string {
  return randomBytes(KEY_BYTES).toString('base64');
}

export class SecretBox {
  readonly #current: MasterKey;
  readonly #keys: ReadonlyMap<string, MasterKey>;
  readonly #randomBytes: (size: number) => Buffer;

  /** The first key seals; all of them open. */
  constructor(parts: { keys: readonly MasterKey[]; randomBytes: (size: number) => Buffer }) {
    if (parts.keys.length === 0) throw new TidingsError('internal', 'There is no master key to seal secrets with.');
    this.#current = parts.keys[0];
    this.#keys = new Map(parts.keys.map((key) => [key.id, key]));
    this.#randomBytes = parts.randomBytes;
  }

  /** Seals bytes for one place, such as `endpoint_secrets/<app>/<endpoint>/<secret>`. */
  seal(plain: Buffer, boundTo: string): Buffer {
    const sealed = Buffer.alloc(CIPHERTEXT_AT + plain.length);
    sealed[0] = VERSION;
    sealed.write(this.#current.id, 1, 'hex');
    const nonce = this.#randomBytes(NONCE_BYTES);
    nonce.copy(sealed, NONCE_AT);
    const cipher = createCipheriv(ALGORITHM, this.#current.key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(authenticated(sealed, boundTo));
    cipher.update(plain).copy(sealed, CIPHERTEXT_AT);
    cipher.final();
    cipher.getAuthTag().copy(sealed, TAG_AT);
    return sealed;
  }

  /** What was sealed for that place. @throws TidingsError `internal` that says what to do. */
  open(sealed: Buffer, boundTo: string): Buffer {
    if (sealed.length < CIPHERTEXT_AT || sealed[0] !== VERSION) {
      throw new TidingsError(
        'internal',
        `The sealed value ${boundTo} is not in a format this version of Tidings knows. ` +
          'It was damaged or written by a newer version: restore it, or run that version.',
      );
    }
    const keyId = keyIdOf(sealed);
    const key = this.#keys.get(keyId);
    if (key === undefined) {
      const given = [...this.#keys.keys()];
      throw new TidingsError(
        'internal',
        `The sealed value ${boundTo} was sealed with master key ${keyId}, but the server was given ` +
          `${given.length === 1 ? 'master key' : 'the master keys'} ${given.join(', ')}. Start it with the master key that the data was written with.`,
      );
    }
    const decipher = createDecipheriv(ALGORITHM, key.key, sealed.subarray(NONCE_AT, TAG_AT), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(authenticated(sealed, boundTo));
    decipher.setAuthTag(sealed.subarray(TAG_AT, CIPHERTEXT_AT));
    const plain = decipher.update(sealed.subarray(CIPHERTEXT_AT));
    try {
      decipher.final();
    } catch (cause) {
      throw new TidingsError(
        'internal',
        `The sealed value ${boundTo} cannot be opened with its master key ${keyId}: it was altered, or belongs to another row. ` +
          'Restore the row from a backup, or set the secret anew.',
        { cause },
      );
    }
    return plain;
  }

  /** A digest that nobody can find the bytes by who has not the master key, however few they may be. */
  digest(bytes: Buffer): Buffer {
    return createHmac('sha256', this.#current.key).update('tidings digest\0').update(bytes).digest();
  }

  /** Whether the value should be sealed anew because its key is no longer the current one. */
  needsReseal(sealed: Buffer): boolean {
    return sealed[0] !== VERSION || keyIdOf(sealed) !== this.#current.id;
  }
}

function keyIdOf(sealed: Buffer): string {
  return sealed.toString('hex', 1, NONCE_AT);
}

function authenticated(sealed: Buffer, boundTo: string): Buffer {
  return Buffer.concat([sealed.subarray(0, NONCE_AT), Buffer.from(boundTo)]);
}
