// Where code is kept, built and run.

import { bodyHmac } from '../body-hmac.ts';
import { echo } from '../handshake.ts';
import type { Provider } from '../provider.ts';
import { standardScheme } from './standard-webhooks.ts';

export const CODE: readonly Provider[] = [
  {
    id: 'github',
    name: 'GitHub',
    docs: 'https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries',
    evidence: 'vector',
    checked: 'The signature in the documentation, and signatures made by the package `@octokit/webhooks-methods`.',
    schemes: [bodyHmac({ header: 'x-hub-signature-256', prefix: 'sha256=' })],
    secret: 'the secret of the webhook, as you chose it',
    type: [{ header: 'x-github-event' }],
    externalId: [{ header: 'x-github-delivery' }],
    answerWithinSeconds: 10,
  },
  {
    id: 'gitlab',
    name: 'GitLab',
    docs: 'https://docs.gitlab.com/user/project/integrations/webhooks/',
    evidence: 'documentation',
    checked: 'The documentation; the signing token by signatures of the package `standardwebhooks`.',
    schemes: [
      { ...standardScheme('webhook'), secretPrefix: 'whsec_' },
      { kind: 'token', at: { header: 'x-gitlab-token' } },
    ],
    secret: 'the signing token, `whsec_…`, or the secret token',
    type: [{ body: 'object_kind' }, { body: 'event_name' }, { header: 'x-gitlab-event' }],
    externalId: [{ header: 'idempotency-key' }, { header: 'webhook-id' }, { header: 'x-gitlab-event-uuid' }],
    answerWithinSeconds: 10,
    note: 'Prefer a signing token: with a secret token the body is not signed.',
  },
  {
    id: 'bitbucket',
    name: 'Bitbucket',
    docs: 'https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/',
    evidence: 'vector',
    checked: 'The signature in the documentation.',
    schemes: [bodyHmac({ header: 'x-hub-signature', prefix: 'sha256=' })],
    secret: 'the secret of the webhook',
    type: [{ header: 'x-event-key' }],
    externalId: [{ header: 'x-request-uuid' }],
    answerWithinSeconds: 10,
  },
  {
    id: 'linear',
    name: 'Linear',
    docs: 'https://linear.app/developers/webhooks',
    evidence: 'source',
    checked: 'The source of the package `@linear/sdk`.',
    schemes: [
      {
        ...bodyHmac({ header: 'linear-signature' }),
        timestamp: { at: { body: 'webhookTimestamp' }, unit: 'ms', toleranceSeconds: 60 },
      },
    ],
    secret: 'the signing secret of the webhook',
    type: [{ header: 'linear-event' }, { body: 'type' }],
    externalId: [{ header: 'linear-delivery' }],
    answerWithinSeconds: 5,
  },
  {
    id: 'vercel',
    name: 'Vercel',
    docs: 'https://vercel.com/docs/webhooks/webhooks-api',
    evidence: 'catalogue',
    checked: 'Second-hand lists that agree.',
    schemes: [bodyHmac({ header: 'x-vercel-signature', hash: 'sha1' })],
    secret: 'the secret shown when the webhook is made, or the client secret of the integration',
    type: [{ body: 'type' }],
    externalId: [{ body: 'id' }],
  },
  {
    id: 'sentry',
    name: 'Sentry',
    docs: 'https://docs.sentry.io/organization/integrations/integration-platform/webhooks/',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [bodyHmac({ header: 'sentry-hook-signature' })],
    secret: 'the client secret of the integration',
    type: [{ header: 'sentry-hook-resource' }],
    externalId: [{ header: 'request-id' }],
    answerWithinSeconds: 1,
  },
  {
    id: 'jira',
    name: 'Jira',
    docs: 'https://developer.atlassian.com/cloud/jira/platform/webhooks/',
    evidence: 'vector',
    checked: 'The signature in the documentation.',
    schemes: [bodyHmac({ header: 'x-hub-signature', prefix: 'sha256=' })],
    secret: 'the secret of the webhook',
    type: [{ body: 'webhookEvent' }],
    externalId: [{ header: 'x-atlassian-webhook-identifier' }],
  },
  {
    id: 'cursor',
    name: 'Cursor',
    docs: 'https://docs.cursor.com/en/background-agent/api/webhooks',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [bodyHmac({ header: 'x-webhook-signature', prefix: 'sha256=' })],
    secret: 'the secret of the webhook',
    type: [{ header: 'x-webhook-event' }, { body: 'event' }],
    externalId: [{ header: 'x-webhook-id' }],
  },
  {
    id: 'dropbox',
    name: 'Dropbox',
    docs: 'https://www.dropbox.com/developers/reference/webhooks',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [bodyHmac({ header: 'x-dropbox-signature' })],
    secret: 'the app secret',
    type: [{ constant: 'notification' }],
    externalId: [],
    handshakes: [
      {
        name: 'challenge',
        words: 'A GET with `challenge` is answered with it.',
        when: 'before',
        answer(view) {
          const challenge = view.request.query.get('challenge');
          if (view.request.method !== 'GET' || challenge === null) return null;
          return echo(challenge, 'challenge in the query');
        },
      },
    ],
    answerWithinSeconds: 10,
  },
];
