// How an endpoint's requests are signed, as it is configured and stored: Standard Webhooks (core/signature.ts), the schemes of services whose
// receivers are there already, one that is put together from options, and HTTP Message Signatures.
export const STANDARD_SCHEMES = ['v1', 'v1a'] as const;
export const HMAC_ALGORITHMS = ['sha256', 'sha384', 'sha512', 'sha1'] as const;
export const SIGNATURE_ENCODINGS = ['hex', 'base64', 'base64url'] as const;
export const SECRET_ENCODINGS = ['utf8', 'hex', 'base64'] as const;
export const TIMESTAMP_UNITS = ['seconds', 'milliseconds'] as const;
export const MESSAGE_ALGORITHMS = ['hmac-sha256', 'ed25519'] as const;
export const DIGEST_ALGORITHMS = ['sha-256', 'sha-512'] as const;

/** As GitHub signs: `x-hub-signature-256: sha256=…` over the body. */
export interface GitHubSigning {
  scheme: 'github';
}

/** As Stripe signs: `stripe-signature: t=…,v1=…` over time and body. */
export interface StripeSigning {
  scheme: 'stripe';
  header: string;
}

/** An HMAC in a header. `content` and `prefix` hold `{id}`, `{timestamp}`, `{method}`, `{url}`, and `content` also `{body}`. */
export interface HmacSigning {
  scheme: 'hmac';
  header: string;
  algorithm: (typeof HMAC_ALGORITHMS)[number];
  encoding: (typeof SIGNATURE_ENCODINGS)[number];
  prefix: string;
  content: string;
  /** How the text of the secret becomes the key. */
  secretEncoding: (typeof SECRET_ENCODINGS)[number];
  timestampUnit: (typeof TIMESTAMP_UNITS)[number];
  /** Headers that carry time and id beside `webhook-timestamp` and `webhook-id`; null = none. */
  timestampHeader: string | null;
  idHeader: string | null;
  /** What stands between the signatures of two secrets during a rotation's grace; null = a header carries but one. */
  separator: string | null;
}

/** HTTP Message Signatures (RFC 9421) over named parts of the request, the body by its `content-digest` (RFC 9530). */
export interface MessageSigning {
  scheme: 'rfc9421';
  algorithm: (typeof MESSAGE_ALGORITHMS)[number];
  /** Derived components and header fields, in the order in which they are signed. */
  components: string[];
  digest: (typeof DIGEST_ALGORITHMS)[number];
  /** null = derived from the key. */
  keyId: string | null;
  tag: string | null;
}

export type SchemeOptions = GitHubSigning | StripeSigning | HmacSigning | MessageSigning;
export type Signing = (typeof STANDARD_SCHEMES)[number] | 'none' | SchemeOptions;

/** As received: what is absent has its default. */
export type SigningInput =
  | (typeof STANDARD_SCHEMES)[number]
  | 'none'
  | GitHubSigning
  | (Partial<StripeSigning> & { scheme: 'stripe' })
  | (Partial<HmacSigning> & { scheme: 'hmac' })
  | (Partial<MessageSigning> & { scheme: 'rfc9421' });

export type SchemeName = Exclude<Signing, SchemeOptions> | SchemeOptions['scheme'];

export function schemeName(signing: Signing): SchemeName {
  return typeof signing === 'string' ? signing : signing.scheme;
}

/** Whether a request can carry the signatures of several secrets, so that a rotation has a grace. */
export function carriesSeveral(signing: Signing): boolean {
  if (typeof signing === 'string') return signing !== 'none';
  if (signing.scheme === 'hmac') return signing.separator !== null;
  return signing.scheme !== 'github';
}

/** Headers in lower case that carry the signature and what belongs to it. */
export function signingHeaders(signing: Signing): string[] {
  if (typeof signing === 'string') return [];
  switch (signing.scheme) {
    case 'github':
      return ['x-hub-signature-256', 'x-github-event', 'x-github-delivery'];
    case 'stripe':
      return [signing.header];
    case 'hmac':
      return [signing.header, signing.timestampHeader, signing.idHeader].filter((name) => name !== null);
    case 'rfc9421':
      return ['content-digest', 'signature-input', 'signature'];
  }
}
