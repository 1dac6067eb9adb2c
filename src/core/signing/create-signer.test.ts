// Each scheme against the library that its receivers use.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { verify as verifyGitHub } from '@octokit/webhooks-methods';
import fc from 'fast-check';
import { createVerifier, httpbis } from 'http-message-signatures';
import Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import { createSigner } from './create-signer.ts';
import type { SignedRequest } from './signer.ts';
import type { Signing, SigningInput } from './signing.ts';
import { completeSigning } from './signing-config.ts';
import { generateSigningSecret, keyIdOfSecret, publicKeyOfSecret } from './signing-secret.ts';

const timeMs = Math.floor(Date.now() / 1000) * 1000 + 417;
const stripe = new Stripe('sk_test_none');

const BODIES = fc
  .oneof(fc.json({ noUnicodeString: false }), fc.string({ unit: 'binary' }))
  .map((text) => Buffer.from(text))
  .filter((body) => body.length > 0);

function setup(input: SigningInput, more: Partial<SignedRequest> = {}, secrets = 1) {
  const signing = completeSigning(input);
  const texts = Array.from({ length: secrets }, () => generateSigningSecret(signing, randomBytes)!);
  const soon = new Date(timeMs + 60_000);
  const held = texts.map((secret, i) => ({ secret, expiresAt: i === 0 ? null : soon }));
  const request: SignedRequest = {
    method: 'POST',
    url: 'https://example.com/hooks?a=b',
    id: 'evt_1',
    type: 'invoice.paid',
    timeMs,
    body: Buffer.from('{"amount":12345678901234567890}'),
    ...more,
  };
  const signer = createSigner(signing, held)!;
  const sign = (at: Partial<SignedRequest> = {}): Record<string, string> => {
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'webhook-id': request.id,
      'webhook-timestamp': String(Math.floor(timeMs / 1000)),
    };
    signer.sign(headers, { ...request, ...at });
    return headers;
  };
  return { signing, secrets: texts, request, sign, soon };
}

/** By the library; which keys it finds by their `keyid`. */
async function verifyMessage(
  signing: Signing,
  known: string[],
  request: SignedRequest,
  headers: Record<string, string>,
  more: { all?: boolean; requiredFields?: string[] } = {},
): Promise<boolean | null> {
  const keys = new Map(known.map((secret) => [keyIdOfSecret(signing, secret), secret]));
  return httpbis.verifyMessage(
    {
      ...more,
      requiredParams: ['created', 'keyid', 'alg'],
      keyLookup: async ({ keyid, alg }) => {
        const secret = keys.get(keyid!);
        if (secret === undefined) return null;
        const key = alg === 'ed25519' ? publicKeyOfSecret(signing, secret)! : Buffer.from(secret, 'base64');
        return { id: keyid!, algs: [alg!], verify: createVerifier(key, alg!) };
      },
    },
    { method: request.method, url: request.url, headers },
  );
}

describe('signer', () => {
  test('is none for Standard Webhooks, and signs nothing for none', () => {
    expect(createSigner('v1', [])).toBeNull();
    expect(createSigner('v1a', [])).toBeNull();
    const headers = {};
    createSigner('none', [])!.sign(headers, setup({ scheme: 'github' }).request);
    expect(headers).toEqual({});
  });

  test('does not take a secret of another form', () => {
    const signing = completeSigning({ scheme: 'rfc9421' });
    expect(() => createSigner(signing, [{ secret: 'no base64!', expiresAt: null }])).toThrow('base64');
  });
});

describe('signer of github', () => {
  test('is accepted by @octokit/webhooks-methods', async () => {
    const { secrets, sign } = setup({ scheme: 'github' });
    await fc.assert(
      fc.asyncProperty(BODIES, async (body) => {
        const signature = sign({ body })['x-hub-signature-256'];
        const text = body.toString();
        return (
          (await verifyGitHub(secrets[0], text, signature)) && !(await verifyGitHub(secrets[0], `${text} `, signature))
        );
      }),
    );
  });

  test("makes GitHub's own example", () => {
    const signer = createSigner({ scheme: 'github' }, [{ secret: "It's a Secret to Everybody", expiresAt: null }])!;
    const headers: Record<string, string> = {};
    signer.sign(headers, { ...setup({ scheme: 'github' }).request, body: Buffer.from('Hello, World!') });
    expect(headers).toEqual({
      'x-github-delivery': 'evt_1',
      'x-github-event': 'invoice.paid',
      'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    });
  });

  test('signs with the newest secret alone, and names no type for several events', async () => {
    const { secrets, sign, request } = setup({ scheme: 'github' }, { type: null }, 2);
    const headers = sign();
    expect(headers).not.toHaveProperty('x-github-event');
    const [newest, older] = secrets;
    const signature = headers['x-hub-signature-256'];
    expect(await verifyGitHub(newest, request.body.toString(), signature)).toBe(true);
    expect(await verifyGitHub(older, request.body.toString(), signature)).toBe(false);
  });
});

describe('signer of stripe', () => {
  const accepts = (body: Buffer, header: string, secret: string): boolean => {
    try {
      return stripe.webhooks.signature!.verifyHeader(body.toString(), header, secret, 300);
    } catch (error) {
      expect(error).toBeInstanceOf(Stripe.errors.StripeSignatureVerificationError);
      return false;
    }
  };

  test('is accepted by stripe', () => {
    const { secrets, sign } = setup({ scheme: 'stripe' });
    expect(secrets[0]).toMatch(/^whsec_/);
    fc.assert(
      fc.property(BODIES, (body) => {
        const header = sign({ body })['stripe-signature'];
        return accepts(body, header, secrets[0]) && !accepts(Buffer.from(`${body} `), header, secrets[0]);
      }),
    );
  });

  test('signs with both secrets until the old one ends', () => {
    const { secrets, sign, request, soon } = setup({ scheme: 'stripe', header: 'x-billing' }, {}, 2);
    const header = sign()['x-billing'];
    for (const secret of secrets) expect(accepts(request.body, header, secret)).toBe(true);
    const later = sign({ timeMs: soon.getTime() })['x-billing'];
    expect(secrets.map((secret) => accepts(request.body, later, secret))).toEqual([true, false]);
  });
});

describe('signer of rfc9421', () => {
  test.each(['hmac-sha256', 'ed25519'] as const)(
    'with %s is accepted by http-message-signatures',
    async (algorithm) => {
      const { signing, secrets, request, sign } = setup({ scheme: 'rfc9421', algorithm });
      const headers = sign();
      const requiredFields = ['@method', '@target-uri', 'content-type', 'content-digest', 'webhook-id'];
      const verified = (changed: Partial<SignedRequest>, more: Record<string, string> = {}) =>
        verifyMessage(signing, secrets, { ...request, ...changed }, { ...headers, ...more }, { requiredFields });
      expect(await verified({})).toBe(true);
      const digest = createHash('sha256').update(request.body).digest('base64');
      expect(headers['content-digest']).toBe(`sha-256=:${digest}:`);
      expect(await verified({ url: `${request.url}c` })).toBe(false);
      expect(await verified({ method: 'PUT' })).toBe(false);
      expect(await verified({}, { 'webhook-id': 'evt_2' })).toBe(false);
      expect(await verified({}, { 'content-digest': digest })).toBe(false);
    },
  );

  test('signs any components, under the name and tag that were given', async () => {
    const components = [
      '@authority',
      '@scheme',
      '@path',
      '@query',
      '@request-target',
      'Content-Digest',
      'webhook-timestamp',
    ];
    const given = { digest: 'sha-512' as const, keyId: 'billing "1"', tag: 'tidings' };
    const { signing, secrets, request, sign } = setup({ scheme: 'rfc9421', components, ...given });
    const headers = sign({ url: 'https://example.com:8443/' });
    const at8443 = { ...request, url: 'https://example.com:8443/' };
    expect(headers['signature-input']).toContain(';keyid="billing \\"1\\"";alg="hmac-sha256";tag="tidings"');
    expect(headers['content-digest']).toMatch(/^sha-512=:/);
    expect(await verifyMessage(signing, secrets, at8443, headers)).toBe(true);
    expect(await verifyMessage(signing, secrets, request, headers)).toBe(false);
  });

  test('signs length and host as they are sent', async () => {
    const components = ['content-digest', 'content-length', 'host'];
    const { signing, secrets, request, sign } = setup({ scheme: 'rfc9421', components });
    const sent = { ...sign(), 'content-length': String(request.body.length), host: 'example.com' };
    expect(await verifyMessage(signing, secrets, request, sent)).toBe(true);
    expect(await verifyMessage(signing, secrets, request, { ...sent, host: 'example.org' })).toBe(false);
  });

  test('signs with both secrets until the old one ends, each under its own keyid', async () => {
    const { signing, secrets, request, sign, soon } = setup({ scheme: 'rfc9421', algorithm: 'ed25519' }, {}, 2);
    const headers = sign();
    expect(headers['signature-input']).toMatch(/^sig1=\(.*, sig2=\(/);
    expect(await verifyMessage(signing, secrets, request, headers, { all: true })).toBe(true);
    for (const secret of secrets) expect(await verifyMessage(signing, [secret], request, headers)).toBe(true);
    const later = sign({ timeMs: soon.getTime() });
    expect(later['signature-input']).not.toContain('sig2=');
  });
});

describe('signer of hmac', () => {
  // What services sign: the schemes of Slack, Paddle, Shopify and Square put together from options.
  test.each<[string, SigningInput, (seconds: number) => string, string]>([
    [
      'Slack',
      {
        scheme: 'hmac',
        header: 'X-Slack-Signature',
        prefix: 'v0=',
        content: 'v0:{timestamp}:{body}',
        timestampHeader: 'X-Slack-Request-Timestamp',
      },
      (seconds) => `v0:${seconds}:BODY`,
      'v0=',
    ],
    [
      'Paddle',
      { scheme: 'hmac', prefix: 'ts={timestamp};h1=', content: '{timestamp}:{body}' },
      (seconds) => `${seconds}:BODY`,
      'ts=SECONDS;h1=',
    ],
    [
      'Square',
      { scheme: 'hmac', encoding: 'base64', content: '{url}{body}' },
      () => 'https://example.com/hooks?a=bBODY',
      '',
    ],
    [
      'all',
      { scheme: 'hmac', content: '{method} {url} {id} {timestamp}{body}{}{body}' },
      (seconds) => `POST https://example.com/hooks?a=b evt_1 ${seconds}BODY{}BODY`,
      '',
    ],
  ])('signs as %s', async (_, input, content, prefix) => {
    const { signing, secrets, request, sign } = setup(input);
    const options = signing as Extract<Signing, { scheme: 'hmac' }>;
    const headers = sign();
    const seconds = Math.floor(timeMs / 1000);
    const expected = createHmac('sha256', secrets[0])
      .update(content(seconds).replaceAll('BODY', request.body.toString()))
      .digest(options.encoding);
    expect(headers[options.header]).toBe(prefix.replace('SECONDS', String(seconds)) + expected);
    if (options.timestampHeader !== null) expect(headers['x-slack-request-timestamp']).toBe(String(seconds));
  });

  test('takes the bytes of the body as they are, and the key as it is encoded', async () => {
    const body = Buffer.from([0xff, 0x00, 0xfe, 0x0a]);
    for (const secretEncoding of ['hex', 'base64', 'utf8'] as const) {
      for (const algorithm of ['sha1', 'sha256', 'sha384', 'sha512'] as const) {
        for (const encoding of ['hex', 'base64', 'base64url'] as const) {
          const { secrets, sign } = setup({ scheme: 'hmac', secretEncoding, algorithm, encoding });
          const key = Buffer.from(secrets[0], secretEncoding);
          expect(sign({ body })['x-signature']).toBe(createHmac(algorithm, key).update(body).digest(encoding));
        }
      }
    }
  });

  test('counts time in milliseconds where asked to, and names the id', () => {
    const { sign } = setup({
      scheme: 'hmac',
      timestampUnit: 'milliseconds',
      timestampHeader: 'x-time',
      idHeader: 'x-id',
    });
    expect(sign()).toMatchObject({ 'x-time': String(timeMs), 'x-id': 'evt_1' });
  });

  test('signs with both secrets only where it was told how to join them', () => {
    const joined = setup({ scheme: 'hmac', prefix: 'v1=', separator: ',' }, {}, 2).sign()['x-signature'];
    expect(joined).toMatch(/^v1=[0-9a-f]{64},v1=[0-9a-f]{64}$/);
    expect(setup({ scheme: 'hmac' }, {}, 2).sign()['x-signature']).toMatch(/^[0-9a-f]{64}$/);
  });
});
