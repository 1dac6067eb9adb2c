import { afterEach, describe, expect, test } from 'vitest';
import { type Answer, type Receiver, receiver } from '../../test/receiver.ts';
import { credentialOf, openAuth } from '../core/endpoint-auth.ts';
import { AccessTokens } from './access-tokens.ts';
import { askConsent, type Consent, type ConsentRequest } from './consent.ts';
import { Sender } from './sender.ts';

const RULES = { allowHttp: true, allowPrivate: ['127.0.0.0/8'] };
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function setup(
  answer: Answer,
): Promise<{ hooks: Receiver; ask: (more?: Partial<ConsentRequest>) => Promise<Consent> }> {
  const hooks = await receiver();
  hooks.respondWith(answer);
  const sender = new Sender({ rules: RULES });
  await sender.start();
  const tokens = new AccessTokens({ sender, version: '1.2.3' });
  closers.push(
    () => hooks.close(),
    () => sender.stop(),
  );
  const request = {
    url: `${hooks.url}?key=1`,
    headers: { 'x-key': 'a' },
    credential: null,
    origin: 'events.example.com',
    ratePerMinute: 120,
  };
  const ask = (more: Partial<ConsentRequest> = {}): Promise<Consent> =>
    askConsent({ sender, tokens, rules: RULES, version: '1.2.3' }, { ...request, ...more });
  return { hooks, ask };
}

const allowing = (headers: Record<string, string>, status = 200): Answer => ({ status, headers });

describe('consent', () => {
  test('is asked for by OPTIONS at the very URL', async () => {
    const { hooks, ask } = await setup(
      allowing({ 'WebHook-Allowed-Origin': 'Events.example.com', 'WebHook-Allowed-Rate': '100' }),
    );
    expect(await ask()).toEqual({ ratePerMinute: 100 });
    const [{ method, path, headers, body }] = hooks.requests;
    expect([method, path, body.length]).toEqual(['OPTIONS', expect.stringMatching(/\?key=1$/), 0]);
    expect(headers).toMatchObject({
      'webhook-request-origin': 'events.example.com',
      'webhook-request-rate': '120',
      'user-agent': 'Tidings/1.2.3',
      'x-key': 'a',
    });
    await ask({ ratePerMinute: null });
    expect(hooks.requests[1].headers).not.toHaveProperty('webhook-request-rate');
  });

  test('is asked for with the credential of the endpoint', async () => {
    const { hooks, ask } = await setup(({ path }) =>
      path === '/token'
        ? { status: 200, body: '{"access_token":"fetched","token_type":"bearer"}' }
        : { status: 200, headers: { 'webhook-allowed-origin': '*' } },
    );
    const client = { tokenUrl: `${hooks.url}/token`, clientId: 'me', clientSecret: 'hush' };
    for (const input of [
      { type: 'bearer', token: 'a-token' },
      { type: 'oauth2', ...client },
    ] as const) {
      const stored = { credentialUuid: 'a', credential: credentialOf(input) };
      await ask({ credential: { endpointId: 'ep_1', auth: openAuth(input), stored } });
    }
    const asked = hooks.requests.filter(({ method }) => method === 'OPTIONS');
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer a-token', 'Bearer fetched']);
  });

  test('is given for every origin and every rate by an asterisk, whatever the status', async () => {
    const { ask } = await setup(allowing({ 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '*' }, 405));
    expect(await ask()).toEqual({ ratePerMinute: null });
  });

  test('is not what does not say so', async () => {
    const answers: [Answer, string][] = [
      [200, 'by 200 without WebHook-Allowed-Origin'],
      [allowing({ 'webhook-allowed-origin': 'other.example.com' }), 'with another WebHook-Allowed-Origin'],
      [{ status: 301, headers: { location: '/other', 'webhook-allowed-origins': '*' } }, 'by 301 without'],
      [allowing({ 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '0' }), 'neither a number'],
      ['reset', 'could not be asked'],
    ];
    for (const [answer, detail] of answers) {
      const { hooks, ask } = await setup(answer);
      await expect(ask(), detail).rejects.toMatchObject({
        code: 'handshake_failed',
        detail: expect.stringContaining(detail),
      });
      expect(hooks.requests.length).toBeLessThanOrEqual(1);
    }
  });

  test('is not asked for where requests are not let out', async () => {
    const { ask } = await setup(200);
    await expect(ask({ url: 'http://10.0.0.1/' })).rejects.toMatchObject({ code: 'address_forbidden' });
  });
});
