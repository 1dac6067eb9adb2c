// The forms that providers show their keys in, and the keys themselves. Parsing a public key costs more than a signature's
// check, so parsed keys are kept, up to a bound.
import { createHash, createPublicKey, createSecretKey, type KeyObject, X509Certificate } from 'node:crypto';

/**
 * text = the bytes of the text as it is shown; hex, base64 = decoded; whsec = `whsec_` and base64, decoded;
 * spki = a public key as PEM or base64 of its DER; ed25519 = 32 bytes in hex; whpk = `whpk_` and 32 bytes in base64.
 */
export const KEY_FORMS = ['text', 'hex', 'base64', 'whsec', 'spki', 'ed25519', 'whpk'] as const;
export type KeyForm = (typeof KEY_FORMS)[number];

const MAX_KEPT = 4096;
const kept = new Map<string, KeyObject | null>();

// The fixed head of an Ed25519 key in SubjectPublicKeyInfo (RFC 8410, section 4).
const ED25519_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** The key, or null where the text is empty or not of this form. */
export function parseKey(form: KeyForm, text: string): KeyObject | null {
  const name = `${form} ${text}`;
  const known = kept.get(name);
  if (known !== undefined) return known;
  const key = readKey(form, text);
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(name, key);
  return key;
}

/** The public key of a certificate that is valid now and whose common name matches, or null. */
export function certificateKey(pem: string, nowMs: number, commonName: RegExp): KeyObject | null {
  try {
    const certificate = new X509Certificate(pem);
    if (!commonName.test(/^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '')) return null;
    if (nowMs < Date.parse(certificate.validFrom) || nowMs > Date.parse(certificate.validTo)) return null;
    return certificate.publicKey;
  } catch {
    return null;
  }
}

/** Bytes of strictly encoded text: what does not encode back to itself is null. */
export function decodeStrictly(text: string, encoding: 'hex' | 'base64' | 'base64url'): Buffer | null {
  const bytes = Buffer.from(text, encoding);
  return bytes.length > 0 && bytes.toString(encoding) === text ? bytes : null;
}

/** Whether two texts are alike, in a time that tells nothing about either. */
export function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function readKey(form: KeyForm, text: string): KeyObject | null {
  if (text.trim() === '') return null;
  if (form === 'text') return createSecretKey(Buffer.from(text));
  if (form === 'spki') return readPublicKey(text);
  if (form === 'ed25519' || form === 'whpk') {
    const bytes = form === 'ed25519' ? decodeStrictly(text.toLowerCase(), 'hex') : afterPrefix('whpk_', text);
    if (bytes?.length !== 32) return null;
    return createPublicKey({ key: Buffer.concat([ED25519_HEAD, bytes]), format: 'der', type: 'spki' });
  }
  const bytes =
    form === 'hex'
      ? decodeStrictly(text.toLowerCase(), 'hex')
      : form === 'base64'
        ? decodeStrictly(text, 'base64')
        : afterPrefix('whsec_', text);
  return bytes === null ? null : createSecretKey(bytes);
}

function afterPrefix(prefix: string, text: string): Buffer | null {
  return text.startsWith(prefix) ? decodeStrictly(text.slice(prefix.length), 'base64') : null;
}

function readPublicKey(text: string): KeyObject | null {
  try {
    if (text.includes('-----BEGIN')) return createPublicKey(text);
    const der = decodeStrictly(text.replace(/\s+/g, ''), 'base64');
    return der === null ? null : createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    return null;
  }
}
