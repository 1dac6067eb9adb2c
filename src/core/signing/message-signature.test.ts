import { constants, createPrivateKey, createPublicKey, createSecretKey, type KeyObject, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { messageKeyId } from './message-key-id.ts';
import { DERIVED_COMPONENTS, type MessageParts, signatureBase, signatureParams } from './message-signature.ts';
import { contentDigest, signBase } from './message-signer.ts';

// RFC 9421, appendix B: `test-request`, and its keys.
const BODY = Buffer.from('{"hello": "world"}');
const FIELDS: Record<string, string> = {
  host: 'example.com',
  date: 'Tue, 20 Apr 2021 02:07:55 GMT',
  'content-type': 'application/json',
  'content-digest':
    'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:',
  'content-length': '18',
};
const REQUEST: MessageParts = {
  method: 'POST',
  url: new URL('https://example.com/foo?param=Value&Pet=dog'),
  field: (name) => FIELDS[name],
};
const CREATED = 1_618_884_473;
const SHARED = createSecretKey(
  'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==',
  'base64',
);
const ED25519 = createPrivateKey(
  '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n',
);

// `test-key-rsa-pss` and what it signed in B.2.3.
const RSA_PSS = createPublicKey({
  key: Buffer.from(
    'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI2wIDAQAB',
    'base64',
  ),
  format: 'der',
  type: 'spki',
});
const B_2_3 = Buffer.from(
  'bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==',
  'base64',
);

function signed(components: string[], keyid: string, key: KeyObject) {
  const params = signatureParams(components, { created: CREATED, keyid });
  const base = signatureBase(components, params, REQUEST);
  return { params, base, signature: signBase(key, base).toString('base64') };
}

describe('message signature', () => {
  test('makes the signature of RFC 9421, B.2.5 (hmac-sha256)', () => {
    const { params, base, signature } = signed(['date', '@authority', 'content-type'], 'test-shared-secret', SHARED);
    expect(params).toBe('("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"');
    expect(base).toBe(
      [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@authority": example.com',
        '"content-type": application/json',
        `"@signature-params": ${params}`,
      ].join('\n'),
    );
    expect(signature).toBe('pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=');
  });

  test('makes the signature of RFC 9421, B.2.6 (ed25519)', () => {
    const components = ['date', '@method', '@path', '@authority', 'content-type', 'content-length'];
    const { base, signature } = signed(components, 'test-key-ed25519', ED25519);
    expect(base).toBe(
      [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@authority": example.com',
        '"content-type": application/json',
        '"content-length": 18',
        '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
      ].join('\n'),
    );
    expect(signature).toBe('wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==');
    expect(verify(null, Buffer.from(base), createPublicKey(ED25519), Buffer.from(signature, 'base64'))).toBe(true);
  });

  test('makes the signature base of RFC 9421, B.2.3 (full coverage)', () => {
    const components = ['date', '@method', '@path', '@query', '@authority', 'content-type', 'content-digest'];
    const params = signatureParams([...components, 'content-length'], { created: CREATED, keyid: 'test-key-rsa-pss' });
    const base = signatureBase([...components, 'content-length'], params, REQUEST);
    const pss = { key: RSA_PSS, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 };
    expect(verify('sha512', Buffer.from(base), pss, B_2_3)).toBe(true);
    expect(base).toBe(
      [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@query": ?param=Value&Pet=dog',
        '"@authority": example.com',
        '"content-type": application/json',
        `"content-digest": ${FIELDS['content-digest']}`,
        '"content-length": 18',
        '"@signature-params": ("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"',
      ].join('\n'),
    );
  });

  // RFC 9421, sections 2.2.1 to 2.2.7.
  test.each([
    ['https://www.example.com/path?param=value', '@target-uri', 'https://www.example.com/path?param=value'],
    ['https://www.example.com/path?param=value', '@request-target', '/path?param=value'],
    ['https://www.example.com:443/path', '@authority', 'www.example.com'],
    ['https://WWW.example.com:8443/path', '@authority', 'www.example.com:8443'],
    ['http://www.example.com/path', '@scheme', 'http'],
    ['https://www.example.com', '@path', '/'],
    ['https://www.example.com/path?queryString', '@query', '?queryString'],
    ['https://www.example.com/path', '@query', '?'],
    ['https://www.example.com/path', '@method', 'POST'],
  ])('of %s has %s: %s', (url, component, value) => {
    const base = signatureBase([component], '()', { ...REQUEST, url: new URL(url) });
    expect(base.split('\n')[0]).toBe(`"${component}": ${value}`);
  });

  test('knows every derived component that it names, and signs nothing without one that is missing', () => {
    for (const component of DERIVED_COMPONENTS) {
      expect(() => signatureBase([component], '()', REQUEST)).not.toThrow();
    }
    for (const missing of ['@status', 'x-missing']) {
      expect(() => signatureBase([missing], '()', REQUEST)).toThrow(`no ${missing}`);
    }
  });

  test('escapes what stands in strings', () => {
    const params = signatureParams([], { created: 1, keyid: 'a"b\\c', alg: 'ed25519', tag: 'app "x"' });
    expect(params).toBe('();created=1;keyid="a\\"b\\\\c";alg="ed25519";tag="app \\"x\\""');
  });
});

describe('content digest', () => {
  // RFC 9530, appendix D, and the request above.
  test('is that of RFC 9530', () => {
    expect(contentDigest('sha-256', BODY)).toBe('sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:');
    expect(contentDigest('sha-512', BODY)).toBe(FIELDS['content-digest']);
  });
});

describe('message key id', () => {
  test('is the JWK thumbprint of RFC 8037, A.3', () => {
    const d = 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A';
    const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
    const key = createPrivateKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', d, x } });
    expect(messageKeyId(key)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  });

  test('of a shared key is its own', () => {
    const other = createSecretKey(Buffer.alloc(32, 1));
    expect(messageKeyId(SHARED)).toMatch(/^[\w-]{22}$/);
    expect(messageKeyId(SHARED)).not.toBe(messageKeyId(other));
  });
});
