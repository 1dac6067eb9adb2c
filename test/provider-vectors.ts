// Signatures that vendors published: in their documentation, or in the tests of their own libraries. They are taken over as
// they stand there.
import type { WebhookRequest } from '../src/inbound/webhook-request.ts';

export interface ProviderVector {
  provider: string;
  /** Where it is published. */
  source: string;
  secret: string;
  options?: Record<string, string>;
  headers: Record<string, string>;
  query?: string;
  body: string;
  /** When it was signed; absent where no time is. */
  atMs?: number;
}

const STANDARD = {
  headers: { 'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp': '1614265330' },
  body: '{"test": 2432232314}',
  atMs: 1614265330_000,
};
const STANDARD_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const STANDARD_SIGNATURE = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
const EVERYBODY = "It's a Secret to Everybody";
const ADYEN_KEY = 'DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00';
const TWILIO_URL = 'https://mycompany.com/myapp.php?foo=1&bar=2';
const TWILIO_DIGEST = '0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620';
const FORM = 'application/x-www-form-urlencoded';

function adyenBody(item: object): string {
  return JSON.stringify({ live: 'false', notificationItems: [{ NotificationRequestItem: item }] });
}

export const PROVIDER_VECTORS: readonly ProviderVector[] = [
  {
    provider: 'standard-webhooks',
    source: 'the tests of the reference libraries',
    ...STANDARD,
    secret: STANDARD_SECRET,
    headers: { ...STANDARD.headers, 'webhook-signature': STANDARD_SIGNATURE },
  },
  {
    provider: 'standard-webhooks',
    source: 'the tests of the reference libraries (v1a)',
    ...STANDARD,
    secret: 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=',
    headers: {
      ...STANDARD.headers,
      'webhook-signature':
        'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
    },
  },
  {
    provider: 'svix',
    source: 'the tests of the svix libraries',
    ...STANDARD,
    secret: STANDARD_SECRET,
    headers: {
      'svix-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'svix-timestamp': '1614265330',
      'svix-signature': STANDARD_SIGNATURE,
    },
  },
  {
    provider: 'openai',
    source: 'the tests of OpenAI’s libraries',
    secret: 'whsec_RdvaYFYUXuIFuEbvZHwMfYFhUf7aMYjYcmM24+Aj40c=',
    headers: {
      'webhook-id': 'wh_685c059ae39c8190af8c71ed1022a24d',
      'webhook-timestamp': '1750861210',
      'webhook-signature': 'v1,gUAg4R2hWouRZqRQG4uJypNS8YK885G838+EHb4nKBY=',
    },
    body: '{"id": "evt_685c059ae3a481909bdc86819b066fb6", "object": "event", "created_at": 1750861210, "type": "response.completed", "data": {"id": "resp_123"}}',
    atMs: 1750861210_000,
  },
  {
    provider: 'github',
    source: 'GitHub Docs, “Validating webhook deliveries”',
    secret: EVERYBODY,
    headers: {
      'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    },
    body: 'Hello, World!',
  },
  ...['jira', 'bitbucket'].map((provider) => ({
    provider,
    source: 'Atlassian’s documentation of webhooks',
    secret: EVERYBODY,
    headers: { 'x-hub-signature': 'sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9' },
    body: 'Hello World!',
  })),
  {
    provider: 'slack',
    source: 'Slack’s “Verifying requests from Slack”',
    secret: '8f742231b10e8888abcd99yyyzzz85a5',
    headers: {
      'content-type': FORM,
      'x-slack-request-timestamp': '1531420618',
      'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    },
    body: 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
    atMs: 1531420618_000,
  },
  {
    provider: 'twilio',
    source: 'the tests of Twilio’s libraries',
    secret: '12345',
    options: { url: TWILIO_URL },
    headers: { 'content-type': FORM, 'x-twilio-signature': 'RSOYDt4T1cUTdK1PDd93/VVr8B8=' },
    body: 'To=%2B18005551212&Digits=1234&From=%2B14158675309&Caller=%2B14158675309&CallSid=CA1234567890ABCDE',
  },
  {
    provider: 'twilio',
    source: 'the tests of Twilio’s libraries (values that are repeated)',
    secret: '12345',
    options: { url: TWILIO_URL },
    headers: { 'content-type': FORM, 'x-twilio-signature': 'IK+Dwps556ElfBT0I3Rgjkr1wJU=' },
    body: 'Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234',
  },
  {
    provider: 'twilio',
    source: 'the tests of Twilio’s libraries (a JSON body)',
    secret: '12345',
    options: { url: `${TWILIO_URL}&bodySHA256=${TWILIO_DIGEST}` },
    headers: { 'content-type': 'application/json', 'x-twilio-signature': 'a9nBmqA0ju/hNViExpshrM61xv4=' },
    query: `foo=1&bar=2&bodySHA256=${TWILIO_DIGEST}`,
    body: '{"property": "value", "boolean": true}',
  },
  {
    provider: 'sendgrid',
    source: 'the tests of SendGrid’s libraries',
    secret:
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==',
    headers: {
      'x-twilio-email-event-webhook-timestamp': '1600112502',
      'x-twilio-email-event-webhook-signature':
        'MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=',
    },
    body: '[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n',
    atMs: 1600112502_000,
  },
  {
    provider: 'square',
    source: 'Square’s documentation, “Validate Event Notifications”',
    secret: 'asdf1234',
    options: { url: 'https://example.com/webhook' },
    headers: { 'x-square-hmacsha256-signature': '2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og=' },
    body: '{"hello":"world"}',
  },
  {
    provider: 'adyen',
    source: 'the tests of Adyen’s library for PHP',
    secret: ADYEN_KEY,
    headers: {},
    body: adyenBody({
      additionalData: { hmacSignature: 'Ny9gS2veKo5E4w8/OL6xz1/wvT/hYkAXy1xNc/QvO4I=' },
      pspReference: '7914073381342284',
      merchantAccountCode: 'TestMerchant',
      merchantReference: 'TestPayment-1407325143704',
      amount: { value: 1130, currency: 'EUR' },
      eventCode: 'AUTHORISATION',
      success: 'true',
    }),
  },
  {
    provider: 'adyen',
    source: 'the tests of Adyen’s library for Node',
    secret: ADYEN_KEY,
    headers: {},
    body: adyenBody({
      additionalData: { hmacSignature: 'ipnxGCaUZ4l8TUW75a71/ghd2Fe5ffvX0pV4TLTntIc=' },
      pspReference: 'pspReference',
      originalReference: 'originalReference',
      merchantAccountCode: 'merchantAccount',
      merchantReference: 'reference',
      amount: { currency: 'EUR', value: 1000 },
      eventCode: 'EVENT',
      success: 'true',
    }),
  },
  {
    provider: 'sanity',
    source: 'the tests of @sanity/webhook',
    secret: 'test',
    headers: { 'sanity-webhook-signature': 't=1633519811129,v1=tLa470fx7qkLLEcMOcEUFuBbRSkGujyskxrNXcoh0N0' },
    body: '{"_id":"resume"}',
    atMs: 1633519811_129,
  },
  {
    provider: 'coinbase-commerce',
    source: 'the tests of coinbase-commerce-node',
    secret: '30291a20-0bd1-4267-9b0f-e6e7b123c0bf',
    headers: { 'x-cc-webhook-signature': '8be7742c7d372f08a6a3224edadf18a22b65fa9e28f3f2de97376cdaa092590d' },
    body: '{"id":1,"scheduled_for":"2017-01-31T20:50:02Z","attempt_number":1,"event":{"id":"24934862-d980-46cb-9402-43c81b0cdba6","type":"charge:created","api_version":"2018-03-22","created_at":"2017-01-31T20:49:02Z","data":{"code":"66BEOV2A","name":"The Sovereign Individual","description":"Mastering the Transition to the Information Age","hosted_url":"https://commerce.coinbase.com/charges/66BEOV2A","created_at":"2017-01-31T20:49:02Z","expires_at":"2017-01-31T21:04:02Z","timeline":[{"time":"2017-01-31T20:49:02Z","status":"NEW"}],"metadata":{},"pricing_type":"no_price","payments":[],"addresses":{"bitcoin":"0000000000000000000000000000000000","ethereum":"0x0000000000000000000000000000000000000000","litecoin":"3000000000000000000000000000000000","bitcoincash":"bitcoincash:000000000000000000000000000000000000000000"}}}}',
  },
  {
    provider: 'razorpay',
    source: 'the tests of razorpay-node',
    secret: '123456',
    headers: { 'x-razorpay-signature': '2fe04e22977002e6c7cb553adab8b460cb9e2a4970d5953cb27a8472752e3bbc' },
    body: '{"a":1,"b":2,"c":{"d":3}}',
  },
];

export function vectorRequest({ headers, query = '', body }: ProviderVector): WebhookRequest {
  return {
    method: 'POST',
    query: new URLSearchParams(query),
    rawQuery: query,
    headers: { 'content-type': 'application/json', ...headers },
    rawBody: Buffer.from(body),
    remoteAddress: '192.0.2.1',
  };
}
