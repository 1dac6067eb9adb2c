// Sales, support, documents, identity, mail.
import { bodyHmac } from '../body-hmac.ts';
import { emptyAnswer } from '../handshake.ts';
import { pairedHmac } from '../paired-hmac.ts';
import type { Provider } from '../provider.ts';
import { isOneOf } from '../verifier.ts';

export const BUSINESS: readonly Provider[] = [
  {
    id: 'hubspot',
    name: 'HubSpot',
    docs: 'https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests',
    evidence: 'documentation',
    checked: 'The documentation (version 3).',
    schemes: [
      {
        ...bodyHmac({
          header: 'x-hubspot-signature-v3',
          encoding: 'base64',
          content: '{method}{decodedUrl}{body}{timestamp}',
        }),
        timestamp: { at: { header: 'x-hubspot-request-timestamp' }, unit: 'ms', toleranceSeconds: 300 },
      },
    ],
    secret: 'the client secret of the app',
    options: [{ name: 'url', required: true, doc: 'The target URL, exactly as it was given to HubSpot.' }],
    type: [{ body: '[].subscriptionType' }, { constant: 'batch' }],
    externalId: [{ body: '[].eventId' }],
    answerWithinSeconds: 5,
    note: 'HubSpot sends up to 100 notifications in one request: such a request is one event, `hubspot.batch`.',
  },
  {
    id: 'zendesk',
    name: 'Zendesk',
    docs: 'https://developer.zendesk.com/documentation/webhooks/verifying/',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [
      {
        ...bodyHmac({ header: 'x-zendesk-webhook-signature', encoding: 'base64', content: '{timestamp}{body}' }),
        timestamp: { at: { header: 'x-zendesk-webhook-signature-timestamp' }, unit: 'iso', toleranceSeconds: 300 },
      },
    ],
    secret: 'the signing secret of the webhook',
    type: [{ body: 'type' }],
    externalId: [{ body: 'id' }, { header: 'x-zendesk-webhook-invocation-id' }],
    answerWithinSeconds: 12,
  },
  {
    id: 'typeform',
    name: 'Typeform',
    docs: 'https://www.typeform.com/developers/webhooks/secure-your-webhooks/',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [bodyHmac({ header: 'typeform-signature', prefix: 'sha256=', encoding: 'base64' })],
    secret: 'the secret of the webhook',
    type: [{ body: 'event_type' }],
    externalId: [{ body: 'event_id' }],
    answerWithinSeconds: 30,
  },
  {
    id: 'calendly',
    name: 'Calendly',
    docs: 'https://developer.calendly.com/api-docs/4c305798a61d3-webhook-signatures',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [pairedHmac({ header: 'calendly-webhook-signature', toleranceSeconds: 180 })],
    secret: 'the signing key of the subscription',
    type: [{ body: 'event' }],
    externalId: [],
  },
  {
    id: 'docusign',
    name: 'DocuSign',
    docs: 'https://developers.docusign.com/platform/webhooks/connect/validate/',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [
      bodyHmac({
        header: Array.from({ length: 16 }, (_, i) => `x-docusign-signature-${i + 1}`),
        encoding: 'base64',
      }),
    ],
    secret: 'a Connect key, as it is shown; any of those in use',
    type: [{ body: 'event' }],
    externalId: [],
  },
  {
    id: 'asana',
    name: 'Asana',
    docs: 'https://developers.asana.com/docs/webhooks-guide',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [bodyHmac({ header: 'x-hook-signature' })],
    secret: 'none at first: Asana makes it, and it is kept when the webhook is created',
    type: [{ body: 'events.[].resource.resource_type' }, { constant: 'batch' }],
    externalId: [],
    handshakes: [
      {
        name: 'x-hook-secret',
        words: 'The first request brings `x-hook-secret`, which is kept as the secret and sent back.',
        when: 'before',
        answer(view, { secrets }) {
          const secret = view.headerText('x-hook-secret');
          if (secret === null) return null;
          const response = emptyAnswer(200, { 'x-hook-secret': secret });
          // Asana comes again where it did not get the answer.
          if (isOneOf(secrets, secret)) return { response };
          // Otherwise anyone could give us a secret of his.
          if (secrets.some((text) => text.trim() !== '')) {
            return { refusal: { reason: 'handshake_over', about: 'x-hook-secret' } };
          }
          if (!/^[\x21-\x7e]{16,256}$/.test(secret)) {
            return { refusal: { reason: 'challenge_malformed', about: 'the header x-hook-secret' } };
          }
          return { response, learnedSecret: secret };
        },
      },
      {
        name: 'heartbeat',
        words: 'A signed body with no events is answered, and no event made of it.',
        when: 'verified',
        answer(view) {
          const body = view.body() as { events?: unknown } | null | undefined;
          const events = body?.events ?? [];
          return Array.isArray(events) && events.length === 0 ? { response: emptyAnswer(200) } : null;
        },
      },
    ],
    answerWithinSeconds: 10,
    note: 'A source takes one webhook, as each has a secret of its own. The first to offer a secret is believed: create the webhook soon after the source.',
  },
  {
    id: 'xero',
    name: 'Xero',
    docs: 'https://developer.xero.com/documentation/guides/webhooks/configuring-your-server/',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [bodyHmac({ header: 'x-xero-signature', encoding: 'base64' })],
    secret: 'the webhooks key of the app',
    refusesWithoutBody: true,
    type: [{ body: 'events.[].eventCategory' }, { constant: 'batch' }],
    externalId: [],
    handshakes: [
      {
        name: 'intent to receive',
        words: 'A body with no events is answered with 200 if its signature is valid, else with 401.',
        when: 'verified',
        answer(view) {
          const events = (view.body() as { events?: unknown } | null | undefined)?.events;
          return Array.isArray(events) && events.length === 0 ? { response: emptyAnswer(200) } : null;
        },
      },
    ],
    answerWithinSeconds: 5,
  },
  {
    id: 'workos',
    name: 'WorkOS',
    docs: 'https://workos.com/docs/events/data-syncing/webhooks',
    evidence: 'source',
    checked: 'The source of the package `@workos-inc/node`.',
    schemes: [pairedHmac({ header: 'workos-signature', unit: 'ms', toleranceSeconds: 180 })],
    secret: 'the secret of the webhook endpoint',
    type: [{ body: 'event' }],
    externalId: [{ body: 'id' }],
  },
  {
    id: 'persona',
    name: 'Persona',
    docs: 'https://docs.withpersona.com/docs/webhooks-best-practices',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [pairedHmac({ header: 'persona-signature' })],
    secret: 'the secret of the webhook',
    type: [{ body: 'data.attributes.name' }],
    externalId: [{ body: 'data.id' }],
  },
  {
    id: 'sanity',
    name: 'Sanity',
    docs: 'https://www.sanity.io/docs/webhooks',
    evidence: 'vector',
    checked: 'A signature in the tests of the package `@sanity/webhook`.',
    schemes: [
      pairedHmac({
        header: 'sanity-webhook-signature',
        encoding: 'base64url',
        unit: 'ms',
        // Sanity's library has no tolerance; deliveries are tried again for half an hour.
        toleranceSeconds: 3600,
      }),
    ],
    secret: 'the secret of the webhook',
    type: [{ header: 'sanity-operation' }, { body: '_type' }],
    externalId: [{ header: 'idempotency-key' }],
  },
  {
    id: 'postmark',
    name: 'Postmark',
    docs: 'https://postmarkapp.com/developer/webhooks/webhooks-overview',
    evidence: 'documentation',
    checked: 'The documentation; basic authentication is RFC 7617.',
    schemes: [{ kind: 'basic' }],
    secret: 'user and password, as `user:password`, that stand in the URL given to Postmark',
    type: [{ body: 'RecordType' }],
    externalId: [],
  },
  {
    id: 'pipedrive',
    name: 'Pipedrive',
    docs: 'https://pipedrive.readme.io/docs/guide-for-webhooks-v2',
    evidence: 'documentation',
    checked: 'The documentation; basic authentication is RFC 7617.',
    schemes: [{ kind: 'basic' }],
    secret: 'user and password, as `user:password`',
    type: [{ body: 'meta.entity' }, { body: 'event' }],
    externalId: [{ body: 'meta.id' }],
    answerWithinSeconds: 10,
  },
  {
    id: 'sendgrid',
    name: 'SendGrid',
    docs: 'https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features',
    evidence: 'vector',
    checked: 'The signature in the tests of SendGrid’s libraries.',
    schemes: [
      {
        kind: 'signature',
        algorithm: 'ecdsa-sha256',
        key: 'spki',
        signature: { form: 'whole', header: 'x-twilio-email-event-webhook-signature' },
        encoding: 'base64',
        timestamp: {
          at: { header: 'x-twilio-email-event-webhook-timestamp' },
          unit: 's',
          // SendGrid's libraries have no tolerance; it tries again for 24 hours.
          toleranceSeconds: 25 * 3600,
        },
        content: '{timestamp}{body}',
      },
    ],
    secret: 'the verification key (public key), base64',
    type: [{ body: '[].event' }, { constant: 'batch' }],
    externalId: [{ body: '[].sg_event_id' }],
    note: 'SendGrid sends many events in one request: such a request is one event, `sendgrid.batch`.',
  },
  {
    id: 'mailgun',
    name: 'Mailgun',
    docs: 'https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [
      {
        kind: 'signature',
        algorithm: 'hmac-sha256',
        key: 'text',
        signature: { form: 'body', path: 'signature.signature' },
        encoding: 'hex',
        // Mailgun tries again for eight hours.
        timestamp: { at: { body: 'signature.timestamp' }, unit: 's', toleranceSeconds: 9 * 3600 },
        content: '{timestamp}{field:signature.token}',
      },
    ],
    secret: 'the HTTP webhook signing key',
    type: [{ body: 'event-data.event' }],
    // The token is signed and the event's id is not: who replays a request with another body is found by it.
    externalId: [{ body: 'signature.token' }],
    note: 'Mailgun does not sign the body, only a time and a token. A token is taken once within the deduplication window.',
  },
];
