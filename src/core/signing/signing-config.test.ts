import { describe, expect, test } from 'vitest';
import { carriesSeveral, type SigningInput, signingHeaders } from './signing.ts';
import { checkSigning, completeSigning } from './signing-config.ts';

/** What is wrong, by path. */
function faults(input: unknown, headers: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(
    checkSigning(input, { own: headers, ofFormat: ['ce-type'] }).map(({ path, message }) => [path, message]),
  );
}

describe('signing config', () => {
  test.each<[SigningInput, object]>([
    ['v1', {}],
    [{ scheme: 'github' }, { scheme: 'github' }],
    [
      { scheme: 'stripe', header: 'X-Bill' },
      { scheme: 'stripe', header: 'x-bill' },
    ],
    [
      { scheme: 'hmac', header: 'X-Sig', idHeader: 'X-Id', prefix: undefined },
      { scheme: 'hmac', header: 'x-sig', idHeader: 'x-id', prefix: '', content: '{body}', timestampHeader: null },
    ],
    [
      { scheme: 'rfc9421', components: ['@Method', 'Content-Digest', 'X-Own'] },
      { components: ['@method', 'content-digest', 'x-own'], algorithm: 'hmac-sha256', digest: 'sha-256', keyId: null },
    ],
  ])('completes %j, and again to the same', (input, completed) => {
    expect(faults(input, { 'x-own': '1' })).toEqual({});
    const signing = completeSigning(input);
    if (typeof signing !== 'string') expect(signing).toMatchObject(completed);
    expect(completeSigning(signing)).toEqual(signing);
  });

  test.each([
    ['v2', '/signing'],
    [null, '/signing'],
    [{ scheme: 'other' }, '/signing'],
    [{ scheme: 'stripe', header: 'content-type' }, '/signing/header'],
    [{ scheme: 'stripe', header: 'no good' }, '/signing/header'],
    [{ scheme: 'hmac', header: 'webhook-signature' }, '/signing/header'],
    [{ scheme: 'hmac', idHeader: '' }, '/signing/idHeader'],
    [{ scheme: 'hmac', header: 'x-a', timestampHeader: 'X-A' }, '/signing/header'],
    [{ scheme: 'hmac', algorithm: 'md5' }, '/signing/algorithm'],
    [{ scheme: 'hmac', encoding: 'utf8' }, '/signing/encoding'],
    [{ scheme: 'hmac', secretEncoding: 'latin1' }, '/signing/secretEncoding'],
    [{ scheme: 'hmac', timestampUnit: 'minutes' }, '/signing/timestampUnit'],
    [{ scheme: 'hmac', content: '{timestamp}' }, '/signing/content'],
    [{ scheme: 'hmac', content: '{body}{secret}' }, '/signing/content'],
    [{ scheme: 'hmac', prefix: 'v1={body}' }, '/signing/prefix'],
    [{ scheme: 'hmac', prefix: 'a\r\nx: 1' }, '/signing/prefix'],
    [{ scheme: 'hmac', separator: '\n' }, '/signing/separator'],
    [{ scheme: 'rfc9421', algorithm: 'rsa-pss-sha512' }, '/signing/algorithm'],
    [{ scheme: 'rfc9421', digest: 'md5' }, '/signing/digest'],
    [{ scheme: 'rfc9421', components: ['@method'] }, '/signing/components'],
    [{ scheme: 'rfc9421', components: ['content-digest', '@status'] }, '/signing/components/1'],
    [{ scheme: 'rfc9421', components: ['content-digest', 'Content-Digest'] }, '/signing/components/1'],
    [{ scheme: 'rfc9421', components: ['content-digest', 'x-not-sent'] }, '/signing/components/1'],
    [{ scheme: 'rfc9421', components: ['content-digest', 'signature'] }, '/signing/components/1'],
    [{ scheme: 'rfc9421', components: ['content-digest', 'authorization'] }, '/signing/components/1'],
    [{ scheme: 'rfc9421', keyId: '' }, '/signing/keyId'],
    [{ scheme: 'rfc9421', tag: 'é' }, '/signing/tag'],
  ])('refuses %j', (input, path) => {
    expect(Object.keys(faults(input))).toEqual([path]);
  });

  test('signs no header with a value outside ASCII, and leaves no header to two', () => {
    const components = ['content-digest', 'x-own'];
    expect(faults({ scheme: 'rfc9421', components }, { 'x-own': 'é' })).toHaveProperty(['/signing/components/1']);
    expect(faults({ scheme: 'github' }, { 'x-github-event': 'push' })['/signing']).toContain('x-github-event');
    expect(faults({ scheme: 'hmac', idHeader: 'X-Own' }, { 'x-own': '1' })['/signing']).toContain('x-own');
    expect(faults({ scheme: 'rfc9421' }, { signature: 'mine' })['/signing']).toContain('signature');
  });

  test('signs the headers of the format, and takes none of them', () => {
    const components = ['content-digest', 'ce-type'];
    expect(faults({ scheme: 'rfc9421', components })).toEqual({});
    expect(faults({ scheme: 'hmac', header: 'CE-Type' })['/signing']).toContain('format');
  });

  test('knows which schemes carry several signatures, and in which headers', () => {
    const several = (input: SigningInput) => carriesSeveral(completeSigning(input));
    expect([several('v1'), several('v1a'), several({ scheme: 'stripe' }), several({ scheme: 'rfc9421' })]).toEqual(
      Array(4).fill(true),
    );
    expect([several('none'), several({ scheme: 'github' }), several({ scheme: 'hmac' })]).toEqual(Array(3).fill(false));
    expect(several({ scheme: 'hmac', separator: ' ' })).toBe(true);
    expect(signingHeaders(completeSigning({ scheme: 'hmac', timestampHeader: 'X-Time' }))).toEqual([
      'x-signature',
      'x-time',
    ]);
    expect(signingHeaders('v1')).toEqual([]);
  });
});
