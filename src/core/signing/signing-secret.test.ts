import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Signing, SigningInput } from './signing.ts';
import { completeSigning } from './signing-config.ts';
import {
  generateSigningSecret,
  keyIdOfSecret,
  publicKeyOfSecret,
  secretForm,
  signingSecretFault,
} from './signing-secret.ts';

const of = (input: SigningInput): Signing => completeSigning(input);
const ED25519 = of({ scheme: 'rfc9421', algorithm: 'ed25519' });
const pem = (type: 'ec' | 'ed25519', passphrase?: string): string => {
  const { privateKey } =
    type === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  return privateKey.export({ format: 'pem', type: 'pkcs8', ...cipher }).toString();
};

describe('signing secret', () => {
  test.each<[SigningInput, RegExp, string]>([
    ['v1', /^whsec_/, 'whsec'],
    ['v1a', /^whsk_/, 'whsk'],
    [{ scheme: 'github' }, /^[0-9a-f]{64}$/, 'utf8'],
    [{ scheme: 'stripe' }, /^whsec_[0-9a-f]{64}$/, 'utf8'],
    [{ scheme: 'hmac' }, /^[0-9a-f]{64}$/, 'utf8'],
    [{ scheme: 'hmac', secretEncoding: 'hex' }, /^[0-9a-f]{64}$/, 'hex'],
    [{ scheme: 'hmac', secretEncoding: 'base64' }, /^[\w+/]{43}=$/, 'base64'],
    [{ scheme: 'rfc9421' }, /^[\w+/]{43}=$/, 'base64'],
    [{ scheme: 'rfc9421', algorithm: 'ed25519' }, /^-----BEGIN PRIVATE KEY-----/, 'pem'],
  ])('of %j is made in its form', (input, pattern, form) => {
    const signing = of(input);
    const secret = generateSigningSecret(signing, randomBytes)!;
    expect(secret).toMatch(pattern);
    expect(secretForm(signing)).toBe(form);
    expect(signingSecretFault(signing, secret)).toBeNull();
    expect(generateSigningSecret(signing, randomBytes)).not.toBe(secret);
  });

  test('is none for none', () => {
    expect(generateSigningSecret('none', randomBytes)).toBeNull();
    expect(secretForm('none')).toBeNull();
    expect(signingSecretFault('none', 'whatever it may be')).toContain('leave it out');
  });

  const whsk = generateSigningSecret('v1a', randomBytes)!;
  test.each<[SigningInput, string, string]>([
    ['v1', whsk, 'whsec_'],
    ['v1a', `whsec_${'A'.repeat(32)}`, 'whsk_'],
    [{ scheme: 'github' }, 'too short', '16 to 512 bytes'],
    [{ scheme: 'github' }, 'x'.repeat(513), '16 to 512 bytes'],
    [{ scheme: 'stripe' }, 'a secret with a line end\n', 'line end'],
    [{ scheme: 'github' }, `half a pair \ud800 of surrogates`, 'Unicode'],
    [{ scheme: 'hmac', secretEncoding: 'hex' }, `${'0f'.repeat(20)}f`, 'not hex'],
    [{ scheme: 'rfc9421' }, `${'A'.repeat(43)}`, 'padding'],
    [{ scheme: 'rfc9421', algorithm: 'ed25519' }, pem('ec'), 'Ed25519'],
    [{ scheme: 'rfc9421', algorithm: 'ed25519' }, pem('ed25519', 'pass'), 'passphrase'],
    [{ scheme: 'rfc9421', algorithm: 'ed25519' }, 'no PEM at all', 'PEM'],
  ])('of %j is not %j', (input, secret, words) => {
    const fault = signingSecretFault(of(input), secret);
    expect(fault).toContain(words);
    expect(fault).not.toContain(secret);
  });

  test('takes what GitHub and Stripe take, and hex in capitals', () => {
    expect(signingSecretFault(of({ scheme: 'github' }), "It's a Secret to Everybody")).toBeNull();
    expect(signingSecretFault(of({ scheme: 'stripe' }), 'whsec_5Z8qK2vX1cN7mB3tR9wY6pL4')).toBeNull();
    expect(signingSecretFault(of({ scheme: 'github' }), 'Schlüssel für alle Fälle')).toBeNull();
    expect(signingSecretFault(of({ scheme: 'hmac', secretEncoding: 'hex' }), 'AB'.repeat(16))).toBeNull();
  });

  test('has a public key and a key id where receivers need them', () => {
    const secret = pem('ed25519');
    expect(publicKeyOfSecret(ED25519, secret)).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    expect(publicKeyOfSecret('v1a', whsk)).toMatch(/^whpk_/);
    expect(publicKeyOfSecret(of({ scheme: 'github' }), 'no public key has it')).toBeNull();
    expect(keyIdOfSecret(ED25519, secret)).toMatch(/^[\w-]{43}$/);
    expect(keyIdOfSecret(of({ scheme: 'rfc9421', keyId: 'billing' }), 'A'.repeat(44))).toBe('billing');
    expect(keyIdOfSecret('v1a', whsk)).toBeNull();
  });
});
