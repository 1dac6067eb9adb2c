// Standard Webhooks 1.0.0 and who signs by it. Svix, where the scheme comes from, writes `svix-` in place of `webhook-`.
import type { Place } from '../place.ts';
import type { Evidence, Provider, SignatureScheme } from '../provider.ts';

const TOLERANCE_SECONDS = 300;

/** HMAC-SHA256 with a `whsec_` secret; the headers begin with `webhook` or `svix`. */
export function standardScheme(prefix: 'webhook' | 'svix'): SignatureScheme {
  return {
    kind: 'signature',
    algorithm: 'hmac-sha256',
    key: 'whsec',
    signature: { form: 'versions', header: `${prefix}-signature`, version: 'v1' },
    encoding: 'base64',
    timestamp: { at: { header: `${prefix}-timestamp` }, unit: 's', toleranceSeconds: TOLERANCE_SECONDS },
    content: `{header:${prefix}-id}.{timestamp}.{body}`,
  };
}

/** Ed25519 with a `whpk_` public key. */
const ASYMMETRIC: SignatureScheme = {
  ...standardScheme('webhook'),
  secretPrefix: 'whpk_',
  algorithm: 'ed25519',
  key: 'whpk',
  signature: { form: 'versions', header: 'webhook-signature', version: 'v1a' },
};

interface Signer {
  id: string;
  name: string;
  docs: string;
  prefix: 'webhook' | 'svix';
  evidence: Evidence;
  checked: string;
  note?: string;
  type?: readonly Place[];
}

function signer({ prefix, type = [{ body: 'type' }, { body: 'event_type' }], ...row }: Signer): Provider {
  return {
    ...row,
    schemes: [standardScheme(prefix)],
    secret: 'the signing secret, `whsec_…`, as it is shown',
    type,
    externalId: [{ header: `${prefix}-id` }],
  };
}

const SVIX = 'Signatures made by the package `svix`, whose headers the vendor documents.';

export const STANDARD_WEBHOOKS: readonly Provider[] = [
  {
    id: 'standard-webhooks',
    name: 'Standard Webhooks',
    docs: 'https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md',
    evidence: 'vector',
    checked:
      'The signatures in the tests of the reference libraries (v1 and v1a), and signatures made by the package `standardwebhooks`.',
    schemes: [ASYMMETRIC, standardScheme('webhook')],
    secret: 'the shared secret, `whsec_…`, or the public key, `whpk_…`',
    type: [{ body: 'type' }],
    externalId: [{ header: 'webhook-id' }],
    note: 'Tidings signs so itself: this is the provider for events of another Tidings.',
  },
  signer({
    id: 'svix',
    name: 'Svix',
    docs: 'https://docs.svix.com/receiving/verifying-payloads/how-manual',
    prefix: 'svix',
    evidence: 'vector',
    checked: 'The signature in the tests of its libraries, and signatures made by the package `svix`.',
    note: 'For any vendor that sends through Svix and is not listed by name.',
  }),
  signer({
    id: 'clerk',
    name: 'Clerk',
    docs: 'https://clerk.com/docs/webhooks/sync-data',
    prefix: 'svix',
    evidence: 'library',
    checked: SVIX,
  }),
  signer({
    id: 'resend',
    name: 'Resend',
    docs: 'https://resend.com/docs/dashboard/webhooks/verify-webhooks-requests',
    prefix: 'svix',
    evidence: 'library',
    checked: SVIX,
  }),
  signer({
    id: 'openai',
    name: 'OpenAI',
    docs: 'https://platform.openai.com/docs/guides/webhooks',
    prefix: 'webhook',
    evidence: 'vector',
    checked: 'The signature in the tests of OpenAI’s libraries, and signatures made by the package `standardwebhooks`.',
  }),
  signer({
    id: 'replicate',
    name: 'Replicate',
    docs: 'https://replicate.com/docs/topics/webhooks/verify-webhook',
    prefix: 'webhook',
    // What is sent is a prediction.
    type: [{ body: 'status' }],
    evidence: 'documentation',
    checked: 'The documentation, and signatures made by the package `standardwebhooks`.',
  }),
  signer({
    id: 'lithic',
    name: 'Lithic',
    docs: 'https://docs.lithic.com/docs/events-api',
    prefix: 'webhook',
    evidence: 'catalogue',
    checked: 'Second-hand lists that agree; the scheme by signatures of the package `standardwebhooks`.',
  }),
  {
    id: 'polar',
    name: 'Polar',
    docs: 'https://polar.sh/docs/integrate/webhooks/delivery',
    evidence: 'source',
    checked: 'The scheme by signatures of the package `standardwebhooks`, keyed as Polar’s SDK does.',
    schemes: [{ ...standardScheme('webhook'), key: 'text' }],
    secret: 'the secret as it is shown; it is not decoded, unlike in Standard Webhooks',
    type: [{ body: 'type' }],
    externalId: [{ header: 'webhook-id' }],
  },
];
