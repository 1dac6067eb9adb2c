import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { requestOf, SIGNED_WEBHOOKS, type SignedWebhook } from '../../test/signed-webhooks.ts';
import { configureProvider } from './configure-provider.ts';
import { PROVIDERS } from './provider-table.ts';
import { type ReceiveContext, type Received, receive } from './receive.ts';
import { MAX_HEADER_CHARS, type WebhookRequest } from './webhook-request.ts';

// The certificates that some webhooks are signed with are valid from now.
const NOW = Math.ceil(Date.now() / 1000) * 1000;
const EMPTY_SECRETS = ['', '  ', '\n'];

type Headers = WebhookRequest['headers'];

const named = SIGNED_WEBHOOKS.map((webhook, i) => [`${webhook.provider} (${i + 1})`, webhook] as const);
const inHeader = named.filter(([, { header }]) => header !== null);
const withSecret = named.filter(([, { secret }]) => secret !== undefined);

function take(webhook: SignedWebhook, request: WebhookRequest, context: Partial<ReceiveContext> = {}): Received {
  const { provider, options = {}, secret, certificate } = webhook;
  return receive(configureProvider(provider, options), request, {
    secrets: secret === undefined ? [] : [secret],
    options,
    nowMs: NOW,
    ...(certificate === undefined ? {} : { certificate }),
    ...context,
  });
}

/** The reason of a refusal for a bad signature; fails for anything else. */
function refusalOf(received: Received): string {
  if (received.kind !== 'refused') throw new Error(`It was taken as ${received.kind}.`);
  expect(received.cause).toBe('bad_signature');
  expect(received.response.status).toBe(401);
  expect(received.detail).not.toContain('%');
  return received.reason;
}

function withHeaders(request: WebhookRequest, headers: Headers): WebhookRequest {
  return { ...request, headers: { ...request.headers, ...headers } };
}

function flipped(request: WebhookRequest): WebhookRequest {
  const text = request.rawBody.toString();
  expect(text).toContain('flip-a');
  return { ...request, rawBody: Buffer.from(text.replace('flip-a', 'flip-b')) };
}

describe('receive', () => {
  test('has a signed webhook for every provider that verifies', () => {
    const known = PROVIDERS.map(({ id }) => id).filter((id) => id !== 'none');
    expect([...new Set(SIGNED_WEBHOOKS.map(({ provider }) => provider))].sort()).toEqual(known.sort());
  });

  test.each(named)('takes a valid webhook of %s', (_name, webhook) => {
    const received = take(webhook, requestOf(webhook, NOW));
    expect(received).toMatchObject({
      kind: 'event',
      type: webhook.type,
      externalId: webhook.externalId,
      response: { status: webhook.status },
    });
  });

  test.each(named)('knows the same webhook of %s by the same id', (_name, webhook) => {
    const received = take(webhook, requestOf(webhook, NOW));
    expect(take(webhook, requestOf(webhook, NOW))).toEqual(received);
  });

  test.each(named)('notices a byte changed in the body of %s, if it is signed', (_name, webhook) => {
    const received = take(webhook, flipped(requestOf(webhook, NOW)));
    if (webhook.bodyUnsigned) expect(received.kind).toBe('event');
    else expect(refusalOf(received)).toBe('no_match');
  });

  test.each(withSecret)('refuses another secret for %s', (_name, webhook) => {
    const reason = refusalOf(take(webhook, requestOf(webhook, NOW, webhook.wrongSecret)));
    expect(['no_match', 'token_mismatch']).toContain(reason);
  });

  test.each(withSecret)('takes any of several secrets for %s', (_name, webhook) => {
    const { secret = '', wrongSecret = '' } = webhook;
    for (const secrets of [
      [wrongSecret, secret],
      [secret, wrongSecret],
      ['', secret],
    ]) {
      expect(take(webhook, requestOf(webhook, NOW), { secrets }).kind).toBe('event');
    }
  });

  test.each(withSecret)('never verifies %s by an empty secret or by none', (_name, webhook) => {
    for (const secrets of [[], EMPTY_SECRETS]) {
      const received = take(webhook, requestOf(webhook, NOW), { secrets });
      expect(received).toMatchObject({ kind: 'refused', cause: 'not_ready', response: { status: 503 } });
    }
  });

  test.each(named.filter(([, { toleranceSeconds }]) => toleranceSeconds !== undefined))(
    'refuses a stale and a future time for %s',
    (_name, webhook) => {
      const { toleranceSeconds = 0, provider } = webhook;
      const at = (seconds: number): Received => take(webhook, requestOf(webhook, NOW + seconds * 1000));
      const aheadSeconds = provider === 'paypal' ? 300 : toleranceSeconds;
      expect(at(-toleranceSeconds + 1).kind).toBe('event');
      expect(at(aheadSeconds - 1).kind).toBe('event');
      expect(refusalOf(at(-toleranceSeconds - 2))).toBe('timestamp_too_old');
      expect(refusalOf(at(aheadSeconds + 2))).toBe('timestamp_too_new');
    },
  );

  test.each(inHeader)('refuses a missing, doubled, oversized or malformed header of %s', (_name, webhook) => {
    const request = requestOf(webhook, NOW);
    const name = webhook.header!;
    const value = request.headers[name] as string;
    const refuse = (changed: Headers[string]): string =>
      refusalOf(take(webhook, withHeaders(request, { [name]: changed })));
    for (const missing of [undefined, '', []]) expect(refuse(missing)).toMatch(/^(signature|token)_missing$/);
    for (const malformed of [
      [value, value],
      `${value}${' '.repeat(MAX_HEADER_CHARS)}`,
      `${value}\u0000`,
      `${value}é`,
    ]) {
      expect(refuse(malformed)).toBe('signature_malformed');
    }
    for (const wrong of ['~', 'null', '0', '=', ',', value.slice(1), value.slice(0, -3)]) {
      expect(refuse(wrong)).toMatch(/^(signature_malformed|no_match|token_mismatch|timestamp_missing)$/);
    }
  });

  test.each(inHeader.filter(([, { encoded }]) => encoded === 'bytes'))(
    'decodes the signature of %s strictly',
    (_name, webhook) => {
      const request = requestOf(webhook, NOW);
      const name = webhook.header!;
      const value = request.headers[name] as string;
      // What Node's decoders overlook: characters that are none of theirs, and padding.
      const loose = [`${value}!`, `${value}=`, `${value}zz`, value.replace(/=+$/, '')].filter((text) => text !== value);
      for (const text of loose) {
        const reason = refusalOf(take(webhook, withHeaders(request, { [name]: text })));
        expect(reason).toBe('signature_malformed');
      }
    },
  );

  test.each(named.filter(([, { toleranceSeconds, sign }]) => toleranceSeconds !== undefined && sign))(
    'refuses a missing or malformed time of %s',
    (_name, webhook) => {
      const request = requestOf(webhook, NOW);
      const own = Object.keys(webhook.sign!(webhook.body, NOW, webhook.secret ?? ''));
      const [name] = own.filter((header) => /time/.test(header));
      if (name === undefined) return expect(own).toHaveLength(1);
      for (const time of [undefined, '', 'yesterday', '1e9', ' ', ['1', '1'], '99999999999999999999']) {
        const reason = refusalOf(take(webhook, withHeaders(request, { [name]: time })));
        expect(reason).toMatch(/^timestamp_(missing|malformed)$/);
      }
    },
  );

  test.each(named)('answers %s for methods it does not send', (_name, webhook) => {
    const received = take(webhook, { ...requestOf(webhook, NOW), method: 'PATCH' });
    expect(received).toMatchObject({ kind: 'refused', cause: 'method_not_allowed', response: { status: 405 } });
    if (received.kind === 'refused') expect(received.response.headers.allow).toContain('POST');
  });

  test.each(named)('withstands any body from %s', (_name, webhook) => {
    const bodies = ['', 'null', '[]', '{', '"text"', '{"value":[null]}', '{"notificationItems":[{}]}', '\u0000'];
    for (const contentType of ['application/json', 'application/x-www-form-urlencoded', undefined]) {
      for (const body of bodies) {
        const request = { ...requestOf(webhook, NOW), rawBody: Buffer.from(body) };
        const received = take(webhook, withHeaders(request, { 'content-type': contentType }));
        if (!webhook.bodyUnsigned || webhook.header === null) expect(received.kind).toBe('refused');
      }
    }
  });

  test('takes nothing that is made up, and never throws', () => {
    const texts = fc.oneof(
      fc.string({ maxLength: 40, unit: 'binary' }),
      fc.constantFrom(
        '',
        'v1,',
        't=,v1=',
        'sha256=',
        'Basic Og==',
        'Bearer ',
        '__proto__',
        '=',
        `${NOW}`,
        `${NOW / 1000}`,
      ),
    );
    const bodies = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.json().map(Buffer.from));
    const names = [...new Set(SIGNED_WEBHOOKS.flatMap((webhook) => Object.keys(requestOf(webhook, NOW).headers)))];
    const headers = fc.dictionary(fc.constantFrom(...names), fc.oneof(texts, fc.array(texts, { maxLength: 2 })), {
      noNullPrototype: true,
      maxKeys: 12,
    });
    const requests = fc.record({
      method: fc.constantFrom('POST', 'GET', 'HEAD', 'OPTIONS', 'PUT'),
      query: fc.dictionary(fc.constantFrom('hub.mode', 'hub.challenge', 'crc_token', 'challenge', 'bodySHA256'), texts),
      headers,
      rawBody: bodies,
    });
    fc.assert(
      fc.property(requests, fc.constantFrom(...SIGNED_WEBHOOKS), ({ query, rawBody, ...request }, webhook) => {
        const received = take(webhook, {
          ...request,
          query: new URLSearchParams(query),
          rawBody: Buffer.from(rawBody),
          remoteAddress: '192.0.2.1',
        });
        expect(received.kind).not.toBe('event');
      }),
      { numRuns: 500 },
    );
  });

  test('tries no more than 16 signatures', () => {
    const webhook = SIGNED_WEBHOOKS.find(({ provider }) => provider === 'stripe')!;
    const request = requestOf(webhook, NOW);
    const good = request.headers['stripe-signature'] as string;
    const wrong = `,v1=${'00'.repeat(32)}`;
    const at = (count: number): Received =>
      take(webhook, withHeaders(request, { 'stripe-signature': good + wrong.repeat(count) }));
    expect(at(15).kind).toBe('event');
    expect(refusalOf(at(16))).toBe('too_many_signatures');
  });

  test('takes any of the signatures that a header holds', () => {
    for (const [provider, join] of [
      ['synctera', (good: string, other: string) => `${other}.${good}`],
      ['stripe', (good: string, other: string) => good.replace('v1=', `v1=${other},v0=${other},v1=`)],
      ['persona', (good: string, other: string) => `${good.replace(/v1=.*/, `v1=${other}`)} ${good}`],
      ['svix', (good: string, other: string) => `v1,${Buffer.from(other, 'hex').toString('base64')} ${good}`],
    ] as const) {
      const webhook = SIGNED_WEBHOOKS.find((candidate) => candidate.provider === provider)!;
      const request = requestOf(webhook, NOW);
      const header = join(request.headers[webhook.header!] as string, '00'.repeat(32));
      expect(take(webhook, withHeaders(request, { [webhook.header!]: header })).kind, provider).toBe('event');
    }
    const docusign = SIGNED_WEBHOOKS.find(({ provider }) => provider === 'docusign')!;
    const request = requestOf(docusign, NOW);
    const moved = {
      'x-docusign-signature-1': 'AAAA',
      'x-docusign-signature-3': request.headers['x-docusign-signature-1'],
    };
    expect(take(docusign, withHeaders(request, moved)).kind).toBe('event');
  });

  test('takes what nobody verifies only where that is said', () => {
    const request: WebhookRequest = {
      method: 'PUT',
      query: new URLSearchParams(),
      headers: {},
      rawBody: Buffer.from('anything'),
      remoteAddress: '192.0.2.1',
    };
    const received = receive(configureProvider('none', {}), request, { secrets: [], options: {}, nowMs: NOW });
    expect(received).toMatchObject({ kind: 'event', type: 'none.event', externalId: null });
  });

  test('asks for the certificate that the request names, on pinned hosts only', () => {
    for (const [provider, name] of [
      ['paypal', 'paypal-cert-url'],
      ['aws-sns', 'SigningCertURL'],
    ]) {
      const webhook = SIGNED_WEBHOOKS.find((candidate) => candidate.provider === provider)!;
      const request = requestOf(webhook, NOW);
      const without = { certificate: () => undefined };
      const asked = take(webhook, request, without);
      if (asked.kind !== 'certificate') throw new Error(`It was taken as ${asked.kind}.`);
      expect(new URL(asked.url).hostname).toMatch(/^(api\.paypal|sns\.eu-west-1\.amazonaws)\.com$/);
      const path = new URL(asked.url).pathname;
      for (const url of [
        `http://${new URL(asked.url).host}${path}`,
        `https://evil.example${path}`,
        `https://api.paypal.com.evil.example${path}`,
        `https://sns.eu-west-1.amazonaws.com.evil.example${path}`,
        `https://user@${new URL(asked.url).host}${path}`,
        `${asked.url}?x`,
        'file:///etc/passwd',
      ]) {
        const changed =
          provider === 'paypal'
            ? withHeaders(request, { [name]: url })
            : { ...request, rawBody: Buffer.from(request.rawBody.toString().replace(asked.url, url)) };
        expect(refusalOf(take(webhook, changed, without)), url).toBe('certificate_refused');
      }
      for (const text of ['', 'no certificate']) {
        expect(refusalOf(take(webhook, request, { certificate: () => text }))).toBe('certificate_refused');
      }
    }
  });

  test('believes no certificate of another name', () => {
    const [paypal, sns] = ['paypal', 'aws-sns'].map((id) => SIGNED_WEBHOOKS.find(({ provider }) => provider === id)!);
    const pem = (webhook: SignedWebhook): string => {
      const asked = take(webhook, requestOf(webhook, NOW), { certificate: () => undefined });
      return webhook.certificate!(asked.kind === 'certificate' ? asked.url : '')!;
    };
    const [ofPaypal, ofSns] = [pem(paypal), pem(sns)];
    expect(refusalOf(take(paypal, requestOf(paypal, NOW), { certificate: () => ofSns }))).toBe('certificate_refused');
    expect(refusalOf(take(sns, requestOf(sns, NOW), { certificate: () => ofPaypal }))).toBe('certificate_refused');
    const years = NOW + 5 * 365 * 86_400_000;
    const late = take(sns, requestOf(sns, years), { nowMs: years });
    expect(refusalOf(late)).toBe('certificate_refused');
  });
});
