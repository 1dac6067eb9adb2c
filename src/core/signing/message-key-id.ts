import { createHash, createHmac, createPublicKey, type KeyObject } from 'node:crypto';

/**
 * The `keyid` of a key that was given no name. Of an Ed25519 key its JWK thumbprint (RFC 7638, RFC 8037), which whoever has the public key can
 * compute; of a shared key a digest that only the key can make, so that it tells nothing of it.
 */
export function messageKeyId(key: KeyObject): string {
  if (key.type === 'secret') return createHmac('sha256', key).update('keyid').digest('base64url').slice(0, 22);
  const { crv, kty, x } = createPublicKey(key).export({ format: 'jwk' });
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
}
