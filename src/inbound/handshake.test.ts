import { createHmac, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { selfSigned } from '../../test/certificates.ts';
import { configureProvider } from './configure-provider.ts';
import { PROVIDERS } from './provider-table.ts';
import { type ReceiveContext, type Received, receive } from './receive.ts';
import type { WebhookRequest } from './webhook-request.ts';

const SNS = selfSigned('sns.amazonaws.com');
// The certificate is valid from when it was made.
const NOW = Math.ceil(Date.now() / 1000) * 1000;
const SECRET = 'a-secret-of-32-chars-1234567890ab';
const PLAIN = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };

interface Call {
  provider: string;
  method?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string | object;
  options?: Record<string, string>;
  secrets?: string[];
  certificate?: ReceiveContext['certificate'];
}

function call({ provider, method = 'POST', query = {}, headers = {}, body = '', ...rest }: Call): Received {
  const { options = {}, secrets = [SECRET], certificate } = rest;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const request: WebhookRequest = {
    method,
    query: new URLSearchParams(query),
    headers: { 'content-type': 'application/json', ...headers },
    rawBody: Buffer.from(text),
    remoteAddress: '192.0.2.1',
  };
  return receive(configureProvider(provider, options), request, {
    secrets,
    options,
    nowMs: NOW,
    ...(certificate === undefined ? {} : { certificate }),
  });
}

function hmac(content: string, encoding: 'hex' | 'base64' = 'hex', secret = SECRET): string {
  return createHmac('sha256', secret).update(content).digest(encoding);
}

/** Slack and Zoom sign alike but for the names. */
function signedV0(names: 'x-slack' | 'x-zm', body: string, secret = SECRET): Record<string, string> {
  const at = String(NOW / 1000);
  const time = names === 'x-slack' ? 'x-slack-request-timestamp' : 'x-zm-request-timestamp';
  return { [time]: at, [`${names}-signature`]: `v0=${hmac(`v0:${at}:${body}`, 'hex', secret)}` };
}

function expectEcho(received: Received, challenge: string): void {
  expect(received).toMatchObject({ kind: 'handshake', response: { status: 200, headers: PLAIN, body: challenge } });
}

function expectRefusal(received: Received, reason: string, status: number): void {
  expect(received).toMatchObject({ kind: 'refused', reason, response: { status } });
}

describe('handshake', () => {
  test('is described for people wherever there is one', () => {
    const handshakes = PROVIDERS.flatMap(({ id, handshakes = [] }) => handshakes.map(({ name }) => `${id}: ${name}`));
    expect(handshakes).toEqual([
      'asana: x-hook-secret',
      'asana: heartbeat',
      'aws-sns: SubscriptionConfirmation',
      'discord: ping',
      'dropbox: challenge',
      'facebook: hub.challenge',
      'front: x-front-challenge',
      'instagram: hub.challenge',
      'intercom: head',
      'microsoft-graph: validationToken',
      'slack: url_verification',
      'twitch: webhook_callback_verification',
      'whatsapp: hub.challenge',
      'woocommerce: ping',
      'x: crc_token',
      'xero: intent to receive',
      'zoom: endpoint.url_validation',
      'cloudevents: abuse protection',
      'websub: hub.challenge',
    ]);
    for (const { handshakes = [] } of PROVIDERS) for (const { words } of handshakes) expect(words).toMatch(/\.$/);
  });

  test('of Slack echoes the challenge of a signed url_verification', () => {
    const body = JSON.stringify({ token: 'x', challenge: '3eZbrw1aBm2rZgRNFdxV2595E9CY3', type: 'url_verification' });
    expectEcho(call({ provider: 'slack', body, headers: signedV0('x-slack', body) }), '3eZbrw1aBm2rZgRNFdxV2595E9CY3');
    expectRefusal(call({ provider: 'slack', body }), 'signature_missing', 401);
    const other = signedV0('x-slack', body, 'another');
    expectRefusal(call({ provider: 'slack', body, headers: other }), 'no_match', 401);
  });

  test.each(['facebook', 'instagram', 'whatsapp'])('of %s echoes hub.challenge to who knows the token', (provider) => {
    const query = { 'hub.mode': 'subscribe', 'hub.verify_token': 'verify-me', 'hub.challenge': '1158201444' };
    const options = { verifyToken: 'verify-me' };
    expectEcho(call({ provider, method: 'GET', query, options }), '1158201444');
    for (const token of ['', 'verify-m', 'Verify-me']) {
      const wrong = { ...query, 'hub.verify_token': token };
      expectRefusal(call({ provider, method: 'GET', query: wrong, options }), 'verify_token_mismatch', 403);
    }
    expectRefusal(
      call({ provider, method: 'GET', query: { ...query, 'hub.challenge': '' }, options }),
      'challenge_malformed',
      400,
    );
    expectRefusal(call({ provider, method: 'GET', options }), 'method_not_allowed', 405);
  });

  test('of X answers a CRC token with its HMAC, and none that could be a body', () => {
    const query = { crc_token: 'abcDEF123', nonce: '1' };
    const received = call({ provider: 'x', method: 'GET', query });
    if (received.kind !== 'handshake') throw new Error(received.kind);
    expect(JSON.parse(received.response.body)).toEqual({ response_token: `sha256=${hmac('abcDEF123', 'base64')}` });
    expect(received.response.headers['content-type']).toBe('application/json');
    for (const crc_token of ['{"for_user_id":"1"}', '', 'a b', 'x'.repeat(300), '<html>']) {
      expectRefusal(call({ provider: 'x', method: 'GET', query: { crc_token } }), 'challenge_malformed', 400);
    }
    expectRefusal(call({ provider: 'x', method: 'GET', query, secrets: ['', ' '] }), 'secret_missing', 503);
  });

  test('of Microsoft Graph echoes the validation token', () => {
    const validationToken = 'Validation: Testing client application reachability <b>';
    expectEcho(call({ provider: 'microsoft-graph', query: { validationToken } }), validationToken);
    for (const token of ['', 'a\r\nset-cookie: b', 'x'.repeat(2000)]) {
      const received = call({ provider: 'microsoft-graph', query: { validationToken: token } });
      expectRefusal(received, 'challenge_malformed', 400);
    }
  });

  test('of Zoom answers with the token and its HMAC by the secret that fits', () => {
    const plainToken = 'qgg8vlvZRS6UYooatFL8Aw';
    const body = JSON.stringify({ event: 'endpoint.url_validation', payload: { plainToken } });
    const secrets = ['an old secret that is still good', SECRET];
    const received = call({ provider: 'zoom', body, headers: signedV0('x-zm', body), secrets });
    if (received.kind !== 'handshake') throw new Error(received.kind);
    expect(JSON.parse(received.response.body)).toEqual({ plainToken, encryptedToken: hmac(plainToken) });
    expectRefusal(call({ provider: 'zoom', body }), 'signature_missing', 401);
    const odd = JSON.stringify({ event: 'endpoint.url_validation', payload: { plainToken: 'v0:1:{}' } });
    expectRefusal(call({ provider: 'zoom', body: odd, headers: signedV0('x-zm', odd) }), 'challenge_malformed', 400);
  });

  test('of Dropbox echoes the challenge of a GET', () => {
    expectEcho(call({ provider: 'dropbox', method: 'GET', query: { challenge: '<script>' } }), '<script>');
    expectRefusal(call({ provider: 'dropbox', method: 'GET' }), 'method_not_allowed', 405);
  });

  test('of Asana gives back the first secret, and takes no second', () => {
    const headers = { 'x-hook-secret': 'b537207f20cbfa02357cf448134da559' };
    const first = call({ provider: 'asana', headers, secrets: [] });
    expect(first).toMatchObject({
      kind: 'handshake',
      learnedSecret: headers['x-hook-secret'],
      response: { status: 200, headers, body: '' },
    });
    const again = call({ provider: 'asana', headers, secrets: [headers['x-hook-secret']] });
    expect(again).toMatchObject({ kind: 'handshake', response: { headers } });
    expect(again).not.toHaveProperty('learnedSecret');
    expectRefusal(call({ provider: 'asana', headers }), 'handshake_over', 403);
    for (const secret of ['short', `x${' '.repeat(20)}x`]) {
      const received = call({ provider: 'asana', headers: { 'x-hook-secret': secret }, secrets: [] });
      expectRefusal(received, 'challenge_malformed', 400);
    }
  });

  test('of Asana makes no event of a heartbeat', () => {
    for (const body of ['{}', '{"events":[]}']) {
      const received = call({ provider: 'asana', body, headers: { 'x-hook-signature': hmac(body) } });
      expect(received).toMatchObject({ kind: 'handshake', name: 'heartbeat', response: { status: 200 } });
    }
  });

  test('of Twitch echoes the challenge of a signed verification', () => {
    const body = JSON.stringify({ challenge: 'pogchamp-kappa-360noscope', subscription: { type: 'channel.follow' } });
    const at = new Date(NOW).toISOString();
    const headers = {
      'twitch-eventsub-message-id': 'id-1',
      'twitch-eventsub-message-timestamp': at,
      'twitch-eventsub-message-type': 'webhook_callback_verification',
      'twitch-eventsub-message-signature': `sha256=${hmac(`id-1${at}${body}`)}`,
    };
    expectEcho(call({ provider: 'twitch', body, headers }), 'pogchamp-kappa-360noscope');
    const unsigned = { ...headers, 'twitch-eventsub-message-signature': `sha256=${'00'.repeat(32)}` };
    expectRefusal(call({ provider: 'twitch', body, headers: unsigned }), 'no_match', 401);
    const revocation = { ...headers, 'twitch-eventsub-message-type': 'revocation' };
    expect(call({ provider: 'twitch', body, headers: revocation })).toMatchObject({
      kind: 'event',
      type: 'twitch.channel.follow',
    });
  });

  test('of Discord answers a PING as its kind asks, and a bad signature with 401', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const secrets = [publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')];
    const at = String(NOW / 1000);
    const signed = (body: string): Record<string, string> => ({
      'x-signature-timestamp': at,
      'x-signature-ed25519': sign(null, Buffer.from(at + body), privateKey).toString('hex'),
    });
    const ping = (value: object): Received => {
      const body = JSON.stringify(value);
      return call({ provider: 'discord', body, headers: signed(body), secrets });
    };
    expect(ping({ type: 1, id: '1' })).toMatchObject({
      kind: 'handshake',
      response: { status: 200, headers: { 'content-type': 'application/json' }, body: '{"type":1}' },
    });
    expect(ping({ version: 1, type: 0 })).toMatchObject({ kind: 'handshake', response: { status: 204, body: '' } });
    expect(ping({ type: 2, id: '1' })).toMatchObject({ kind: 'event', type: 'discord.interaction' });
    const forged = call({ provider: 'discord', body: '{"type":1} ', headers: signed('{"type":1}'), secrets });
    expectRefusal(forged, 'no_match', 401);
  });

  test('of Xero answers the intent to receive with 200 or 401 and no body', () => {
    const body = JSON.stringify({ events: [], firstEventSequence: 0, lastEventSequence: 0, entropy: 'S0m3r4Nd0mt3xt' });
    const received = call({ provider: 'xero', body, headers: { 'x-xero-signature': hmac(body, 'base64') } });
    expect(received).toMatchObject({ kind: 'handshake', response: { status: 200, headers: {}, body: '' } });
    const wrong = call({ provider: 'xero', body, headers: { 'x-xero-signature': hmac('x', 'base64') } });
    expect(wrong).toMatchObject({ kind: 'refused', response: { status: 401, headers: {}, body: '' } });
  });

  test('of AWS SNS has a signed confirmation visited, on Amazon’s hosts only', () => {
    const topicArn = 'arn:aws:sns:eu-west-1:123456789012:things';
    const confirmation = (SubscribeURL: string, arn = topicArn): string => {
      const signed = {
        Message: 'You have chosen to subscribe',
        MessageId: '165545c9',
        SubscribeURL,
        Timestamp: new Date(NOW).toISOString(),
        Token: '2336412f37',
        TopicArn: arn,
        Type: 'SubscriptionConfirmation',
      };
      const content = Object.entries(signed).map(([name, value]) => `${name}\n${value}\n`);
      return JSON.stringify({
        ...signed,
        SignatureVersion: '1',
        Signature: sign('sha1', Buffer.from(content.join('')), createPrivateKey(SNS.key)).toString('base64'),
        SigningCertURL: 'https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem',
      });
    };
    const confirm = (body: string): Received =>
      call({ provider: 'aws-sns', body, options: { topicArn }, secrets: [], certificate: () => SNS.cert });
    const visit = `https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=${topicArn}&Token=2336412f37`;
    expect(confirm(confirmation(visit))).toMatchObject({ kind: 'handshake', visit, response: { status: 200 } });
    for (const url of ['http://sns.eu-west-1.amazonaws.com/', 'https://evil.example/', 'https://sns.evil.example/?a']) {
      expectRefusal(confirm(confirmation(url)), 'challenge_malformed', 400);
    }
    expectRefusal(confirm(confirmation(visit).replace('2336412f37', '2336412f38')), 'no_match', 401);
    const foreign = confirmation(visit, 'arn:aws:sns:eu-west-1:999999999999:others');
    expectRefusal(confirm(foreign), 'token_mismatch', 401);
  });

  test('of CloudEvents permits an origin that asks by OPTIONS', () => {
    const headers = { 'webhook-request-origin': 'eventemitter.example.com', 'webhook-request-rate': '120' };
    const received = call({ provider: 'cloudevents', method: 'OPTIONS', headers });
    expect(received).toMatchObject({
      kind: 'handshake',
      response: {
        status: 200,
        headers: { 'webhook-allowed-origin': 'eventemitter.example.com', 'webhook-allowed-rate': '*' },
      },
    });
    const options = { origin: 'other.example.com' };
    const refused = call({ provider: 'cloudevents', method: 'OPTIONS', headers, options });
    expectRefusal(refused, 'challenge_malformed', 400);
    expectRefusal(call({ provider: 'cloudevents', method: 'OPTIONS' }), 'challenge_malformed', 400);
  });

  test('of WebSub confirms the topic that was asked for, and never its end', () => {
    const options = { topic: 'https://example.com/feed' };
    const query = {
      'hub.mode': 'subscribe',
      'hub.topic': options.topic,
      'hub.challenge': 'abc',
      'hub.lease_seconds': '9',
    };
    const get = (changes: Record<string, string>): Received =>
      call({ provider: 'websub', method: 'GET', query: { ...query, ...changes }, options });
    expectEcho(get({}), 'abc');
    expectRefusal(get({ 'hub.topic': 'https://example.com/other' }), 'challenge_malformed', 400);
    expectRefusal(get({ 'hub.mode': 'unsubscribe' }), 'unsubscribe_refused', 404);
    expect(get({ 'hub.mode': 'denied' })).toMatchObject({ kind: 'handshake', response: { status: 200, body: '' } });
  });

  test('of Front echoes the challenge of a signed request', () => {
    const headers = {
      'x-front-challenge': 'abc123',
      'x-front-request-timestamp': String(NOW),
      'x-front-signature': hmac(`${NOW}:{}`, 'base64'),
    };
    expectEcho(call({ provider: 'front', body: '{}', headers }), 'abc123');
    expectRefusal(
      call({ provider: 'front', body: '{}', headers: { 'x-front-challenge': 'abc123' } }),
      'signature_missing',
      401,
    );
  });

  test('of WooCommerce answers the unsigned ping, and nothing else unsigned', () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(call({ provider: 'woocommerce', headers, body: 'webhook_id=42' })).toMatchObject({
      kind: 'handshake',
      response: { status: 200 },
    });
    for (const body of ['webhook_id=42&a=b', 'webhook_id=', `webhook_id=1${'0'.repeat(80)}`, '{}']) {
      expectRefusal(call({ provider: 'woocommerce', headers, body }), 'signature_missing', 401);
    }
    const signed = { ...headers, 'x-wc-webhook-signature': hmac('webhook_id=43', 'base64') };
    expectRefusal(call({ provider: 'woocommerce', headers: signed, body: 'webhook_id=42' }), 'no_match', 401);
  });

  test('of Intercom answers HEAD', () => {
    const received = call({ provider: 'intercom', method: 'HEAD' });
    expect(received).toMatchObject({ kind: 'handshake', response: { status: 200, body: '' } });
  });
});
