import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { describe, expect, test } from 'vitest';
import { TidingsError } from './errors.ts';
import {
  generateSecret,
  parseSecret,
  parseVerifyingKey,
  publicKeyOf,
  SIGNING_SCHEMES,
  signStandard,
  type VerifyingKey,
  verifyStandard,
} from './signature.ts';

// The vectors of the Standard Webhooks reference libraries.
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const PRIVATE = 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==';
const PUBLIC = 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=';
const ID = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const AT_SECONDS = 1614265330;
const BODY = Buffer.from('{"test": 2432232314}');
const V1 = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
const V1A = 'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==';

function headersWith(signature: string, more: Record<string, string | string[] | undefined> = {}) {
  return { 'webhook-id': ID, 'webhook-timestamp': String(AT_SECONDS), 'webhook-signature': signature, ...more };
}

function verify(
  signature: string,
  parts: {
    keys?: VerifyingKey[];
    headers?: Record<string, string | string[] | undefined>;
    body?: Buffer;
    nowSeconds?: number;
    toleranceSeconds?: number;
  } = {},
) {
  const { keys = [parseSecret(SECRET)], body = BODY, nowSeconds = AT_SECONDS, toleranceSeconds } = parts;
  return verifyStandard(keys, headersWith(signature, parts.headers), body, { nowSeconds, toleranceSeconds });
}

function base64Of(bytes: number): string {
  return randomBytes(bytes).toString('base64');
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

describe('signature', () => {
  test('reproduces the published vectors', () => {
    expect(signStandard([parseSecret(SECRET)], ID, AT_SECONDS, BODY)).toBe(V1);
    expect(signStandard([parseSecret(PRIVATE)], ID, AT_SECONDS, BODY)).toBe(V1A);
    expect(publicKeyOf(PRIVATE)).toBe(PUBLIC);
  });

  test('verifies the published vectors', () => {
    expect(verify(V1)).toEqual({ ok: true });
    expect(verify(V1A, { keys: [parseVerifyingKey(PUBLIC)] })).toEqual({ ok: true });
    expect(verify(V1A, { keys: [parseVerifyingKey(PRIVATE)] })).toEqual({ ok: true });
  });

  test('signs with every current key, in their order', () => {
    const keys = [parseSecret(SECRET), parseSecret(PRIVATE), parseSecret(generateSecret('v1', randomBytes))];
    const header = signStandard(keys, ID, AT_SECONDS, BODY);
    expect(header.split(' ').slice(0, 2)).toEqual([V1, V1A]);
    for (const key of keys) expect(verify(header, { keys: [key] })).toEqual({ ok: true });
    expect(signStandard([], ID, AT_SECONDS, BODY)).toBe('');
  });

  test('is accepted with the old key and with the new one while both sign', () => {
    const [older, newer] = [generateSecret('v1', randomBytes), generateSecret('v1', randomBytes)];
    const header = signStandard([parseSecret(newer), parseSecret(older)], ID, AT_SECONDS, BODY);
    expect(verify(header, { keys: [parseSecret(older)] })).toEqual({ ok: true });
    expect(verify(header, { keys: [parseSecret(newer)] })).toEqual({ ok: true });
    expect(verify(signStandard([parseSecret(older)], ID, AT_SECONDS, BODY), { keys: [parseSecret(newer)] }).ok).toBe(
      false,
    );
    const both = [parseSecret(newer), parseSecret(older)];
    expect(verify(signStandard([parseSecret(older)], ID, AT_SECONDS, BODY), { keys: both })).toEqual({ ok: true });
  });

  test('is over bytes: a body that is no UTF-8 is signed as it is', () => {
    const secret = generateSecret('v1', randomBytes);
    const body = Buffer.from([0xff, 0xfe, 0x00, 0xed, 0xa0, 0x80]);
    const expected = createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
      .update(Buffer.concat([Buffer.from(`${ID}.${AT_SECONDS}.`), body]))
      .digest('base64');
    expect(signStandard([parseSecret(secret)], ID, AT_SECONDS, body)).toBe(`v1,${expected}`);
  });

  test.each([
    ['standardwebhooks', StandardWebhook],
    ['svix', SvixWebhook],
  ])('is accepted by %s, and the other way round', (_, Webhook) => {
    fc.assert(
      fc.property(fc.integer({ min: 24, max: 64 }), fc.json(), (bytes, json) => {
        const secret = `whsec_${base64Of(bytes)}`;
        const theirs = new Webhook(secret);
        const [key, body, atSeconds] = [parseSecret(secret), Buffer.from(json), nowSeconds()];
        const timestamp = String(atSeconds);

        const ours = signStandard([key], ID, atSeconds, body);
        expect(theirs.verify(body, headersWith(ours, { 'webhook-timestamp': timestamp }) as never)).toEqual(
          JSON.parse(json),
        );

        const signature = theirs.sign(ID, new Date(atSeconds * 1000), json);
        const headers = { 'webhook-timestamp': timestamp };
        expect(verify(signature, { keys: [key], body, headers, nowSeconds: atSeconds })).toEqual({ ok: true });
      }),
    );
  });

  test('holds for any key and content, and for no other', () => {
    const body = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    const scheme = fc.constantFrom(...SIGNING_SCHEMES);
    const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
    fc.assert(
      fc.property(scheme, id, body, fc.nat(4e9), fc.nat(), (scheme, id, body, atSeconds, at) => {
        const key = parseSecret(generateSecret(scheme, randomBytes));
        const other = parseSecret(generateSecret(scheme, randomBytes));
        const signature = signStandard([key], id, atSeconds, body);
        const headers = { 'webhook-id': id, 'webhook-timestamp': String(atSeconds) };
        const parts = { keys: [key], headers, body, nowSeconds: atSeconds };
        expect(verify(signature, parts)).toEqual({ ok: true });
        expect(verify(signature, { ...parts, keys: [other] })).toEqual({ ok: false, reason: 'no_match' });
        expect(verify(signature, { ...parts, headers: { ...headers, 'webhook-id': `${id}x` } }).ok).toBe(false);
        expect(
          verify(signature, { ...parts, headers: { ...headers, 'webhook-timestamp': String(atSeconds + 1) } }).ok,
        ).toBe(false);
        const altered = Buffer.concat([body, Buffer.from('.')]);
        altered[at % altered.length] ^= 1;
        expect(verify(signature, { ...parts, body: altered }).ok).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});

describe('signature verification', () => {
  test.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('needs %s, once', (name) => {
    expect(verify(V1, { headers: { [name]: undefined } })).toEqual({ ok: false, reason: 'header_missing' });
    expect(verify(V1, { headers: { [name]: ['a', 'b'] } })).toEqual({ ok: false, reason: 'header_missing' });
  });

  test.each(['', 'a.b', 'a b', 'a\n', 'é', 'x'.repeat(257)])('refuses the id %j', (id) => {
    expect(verify(V1, { headers: { 'webhook-id': id } })).toEqual({ ok: false, reason: 'id_malformed' });
  });

  test('refuses a dot that moves from the body into the id', () => {
    const key = parseSecret(SECRET);
    const body = Buffer.from(`${AT_SECONDS}.{}`);
    const signature = signStandard([key], 'a', AT_SECONDS, body);
    const headers = { 'webhook-id': `a.${AT_SECONDS}` };
    expect(verify(signature, { headers, body: Buffer.from('{}') })).toEqual({ ok: false, reason: 'id_malformed' });
  });

  test.each([
    '',
    '-1',
    '+1614265330',
    '1614265330.0',
    '1.6e9',
    '0x60',
    ' 1614265330',
    '1614265330\n',
    'NaN',
    '٣',
    '1'.repeat(33),
  ])('refuses the timestamp %j', (timestamp) => {
    const headers = { 'webhook-timestamp': timestamp };
    expect(verify(V1, { headers })).toEqual({ ok: false, reason: 'timestamp_malformed' });
  });

  test('keeps to the tolerance on both sides', () => {
    expect(verify(V1, { nowSeconds: AT_SECONDS + 300 })).toEqual({ ok: true });
    expect(verify(V1, { nowSeconds: AT_SECONDS - 300 })).toEqual({ ok: true });
    expect(verify(V1, { nowSeconds: AT_SECONDS + 301 })).toEqual({ ok: false, reason: 'timestamp_too_old' });
    expect(verify(V1, { nowSeconds: AT_SECONDS - 301 })).toEqual({ ok: false, reason: 'timestamp_too_new' });
    expect(verify(V1, { nowSeconds: AT_SECONDS + 11, toleranceSeconds: 10 })).toEqual({
      ok: false,
      reason: 'timestamp_too_old',
    });
    const headers = { 'webhook-timestamp': '9'.repeat(32) };
    expect(verify(V1, { headers })).toEqual({ ok: false, reason: 'timestamp_too_new' });
  });

  test('passes over versions and texts it does not know', () => {
    expect(verify(`v2,abc v1, v1 ,x ${V1A} v1,AAAA  ${V1}`)).toEqual({ ok: true });
    expect(verify(V1A)).toEqual({ ok: false, reason: 'no_match' });
  });

  test.each([
    ['an empty header', ''],
    ['no version', V1.slice(3)],
    ['no signature', 'v1,'],
    ['no padding', V1.slice(0, -1)],
    ['stray last bits', V1.replace(/E=$/, 'F=')],
    ['base64url', V1.replace('+', '-').replace('/', '_')],
    ['hex', `v1,${Buffer.from(V1.slice(3), 'base64').toString('hex')}`],
    ['more behind it', `${V1}AAAA`],
    ['a part behind a comma', `${V1},x`],
    ['a tab for a space', `v2,x\t${V1}`],
    ['the version in upper case', V1.replace('v1', 'V1')],
    ['v1 under v1a', V1.replace('v1', 'v1a')],
    ['a truncated digest', `v1,${Buffer.from(V1.slice(3), 'base64').subarray(0, 31).toString('base64')}`],
  ])('does not match %s', (_, header) => {
    expect(verify(header)).toEqual({ ok: false, reason: 'no_match' });
  });

  test('takes at most 16 signatures', () => {
    const wrong = `v1,${base64Of(32)} `;
    expect(verify(wrong.repeat(15) + V1)).toEqual({ ok: true });
    expect(verify(wrong.repeat(16) + V1)).toEqual({ ok: false, reason: 'too_many_signatures' });
    expect(verify(' '.repeat(1_000_000))).toEqual({ ok: false, reason: 'too_many_signatures' });
  });

  test('matches nothing without a key', () => {
    expect(verify(V1, { keys: [] })).toEqual({ ok: false, reason: 'no_match' });
  });

  test('never throws, whatever the headers hold', () => {
    const keys = [parseSecret(SECRET), parseVerifyingKey(PUBLIC)];
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.base64String().map((value) => `v1a,${value}`),
    );
    fc.assert(
      fc.property(text, text, text, (id, timestamp, signature) => {
        const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp };
        expect(verify(signature, { keys, headers }).ok).toBe(false);
        expect(verify(signature, { keys }).ok).toBe(false);
      }),
    );
  });
});

describe('secret', () => {
  test.each(SIGNING_SCHEMES)('that was generated for %s is read back as such', (scheme) => {
    const secret = generateSecret(scheme, randomBytes);
    expect(parseSecret(secret).scheme).toBe(scheme);
    expect(generateSecret(scheme, randomBytes)).not.toBe(secret);
  });

  test('of v1 may hold 24 to 64 bytes', () => {
    for (const bytes of [24, 32, 64]) expect(parseSecret(`whsec_${base64Of(bytes)}`).scheme).toBe('v1');
  });

  test('has a public key that verifies what it signs', () => {
    const secret = generateSecret('v1a', randomBytes);
    const signature = signStandard([parseSecret(secret)], ID, AT_SECONDS, BODY);
    expect(verify(signature, { keys: [parseVerifyingKey(publicKeyOf(secret))] })).toEqual({ ok: true });
    expect(() => publicKeyOf(SECRET)).toThrow(/Only a v1a secret/);
  });

  test.each([
    ['nothing', '', /must begin with/],
    ['no prefix', SECRET.slice(6), /must begin with/],
    ['a public key', PUBLIC, /must begin with/],
    ['the prefix alone', 'whsec_', /holds 0/],
    ['23 bytes', `whsec_${base64Of(23)}`, /24 to 64 bytes; this one holds 23/],
    ['65 bytes', `whsec_${base64Of(65)}`, /24 to 64 bytes; this one holds 65/],
    ['base64url', `whsec_${Buffer.alloc(32, 255).toString('base64url')}`, /not base64/],
    ['missing padding', `whsec_${Buffer.alloc(32, 1).toString('base64').slice(0, -1)}`, /not base64/],
    ['a line end', `${SECRET}\n`, /not base64/],
    ['a space', `whsec_ ${SECRET.slice(6)}`, /not base64/],
    ['stray last bits', `whsec_${'A'.repeat(42)}B=`, /not base64/],
    ['a seed alone', `whsk_${base64Of(32)}`, /64 bytes.*holds 32/],
    ['halves of two pairs', `whsk_${base64Of(64)}`, /do not belong together/],
  ])('is not %s', (_, text, words) => {
    let thrown: unknown;
    try {
      parseSecret(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TidingsError);
    expect((thrown as TidingsError).code).toBe('invalid_request');
    expect((thrown as TidingsError).detail).toMatch(words);
    if (text.length > 6) expect((thrown as TidingsError).detail).not.toContain(text.slice(6).trim());
  });

  test('public key holds 32 bytes', () => {
    expect(() => parseVerifyingKey(`whpk_${base64Of(31)}`)).toThrow(/32 bytes; this one holds 31/);
    expect(() => parseVerifyingKey('whpk_?')).toThrow(/not base64/);
  });
});
