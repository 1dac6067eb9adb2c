import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Authority, createAuthority } from '../../test/certificates.ts';
import { SendFailure } from './send-failure.ts';
import { identityContext } from './tls-identity.ts';

describe('TLS identity', () => {
  let authority: Authority;
  beforeAll(() => {
    authority = createAuthority();
  });
  afterAll(() => authority.remove());

  test('is made ready with its own authorities or without', () => {
    const { cert: certificate, key } = authority.issue(['DNS:client.test']);
    for (const ca of [null, authority.ca]) {
      expect(identityContext({ certificate, key, ca }).context).toBeDefined();
    }
  });

  test('that TLS does not take says why', () => {
    const weak = authority.issue(['DNS:client.test'], 'weak', ['-newkey', 'rsa:512', '-nodes']);
    const make = () => identityContext({ certificate: weak.cert, key: weak.key, ca: null });
    expect(make).toThrow(SendFailure);
    expect(make).toThrow('ee key too small');
  });
});
