import { createPrivateKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Authority, createAuthority } from '../../test/certificates.ts';
import { clientCertificateFault, describeCertificate } from './client-certificate.ts';

describe('client certificate', () => {
  let authority: Authority;
  let issued: { key: string; cert: string };
  beforeAll(() => {
    authority = createAuthority();
    issued = authority.issue(['DNS:client.test'], 'tidings');
  });
  afterAll(() => authority.remove());

  test('is shown by its subject, fingerprint and end', () => {
    const shown = describeCertificate(`${issued.cert}\n${authority.ca}`);
    expect(shown).toEqual({
      subject: 'CN=tidings',
      fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
      expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
    });
    expect(Date.parse(shown.expiresAt)).toBeGreaterThan(Date.now());
  });

  test('goes with its key', () => {
    const { cert: certificate, key } = issued;
    expect(clientCertificateFault({ certificate, key })).toBeNull();
    expect(clientCertificateFault({ certificate: certificate + authority.ca, key, ca: authority.ca })).toBeNull();
    const other = authority.issue(['DNS:other.test']);
    const encrypted = createPrivateKey(key).export({
      format: 'pem',
      type: 'pkcs8',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    });
    for (const [wrong, member] of [
      [{ certificate: 'none', key }, 'certificate'],
      [{ certificate: certificate.replace(/[A-Za-z]{4}/, ''), key }, 'certificate'],
      [{ certificate: key, key }, 'certificate'],
      [{ certificate, key: 'none' }, 'key'],
      [{ certificate, key: String(encrypted) }, 'key'],
      [{ certificate, key: other.key }, 'key'],
      [{ certificate: authority.ca + certificate, key }, 'key'],
      [{ certificate, key, ca: 'none' }, 'ca'],
    ] as const) {
      expect(clientCertificateFault(wrong)?.member).toBe(member);
    }
  });
});
