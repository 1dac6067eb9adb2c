// For senders that are not listed, and for the open protocols.
import { bodyHmac } from '../body-hmac.ts';
import { echo, emptyAnswer } from '../handshake.ts';
import type { Provider } from '../provider.ts';

const OWN = 'The protocol itself.';

export const GENERIC: readonly Provider[] = [
  {
    id: 'cloudevents',
    name: 'CloudEvents over HTTP',
    docs: 'https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md',
    evidence: 'source',
    checked: 'The specification “HTTP 1.1 Web Hooks for Event Delivery” 1.0.2.',
    schemes: [{ kind: 'token', at: { header: 'authorization', prefix: 'Bearer ' } }],
    secret: 'the bearer token that the sender has',
    options: [{ name: 'origin', required: false, doc: 'The only WebHook-Request-Origin that may send; default: any.' }],
    type: [{ header: 'ce-type' }, { body: 'type' }],
    externalId: [
      [{ header: 'ce-source' }, { header: 'ce-id' }],
      [{ body: 'source' }, { body: 'id' }],
    ],
    accepted: emptyAnswer(202),
    handshakes: [
      {
        name: 'abuse protection',
        words:
          'An OPTIONS with `webhook-request-origin` is answered with `webhook-allowed-origin` and `webhook-allowed-rate: *`.',
        when: 'before',
        answer(view, { options }) {
          if (view.request.method !== 'OPTIONS') return null;
          const origin = view.headerText('webhook-request-origin');
          const isAllowed = origin !== null && (options.origin === undefined || options.origin === origin);
          if (!isAllowed || !/^[\x21-\x7e]{1,253}$/.test(origin)) {
            return { refusal: { reason: 'challenge_malformed', about: 'the header webhook-request-origin' } };
          }
          return {
            response: emptyAnswer(200, {
              'webhook-allowed-origin': origin,
              'webhook-allowed-rate': '*',
              allow: 'POST',
            }),
          };
        },
      },
    ],
  },
  {
    id: 'websub',
    name: 'WebSub',
    docs: 'https://www.w3.org/TR/websub/',
    evidence: 'source',
    checked: 'The W3C recommendation.',
    schemes: [
      {
        ...bodyHmac({ header: 'x-hub-signature' }),
        signature: { form: 'method', header: 'x-hub-signature', hashes: ['sha1', 'sha256', 'sha384', 'sha512'] },
      },
    ],
    secret: 'the hub.secret given with the subscription',
    options: [{ name: 'topic', required: true, doc: 'The hub.topic of the subscription.' }],
    type: [{ constant: 'update' }],
    externalId: [],
    accepted: emptyAnswer(202),
    handshakes: [
      {
        name: 'hub.challenge',
        words:
          'A GET to subscribe to the topic is answered with `hub.challenge`; one to unsubscribe is refused, as anyone can ask the hub for it; `denied` is answered with 200.',
        when: 'before',
        answer(view, { options }) {
          const { method, query } = view.request;
          const mode = query.get('hub.mode');
          if (method !== 'GET' || mode === null) return null;
          if (mode === 'denied') return { response: emptyAnswer(200) };
          if (mode !== 'subscribe') return { refusal: { reason: 'unsubscribe_refused' } };
          if (options.topic === undefined) return { refusal: { reason: 'option_missing', about: 'topic' } };
          if (query.get('hub.topic') !== options.topic) {
            return { refusal: { reason: 'challenge_malformed', about: 'hub.topic in the query' } };
          }
          return echo(query.get('hub.challenge') ?? '', 'hub.challenge in the query');
        },
      },
    ],
  },
  {
    id: 'hmac',
    name: 'Any HMAC',
    docs: 'https://www.rfc-editor.org/rfc/rfc2104',
    evidence: 'source',
    checked: OWN,
    schemes: [bodyHmac({ header: 'x-signature' })],
    secret: 'the shared secret, in the form that the option `key` says',
    type: [{ body: 'type' }],
    externalId: [{ header: 'webhook-id' }, { header: 'idempotency-key' }],
    note: 'The options say where the signature stands and how it is made.',
  },
  {
    id: 'token',
    name: 'Any API key in a header',
    docs: 'https://www.rfc-editor.org/rfc/rfc9110#name-authentication',
    evidence: 'source',
    checked: OWN,
    schemes: [{ kind: 'token', at: { header: 'x-api-key' } }],
    secret: 'the key',
    type: [{ body: 'type' }],
    externalId: [{ header: 'idempotency-key' }],
  },
  {
    id: 'bearer',
    name: 'Any bearer token',
    docs: 'https://www.rfc-editor.org/rfc/rfc6750',
    evidence: 'source',
    checked: OWN,
    schemes: [{ kind: 'token', at: { header: 'authorization', prefix: 'Bearer ' } }],
    secret: 'the token',
    type: [{ body: 'type' }],
    externalId: [{ header: 'idempotency-key' }],
  },
  {
    id: 'basic',
    name: 'HTTP basic authentication',
    docs: 'https://www.rfc-editor.org/rfc/rfc7617',
    evidence: 'source',
    checked: OWN,
    schemes: [{ kind: 'basic' }],
    secret: 'user and password, as `user:password`',
    type: [{ body: 'type' }],
    externalId: [{ header: 'idempotency-key' }],
  },
  {
    id: 'none',
    name: 'No verification',
    docs: 'https://www.rfc-editor.org/rfc/rfc9110',
    evidence: 'source',
    checked: OWN,
    schemes: [{ kind: 'none' }],
    secret: 'none',
    methods: ['*'],
    type: [{ body: 'type' }],
    externalId: [{ header: 'idempotency-key' }],
    note: 'Who knows the URL can append events. For trying things out, or behind something that verifies.',
  },
];
