// The secrets of endpoints, each in the form that the verifiers of its scheme take: `whsec_…` and `whsk_…` for Standard Webhooks, any text
// for GitHub and Stripe, the encoding that was asked for, or the PEM of an Ed25519 key.
import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { TidingsError } from '../errors.ts';
import { generateSecret, keyPairOf, parseSecret, publicKeyOf } from '../signature.ts';
import { messageKeyId } from './message-key-id.ts';
import { type SchemeOptions, type Signing, schemeName } from './signing.ts';

const SECRET_FORMS = ['whsec', 'whsk', 'utf8', 'hex', 'base64', 'pem'] as const;
type SecretForm = (typeof SECRET_FORMS)[number];

const MIN_BYTES = 16;
const MAX_BYTES = 512;
const GENERATED_BYTES = 32;
const MAX_PEM_LENGTH = 4096;

/** In which form the secret is; schemes with the same form can have the same secret. Null: the scheme has none. */
export function secretForm(signing: Signing): SecretForm | null {
  if (signing === 'none') return null;
  if (signing === 'v1') return 'whsec';
  if (signing === 'v1a') return 'whsk';
  if (signing.scheme === 'hmac') return signing.secretEncoding;
  if (signing.scheme !== 'rfc9421') return 'utf8';
  return signing.algorithm === 'ed25519' ? 'pem' : 'base64';
}

/** The text of a new secret; null for a scheme that has none. */
export function generateSigningSecret(signing: Signing, randomBytes: (size: number) => Buffer): string | null {
  switch (secretForm(signing)) {
    case null:
      return null;
    case 'whsec':
      return generateSecret('v1', randomBytes);
    case 'whsk':
      return generateSecret('v1a', randomBytes);
    case 'pem':
      return keyPairOf(randomBytes(32)).privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    case 'base64':
      return randomBytes(GENERATED_BYTES).toString('base64');
    default: {
      const text = randomBytes(GENERATED_BYTES).toString('hex');
      return schemeName(signing) === 'stripe' ? `whsec_${text}` : text;
    }
  }
}

/** What is wrong with a secret for the scheme, without repeating it; null when nothing is. */
export function signingSecretFault(signing: Signing, secret: string): string | null {
  if (signing === 'none') return 'The signing `none` has no secret: leave it out.';
  try {
    if (typeof signing !== 'string') {
      parseSigningSecret(signing, secret);
    } else if (parseSecret(secret).scheme !== signing) {
      return `An endpoint with the signing ${signing} has a secret that begins with ${signing === 'v1' ? 'whsec_' : 'whsk_'}.`;
    }
    return null;
  } catch (error) {
    if (error instanceof TidingsError) return error.detail;
    throw error;
  }
}

/** The key to sign with. @throws TidingsError `invalid_request` */
export function parseSigningSecret(signing: SchemeOptions, secret: string): KeyObject {
  const form = secretForm(signing);
  if (form === 'pem') return parsePem(secret);
  const encoding = form as 'utf8' | 'hex' | 'base64';
  const bytes = Buffer.from(secret, encoding);
  // Node passes over what it cannot decode; only text that encodes back to itself is taken.
  if (bytes.toString(encoding) !== (encoding === 'hex' ? secret.toLowerCase() : secret)) {
    throw invalid(
      encoding === 'utf8'
        ? 'The secret is not well-formed Unicode.'
        : `The secret is not ${encoding}${encoding === 'base64' ? ' with its padding' : ''}, which this signing asks for.`,
    );
  }
  if (encoding === 'utf8' && /[\x00-\x1f\x7f]/.test(secret)) {
    throw invalid('The secret holds a control character or a line end. Take it out.');
  }
  if (bytes.length < MIN_BYTES || bytes.length > MAX_BYTES) {
    throw invalid(`A secret has ${MIN_BYTES} to ${MAX_BYTES} bytes; this one has ${bytes.length}.`);
  }
  return createSecretKey(bytes);
}

function parsePem(secret: string): KeyObject {
  const words =
    'The secret is not an Ed25519 private key in PEM, as `openssl genpkey -algorithm ed25519` prints it: without a passphrase.';
  if (secret.length > MAX_PEM_LENGTH) throw invalid(words);
  let key: KeyObject;
  try {
    key = createPrivateKey(secret);
  } catch {
    throw invalid(words); // the cause may hold parts of the key
  }
  if (key.asymmetricKeyType !== 'ed25519') throw invalid(words);
  return key;
}

/** What receivers verify with, where that is not the secret itself: `whpk_…`, or PEM for `rfc9421`; else null. */
export function publicKeyOfSecret(signing: Signing, secret: string): string | null {
  const form = secretForm(signing);
  if (form === 'whsk') return publicKeyOf(secret);
  if (form !== 'pem') return null;
  return createPublicKey(parsePem(secret)).export({ format: 'pem', type: 'spki' }).toString();
}

/** The `keyid` in what is signed with the secret; null for schemes that have none. */
export function keyIdOfSecret(signing: Signing, secret: string): string | null {
  if (typeof signing === 'string' || signing.scheme !== 'rfc9421') return null;
  return signing.keyId ?? messageKeyId(parseSigningSecret(signing, secret));
}

function invalid(message: string): TidingsError {
  return new TidingsError('invalid_request', message);
}
