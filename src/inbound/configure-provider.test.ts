import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { TidingsError } from '../core/errors.ts';
import {
  COMMON_OPTIONS,
  configureProvider,
  GENERIC_OPTIONS,
  needsSecret,
  secretProblem,
} from './configure-provider.ts';
import { PROVIDERS } from './provider-table.ts';
import { receive } from './receive.ts';
import type { WebhookRequest } from './webhook-request.ts';

const NOW = Date.parse('2026-11-21T10:00:00.000Z');

/** The paths and sentences of what is wrong. */
function faultsOf(id: string, options: Record<string, string>): string[] {
  try {
    configureProvider(id, options);
  } catch (error) {
    if (!(error instanceof TidingsError)) throw error;
    expect(error.code).toBe('invalid_request');
    return error.errors!.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

function requestWith(headers: Record<string, string>, body: string): WebhookRequest {
  return {
    method: 'POST',
    query: new URLSearchParams(),
    headers,
    rawBody: Buffer.from(body),
    remoteAddress: '192.0.2.1',
  };
}

describe('configured provider', () => {
  test('is a row as it stands where no option is given', () => {
    for (const provider of PROVIDERS) {
      if (provider.options?.some(({ required }) => required)) continue;
      const configured = configureProvider(provider.id, {});
      if (provider.id !== 'hmac' && provider.id !== 'token') expect(configured).toEqual(provider);
    }
  });

  test('takes its event’s type and id from where the options say', () => {
    const headers = { 'x-kind': 'a/b', 'x-id': '7', 'idempotency-key': 'k' };
    const body = '{"type":"c","meta":{"kind":"d","id":8}}';
    const taken = (options: Record<string, string>): unknown =>
      receive(configureProvider('none', options), requestWith(headers, body), { secrets: [], options, nowMs: NOW });
    expect(taken({})).toMatchObject({ type: 'none.c', externalId: 'k' });
    expect(taken({ typeHeader: 'X-Kind', idHeader: 'X-Id' })).toMatchObject({ type: 'none.a.b', externalId: '7' });
    expect(taken({ typePath: 'meta.kind', idPath: 'meta.id' })).toMatchObject({ type: 'none.d', externalId: '8' });
    expect(taken({ type: 'order.created' })).toMatchObject({ type: 'order.created' });
    expect(taken({ typePath: 'no.such', idPath: 'no.such' })).toMatchObject({ type: 'none.c', externalId: 'k' });
  });

  test('allows as much time as the options say', () => {
    const at = String(NOW / 1000 - 3600);
    const headers = {
      'x-slack-request-timestamp': at,
      'x-slack-signature': `v0=${createHmac('sha256', 's').update(`v0:${at}:{}`).digest('hex')}`,
    };
    const kindOf = (options: Record<string, string>): string =>
      receive(configureProvider('slack', options), requestWith(headers, '{}'), { secrets: ['s'], options, nowMs: NOW })
        .kind;
    expect(kindOf({})).toBe('refused');
    expect(kindOf({ toleranceSeconds: '3600' })).toBe('event');
  });

  test('tells which providers there are where one is unknown', () => {
    expect(faultsOf('gihub', {})).toEqual([
      expect.stringMatching(/^\/provider: There is no provider `gihub`\. Use one of .*github,/),
    ]);
  });

  test.each<[string, Record<string, string>, string]>([
    ['github', { tpye: 'a' }, '/options/tpye: There is no option `tpye` here. Use type,'],
    ['github', { header: 'x-a' }, '/options/header: There is no option `header` here.'],
    ['github', { type: 'a b' }, '/options/type: The option type must be 1 to 128 of'],
    ['github', { type: '' }, '/options/type: The option type must be a string of 1 to 2048'],
    ['github', { typeHeader: 'a b' }, '/options/typeHeader: The option typeHeader must be the name of a header.'],
    ['github', { idPath: 'a..b' }, '/options/idPath: The option idPath must be a path'],
    ['github', { toleranceSeconds: '0' }, '/options/toleranceSeconds: The option toleranceSeconds must be a number'],
    ['github', { toleranceSeconds: '9999999' }, '/options/toleranceSeconds: '],
    [
      'github',
      { toString: 'a' } as unknown as Record<string, string>,
      '/options/toString: There is no option `toString`',
    ],
    ['facebook', {}, '/options/verifyToken: Facebook needs the option verifyToken.'],
    ['square', { url: 'ftp://x/' }, '/options/url: The option url must be an http or https URL.'],
    ['hmac', { hash: 'sha3' }, '/options/hash: The option hash must be one of md5, sha1, sha256, sha384, sha512.'],
    ['hmac', { encoding: 'ascii' }, '/options/encoding: '],
    ['hmac', { key: 'spki' }, '/options/key: The option key must be one of text, hex, base64, whsec.'],
    ['hmac', { template: 'x' }, '/options/template: The option template must hold {body}'],
    ['hmac', { template: '{body}{body}' }, '/options/template: The option template may hold {body} once'],
    ['hmac', { template: '{body}{nonsense}' }, '/options/template: '],
    ['hmac', { template: '{option:x}{body}' }, '/options/template: The option template may not hold an option'],
    ['hmac', { template: '{url}{body}' }, '/options/template: The option template may not hold an option'],
    ['hmac', { template: '{timestamp}.{body}' }, '/options/timestampHeader: The template holds {timestamp}'],
    ['hmac', { timestampHeader: 'x-t' }, '/options/template: A time that is not signed proves nothing'],
    ['token', { prefix: 'a\n' }, '/options/prefix: '],
  ])('refuses %s with %j', (id, options, words) => {
    const faults = faultsOf(id, options);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(words);
  });

  test('tells all that is wrong at once', () => {
    expect(faultsOf('square', { type: ' ', idPath: '' })).toHaveLength(3);
  });

  test('says of every option what it does', () => {
    for (const rules of [COMMON_OPTIONS, ...Object.values(GENERIC_OPTIONS)]) {
      for (const { doc } of Object.values(rules)) expect(doc).toMatch(/\.$/);
    }
  });
});

describe('secret of a provider', () => {
  const known = (id: string) => PROVIDERS.find((provider) => provider.id === id)!;

  test('is of the form that the provider shows it in', () => {
    for (const [id, secret] of [
      ['github', 'x'],
      ['svix', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
      ['standard-webhooks', 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4='],
      ['gitlab', 'glpat'],
      ['discord', 'ab'.repeat(32)],
      ['basic', 'user:password'],
    ]) {
      expect(secretProblem(known(id), secret), id).toBeNull();
    }
    for (const [id, secret] of [
      ['github', ''],
      ['github', ' '],
      ['svix', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
      ['svix', 'whsec_'],
      ['svix', 'whsec_!!'],
      ['standard-webhooks', 'whpk_AAAA'],
      ['gitlab', 'whsec_'],
      ['discord', 'ab'.repeat(31)],
      ['sendgrid', 'MFkw'],
      ['basic', 'user'],
      ['basic', ':hunter2'],
      ['adyen', ' '],
    ]) {
      const problem = secretProblem(known(id), secret);
      expect(problem, `${id} ${secret}`).toMatch(/cannot be used/);
      if (secret.length > 6) expect(problem).not.toContain(secret);
    }
  });

  test('is not wanted where none is needed', () => {
    for (const id of ['none', 'paypal', 'aws-sns']) {
      expect(needsSecret(known(id))).toBe(false);
      expect(secretProblem(known(id), 'a secret')).toMatch(/takes no secret/);
    }
    expect(needsSecret(known('github'))).toBe(true);
    expect(needsSecret(known('adyen'))).toBe(true);
  });
});
