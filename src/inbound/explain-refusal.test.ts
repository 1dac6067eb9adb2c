import { createHash, createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { requestOf, SIGNED_WEBHOOKS, type SignedWebhook } from '../../test/signed-webhooks.ts';
import { configureProvider } from './configure-provider.ts';
import { explainRefusal } from './explain-refusal.ts';
import { type ReceiveContext, receive } from './receive.ts';
import type { Refused } from './refusal.ts';
import type { WebhookRequest } from './webhook-request.ts';

const NOW = Date.parse('2026-11-21T10:00:00.000Z');

function webhookOf(provider: string): SignedWebhook {
  return SIGNED_WEBHOOKS.find((webhook) => webhook.provider === provider)!;
}

/** The refusal of a request and its explanation; fails if the request is taken. */
function explain(webhook: SignedWebhook, request: WebhookRequest, changes: Partial<ReceiveContext> = {}): Refused {
  const { provider: id, secret = '', options = {} } = webhook;
  const provider = configureProvider(id, options);
  const context = { secrets: [secret], options, nowMs: NOW, ...changes };
  const received = receive(provider, request, context);
  if (received.kind !== 'refused') throw new Error(`It was taken as ${received.kind}.`);
  const explained = explainRefusal(provider, request, context, received);
  expect(explained.response).toEqual(received.response);
  expect(explained.cause).toBe(received.cause);
  return explained;
}

function signedGitHub(signed: string, arrived: string): WebhookRequest {
  const webhook = { ...webhookOf('github'), body: signed };
  return { ...requestOf(webhook, NOW), rawBody: Buffer.from(arrived) };
}

describe('explain refusal', () => {
  const value = { url: 'https://example.com/a', text: 'größer ✓ "a: b, c" \\', n: 1.5, list: [1, { a: null }] };
  const compact = JSON.stringify(value);
  const ascii = (text: string): string =>
    text.replaceAll(/[^\x00-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

  test.each([
    ['compact', compact, JSON.stringify(value, null, 2), 'its JSON was compact'],
    ['indented', JSON.stringify(value, null, 2), compact, 'its JSON was indented by 2'],
    ['indented by 4', JSON.stringify(value, null, 4), compact, 'its JSON was indented by 4'],
    [
      'as Python writes it',
      ascii(
        '{"url": "https://example.com/a", "text": "größer ✓ \\"a: b, c\\" \\\\", "n": 1.5, "list": [1, {"a": null}]}',
      ),
      compact,
      'its JSON escaped all that is not ASCII and had spaces',
    ],
    [
      'as PHP writes it',
      ascii(compact.replaceAll('/', '\\/')),
      compact,
      'its JSON escaped each slash and all that is not ASCII',
    ],
    ['with escapes', ascii(compact), compact, 'its JSON escaped all that is not ASCII'],
    ['with a line feed', `${compact}\n`, compact, 'it was sent with a line feed at its end'],
    ['without a line feed', compact, `${compact}\r\n`, 'it was sent without the white space around it'],
    ['with CR LF', 'a\r\nb\r\n', 'a\nb\n', 'its line ends were CR LF'],
  ])('tells that a body was changed that was signed %s', (_name, signed, arrived, words) => {
    const explained = explain(webhookOf('github'), signedGitHub(signed, arrived));
    expect(explained.reason).toBe('body_changed');
    expect(explained.detail).toContain(words);
  });

  test('tells by a digest that the body was changed', () => {
    const request = signedGitHub(compact, 'quite another body');
    const digest = (hash: string): string => createHash(hash).update(compact).digest('base64');
    for (const headers of [
      { 'content-digest': `sha-512=:AAAA:, sha-256=:${digest('sha256')}:` },
      { digest: `SHA-256=${digest('sha256')}` },
      { 'content-md5': digest('md5') },
    ]) {
      const explained = explain(webhookOf('github'), { ...request, headers: { ...request.headers, ...headers } });
      expect(explained.reason).toBe('body_changed');
    }
    const own = createHash('sha256').update(request.rawBody).digest('base64');
    const headers = { ...request.headers, 'content-digest': `sha-256=:${own}:` };
    expect(explain(webhookOf('github'), { ...request, headers }).reason).toBe('no_match');
  });

  test('leaves a wrong secret what it is', () => {
    for (const webhook of SIGNED_WEBHOOKS) {
      if (webhook.wrongSecret === undefined) continue;
      const { reason, detail } = explain(webhook, requestOf(webhook, NOW, webhook.wrongSecret));
      expect(['no_match', 'token_mismatch']).toContain(reason);
      expect(detail).not.toContain(webhook.secret!);
    }
  });

  test('tells that something stands around a secret', () => {
    const github = webhookOf('github');
    for (const around of ['\n', ' ', '"', "'"]) {
      const secrets = [around.trim() === '' ? `${github.secret}${around}` : `${around}${github.secret}${around}`];
      const { reason, detail } = explain(github, requestOf(github, NOW), { secrets });
      expect(reason).toBe('secret_misread');
      expect(detail).not.toContain(github.secret!);
    }
  });

  test('tells which option of a generic HMAC would fit', () => {
    const hmac = webhookOf('hmac');
    const secret = 'ab'.repeat(24);
    const signed = (hash: string, key: string | Buffer): WebhookRequest => {
      const request = requestOf(hmac, NOW);
      const signature = createHmac(hash, key).update(request.rawBody).digest('hex');
      return { ...request, headers: { ...request.headers, 'x-signature': signature } };
    };
    const detailOf = (request: WebhookRequest): string => explain({ ...hmac, secret }, request).detail;
    expect(detailOf(signed('sha256', Buffer.from(secret, 'hex')))).toContain('with the option key = hex');
    expect(detailOf(signed('sha256', Buffer.from(secret, 'base64')))).toContain('with the option key = base64');
    expect(detailOf(signed('sha1', secret))).toContain('with the option hash = sha1');
  });

  test.each(['square', 'hubspot', 'twilio'])('tells the URL that %s signed', (provider) => {
    const webhook = webhookOf(provider);
    const { url } = webhook.options!;
    const request = requestOf(webhook, NOW);
    for (const other of [url.replace('https:', 'http:'), `${url}/`]) {
      const { reason, detail } = explain(webhook, request, { options: { url: other } });
      expect(reason).toBe('url_differs');
      expect(detail).toContain(` ${url}.`);
    }
    const elsewhere = explain(webhook, request, { options: { url: 'https://elsewhere.example/' } });
    expect(elsewhere.reason).toBe('no_match');
  });

  test('tells whether a request out of time is signed rightly', () => {
    const slack = webhookOf('slack');
    const late = explain(slack, requestOf(slack, NOW - 3_600_000));
    expect(late).toMatchObject({ reason: 'timestamp_too_old' });
    expect(late.detail).toMatch(/^The request was signed 3600 s ago.+ The signature itself is right\.$/);
    const early = explain(slack, requestOf(slack, NOW + 3_600_000, slack.wrongSecret));
    expect(early.detail).toMatch(/in the future.+ The signature would not fit either\.$/);
  });

  test('leaves other refusals as they are', () => {
    const github = webhookOf('github');
    const request = { ...requestOf(github, NOW), headers: {} };
    expect(explain(github, request).reason).toBe('signature_missing');
    expect(explain(github, requestOf(github, NOW), { secrets: [] }).reason).toBe('secret_missing');
  });

  test('tries no other bodies for what is large', () => {
    const large = JSON.stringify({ text: 'x'.repeat(300_000) });
    expect(explain(webhookOf('github'), signedGitHub(large, `${large} `)).reason).toBe('no_match');
  });
});
