// Twilio signs the URL it calls and, in a form, the sorted parameters; of any other body the URL carries the SHA-256.
// https://www.twilio.com/docs/usage/security#validating-requests
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { calledUrl } from '../content-template.ts';
import { type CheckContext, invalid, VALID, type Verdict } from '../custom-check.ts';
import type { CustomScheme, Provider } from '../provider.ts';
import { readCandidates } from '../signature-candidates.ts';
import type { RequestView } from '../webhook-request.ts';

const SCHEME: CustomScheme = {
  kind: 'custom',
  needsSecret: true,
  words:
    'HMAC-SHA1, base64, in `x-twilio-signature`, over the URL and the sorted form parameters; a body that is no form by `bodySHA256` in the query',
  check: verifyTwilio,
};

export const TWILIO: Provider = {
  id: 'twilio',
  name: 'Twilio',
  docs: 'https://www.twilio.com/docs/usage/security#validating-requests',
  evidence: 'vector',
  checked: 'The signatures in the tests of Twilio’s libraries: a form, repeated values, a JSON body.',
  schemes: [SCHEME],
  secret: 'the auth token of the account',
  options: [{ name: 'url', required: true, doc: 'The URL exactly as it was given to Twilio.' }],
  methods: ['POST', 'GET'],
  type: [
    { body: 'type' },
    { body: 'EventType' },
    { body: 'MessageStatus' },
    { body: 'CallStatus' },
    { body: 'SmsStatus' },
    { query: 'CallStatus' },
  ],
  externalId: [{ header: 'i-twilio-idempotency-token' }],
  accepted: { status: 200, headers: { 'content-type': 'text/xml' }, body: '<Response></Response>' },
  answerWithinSeconds: 15,
  note: 'The answer is an empty TwiML document, which asks nothing of Twilio.',
};

function verifyTwilio(view: RequestView, { secrets, options }: CheckContext): Verdict {
  const candidates = readCandidates(view, { form: 'whole', header: 'x-twilio-signature' }, 'base64');
  if ('reason' in candidates) return { kind: 'invalid', ...candidates };
  const url = calledUrl(view, options.url);
  if (url === null) return invalid('option_missing', 'url');
  const contentType = view.headerText('content-type') ?? '';
  let parameters = '';
  if (contentType.startsWith('application/x-www-form-urlencoded')) parameters = sortedParameters(view.rawBody);
  else if (view.rawBody.length > 0) {
    const named = view.request.query.get('bodySHA256') ?? '';
    if (named !== createHash('sha256').update(view.rawBody).digest('hex')) return invalid('no_match');
  }
  // Twilio signs the port in some calls and leaves it out in others.
  for (const signedUrl of new Set([url, withoutPort(url), withPort(url)])) {
    for (const secret of secrets) {
      const expected = createHmac('sha1', secret)
        .update(signedUrl + parameters)
        .digest();
      if (candidates[0].bytes.length === expected.length && timingSafeEqual(candidates[0].bytes, expected))
        return VALID;
    }
  }
  return invalid('no_match');
}

/** Names in order, each followed by its values: those that are alike once, in order. */
function sortedParameters(body: Buffer): string {
  const values = new Map<string, Set<string>>();
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    const known = values.get(name);
    if (known === undefined) values.set(name, new Set([value]));
    else known.add(value);
  }
  let text = '';
  for (const name of [...values.keys()].sort()) {
    for (const value of [...values.get(name)!].sort()) text += name + value;
  }
  return text;
}

const ORIGIN = /^(https?):\/\/([^/?#]*?)(:\d+)?(?=[/?#]|$)/;

function withoutPort(url: string): string {
  return url.replace(ORIGIN, '$1://$2');
}

function withPort(url: string): string {
  return url.replace(ORIGIN, (whole, scheme: string, host: string, port: string | undefined) =>
    port === undefined ? `${scheme}://${host}:${scheme === 'https' ? 443 : 80}` : whole,
  );
}
