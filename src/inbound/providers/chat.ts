// Chat, social networks, video and calls.
import { createHmac } from 'node:crypto';
import { bodyHmac } from '../body-hmac.ts';
import { echo, emptyAnswer, type Handshake, jsonAnswer, textAnswer } from '../handshake.ts';
import { pairedHmac } from '../paired-hmac.ts';
import type { Provider } from '../provider.ts';
import { isOneOf } from '../verifier.ts';

// A GET proves nothing about who asks, so what is echoed is text that no browser takes for a page, and only to who knows
// the verify token.
const META_SUBSCRIPTION: Handshake = {
  name: 'hub.challenge',
  words: 'A GET with `hub.mode=subscribe` and the verify token is answered with `hub.challenge`.',
  when: 'before',
  answer(view, { options }) {
    const { method, query } = view.request;
    if (method !== 'GET' || query.get('hub.mode') !== 'subscribe') return null;
    if (options.verifyToken === undefined) return { refusal: { reason: 'option_missing', about: 'verifyToken' } };
    if (!isOneOf([options.verifyToken], query.get('hub.verify_token') ?? '')) {
      return { refusal: { reason: 'verify_token_mismatch', about: 'verifyToken' } };
    }
    return echo(query.get('hub.challenge') ?? '', 'hub.challenge in the query');
  },
};

function meta(id: string, name: string, docs: string): Provider {
  return {
    id,
    name,
    docs,
    evidence: 'documentation',
    checked: 'The documentation; the scheme is the one that GitHub has.',
    schemes: [bodyHmac({ header: 'x-hub-signature-256', prefix: 'sha256=' })],
    secret: 'the app secret',
    options: [
      {
        name: 'verifyToken',
        required: true,
        secret: true,
        doc: 'The verify token that was given to Meta with the URL.',
      },
    ],
    // A body tells of several changes at once, maybe of different fields.
    type: [{ body: 'entry.[].changes.[].field' }, { body: 'object' }],
    externalId: [],
    handshakes: [META_SUBSCRIPTION],
    note: 'Meta sends several entries in one request: such a request is one event, its type the object’s.',
  };
}

// Anyone may ask for the HMAC of a token, and a webhook's signature is an HMAC of its body with the same secret: so no token
// is answered that could be a body.
const CRC_TOKEN = /^[A-Za-z0-9+/=_-]{1,256}$/;

export const CHAT: readonly Provider[] = [
  {
    id: 'slack',
    name: 'Slack',
    docs: 'https://docs.slack.dev/authentication/verifying-requests-from-slack',
    evidence: 'vector',
    checked: 'The signature in the documentation.',
    schemes: [
      {
        ...bodyHmac({ header: 'x-slack-signature', prefix: 'v0=', content: 'v0:{timestamp}:{body}' }),
        timestamp: { at: { header: 'x-slack-request-timestamp' }, unit: 's', toleranceSeconds: 300 },
      },
    ],
    secret: 'the signing secret of the app',
    type: [{ body: 'event.type' }, { body: 'payload.type' }, { body: 'command' }, { body: 'type' }],
    externalId: [{ body: 'event_id' }, { body: 'trigger_id' }, { body: 'payload.trigger_id' }],
    handshakes: [
      {
        name: 'url_verification',
        words: 'A signed body of type `url_verification` is answered with its challenge.',
        when: 'verified',
        answer(view) {
          if (view.bodyText('type') !== 'url_verification') return null;
          return echo(view.bodyText('challenge') ?? '', 'challenge in the body');
        },
      },
    ],
    answerWithinSeconds: 3,
  },
  {
    id: 'discord',
    name: 'Discord',
    docs: 'https://discord.com/developers/docs/events/webhook-events',
    evidence: 'source',
    checked: 'The source of the package `discord-interactions`, and the documentation.',
    schemes: [
      {
        kind: 'signature',
        algorithm: 'ed25519',
        key: 'ed25519',
        signature: { form: 'whole', header: 'x-signature-ed25519' },
        encoding: 'hex',
        timestamp: { at: { header: 'x-signature-timestamp' }, unit: 's', toleranceSeconds: 300 },
        content: '{timestamp}{body}',
      },
    ],
    secret: 'the public key of the application, 64 hex digits',
    type: [{ body: 'event.type' }, { constant: 'interaction' }],
    externalId: [{ body: 'id' }],
    accepted: emptyAnswer(204),
    handshakes: [
      {
        name: 'ping',
        words:
          'A signed PING is answered as its kind asks: an interaction’s with `{"type":1}`, a webhook event’s with 204.',
        when: 'verified',
        answer(view) {
          const body = view.body() as { type?: unknown; event?: unknown } | null | undefined;
          if (body?.type === 0) return { response: emptyAnswer(204) };
          if (body?.type === 1 && body.event === undefined) return { response: jsonAnswer({ type: 1 }) };
          return null;
        },
      },
    ],
    answerWithinSeconds: 3,
    note: 'An interaction must be answered with its content at once, which an event gateway does not do: use it for webhook events.',
  },
  {
    id: 'telegram',
    name: 'Telegram',
    docs: 'https://core.telegram.org/bots/api#setwebhook',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [{ kind: 'token', at: { header: 'x-telegram-bot-api-secret-token' } }],
    secret: 'the secret_token given to setWebhook',
    type: [{ constant: 'update' }],
    externalId: [{ body: 'update_id' }],
  },
  {
    id: 'zoom',
    name: 'Zoom',
    docs: 'https://developers.zoom.us/docs/api/webhooks/',
    evidence: 'source',
    checked: 'The documentation and the vendor’s sample.',
    schemes: [
      {
        ...bodyHmac({ header: 'x-zm-signature', prefix: 'v0=', content: 'v0:{timestamp}:{body}' }),
        timestamp: { at: { header: 'x-zm-request-timestamp' }, unit: 's', toleranceSeconds: 300 },
      },
    ],
    secret: 'the secret token of the app',
    type: [{ body: 'event' }],
    externalId: [],
    handshakes: [
      {
        name: 'endpoint.url_validation',
        words: 'A signed `endpoint.url_validation` is answered with its plain token and the HMAC of it.',
        when: 'verified',
        answer(view, { secrets }) {
          if (view.bodyText('event') !== 'endpoint.url_validation') return null;
          const plainToken = view.bodyText('payload.plainToken') ?? '';
          if (!CRC_TOKEN.test(plainToken)) {
            return { refusal: { reason: 'challenge_malformed', about: 'payload.plainToken' } };
          }
          const encryptedToken = createHmac('sha256', secrets[0]).update(plainToken).digest('hex');
          return { response: jsonAnswer({ plainToken, encryptedToken }) };
        },
      },
    ],
    answerWithinSeconds: 3,
  },
  {
    id: 'twitch',
    name: 'Twitch',
    docs: 'https://dev.twitch.tv/docs/eventsub/handling-webhook-events/',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [
      {
        ...bodyHmac({
          header: 'twitch-eventsub-message-signature',
          prefix: 'sha256=',
          content: '{header:twitch-eventsub-message-id}{timestamp}{body}',
        }),
        timestamp: { at: { header: 'twitch-eventsub-message-timestamp' }, unit: 'iso', toleranceSeconds: 600 },
      },
    ],
    secret: 'the secret given with the subscription',
    type: [{ body: 'subscription.type' }],
    externalId: [{ header: 'twitch-eventsub-message-id' }],
    handshakes: [
      {
        name: 'webhook_callback_verification',
        words: 'A signed `webhook_callback_verification` is answered with its challenge.',
        when: 'verified',
        answer(view) {
          const kind = view.headerText('twitch-eventsub-message-type');
          if (kind !== 'webhook_callback_verification') return null;
          return echo(view.bodyText('challenge') ?? '', 'challenge in the body');
        },
      },
    ],
    note: 'A revocation is an event of the subscription’s type whose `subscription.status` is not `enabled`.',
  },
  meta('facebook', 'Facebook', 'https://developers.facebook.com/docs/graph-api/webhooks/getting-started'),
  meta('instagram', 'Instagram', 'https://developers.facebook.com/docs/instagram-platform/webhooks'),
  meta('whatsapp', 'WhatsApp', 'https://developers.facebook.com/docs/whatsapp/cloud-api/guides/set-up-webhooks'),
  {
    id: 'x',
    name: 'X',
    docs: 'https://docs.x.com/x-api/webhooks/introduction',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [bodyHmac({ header: 'x-twitter-webhooks-signature', prefix: 'sha256=', encoding: 'base64' })],
    secret: 'the consumer secret of the app',
    type: [{ constant: 'activity' }],
    externalId: [],
    handshakes: [
      {
        name: 'crc_token',
        words: 'A GET with `crc_token` is answered with the HMAC of it.',
        when: 'before',
        answer(view, { secrets }) {
          const token = view.request.query.get('crc_token');
          if (view.request.method !== 'GET' || token === null) return null;
          if (!CRC_TOKEN.test(token)) return { refusal: { reason: 'challenge_malformed', about: 'crc_token' } };
          const [secret] = secrets.filter((text) => text.trim() !== '');
          if (secret === undefined) return { refusal: { reason: 'secret_missing', about: 'the consumer secret' } };
          const hmac = createHmac('sha256', secret).update(token).digest('base64');
          return { response: jsonAnswer({ response_token: `sha256=${hmac}` }) };
        },
      },
    ],
    answerWithinSeconds: 3,
  },
  {
    id: 'tiktok',
    name: 'TikTok',
    docs: 'https://developers.tiktok.com/doc/webhooks-verification',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [pairedHmac({ header: 'tiktok-signature', pair: 's' })],
    secret: 'the client secret of the app',
    type: [{ body: 'event' }],
    externalId: [],
  },
  {
    id: 'front',
    name: 'Front',
    docs: 'https://dev.frontapp.com/docs/application-webhooks',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [
      {
        ...bodyHmac({ header: 'x-front-signature', encoding: 'base64', content: '{timestamp}:{body}' }),
        timestamp: { at: { header: 'x-front-request-timestamp' }, unit: 'ms', toleranceSeconds: 300 },
      },
    ],
    secret: 'the signing key of the application',
    type: [{ body: 'type' }],
    externalId: [{ body: 'payload.id' }],
    handshakes: [
      {
        name: 'x-front-challenge',
        words: 'A signed request with `x-front-challenge` is answered with it.',
        when: 'verified',
        answer(view) {
          const challenge = view.headerText('x-front-challenge');
          return challenge === null ? null : echo(challenge, 'the header x-front-challenge');
        },
      },
    ],
  },
  {
    id: 'intercom',
    name: 'Intercom',
    docs: 'https://developers.intercom.com/docs/webhooks/webhook-notifications',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [bodyHmac({ header: 'x-hub-signature', prefix: 'sha1=', hash: 'sha1' })],
    secret: 'the client secret of the app',
    type: [{ body: 'topic' }],
    externalId: [{ body: 'id' }],
    handshakes: [
      {
        name: 'head',
        words: 'A HEAD, sent as the URL is saved, is answered with 200.',
        when: 'before',
        answer: (view) => (view.request.method === 'HEAD' ? { response: textAnswer('') } : null),
      },
    ],
    answerWithinSeconds: 5,
  },
];
