import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Authority, createAuthority } from '../../test/certificates.ts';
import { type AuthInput, authHeaderName, checkAuth, credentialOf, openAuth } from './endpoint-auth.ts';

const OAUTH2: AuthInput = {
  type: 'oauth2',
  tokenUrl: 'https://auth.example.com/token',
  clientId: 'tidings',
  clientSecret: 'hush hush',
};

const INPUTS: AuthInput[] = [
  { type: 'basic', username: 'sk_live_hush', password: 'pässword: hush' },
  { type: 'bearer', token: 'hush.hush-hush_~+/==' },
  { type: 'header', name: 'X-Api-Key', value: 'hush hush' },
  OAUTH2,
];

describe('endpoint auth', () => {
  test.each(INPUTS)('of type $type shows nothing that is secret', (input) => {
    expect(checkAuth(input)).toEqual([]);
    expect(JSON.stringify(openAuth(input))).not.toContain('hush');
    expect(openAuth(input).type).toBe(input.type);
    expect(authHeaderName(openAuth(input))).toBe(input.type === 'header' ? 'x-api-key' : 'authorization');
  });

  test('is sealed as the headers that it makes', () => {
    const [basic, bearer, header, oauth2] = INPUTS.map(credentialOf);
    const encoded = Buffer.from('sk_live_hush:pässword: hush').toString('base64');
    expect(basic).toEqual({ type: 'headers', headers: { authorization: `Basic ${encoded}` } });
    expect(bearer).toEqual({ type: 'headers', headers: { authorization: 'Bearer hush.hush-hush_~+/==' } });
    expect(header).toEqual({ type: 'headers', headers: { 'x-api-key': 'hush hush' } });
    expect(oauth2).toEqual({ type: 'oauth2', clientSecret: 'hush hush' });
    expect(openAuth(OAUTH2)).toEqual({
      type: 'oauth2',
      tokenUrl: 'https://auth.example.com/token',
      clientId: 'tidings',
      scope: null,
      audience: null,
      clientAuthentication: 'basic',
    });
  });

  test.each<[AuthInput, string]>([
    [{ type: 'basic', username: 'a:b', password: '' }, '/auth/username'],
    [{ type: 'basic', username: 'a', password: 'hush\n' }, '/auth/password'],
    [{ type: 'bearer', token: 'hush hush' }, '/auth/token'],
    [{ type: 'bearer', token: '' }, '/auth/token'],
    [{ type: 'bearer', token: 'h'.repeat(4097) }, '/auth/token'],
    [{ type: 'header', name: 'Content-Type', value: 'hush' }, '/auth/name'],
    [{ type: 'header', name: 'x y', value: 'hush' }, '/auth/name'],
    [{ type: 'header', name: 'x-key', value: 'hush\r\nx: 1' }, '/auth/value'],
    [{ type: 'header', name: 'x-key', value: ' hush' }, '/auth/value'],
    [{ type: 'header', name: 'x-key', value: 'hush€' }, '/auth/value'],
    [{ ...OAUTH2, tokenUrl: 'ftp://example.com/' }, '/auth/tokenUrl'],
    [{ ...OAUTH2, tokenUrl: 'https://u:hush@example.com/' }, '/auth/tokenUrl'],
    [{ ...OAUTH2, tokenUrl: 'https://example.com/#a' }, '/auth/tokenUrl'],
    [{ ...OAUTH2, tokenUrl: 'example.com' }, '/auth/tokenUrl'],
    [{ ...OAUTH2, clientId: '' }, '/auth/clientId'],
    [{ ...OAUTH2, clientSecret: 'hush\u00e9' }, '/auth/clientSecret'],
    [{ ...OAUTH2, scope: 'a  b' }, '/auth/scope'],
    [{ ...OAUTH2, audience: '\n' }, '/auth/audience'],
    [{ type: 'mtls', certificate: 'hush', key: 'hush' }, '/auth/certificate'],
    [{ type: 'mtls', certificate: 'hush'.repeat(10_000), key: 'hush' }, '/auth/certificate'],
  ])('refuses %j', (input, path) => {
    const errors = checkAuth(input);
    expect(errors.map((error) => error.path)).toEqual([path]);
    expect(JSON.stringify(errors)).not.toContain('hush');
  });

  describe('with a client certificate', () => {
    let authority: Authority;
    beforeAll(() => {
      authority = createAuthority();
    });
    afterAll(() => authority.remove());

    test('shows the certificate and not the key', () => {
      const { cert: certificate, key } = authority.issue(['DNS:client.test'], 'tidings');
      const input: AuthInput = { type: 'mtls', certificate, key };
      expect(checkAuth(input)).toEqual([]);
      expect(openAuth(input)).toMatchObject({ type: 'mtls', subject: 'CN=tidings', ownAuthorities: false });
      expect(openAuth({ ...input, ca: authority.ca })).toMatchObject({ ownAuthorities: true });
      expect(JSON.stringify(openAuth(input))).not.toContain('BEGIN');
      expect(credentialOf(input)).toEqual({ type: 'mtls', certificate, key, ca: null });
      expect(authHeaderName(openAuth(input))).toBeNull();
    });
  });
});
