import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, type Receiver, receiver } from '../../test/receiver.ts';
import { until } from '../../test/until.ts';
import type { OAuthClient } from '../core/endpoint-auth.ts';
import type { SendResult } from '../core/outcome.ts';
import { type AddressRules, parseTarget } from '../net/address-guard.ts';
import { AccessTokens } from './access-tokens.ts';
import { type OAuthGrant, targetOf } from './loaded-credential.ts';
import { Sender } from './sender.ts';

const RULES: AddressRules = { allowHttp: true, allowPrivate: ['127.0.0.0/8'] };

let server: Receiver;
let endpoint: Receiver;
let sender: Sender;
let tokens: AccessTokens;
/** Of the tokens' clock. */
let nowMs: number;
let issued: number;

const granted =
  (more: object = {}): Answer =>
  () => ({
    status: 200,
    body: JSON.stringify({ access_token: `token-${++issued}`, token_type: 'Bearer', expires_in: 3600, ...more }),
  });

beforeEach(async () => {
  [server, endpoint] = [await receiver(), await receiver()];
  sender = new Sender({ rules: RULES });
  await sender.start();
  nowMs = 1_000_000;
  issued = 0;
  tokens = new AccessTokens({ sender, version: '1.0', now: () => nowMs });
  server.respondWith(granted());
});
afterEach(async () => {
  await sender.stop();
  await Promise.all([server.close(), endpoint.close()]);
});

function grant(client: Partial<OAuthClient> = {}, more: Partial<OAuthGrant> = {}): OAuthGrant {
  const tokenUrl = `${server.url}/token`;
  const whole = {
    tokenUrl,
    clientId: 'tidings',
    scope: null,
    audience: null,
    clientAuthentication: 'basic',
    ...client,
  } as const;
  return { key: 'ep_1 a', client: whole, clientSecret: 'hush', target: targetOf(whole.tokenUrl, RULES), ...more };
}

function send(by = grant()): Promise<SendResult> {
  const target = parseTarget(endpoint.url, RULES);
  const request = { target, headers: { 'x-own': '1' }, body: Buffer.from('x'), timeoutMs: 5000 };
  return new Promise((resolve) => tokens.send(by, request, resolve));
}

const sentTokens = (): (string | undefined)[] => endpoint.requests.map(({ headers }) => headers.authorization);

describe('access tokens', () => {
  test('are fetched once for all requests of an endpoint, and kept', async () => {
    const results = await Promise.all([send(), send(), send()]);
    expect(results.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered', 'delivered']);
    await send();
    expect(server.requests).toHaveLength(1);
    expect(new Set(sentTokens())).toEqual(new Set(['Bearer token-1']));
    expect(endpoint.requests[0].headers['x-own']).toBe('1');
    expect(server.requests[0]).toMatchObject({ method: 'POST', path: '/token' });
    expect(server.requests[0].body.toString()).toBe('grant_type=client_credentials');
    expect(server.requests[0].headers).toMatchObject({
      authorization: `Basic ${Buffer.from('tidings:hush').toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
      'user-agent': 'Tidings/1.0',
    });
  });

  test('are asked for as the authorization server wants it', async () => {
    const client = { clientId: 'a:b c', scope: 'hooks write', audience: 'https://api.example.com' };
    await send(grant(client, { key: '1', clientSecret: 'h&sh%' }));
    await send(grant({ ...client, clientAuthentication: 'body' }, { key: '2', clientSecret: 'h&sh%' }));
    const [basic, body] = server.requests;
    // RFC 6749, section 2.3.1, and appendix B.
    expect(Buffer.from(basic.headers.authorization!.slice(6), 'base64').toString()).toBe('a%3Ab+c:h%26sh%25');
    const form = { grant_type: 'client_credentials', scope: 'hooks write', audience: 'https://api.example.com' };
    expect(Object.fromEntries(new URLSearchParams(basic.body.toString()))).toEqual(form);
    expect(body.headers.authorization).toBeUndefined();
    expect(Object.fromEntries(new URLSearchParams(body.body.toString()))).toEqual({
      ...form,
      client_id: 'a:b c',
      client_secret: 'h&sh%',
    });
  });

  test('are of one endpoint and credential', async () => {
    await send(grant({}, { key: 'ep_1 a' }));
    await send(grant({}, { key: 'ep_1 b' }));
    await send(grant({}, { key: 'ep_2 a' }));
    expect(sentTokens()).toEqual(['Bearer token-1', 'Bearer token-2', 'Bearer token-3']);
  });

  test('are renewed before their end, while the old one is sent', async () => {
    await send();
    nowMs += 3_500_000;
    await send();
    expect(server.requests).toHaveLength(1);
    nowMs += 50_000;
    let answer: (answer: Answer) => void = () => {};
    server.respondWith(
      () =>
        new Promise<Answer>((resolve) => {
          answer = resolve;
        }),
    );
    expect((await send()).outcome).toBe('delivered');
    expect((await send()).outcome).toBe('delivered');
    await server.request(2);
    answer(granted());
    await until(async () => {
      await send();
      return sentTokens().at(-1) === 'Bearer token-2';
    });
    expect(server.requests).toHaveLength(2);
    expect(sentTokens().slice(0, 4)).toEqual(Array(4).fill('Bearer token-1'));
  });

  test('go on when a renewal fails, which is tried again', async () => {
    await send();
    nowMs += 3_550_000;
    server.respondWith(500);
    for (let i = 0; i < 3; i++) expect((await send()).outcome).toBe('delivered');
    await server.request(2);
    await until(() => sender.inFlight === 0);
    expect(server.requests).toHaveLength(2);
    nowMs += 6000;
    await send();
    await server.request(3);
    nowMs += 60_000;
    await until(() => sender.inFlight === 0);
    expect(await send()).toMatchObject({ outcome: 'unreachable', reason: 'auth_failed' });
  });

  test('of short or unsaid life are not used beyond it', async () => {
    server.respondWith(granted({ expires_in: '10' }));
    await send();
    nowMs += 7900;
    await send();
    expect(server.requests).toHaveLength(1);
    nowMs += 2000;
    await send();
    expect(server.requests).toHaveLength(2);
    server.respondWith(granted({ expires_in: undefined }));
    nowMs += 10_000;
    await send();
    nowMs += 239_000;
    await send();
    expect(server.requests).toHaveLength(3);
    nowMs += 60_000;
    await send();
    expect(server.requests).toHaveLength(4);
  });

  test('that an endpoint refuses are fetched anew, but not at once', async () => {
    endpoint.respondWith(401);
    expect(await send()).toMatchObject({ outcome: 'rejected', status: 401 });
    await send();
    expect(server.requests).toHaveLength(1);
    nowMs += 31_000;
    await send();
    await send();
    expect(sentTokens()).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-1', 'Bearer token-2']);
  });

  test.each<[string, Answer, string]>([
    [
      'an error with a code',
      { status: 400, body: '{"error":"invalid_client","error_description":"hush"}' },
      'answered 400 invalid_client.',
    ],
    ['an error that repeats the secret', { status: 400, body: '{"error":"not hush"}' }, 'answered 400.'],
    ['an error without one', { status: 500, body: 'hush' }, 'answered 500.'],
    ['a redirect', { status: 302, headers: { location: '/elsewhere' } }, 'answered 302.'],
    ['no JSON', { status: 200, body: 'access_token=hush' }, 'not with an access token'],
    [
      'a token that breaks the line',
      { status: 200, body: '{"access_token":"hush\\r\\nx: 1","token_type":"bearer"}' },
      'not with an access token',
    ],
    [
      'a token that is none',
      { status: 200, body: '{"access_token":{"hush":1},"token_type":"bearer"}' },
      'not with an access token',
    ],
    [
      'too long a token',
      { status: 200, body: `{"access_token":"${'h'.repeat(9000)}","token_type":"bearer"}` },
      'not with an access token',
    ],
    ['a token of another type', { status: 200, body: '{"access_token":"hush","token_type":"mac"}' }, 'another type'],
    ['no answer', 'reset', 'connection_reset'],
  ])('that do not come for %s fail the attempt', async (_, answer, words) => {
    server.respondWith(answer);
    const result = await send();
    expect(result).toMatchObject({ outcome: 'unreachable', reason: 'auth_failed', status: null, responseBody: null });
    expect(result.error).toContain(`${server.url}/token`);
    expect(result.error).toContain(words);
    expect(result.error).not.toMatch(/hush/);
    expect(endpoint.requests).toEqual([]);
    server.respondWith(granted());
    expect((await send()).outcome).toBe('delivered');
  });

  test('are waited for no longer than an attempt may take, which leaves the rest of that time', async () => {
    server.respondWith('hang');
    const target = parseTarget(endpoint.url, RULES);
    const request = { target, headers: {}, body: Buffer.from('x'), timeoutMs: 150 };
    const result = await new Promise<SendResult>((resolve) => tokens.send(grant(), request, resolve));
    expect(result).toMatchObject({ outcome: 'unreachable', reason: 'auth_failed' });
    expect(result.error).toContain('timeout_total');
    expect(result.error).toContain('150 ms');

    const timeouts: number[] = [];
    const slow = new AccessTokens({
      version: '1.0',
      now: () => nowMs,
      sender: {
        send: ({ timeoutMs, keepsBody }, done) => {
          timeouts.push(timeoutMs);
          nowMs += 3000;
          const responseBody = keepsBody
            ? Buffer.from('{"access_token":"abc","token_type":"bearer","expires_in":0}')
            : null;
          setImmediate(done, { ...result, outcome: 'delivered', status: 200, responseBody });
        },
      },
    });
    for (const timeoutMs of [60_000, 5000, 3500]) {
      await new Promise<SendResult>((resolve) => slow.send(grant(), { ...request, timeoutMs }, resolve));
    }
    expect(timeouts).toEqual([10_000, 57_000, 5000, 2000, 3500, 1000]);
  });

  test('are hidden where an endpoint repeats them', async () => {
    endpoint.respondWith(({ headers }) => ({ status: 400, body: JSON.stringify(headers) }));
    const { responseBody } = await send();
    expect(String(responseBody)).toContain('"authorization":"[credential]"');
    expect(String(responseBody)).not.toContain('token-1');
  });

  test('that this server does not get to ask for are not the fault of the other', async () => {
    server.respondWith('hang');
    const sending = send();
    await server.request(1);
    await sender.stop();
    expect(await sending).toMatchObject({ outcome: 'unreachable', reason: 'internal_error' });
  });

  test('that are throttled say until when', async () => {
    server.respondWith({ status: 429, headers: { 'retry-after': '7' } });
    expect(await send()).toMatchObject({ outcome: 'throttled', reason: 'auth_failed', retryAfterMs: 7000 });
  });

  test('are not asked for at an address that is forbidden', async () => {
    for (const tokenUrl of ['http://10.0.0.7/token', 'http://169.254.169.254/latest']) {
      const result = await send(grant({ tokenUrl }, { key: tokenUrl }));
      expect(result).toMatchObject({ outcome: 'unreachable', reason: 'auth_failed' });
      expect(result.error).toContain('--allow-private');
    }
  });
});
