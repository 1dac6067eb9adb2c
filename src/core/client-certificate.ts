// A client certificate for TLS, as a user gives it: PEM of the certificate with what stands between it and its authority, and of its key.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/** What is shown of it. */
export interface ClientCertificate {
  subject: string;
  /** SHA-256, as `openssl x509 -fingerprint -sha256` prints it. */
  fingerprint: string;
  /** RFC 3339. */
  expiresAt: string;
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** Of the first certificate. @throws Error when there is none */
export function describeCertificate(pem: string): ClientCertificate {
  const [certificate] = readCertificates(pem);
  return {
    subject: certificate.subject?.replaceAll('\n', ', ') ?? '',
    fingerprint: certificate.fingerprint256,
    expiresAt: new Date(certificate.validTo).toISOString(),
  };
}

/** What is wrong, and with which member; null when nothing is. The key is not repeated. */
export function clientCertificateFault(input: {
  certificate: string;
  key: string;
  ca?: string | null;
}): { member: 'certificate' | 'key' | 'ca'; message: string } | null {
  const certificates = tryRead(input.certificate);
  if (certificates === null) {
    return { member: 'certificate', message: 'This is not a certificate in PEM (-----BEGIN CERTIFICATE-----).' };
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(input.key);
  } catch {
    return {
      member: 'key',
      message: 'This is not a private key in PEM without a passphrase (-----BEGIN PRIVATE KEY-----).',
    };
  }
  if (!certificates[0].checkPrivateKey(key)) {
    return { member: 'key', message: 'The key does not belong to the certificate, or not to the first one.' };
  }
  if (input.ca != null && tryRead(input.ca) === null) {
    return { member: 'ca', message: 'These are not certificates in PEM (-----BEGIN CERTIFICATE-----).' };
  }
  return null;
}

function tryRead(pem: string): X509Certificate[] | null {
  try {
    return readCertificates(pem);
  } catch {
    return null;
  }
}

function readCertificates(pem: string): X509Certificate[] {
  const certificates = [...pem.matchAll(CERTIFICATES)].map(([block]) => new X509Certificate(block));
  if (certificates.length === 0) throw new Error('There is no certificate.');
  return certificates;
}
