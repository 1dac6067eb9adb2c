// What a client shows of itself in the TLS handshake, made ready for it.
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { TlsIdentity } from './address-guard.ts';
import { SendFailure } from './send-failure.ts';

/** `trust` counts where the identity has no authorities of its own. @throws SendFailure `tls_failed`, without a word of the key */
export function identityContext(identity: TlsIdentity, trust: SecureContextOptions = {}): SecureContext {
  const { certificate, key, ca } = identity;
  try {
    return createSecureContext({ ...trust, ...(ca !== null && { ca }), cert: certificate, key });
  } catch (error) {
    const { reason = 'unknown' } = error as { reason?: string };
    throw new SendFailure('tls_failed', `TLS does not take the client certificate and its key: ${reason}.`);
  }
}
