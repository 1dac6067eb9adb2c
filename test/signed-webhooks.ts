// Webhooks as providers sign them, each written out by hand from its documentation: the verifier's rows are held against
// these, so nothing here may be taken from a row.
import { createHash, createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { WebhookRequest } from '../src/inbound/webhook-request.ts';
import { selfSigned } from './certificates.ts';

/** Every body holds `flip-a` where a change must be noticed. */
export interface SignedWebhook {
  provider: string;
  /** What the source has and the sender signs with; absent where a certificate signs. */
  secret?: string;
  /** Another that the source could have. */
  wrongSecret?: string;
  options?: Record<string, string>;
  body: string;
  contentType?: string;
  /** Headers besides those of the signature. */
  headers?: Record<string, string>;
  query?: string;
  /** The header with the signature or token; null where it is in the body. */
  header: string | null;
  /** `text` = no bytes are encoded in it. */
  encoded: 'bytes' | 'text';
  toleranceSeconds?: number;
  /** A changed body goes unnoticed: the provider does not sign it. */
  bodyUnsigned?: true;
  /** Headers of the signature. */
  sign?: (body: string, nowMs: number, secret: string) => Record<string, string>;
  /** The body with its signature. */
  signBody?: (body: string, nowMs: number, secret: string) => string;
  certificate?: (url: string) => string | undefined;
  type: string;
  externalId: string | null;
  status: number;
}

type Encoding = 'hex' | 'base64' | 'base64url';

const SECRET = 'a-secret-of-32-chars-1234567890ab';
const WRONG = 'another-secret-of-32-chars-123456';
const JSON_TYPE = 'application/json';

function hmac(secret: string | Buffer, content: string, encoding: Encoding = 'hex', hash = 'sha256'): string {
  return createHmac(hash, secret).update(content).digest(encoding);
}

const seconds = (nowMs: number): string => String(Math.floor(nowMs / 1000));
const whsec = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;
const whsecKey = (secret: string): Buffer => Buffer.from(secret.slice('whsec_'.length), 'base64');

type Row = Omit<Partial<SignedWebhook>, 'body'> & Pick<SignedWebhook, 'provider' | 'type'> & { body: string | object };

function webhook(row: Row): SignedWebhook {
  return {
    secret: SECRET,
    wrongSecret: WRONG,
    contentType: JSON_TYPE,
    header: null,
    encoded: 'bytes',
    externalId: null,
    status: 200,
    ...row,
    body: typeof row.body === 'string' ? row.body : JSON.stringify(row.body),
  };
}

/** The whole body, in one header. */
function bodyHmac(header: string, row: Row & { prefix?: string; encoding?: Encoding; hash?: string }): SignedWebhook {
  const { prefix = '', encoding = 'hex', hash = 'sha256', ...rest } = row;
  return webhook({
    header,
    sign: (body, _nowMs, secret) => ({ [header]: prefix + hmac(secret, body, encoding, hash) }),
    ...rest,
  });
}

/** `t=…,v1=…` over `t.body`. */
function pairs(
  header: string,
  row: Row & {
    names?: [string, string];
    between?: [string, string];
    time?: (nowMs: number) => string;
    encoding?: Encoding;
  },
): SignedWebhook {
  const { names: [t, v] = ['t', 'v1'], between: [comma, dot] = [',', '.'], time = seconds, encoding, ...rest } = row;
  return webhook({
    header,
    toleranceSeconds: 300,
    sign: (body, nowMs, secret) => {
      const at = time(nowMs);
      return { [header]: `${t}=${at}${comma}${v}=${hmac(secret, `${at}${dot}${body}`, encoding)}` };
    },
    ...rest,
  });
}

function standard(provider: string, prefix: 'webhook' | 'svix', row: Partial<SignedWebhook> = {}): SignedWebhook {
  const id = 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W';
  return webhook({
    provider,
    secret: whsec(1),
    wrongSecret: whsec(2),
    header: `${prefix}-signature`,
    headers: { [`${prefix}-id`]: id },
    toleranceSeconds: 300,
    body: { type: 'user.created', data: 'flip-a' },
    sign: (body, nowMs, secret) => ({
      [`${prefix}-timestamp`]: seconds(nowMs),
      [`${prefix}-signature`]: `v1,${hmac(whsecKey(secret), `${id}.${seconds(nowMs)}.${body}`, 'base64')}`,
    }),
    type: `${provider}.user.created`,
    externalId: id,
    ...row,
  });
}

function token(provider: string, header: string, row: Partial<SignedWebhook> = {}, prefix = ''): SignedWebhook {
  return webhook({
    provider,
    header,
    encoded: 'text',
    bodyUnsigned: true,
    body: { type: 'thing.done', data: 'flip-a' },
    headers: { 'idempotency-key': 'key-1' },
    sign: (_body, _nowMs, secret) => ({ [header]: prefix + secret }),
    type: `${provider}.thing.done`,
    externalId: 'key-1',
    ...row,
  });
}

function basic(provider: string, row: Omit<Row, 'provider'>): SignedWebhook {
  return webhook({
    provider,
    secret: 'hooks:a-long-password',
    wrongSecret: 'hooks:another-password',
    header: 'authorization',
    bodyUnsigned: true,
    sign: (_body, _nowMs, secret) => ({ authorization: `Basic ${Buffer.from(secret).toString('base64')}` }),
    ...row,
  });
}

const ed25519 = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
const ecdsa = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const paypal = selfSigned('messageverificationcerts.paypal.com');
const sns = selfSigned('sns.amazonaws.com');

function rawEd25519(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(-32);
}

/** The private key of the pair whose public key is shown so. */
function privateKeyOf(
  pairsOfKeys: { publicKey: KeyObject; privateKey: KeyObject }[],
  show: (key: KeyObject) => string,
  shown: string,
): KeyObject {
  return pairsOfKeys.find(({ publicKey }) => show(publicKey) === shown)!.privateKey;
}

const ed25519Hex = (key: KeyObject): string => rawEd25519(key).toString('hex');
const ed25519Whpk = (key: KeyObject): string => `whpk_${rawEd25519(key).toString('base64')}`;
const spki = (key: KeyObject): string => key.export({ format: 'der', type: 'spki' }).toString('base64');

const ADYEN_KEYS = ['44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056', 'AB'.repeat(32)];
const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:things';
const SNS_CERTIFICATE = 'https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem';
const PAYPAL_CERTIFICATE = 'https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270';

function twilioSignature(secret: string, url: string, body: string): string {
  const fields = [...new URLSearchParams(body)].sort(([a], [b]) => (a < b ? -1 : 1));
  return hmac(secret, url + fields.map(([name, value]) => name + value).join(''), 'base64', 'sha1');
}

export const SIGNED_WEBHOOKS: readonly SignedWebhook[] = [
  // Open standards and generic ones.
  standard('standard-webhooks', 'webhook'),
  standard('standard-webhooks', 'webhook', {
    secret: ed25519Whpk(ed25519[0].publicKey),
    wrongSecret: ed25519Whpk(ed25519[1].publicKey),
    sign: (body, nowMs, secret) => {
      const content = `msg_2KWPBgLlAfxdpx2AI54pPJ85f4W.${seconds(nowMs)}.${body}`;
      const signature = sign(null, Buffer.from(content), privateKeyOf(ed25519, ed25519Whpk, secret));
      return {
        'webhook-timestamp': seconds(nowMs),
        'webhook-signature': `v1a,${signature.toString('base64')}`,
      };
    },
  }),
  standard('svix', 'svix'),
  standard('clerk', 'svix'),
  standard('resend', 'svix'),
  standard('openai', 'webhook'),
  standard('replicate', 'webhook', {
    body: JSON.stringify({ id: 'p1', status: 'succeeded', output: 'flip-a' }),
    type: 'replicate.succeeded',
  }),
  standard('lithic', 'webhook', {
    body: JSON.stringify({ event_type: 'card.created', data: 'flip-a' }),
    type: 'lithic.card.created',
  }),
  standard('polar', 'webhook', {
    secret: 'polar_whs_abcdefghijklmnopqrstuvwxyz',
    wrongSecret: 'polar_whs_zyxwvutsrqponmlkjihgfedcba',
    sign: (body, nowMs, secret) => ({
      'webhook-timestamp': seconds(nowMs),
      'webhook-signature': `v1,${hmac(secret, `msg_2KWPBgLlAfxdpx2AI54pPJ85f4W.${seconds(nowMs)}.${body}`, 'base64')}`,
    }),
  }),
  token(
    'cloudevents',
    'authorization',
    {
      headers: { 'ce-id': '42', 'ce-source': '/sensors/1', 'ce-type': 'com.example.read' },
      type: 'cloudevents.com.example.read',
      externalId: '/sensors/1:42',
      status: 202,
    },
    'Bearer ',
  ),
  webhook({
    provider: 'websub',
    options: { topic: 'https://example.com/feed' },
    header: 'x-hub-signature',
    body: '<feed>flip-a</feed>',
    contentType: 'application/atom+xml',
    sign: (body, _nowMs, secret) => ({ 'x-hub-signature': `sha512=${hmac(secret, body, 'hex', 'sha512')}` }),
    type: 'websub.update',
    status: 202,
  }),
  bodyHmac('x-signature', { provider: 'hmac', body: { type: 'thing.done', data: 'flip-a' }, type: 'hmac.thing.done' }),
  webhook({
    provider: 'hmac',
    secret: 'ab'.repeat(32),
    wrongSecret: 'cd'.repeat(32),
    options: {
      header: 'X-Sum',
      prefix: 'sha384 ',
      hash: 'sha384',
      encoding: 'base64url',
      key: 'hex',
      template: '{header:x-id}.{timestamp}.{body}',
      timestampHeader: 'X-Time',
      timestampUnit: 'ms',
      typeHeader: 'X-Kind',
      idHeader: 'X-Id',
    },
    header: 'x-sum',
    toleranceSeconds: 300,
    headers: { 'x-id': 'id-1', 'x-kind': 'thing.made' },
    body: 'flip-a',
    contentType: 'text/plain',
    sign: (body, nowMs, secret) => ({
      'x-time': String(nowMs),
      'x-sum': `sha384 ${hmac(Buffer.from(secret, 'hex'), `id-1.${nowMs}.${body}`, 'base64url', 'sha384')}`,
    }),
    type: 'hmac.thing.made',
    externalId: 'id-1',
  }),
  token('token', 'x-api-key'),
  token('token', 'x-my-key', { options: { header: 'X-My-Key', prefix: 'Key ' } }, 'Key '),
  token('bearer', 'authorization', {}, 'Bearer '),
  basic('basic', { body: { type: 'thing.done', data: 'flip-a' }, type: 'basic.thing.done' }),

  // Code.
  bodyHmac('x-hub-signature-256', {
    provider: 'github',
    prefix: 'sha256=',
    headers: { 'x-github-event': 'push', 'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958' },
    body: { ref: 'refs/heads/flip-a' },
    type: 'github.push',
    externalId: '72d3162e-cc78-11e3-81ab-4c9367dc0958',
  }),
  token('gitlab', 'x-gitlab-token', {
    body: JSON.stringify({ object_kind: 'merge_request', data: 'flip-a' }),
    type: 'gitlab.merge_request',
  }),
  standard('gitlab', 'webhook', {
    body: JSON.stringify({ object_kind: 'push', data: 'flip-a' }),
    type: 'gitlab.push',
  }),
  bodyHmac('x-hub-signature', {
    provider: 'bitbucket',
    prefix: 'sha256=',
    headers: { 'x-event-key': 'repo:push', 'x-request-uuid': 'f8a4a1d2-0000-4000-8000-000000000001' },
    body: { push: 'flip-a' },
    type: 'bitbucket.repo.push',
    externalId: 'f8a4a1d2-0000-4000-8000-000000000001',
  }),
  webhook({
    provider: 'linear',
    header: 'linear-signature',
    headers: { 'linear-event': 'Issue', 'linear-delivery': '234d1a4e-b617-4388-90fe-adc3633d6b72' },
    toleranceSeconds: 60,
    body: { action: 'flip-a', webhookTimestamp: 0 },
    signBody: (body, nowMs) => body.replace('"webhookTimestamp":0', `"webhookTimestamp":${nowMs}`),
    sign: (body, _nowMs, secret) => ({ 'linear-signature': hmac(secret, body) }),
    type: 'linear.Issue',
    externalId: '234d1a4e-b617-4388-90fe-adc3633d6b72',
  }),
  bodyHmac('x-vercel-signature', {
    provider: 'vercel',
    hash: 'sha1',
    body: { id: 'uev_1', type: 'deployment.created', payload: 'flip-a' },
    type: 'vercel.deployment.created',
    externalId: 'uev_1',
  }),
  bodyHmac('sentry-hook-signature', {
    provider: 'sentry',
    headers: { 'sentry-hook-resource': 'event_alert', 'request-id': '4fc8c4c5' },
    body: { action: 'triggered', data: 'flip-a' },
    type: 'sentry.event_alert',
    externalId: '4fc8c4c5',
  }),
  bodyHmac('x-hub-signature', {
    provider: 'jira',
    prefix: 'sha256=',
    headers: { 'x-atlassian-webhook-identifier': 'wh-1' },
    body: { webhookEvent: 'jira:issue_updated', issue: 'flip-a' },
    type: 'jira.jira.issue_updated',
    externalId: 'wh-1',
  }),
  bodyHmac('x-webhook-signature', {
    provider: 'cursor',
    prefix: 'sha256=',
    headers: { 'x-webhook-id': 'wh-1', 'x-webhook-event': 'statusChange' },
    body: { event: 'statusChange', summary: 'flip-a' },
    type: 'cursor.statusChange',
    externalId: 'wh-1',
  }),
  bodyHmac('x-dropbox-signature', {
    provider: 'dropbox',
    body: { list_folder: { accounts: ['flip-a'] } },
    type: 'dropbox.notification',
  }),

  // Chat, social networks, video and calls.
  webhook({
    provider: 'slack',
    header: 'x-slack-signature',
    toleranceSeconds: 300,
    body: { type: 'event_callback', event_id: 'Ev08MFMKH6', event: { type: 'message', text: 'flip-a' } },
    sign: (body, nowMs, secret) => ({
      'x-slack-request-timestamp': seconds(nowMs),
      'x-slack-signature': `v0=${hmac(secret, `v0:${seconds(nowMs)}:${body}`)}`,
    }),
    type: 'slack.message',
    externalId: 'Ev08MFMKH6',
  }),
  webhook({
    provider: 'slack',
    header: 'x-slack-signature',
    toleranceSeconds: 300,
    contentType: 'application/x-www-form-urlencoded',
    body: 'command=%2Fdeploy&text=flip-a&trigger_id=13345224609.738474920.8088930838d88f008e0',
    sign: (body, nowMs, secret) => ({
      'x-slack-request-timestamp': seconds(nowMs),
      'x-slack-signature': `v0=${hmac(secret, `v0:${seconds(nowMs)}:${body}`)}`,
    }),
    type: 'slack.deploy',
    externalId: '13345224609.738474920.8088930838d88f008e0',
  }),
  webhook({
    provider: 'discord',
    secret: ed25519Hex(ed25519[0].publicKey),
    wrongSecret: ed25519Hex(ed25519[1].publicKey),
    header: 'x-signature-ed25519',
    toleranceSeconds: 300,
    body: { version: 1, application_id: '1234', type: 1, event: { type: 'APPLICATION_AUTHORIZED', data: 'flip-a' } },
    sign: (body, nowMs, secret) => ({
      'x-signature-timestamp': seconds(nowMs),
      'x-signature-ed25519': sign(
        null,
        Buffer.from(seconds(nowMs) + body),
        privateKeyOf(ed25519, ed25519Hex, secret),
      ).toString('hex'),
    }),
    type: 'discord.APPLICATION_AUTHORIZED',
    status: 204,
  }),
  token('telegram', 'x-telegram-bot-api-secret-token', {
    body: JSON.stringify({ update_id: 10000, message: { text: 'flip-a' } }),
    type: 'telegram.update',
    externalId: '10000',
  }),
  webhook({
    provider: 'zoom',
    header: 'x-zm-signature',
    toleranceSeconds: 300,
    body: { event: 'meeting.started', payload: 'flip-a' },
    sign: (body, nowMs, secret) => ({
      'x-zm-request-timestamp': seconds(nowMs),
      'x-zm-signature': `v0=${hmac(secret, `v0:${seconds(nowMs)}:${body}`)}`,
    }),
    type: 'zoom.meeting.started',
  }),
  webhook({
    provider: 'twitch',
    header: 'twitch-eventsub-message-signature',
    headers: {
      'twitch-eventsub-message-id': 'e76c6bd4-55c9-4987-8304-da1588d8988b',
      'twitch-eventsub-message-type': 'notification',
    },
    toleranceSeconds: 600,
    body: { subscription: { type: 'channel.follow' }, event: 'flip-a' },
    sign: (body, nowMs, secret) => {
      const at = new Date(nowMs).toISOString().replace('Z', '634234Z');
      return {
        'twitch-eventsub-message-timestamp': at,
        'twitch-eventsub-message-signature': `sha256=${hmac(secret, `e76c6bd4-55c9-4987-8304-da1588d8988b${at}${body}`)}`,
      };
    },
    type: 'twitch.channel.follow',
    externalId: 'e76c6bd4-55c9-4987-8304-da1588d8988b',
  }),
  ...['facebook', 'instagram', 'whatsapp'].map((provider) =>
    bodyHmac('x-hub-signature-256', {
      provider,
      options: { verifyToken: 'verify-me' },
      prefix: 'sha256=',
      body: { object: 'page', entry: [{ id: '1', changes: [{ field: 'messages', value: 'flip-a' }] }] },
      type: `${provider}.messages`,
    }),
  ),
  bodyHmac('x-twitter-webhooks-signature', {
    provider: 'x',
    prefix: 'sha256=',
    encoding: 'base64',
    body: { for_user_id: '1', tweet_create_events: ['flip-a'] },
    type: 'x.activity',
  }),
  pairs('tiktok-signature', {
    provider: 'tiktok',
    names: ['t', 's'],
    body: { event: 'video.publish.completed', content: 'flip-a' },
    type: 'tiktok.video.publish.completed',
  }),
  webhook({
    provider: 'front',
    header: 'x-front-signature',
    toleranceSeconds: 300,
    body: { type: 'inbound_received', payload: { id: 'evt_1', text: 'flip-a' } },
    sign: (body, nowMs, secret) => ({
      'x-front-request-timestamp': String(nowMs),
      'x-front-signature': hmac(secret, `${nowMs}:${body}`, 'base64'),
    }),
    type: 'front.inbound_received',
    externalId: 'evt_1',
  }),
  bodyHmac('x-hub-signature', {
    provider: 'intercom',
    prefix: 'sha1=',
    hash: 'sha1',
    body: { id: 'notif_1', topic: 'conversation.user.created', data: 'flip-a' },
    type: 'intercom.conversation.user.created',
    externalId: 'notif_1',
  }),
  webhook({
    provider: 'twilio',
    options: { url: 'https://example.com/in/x' },
    contentType: 'application/x-www-form-urlencoded',
    header: 'x-twilio-signature',
    headers: { 'i-twilio-idempotency-token': 'token-1' },
    body: 'SmsStatus=received&Body=flip-a&To=%2B18005551212',
    sign: (body, _nowMs, secret) => ({
      'x-twilio-signature': twilioSignature(secret, 'https://example.com/in/x', body),
    }),
    type: 'twilio.received',
    externalId: 'token-1',
  }),

  // Sales, support, documents, identity, mail.
  webhook({
    provider: 'hubspot',
    options: { url: 'https://example.com/in/x?a=%2Fb' },
    header: 'x-hubspot-signature-v3',
    toleranceSeconds: 300,
    body: [{ eventId: 100, subscriptionType: 'contact.creation', changeSource: 'flip-a' }],
    sign: (body, nowMs, secret) => ({
      'x-hubspot-request-timestamp': String(nowMs),
      'x-hubspot-signature-v3': hmac(secret, `POSThttps://example.com/in/x?a=/b${body}${nowMs}`, 'base64'),
    }),
    type: 'hubspot.contact.creation',
    externalId: '100',
  }),
  webhook({
    provider: 'zendesk',
    header: 'x-zendesk-webhook-signature',
    headers: { 'x-zendesk-webhook-invocation-id': '01HB' },
    toleranceSeconds: 300,
    body: { id: 'b4d2', type: 'zen:event-type:user.created', detail: 'flip-a' },
    sign: (body, nowMs, secret) => {
      const at = new Date(nowMs).toISOString();
      return {
        'x-zendesk-webhook-signature-timestamp': at,
        'x-zendesk-webhook-signature': hmac(secret, at + body, 'base64'),
      };
    },
    type: 'zendesk.zen.event-type.user.created',
    externalId: 'b4d2',
  }),
  bodyHmac('typeform-signature', {
    provider: 'typeform',
    prefix: 'sha256=',
    encoding: 'base64',
    body: { event_id: '01H', event_type: 'form_response', form_response: 'flip-a' },
    type: 'typeform.form_response',
    externalId: '01H',
  }),
  pairs('calendly-webhook-signature', {
    provider: 'calendly',
    toleranceSeconds: 180,
    body: { event: 'invitee.created', payload: 'flip-a' },
    type: 'calendly.invitee.created',
  }),
  bodyHmac('x-docusign-signature-1', {
    provider: 'docusign',
    encoding: 'base64',
    body: { event: 'envelope-completed', data: 'flip-a' },
    type: 'docusign.envelope-completed',
  }),
  bodyHmac('x-hook-signature', {
    provider: 'asana',
    body: { events: [{ action: 'changed', resource: { gid: 'flip-a', resource_type: 'task' } }] },
    type: 'asana.task',
  }),
  bodyHmac('x-xero-signature', {
    provider: 'xero',
    encoding: 'base64',
    body: { events: [{ eventCategory: 'INVOICE', resourceId: 'flip-a' }], firstEventSequence: 1 },
    type: 'xero.INVOICE',
  }),
  pairs('workos-signature', {
    provider: 'workos',
    between: [', ', '.'],
    time: String,
    toleranceSeconds: 180,
    body: { id: 'event_01', event: 'user.created', data: 'flip-a' },
    type: 'workos.user.created',
    externalId: 'event_01',
  }),
  pairs('persona-signature', {
    provider: 'persona',
    body: { data: { id: 'evt_1', attributes: { name: 'inquiry.completed', payload: 'flip-a' } } },
    type: 'persona.inquiry.completed',
    externalId: 'evt_1',
  }),
  pairs('sanity-webhook-signature', {
    provider: 'sanity',
    time: String,
    toleranceSeconds: 3600,
    encoding: 'base64url',
    headers: { 'sanity-operation': 'create', 'idempotency-key': 'idem-1' },
    body: { _id: 'flip-a' },
    type: 'sanity.create',
    externalId: 'idem-1',
  }),
  basic('postmark', { body: { RecordType: 'Bounce', ID: 42, Details: 'flip-a' }, type: 'postmark.Bounce' }),
  basic('pipedrive', {
    body: { meta: { entity: 'deal', id: 'abc' }, data: 'flip-a' },
    type: 'pipedrive.deal',
    externalId: 'abc',
  }),
  basic('chargebee', {
    body: { id: 'ev_1', event_type: 'subscription_created', content: 'flip-a' },
    type: 'chargebee.subscription_created',
    externalId: 'ev_1',
  }),
  webhook({
    provider: 'sendgrid',
    secret: spki(ecdsa[0].publicKey),
    wrongSecret: spki(ecdsa[1].publicKey),
    header: 'x-twilio-email-event-webhook-signature',
    toleranceSeconds: 25 * 3600,
    body: `${JSON.stringify([{ email: 'flip-a', event: 'dropped', sg_event_id: 'ZHJvcC0x' }])}\r\n`,
    sign: (body, nowMs, secret) => ({
      'x-twilio-email-event-webhook-timestamp': seconds(nowMs),
      'x-twilio-email-event-webhook-signature': sign(
        'sha256',
        Buffer.from(seconds(nowMs) + body),
        privateKeyOf(ecdsa, spki, secret),
      ).toString('base64'),
    }),
    type: 'sendgrid.dropped',
    externalId: 'ZHJvcC0x',
  }),
  webhook({
    provider: 'mailgun',
    toleranceSeconds: 9 * 3600,
    bodyUnsigned: true,
    body: { signature: { token: 'tok-1' }, 'event-data': { id: 'flip-a', event: 'delivered' } },
    signBody: (body, nowMs, secret) => {
      const value = JSON.parse(body) as { signature: object };
      const timestamp = seconds(nowMs);
      const signature = { token: 'tok-1', timestamp, signature: hmac(secret, `${timestamp}tok-1`) };
      return JSON.stringify({ ...value, signature });
    },
    type: 'mailgun.delivered',
    externalId: 'tok-1',
  }),

  // Payments and commerce.
  pairs('stripe-signature', {
    provider: 'stripe',
    secret: 'whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH',
    wrongSecret: 'whsec_other5kEWLlfzsGNjH64I8lOOqUB6e8F',
    body: { id: 'evt_1', type: 'invoice.paid', data: 'flip-a' },
    type: 'stripe.invoice.paid',
    externalId: 'evt_1',
  }),
  {
    ...webhook({
      provider: 'paypal',
      options: { webhookId: '4JH86294D6297924G' },
      header: 'paypal-transmission-sig',
      toleranceSeconds: 4 * 24 * 3600,
      body: { id: 'WH-1', event_type: 'PAYMENT.SALE.COMPLETED', summary: 'flip-a' },
      sign: (body, nowMs) => {
        const at = new Date(nowMs).toISOString();
        const content = `69cd13f0-d67a|${at}|4JH86294D6297924G|${crc32(body)}`;
        return {
          'paypal-auth-algo': 'SHA256withRSA',
          'paypal-cert-url': PAYPAL_CERTIFICATE,
          'paypal-transmission-id': '69cd13f0-d67a',
          'paypal-transmission-time': at,
          'paypal-transmission-sig': sign('sha256', Buffer.from(content), createPrivateKey(paypal.key)).toString(
            'base64',
          ),
        };
      },
      certificate: (url) => (url === PAYPAL_CERTIFICATE ? paypal.cert : undefined),
      type: 'paypal.PAYMENT.SALE.COMPLETED',
      externalId: 'WH-1',
    }),
    secret: undefined,
    wrongSecret: undefined,
  },
  pairs('paddle-signature', {
    provider: 'paddle',
    names: ['ts', 'h1'],
    between: [';', ':'],
    toleranceSeconds: 5,
    body: { event_id: 'evt_01', event_type: 'transaction.completed', data: 'flip-a' },
    type: 'paddle.transaction.completed',
    externalId: 'evt_01',
  }),
  webhook({
    provider: 'square',
    options: { url: 'https://example.com/in/x' },
    header: 'x-square-hmacsha256-signature',
    body: { event_id: 'ev-1', type: 'payment.created', data: 'flip-a' },
    sign: (body, _nowMs, secret) => ({
      'x-square-hmacsha256-signature': hmac(secret, `https://example.com/in/x${body}`, 'base64'),
    }),
    type: 'square.payment.created',
    externalId: 'ev-1',
  }),
  bodyHmac('x-signature', {
    provider: 'lemonsqueezy',
    headers: { 'x-event-name': 'order_created' },
    body: { meta: { event_name: 'order_created' }, data: 'flip-a' },
    type: 'lemonsqueezy.order_created',
  }),
  bodyHmac('x-razorpay-signature', {
    provider: 'razorpay',
    headers: { 'x-razorpay-event-id': 'evt-1' },
    body: { event: 'payment.captured', payload: 'flip-a' },
    type: 'razorpay.payment.captured',
    externalId: 'evt-1',
  }),
  bodyHmac('x-cc-webhook-signature', {
    provider: 'coinbase-commerce',
    body: { id: 1, event: { id: '24934862', type: 'charge:created', data: 'flip-a' } },
    type: 'coinbase-commerce.charge.created',
    externalId: '24934862',
  }),
  webhook({
    provider: 'airwallex',
    header: 'x-signature',
    toleranceSeconds: 300,
    body: { id: 'evt_1', name: 'payment_intent.succeeded', data: 'flip-a' },
    sign: (body, nowMs, secret) => ({
      'x-timestamp': String(nowMs),
      'x-signature': hmac(secret, `${nowMs}${body}`),
    }),
    type: 'airwallex.payment_intent.succeeded',
    externalId: 'evt_1',
  }),
  webhook({
    provider: 'zerohash',
    header: 'x-zh-hook-signature',
    headers: { 'x-zh-hook-payload-type': 'account_balance.changed', 'x-zh-hook-notification-id': 'n-1' },
    toleranceSeconds: 300,
    body: { balance: 'flip-a' },
    sign: (body, nowMs, secret) => ({
      'x-zh-hook-timestamp': String(nowMs),
      'x-zh-hook-signature': hmac(secret, body + nowMs),
    }),
    type: 'zerohash.account_balance.changed',
    externalId: 'n-1',
  }),
  webhook({
    provider: 'synctera',
    header: 'synctera-signature',
    toleranceSeconds: 300,
    body: { id: 'ev-1', type: 'CARD.UPDATED', event_resource: 'flip-a' },
    sign: (body, nowMs, secret) => ({
      'request-timestamp': seconds(nowMs),
      'synctera-signature': hmac(secret, `${seconds(nowMs)}.${body}`),
    }),
    type: 'synctera.CARD.UPDATED',
    externalId: 'ev-1',
  }),
  bodyHmac('x-shopify-hmac-sha256', {
    provider: 'shopify',
    encoding: 'base64',
    headers: {
      'x-shopify-topic': 'orders/create',
      'x-shopify-event-id': '98880550',
      'x-shopify-webhook-id': 'b54557e4',
    },
    body: { id: 8209829, note: 'flip-a' },
    type: 'shopify.orders.create',
    externalId: '98880550',
  }),
  bodyHmac('x-wc-webhook-signature', {
    provider: 'woocommerce',
    encoding: 'base64',
    headers: { 'x-wc-webhook-topic': 'order.updated', 'x-wc-webhook-delivery-id': 'd1' },
    body: { id: 1, note: 'flip-a' },
    type: 'woocommerce.order.updated',
    externalId: `d1:${createHash('sha256').update('{"id":1,"note":"flip-a"}').digest('base64url')}`,
  }),
  bodyHmac('x-linkedstore-hmac-sha256', {
    provider: 'nuvemshop',
    body: { store_id: 123, event: 'order/created', note: 'flip-a' },
    type: 'nuvemshop.order.created',
  }),
  bodyHmac('smile-signature', {
    provider: 'smile',
    hash: 'sha512',
    body: { id: 'ev-1', type: 'TASK_FINISHED', data: 'flip-a' },
    type: 'smile.TASK_FINISHED',
    externalId: 'ev-1',
  }),
  webhook({
    provider: 'adyen',
    secret: ADYEN_KEYS[0],
    wrongSecret: ADYEN_KEYS[1],
    body: {
      live: 'false',
      notificationItems: [
        {
          NotificationRequestItem: {
            additionalData: {},
            amount: { value: 1130, currency: 'EUR' },
            eventCode: 'AUTHORISATION',
            merchantAccountCode: 'TestMerchant',
            merchantReference: 'flip-a',
            pspReference: '7914073381342284',
            success: 'true',
          },
        },
      ],
    },
    signBody: (body, _nowMs, secret) => {
      const content = '7914073381342284::TestMerchant:flip-a:1130:EUR:AUTHORISATION:true';
      const hmacSignature = hmac(Buffer.from(secret, 'hex'), content, 'base64');
      return body.replace('"additionalData":{}', `"additionalData":${JSON.stringify({ hmacSignature })}`);
    },
    type: 'adyen.AUTHORISATION',
    externalId: 'AUTHORISATION:7914073381342284:true',
  }),

  // Clouds.
  {
    ...webhook({
      provider: 'aws-sns',
      options: { topicArn: TOPIC },
      contentType: 'text/plain; charset=UTF-8',
      toleranceSeconds: 3600,
      body: {
        Type: 'Notification',
        MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
        TopicArn: TOPIC,
        Subject: 'A subject',
        Message: 'flip-a',
        SignatureVersion: '2',
        SigningCertURL: SNS_CERTIFICATE,
      },
      signBody: (body, nowMs) => {
        const Timestamp = new Date(nowMs).toISOString();
        const content = `Message\nflip-a\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\nSubject\nA subject\nTimestamp\n${Timestamp}\nTopicArn\n${TOPIC}\nType\nNotification\n`;
        const Signature = sign('sha256', Buffer.from(content), createPrivateKey(sns.key)).toString('base64');
        return JSON.stringify({ ...(JSON.parse(body) as object), Timestamp, Signature });
      },
      certificate: (url) => (url === SNS_CERTIFICATE ? sns.cert : undefined),
      type: 'aws-sns.Notification',
      externalId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
    }),
    secret: undefined,
    wrongSecret: undefined,
  },
  webhook({
    provider: 'microsoft-graph',
    encoded: 'text',
    bodyUnsigned: true,
    body: { value: [{ subscriptionId: '1', changeType: 'updated', resource: 'flip-a' }] },
    signBody: (body, _nowMs, secret) => body.replace('"subscriptionId"', `"clientState":"${secret}","subscriptionId"`),
    type: 'microsoft-graph.updated',
    status: 202,
  }),
];

/** The request, signed with the webhook's own secret at its time unless told otherwise. */
export function requestOf(
  webhookToSend: SignedWebhook,
  nowMs: number,
  secret = webhookToSend.secret ?? '',
): WebhookRequest {
  const { body: bare, contentType, headers, query = '', sign: headersFor, signBody } = webhookToSend;
  const body = signBody?.(bare, nowMs, secret) ?? bare;
  return {
    method: 'POST',
    query: new URLSearchParams(query),
    headers: { 'content-type': contentType, ...headers, ...headersFor?.(body, nowMs, secret) },
    rawBody: Buffer.from(body),
    remoteAddress: '192.0.2.1',
  };
}
