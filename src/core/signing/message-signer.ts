// Requests signed by RFC 9421, their body through `content-digest` (RFC 9530). Each current secret has a signature under a label of its own,
// so that a rotation has a grace: `sig1` is that of the newest.
import { createHash, createHmac, type KeyObject, sign as signBytes } from 'node:crypto';
import { messageKeyId } from './message-key-id.ts';
import { type MessageParts, signatureBase, signatureParams } from './message-signature.ts';
import { currentKeys, type Signer, type TimedKey } from './signer.ts';
import type { MessageSigning } from './signing.ts';

export function messageSigner(signing: MessageSigning, timedKeys: readonly TimedKey[]): Signer {
  const { algorithm, components, digest, tag } = signing;
  const keys = timedKeys.map((timed) => ({ ...timed, keyid: signing.keyId ?? messageKeyId(timed.key) }));
  return {
    sign(headers, { method, url, timeMs, body }) {
      const parsed = new URL(url);
      headers['content-digest'] = contentDigest(digest, body);
      const field: MessageParts['field'] = (name) => {
        if (name === 'content-length') return String(body.length);
        return name === 'host' ? parsed.host : headers[name];
      };
      const created = Math.floor(timeMs / 1000);
      const inputs: string[] = [];
      const signatures: string[] = [];
      for (const { key, keyid } of currentKeys(keys, timeMs)) {
        const params = signatureParams(components, { created, keyid, alg: algorithm, ...(tag !== null && { tag }) });
        const base = signatureBase(components, params, { method, url: parsed, field });
        const label = `sig${inputs.length + 1}`;
        inputs.push(`${label}=${params}`);
        signatures.push(`${label}=:${signBase(key, base).toString('base64')}:`);
      }
      headers['signature-input'] = inputs.join(', ');
      headers.signature = signatures.join(', ');
    },
  };
}

/** RFC 9530, section 2: over the content as it is sent. */
export function contentDigest(algorithm: MessageSigning['digest'], body: Buffer): string {
  const digest = createHash(algorithm.replace('-', '')).update(body).digest('base64');
  return `${algorithm}=:${digest}:`;
}

/** By `hmac-sha256` or `ed25519` (RFC 9421, sections 3.3.3 and 3.3.6), as the key is. */
export function signBase(key: KeyObject, base: string): Buffer {
  if (key.type === 'private') return signBytes(null, Buffer.from(base), key);
  return createHmac('sha256', key).update(base).digest();
}
