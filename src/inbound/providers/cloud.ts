// Notifications of cloud services.
import { verify } from 'node:crypto';
import { type CheckContext, invalid, VALID, type Verdict } from '../custom-check.ts';
import { echo, emptyAnswer } from '../handshake.ts';
import { certificateKey, decodeStrictly } from '../key-form.ts';
import type { Provider } from '../provider.ts';
import { isOneOf } from '../verifier.ts';
import { type RequestView, valueAt } from '../webhook-request.ts';

const SNS_URL = /^https:\/\/sns\.[a-z0-9-]{3,40}\.amazonaws\.com(\.cn)?\/[^\s#@\\]{1,2000}$/;
const SNS_CERTIFICATE = /^https:\/\/sns\.[a-z0-9-]{3,40}\.amazonaws\.com(\.cn)?\/[A-Za-z0-9_-]{1,200}\.pem$/;
// `sns.amazonaws.com`, and other names of SNS in some regions.
const SNS_COMMON_NAME = /^sns[a-z0-9.-]*\.amazonaws\.com(\.cn)?$/i;
// As long as SNS tries again at most.
const SNS_TOLERANCE_SECONDS = 3600;
const SNS_SIGNED = {
  Notification: ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'],
  SubscriptionConfirmation: ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'],
  UnsubscribeConfirmation: ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'],
};
const MAX_NOTIFICATIONS = 1000;

export const CLOUD: readonly Provider[] = [
  {
    id: 'aws-sns',
    name: 'AWS SNS',
    docs: 'https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html',
    evidence: 'source',
    checked:
      'The source of the package `sns-validator` and the documentation, with a certificate of our own in place of Amazon’s.',
    schemes: [
      {
        kind: 'custom',
        needsSecret: false,
        words:
          'RSA with SHA-256 (SignatureVersion 2) or SHA-1 (1), base64, in the body’s `Signature`, over named fields, by the certificate at `SigningCertURL`',
        check: verifySns,
      },
    ],
    secret: 'none: Amazon signs with a certificate',
    options: [
      {
        name: 'topicArn',
        required: true,
        doc: 'The ARN of the topic. Amazon signs the topics of all its customers alike, so that no other is taken.',
      },
    ],
    type: [{ body: 'Type' }],
    externalId: [{ body: 'MessageId' }],
    handshakes: [
      {
        name: 'SubscriptionConfirmation',
        words: 'A signed confirmation is answered, and its `SubscribeURL` (of amazonaws.com only) requested.',
        when: 'verified',
        answer(view) {
          if (view.bodyText('Type') !== 'SubscriptionConfirmation') return null;
          const visit = view.bodyText('SubscribeURL') ?? '';
          if (!SNS_URL.test(visit)) return { refusal: { reason: 'challenge_malformed', about: 'SubscribeURL' } };
          return { response: emptyAnswer(200), visit };
        },
      },
    ],
    answerWithinSeconds: 15,
    note: 'Certificates are fetched from sns.<region>.amazonaws.com, and from nowhere else. Raw delivery is not signed and not taken.',
  },
  {
    id: 'microsoft-graph',
    name: 'Microsoft Graph',
    docs: 'https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks',
    evidence: 'documentation',
    checked: 'The documentation.',
    schemes: [
      {
        kind: 'custom',
        needsSecret: true,
        words: 'the `clientState` of every notification in the body is the secret',
        check: verifyClientState,
      },
    ],
    secret: 'the clientState given with the subscription',
    type: [{ body: 'value.[].lifecycleEvent' }, { body: 'value.[].changeType' }, { constant: 'batch' }],
    externalId: [],
    accepted: emptyAnswer(202),
    handshakes: [
      {
        name: 'validationToken',
        words: 'A POST with `validationToken` in the query is answered with it.',
        when: 'before',
        answer(view) {
          const token = view.request.query.get('validationToken');
          return view.request.method !== 'POST' || token === null ? null : echo(token, 'validationToken in the query');
        },
      },
    ],
    answerWithinSeconds: 10,
    note: 'The body is not signed. A request may hold several notifications; it is one event then, `microsoft-graph.batch`.',
  },
];

function verifySns(view: RequestView, { options, nowMs, certificate }: CheckContext): Verdict {
  const body = view.body();
  const type = valueAt(body, 'Type');
  if (typeof type !== 'string' || !Object.hasOwn(SNS_SIGNED, type)) return invalid('part_missing', 'Type of the body');
  const signature = valueAt(body, 'Signature');
  if (typeof signature !== 'string') return invalid('signature_missing', 'the member Signature of the body');
  const bytes = decodeStrictly(signature, 'base64');
  const version = valueAt(body, 'SignatureVersion');
  if (bytes === null || (version !== '1' && version !== '2')) {
    return invalid('signature_malformed', 'the members Signature and SignatureVersion of the body');
  }
  let content = '';
  for (const name of SNS_SIGNED[type as keyof typeof SNS_SIGNED]) {
    const value = valueAt(body, name);
    // A Subject is optional, and null in some libraries' hands.
    if (name === 'Subject' && (value === undefined || value === null)) continue;
    if (typeof value !== 'string') return invalid('part_missing', `${name} of the body`);
    content += `${name}\n${value}\n`;
  }
  if (options.topicArn === undefined) return invalid('option_missing', 'topicArn');
  if (valueAt(body, 'TopicArn') !== options.topicArn) return invalid('token_mismatch', 'TopicArn of the body');
  const ageSeconds = Math.round((nowMs - Date.parse(String(valueAt(body, 'Timestamp')))) / 1000);
  if (Number.isNaN(ageSeconds)) return invalid('timestamp_malformed', 'Timestamp of the body');
  if (ageSeconds > SNS_TOLERANCE_SECONDS) return invalid('timestamp_too_old', String(ageSeconds));
  if (ageSeconds < -SNS_TOLERANCE_SECONDS) return invalid('timestamp_too_new', String(-ageSeconds));
  const url = valueAt(body, 'SigningCertURL');
  if (typeof url !== 'string' || !SNS_CERTIFICATE.test(url)) {
    return invalid('certificate_refused', 'SigningCertURL does not lead to a host of Amazon SNS');
  }
  const pem = certificate(url);
  if (pem === undefined) return { kind: 'certificate', url };
  const key = certificateKey(pem, nowMs, SNS_COMMON_NAME);
  if (key?.asymmetricKeyType !== 'rsa') {
    return invalid('certificate_refused', 'it is no RSA certificate of Amazon SNS that is valid now');
  }
  const digest = version === '2' ? 'sha256' : 'sha1';
  return verify(digest, Buffer.from(content), key, bytes) ? VALID : invalid('no_match');
}

function verifyClientState(view: RequestView, { secrets }: CheckContext): Verdict {
  const notifications = valueAt(view.body(), 'value');
  if (!Array.isArray(notifications) || notifications.length === 0 || notifications.length > MAX_NOTIFICATIONS) {
    return invalid('token_missing', 'the list value of the body');
  }
  for (const notification of notifications) {
    const clientState = valueAt(notification, 'clientState');
    if (typeof clientState !== 'string') return invalid('token_missing', 'clientState of a notification');
    if (!isOneOf(secrets, clientState)) return invalid('token_mismatch', 'clientState of a notification');
  }
  return VALID;
}
