import { githubSigner } from './github-signer.ts';
import { hmacSigner } from './hmac-signer.ts';
import { messageSigner } from './message-signer.ts';
import type { Signer } from './signer.ts';
import type { Signing } from './signing.ts';
import { parseSigningSecret } from './signing-secret.ts';
import { stripeSigner } from './stripe-signer.ts';

const UNSIGNED: Signer = { sign() {} };

/**
 * What signs an endpoint's requests, from its configuration and its secrets, the newest first; null where they carry Standard Webhooks
 * signatures, which core/signature.ts makes. @throws TidingsError `invalid_request` when a secret is not of the scheme's form
 */
export function createSigner(
  signing: Signing,
  secrets: readonly { secret: string; expiresAt: Date | null }[],
): Signer | null {
  if (signing === 'v1' || signing === 'v1a') return null;
  if (signing === 'none') return UNSIGNED;
  const keys = secrets.map(({ secret, expiresAt }) => ({
    key: parseSigningSecret(signing, secret),
    expiresMs: expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
  }));
  switch (signing.scheme) {
    case 'github':
      return githubSigner(keys);
    case 'stripe':
      return stripeSigner(signing, keys);
    case 'hmac':
      return hmacSigner(signing, keys);
    case 'rfc9421':
      return messageSigner(signing, keys);
  }
}
