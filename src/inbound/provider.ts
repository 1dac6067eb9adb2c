// A provider is a row of data: how it signs, what it asks before it sends, where its requests carry their type and id. The
// verifier (verifier.ts) is one for all of them; a function stands in a row only where a scheme is of no common form.
import type { CustomCheck } from './custom-check.ts';
import type { Handshake } from './handshake.ts';
import type { KeyForm } from './key-form.ts';
import type { Pick, Place } from './place.ts';
import type { WebhookResponse } from './webhook-response.ts';

export const HASHES = ['md5', 'sha1', 'sha256', 'sha384', 'sha512'] as const;
export type Hash = (typeof HASHES)[number];
export type Algorithm = `hmac-${Hash}` | 'ed25519' | 'ecdsa-sha256' | 'rsa-sha256';

export const ENCODINGS = ['hex', 'base64', 'base64url'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** Where signatures stand, and in what form. Several may be given: any that matches is enough, up to MAX_SIGNATURES. */
export type SignaturePlace =
  /** After the prefix one signature, or several with the separator between; of several headers those that are there. */
  | {
      readonly form: 'whole';
      readonly header: string | readonly string[];
      readonly prefix?: string;
      readonly separator?: string;
    }
  /** `t=1614265330,v1=5257a8…`: the values of the pairs that are named so. */
  | { readonly form: 'pairs'; readonly header: string; readonly pair: string }
  /** `v1,g0hM9S… v1,…`: space-separated, each after its version. */
  | { readonly form: 'versions'; readonly header: string; readonly version: string }
  /** `sha256=…`: the hash is named before the signature, and must be one of these. */
  | { readonly form: 'method'; readonly header: string; readonly hashes: readonly Hash[] }
  | { readonly form: 'body'; readonly path: string };

export interface TimestampRule {
  /** `pair` is one of the signature header's pairs. */
  readonly at: { readonly header: string } | { readonly pair: string } | { readonly body: string };
  /** `iso` = RFC 3339. */
  readonly unit: 's' | 'ms' | 'iso';
  /** A request older or newer than this is refused. */
  readonly toleranceSeconds: number;
}

export interface SignatureScheme {
  readonly kind: 'signature';
  /** The scheme is for secrets that begin so; without it, for those that no earlier scheme took. */
  readonly secretPrefix?: string;
  readonly algorithm: Algorithm;
  readonly key: KeyForm;
  readonly signature: SignaturePlace;
  readonly encoding: Encoding;
  readonly timestamp?: TimestampRule;
  /** What is signed: a template of content-template.ts, such as `{timestamp}.{body}`. */
  readonly content: string;
}

/** The secret itself is sent. */
export interface TokenScheme {
  readonly kind: 'token';
  readonly secretPrefix?: string;
  readonly at:
    | { readonly header: string; readonly prefix?: string }
    | { readonly query: string }
    | { readonly body: string };
}

/** HTTP basic authentication (RFC 7617); the secret is `user:password`. */
export interface BasicScheme {
  readonly kind: 'basic';
  readonly secretPrefix?: string;
}

export interface CustomScheme {
  readonly kind: 'custom';
  readonly secretPrefix?: string;
  /** Whether there is a secret to hold at all: what is signed with a certificate needs none. */
  readonly needsSecret: boolean;
  /** In words, for the reference. */
  readonly words: string;
  readonly check: CustomCheck;
}

/** Nothing is verified. Only providers that say so have it. */
export interface OpenScheme {
  readonly kind: 'none';
  readonly secretPrefix?: string;
}

export type Scheme = SignatureScheme | TokenScheme | BasicScheme | CustomScheme | OpenScheme;

/** An option of a source that its provider needs besides the secret; all are strings. */
export interface ProviderOption {
  readonly name: string;
  readonly required: boolean;
  readonly doc: string;
  /** Whether its value is to be kept as secrets are. */
  readonly secret?: boolean;
}

/** How the row was checked: against a published vector, the vendor's source or library, or the vendor's documentation. */
export const EVIDENCE = ['vector', 'library', 'source', 'documentation', 'catalogue'] as const;
export type Evidence = (typeof EVIDENCE)[number];

export interface Provider {
  /** `github`; also what its event types begin with. */
  readonly id: string;
  readonly name: string;
  /** The vendor's page on verification. */
  readonly docs: string;
  readonly evidence: Evidence;
  /** What was checked against what, in a sentence. */
  readonly checked: string;
  /** The first whose secretPrefix fits a secret is used for it. */
  readonly schemes: readonly Scheme[];
  /** What to paste as the secret. */
  readonly secret: string;
  /** The type of every event, as the source's options say; no id comes before it. */
  readonly constantType?: string;
  /** The first that a request has is its event type, after the provider's id: `github.push`. */
  readonly type: readonly Place[];
  /** The first that a request has is the id to deduplicate by; where it has none, the body's hash is. */
  readonly externalId: readonly Pick[];
  readonly handshakes?: readonly Handshake[];
  readonly options?: readonly ProviderOption[];
  /** Default: POST. `*` is any. */
  readonly methods?: readonly string[];
  /** The answer once the event is stored; default 200 with an empty body. */
  readonly accepted?: WebhookResponse;
  /** The vendor wants no body even in a refusal. */
  readonly refusesWithoutBody?: boolean;
  /** The vendor gives up on an answer after this long, where it says so. */
  readonly answerWithinSeconds?: number;
  /** What a user must know. */
  readonly note?: string;
}
