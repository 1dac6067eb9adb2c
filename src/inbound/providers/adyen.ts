// Adyen signs each notification in the body by itself, over eight of its fields.
// https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type CheckContext, invalid, VALID, type Verdict } from '../custom-check.ts';
import { textAnswer } from '../handshake.ts';
import { decodeStrictly, parseKey } from '../key-form.ts';
import type { Provider } from '../provider.ts';
import { type RequestView, valueAt } from '../webhook-request.ts';

const MAX_ITEMS = 1000;
const ITEM = 'notificationItems.[].NotificationRequestItem';
const SIGNED = [
  'pspReference',
  'originalReference',
  'merchantAccountCode',
  'merchantReference',
  'amount.value',
  'amount.currency',
  'eventCode',
  'success',
];

export const ADYEN: Provider = {
  id: 'adyen',
  name: 'Adyen',
  docs: 'https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures',
  evidence: 'vector',
  checked: 'Signatures in the tests of Adyen’s libraries for PHP and Node.',
  schemes: [
    {
      kind: 'custom',
      needsSecret: true,
      words:
        'HMAC-SHA256 with the hex-decoded key, base64, in `additionalData.hmacSignature` of each item, over eight fields of the item joined by `:`',
      check: verifyItems,
    },
  ],
  secret: 'the HMAC key of the webhook, in hex',
  type: [{ body: `${ITEM}.eventCode` }, { constant: 'batch' }],
  externalId: [[{ body: `${ITEM}.eventCode` }, { body: `${ITEM}.pspReference` }, { body: `${ITEM}.success` }]],
  accepted: textAnswer('[accepted]'),
  answerWithinSeconds: 10,
  note: 'Only eight fields of an item are signed: fetch from Adyen what matters besides.',
};

function verifyItems(view: RequestView, { secrets }: CheckContext): Verdict {
  const keys: KeyObject[] = [];
  for (const secret of secrets) {
    const key = parseKey('hex', secret);
    if (key !== null) keys.push(key);
  }
  if (keys.length === 0) return invalid('secret_missing');
  const items = valueAt(view.body(), 'notificationItems');
  if (!Array.isArray(items) || items.length === 0 || items.length > MAX_ITEMS) {
    return invalid('signature_missing', 'the list notificationItems of the body');
  }
  for (const item of items) {
    const fields = valueAt(item, 'NotificationRequestItem');
    const signature = valueAt(fields, 'additionalData.hmacSignature');
    if (typeof signature !== 'string' || signature === '') {
      return invalid('signature_missing', 'additionalData.hmacSignature of an item');
    }
    const bytes = decodeStrictly(signature, 'base64');
    if (bytes?.length !== 32) return invalid('signature_malformed', 'additionalData.hmacSignature of an item');
    const content = SIGNED.map((path) => valueAt(fields, path) ?? '').join(':');
    const isGood = keys.some((key) => timingSafeEqual(createHmac('sha256', key).update(content).digest(), bytes));
    if (!isGood) return invalid('no_match');
  }
  return VALID;
}
