// Standard Webhooks 1.0.0 signatures: v1 = HMAC-SHA256 with a shared secret (`whsec_…`), v1a = Ed25519 with a key pair
// (`whsk_…` to sign, `whpk_…` to verify). Signed is `id.timestamp.body` over the bytes of the body, never over a decoded
// string. Keys are prepared once, so that signing an attempt costs little more than the digest itself.
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  sign as signBytes,
  timingSafeEqual,
  verify as verifyBytes,
} from 'node:crypto';
import { TidingsError } from './errors.ts';

export const SIGNING_SCHEMES = ['v1', 'v1a'] as const;
export type SigningScheme = (typeof SIGNING_SCHEMES)[number];

export type SigningKey =
  | { readonly scheme: 'v1'; readonly secret: KeyObject }
  | { readonly scheme: 'v1a'; readonly privateKey: KeyObject; readonly publicKey: KeyObject };

/** What a receiver holds; every SigningKey is one too. */
export type VerifyingKey =
  | { readonly scheme: 'v1'; readonly secret: KeyObject }
  | { readonly scheme: 'v1a'; readonly publicKey: KeyObject };

export const MIN_SECRET_BYTES = 24;
export const MAX_SECRET_BYTES = 64;
export const DEFAULT_TOLERANCE_SECONDS = 300;
export const MAX_SIGNATURES = 16;
const GENERATED_SECRET_BYTES = 32;

const SECRET_PREFIX = 'whsec_';
const PRIVATE_PREFIX = 'whsk_';
const PUBLIC_PREFIX = 'whpk_';
// The fixed heads of an Ed25519 key in PKCS#8 and in SubjectPublicKeyInfo (RFC 8410, sections 7 and 4).
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** A signing key from its text. @throws TidingsError `invalid_request`; the message never repeats the secret. */
export function parseSecret(text: string): SigningKey {
  if (text.startsWith(SECRET_PREFIX)) return parseSharedSecret(text);
  if (!text.startsWith(PRIVATE_PREFIX)) {
    throw invalid('The secret must begin with `whsec_` (v1, HMAC-SHA256) or `whsk_` (v1a, Ed25519).');
  }
  const bytes = decodeBase64(PRIVATE_PREFIX, text);
  if (bytes.length !== 64) {
    throw invalid(`A \`whsk_\` secret holds 64 bytes, seed and public key; this one holds ${bytes.length}.`);
  }
  const { privateKey, publicKey } = keyPairOf(bytes.subarray(0, 32));
  if (!rawPublicKey(publicKey).equals(bytes.subarray(32))) {
    throw invalid(
      'The two halves of the `whsk_` secret do not belong together: the last 32 bytes are not its public key.',
    );
  }
  return { scheme: 'v1a', privateKey, publicKey };
}

/** A verifying key from `whsec_`, `whsk_` or `whpk_` text. @throws TidingsError `invalid_request`. */
export function parseVerifyingKey(text: string): VerifyingKey {
  if (!text.startsWith(PUBLIC_PREFIX)) return parseSecret(text);
  const bytes = decodeBase64(PUBLIC_PREFIX, text);
  if (bytes.length !== 32) throw invalid(`A \`whpk_\` public key holds 32 bytes; this one holds ${bytes.length}.`);
  return { scheme: 'v1a', publicKey: importPublicKey(bytes) };
}

/** The text of a new secret: `whsec_` and 32 random bytes, or `whsk_` and an Ed25519 seed with its public key. */
export function generateSecret(scheme: SigningScheme, randomBytes: (size: number) => Buffer): string {
  if (scheme === 'v1') return SECRET_PREFIX + randomBytes(GENERATED_SECRET_BYTES).toString('base64');
  const seed = randomBytes(32);
  return PRIVATE_PREFIX + Buffer.concat([seed, rawPublicKey(keyPairOf(seed).publicKey)]).toString('base64');
}

/** The `whpk_` text that goes with a `whsk_` secret. @throws TidingsError `invalid_request` for any other secret. */
export function publicKeyOf(secret: string): string {
  const key = parseSecret(secret);
  if (key.scheme !== 'v1a') throw invalid('Only a v1a secret (`whsk_`) has a public key; a `whsec_` secret is shared.');
  return PUBLIC_PREFIX + rawPublicKey(key.publicKey).toString('base64');
}

/** The `webhook-signature` header: one signature per key, in their order. `id` holds no dot (core/event.ts). */
export function signStandard(keys: readonly SigningKey[], id: string, timestampSeconds: number, body: Buffer): string {
  const head = `${id}.${timestampSeconds}.`;
  let header = '';
  let signed: Buffer | undefined;
  for (const key of keys) {
    if (header !== '') header += ' ';
    if (key.scheme === 'v1') {
      header += `v1,${createHmac('sha256', key.secret).update(head).update(body).digest('base64')}`;
    } else {
      signed ??= Buffer.concat([Buffer.from(head), body]);
      header += `v1a,${signBytes(null, signed, key.privateKey).toString('base64')}`;
    }
  }
  return header;
}

/** `webhook-id`, `webhook-timestamp` and `webhook-signature` under their names in lower case. */
export type SignedHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export const VERIFICATION_FAILURES = [
  'header_missing',
  'id_malformed',
  'timestamp_malformed',
  'timestamp_too_old',
  'timestamp_too_new',
  'too_many_signatures',
  'no_match',
] as const;
export type VerificationFailure = (typeof VERIFICATION_FAILURES)[number];
export type Verification = { ok: true } | { ok: false; reason: VerificationFailure };

/**
 * Verifies a request with any of the keys. Each candidate is compared in constant time; signatures of versions that no
 * key has are passed over, as the specification asks. An id with a dot is refused: `a.1` at `2` and `a` at `1` with the
 * body `2.…` would be signed alike.
 */
export function verifyStandard(
  keys: readonly VerifyingKey[],
  headers: SignedHeaders,
  body: Buffer,
  { nowSeconds, toleranceSeconds = DEFAULT_TOLERANCE_SECONDS }: { nowSeconds: number; toleranceSeconds?: number },
): Verification {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signatures = headers['webhook-signature'];
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') {
    return { ok: false, reason: 'header_missing' };
  }
  if (!/^[\x21-\x2d\x2f-\x7e]{1,256}$/.test(id)) return { ok: false, reason: 'id_malformed' };
  if (!/^\d{1,32}$/.test(timestamp)) return { ok: false, reason: 'timestamp_malformed' };
  const ageSeconds = nowSeconds - Number(timestamp);
  if (ageSeconds > toleranceSeconds) return { ok: false, reason: 'timestamp_too_old' };
  if (ageSeconds < -toleranceSeconds) return { ok: false, reason: 'timestamp_too_new' };

  const candidates = signatures.split(' ', MAX_SIGNATURES + 1);
  if (candidates.length > MAX_SIGNATURES) return { ok: false, reason: 'too_many_signatures' };
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  for (const key of keys) {
    const expected = key.scheme === 'v1' ? createHmac('sha256', key.secret).update(signed).digest() : null;
    for (const candidate of candidates) {
      const bytes = signatureBytes(candidate, key.scheme);
      if (bytes === null) continue;
      if (key.scheme === 'v1a') {
        if (verifyBytes(null, signed, key.publicKey, bytes)) return { ok: true };
      } else if (timingSafeEqual(bytes, expected!)) {
        return { ok: true };
      }
    }
  }
  return { ok: false, reason: 'no_match' };
}

function signatureBytes(candidate: string, scheme: SigningScheme): Buffer | null {
  if (!candidate.startsWith(`${scheme},`)) return null;
  const text = candidate.slice(scheme.length + 1);
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === (scheme === 'v1' ? 32 : 64) && bytes.toString('base64') === text ? bytes : null;
}

function parseSharedSecret(text: string): SigningKey {
  const bytes = decodeBase64(SECRET_PREFIX, text);
  if (bytes.length < MIN_SECRET_BYTES || bytes.length > MAX_SECRET_BYTES) {
    throw invalid(
      `A \`whsec_\` secret holds ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes; this one holds ${bytes.length}.`,
    );
  }
  return { scheme: 'v1', secret: createSecretKey(bytes) };
}

// Node passes over what is not base64; only text that encodes back to itself is taken.
function decodeBase64(prefix: string, text: string): Buffer {
  const encoded = text.slice(prefix.length);
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) {
    throw invalid(
      `What follows \`${prefix}\` is not base64: use A-Z a-z 0-9 + / with its \`=\` padding and no spaces.`,
    );
  }
  return bytes;
}

/** An Ed25519 key pair from its seed of 32 bytes. */
export function keyPairOf(seed: Buffer): { privateKey: KeyObject; publicKey: KeyObject } {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function importPublicKey(bytes: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_HEAD, bytes]), format: 'der', type: 'spki' });
}

function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length);
}

function invalid(detail: string): TidingsError {
  return new TidingsError('invalid_request', detail);
}
