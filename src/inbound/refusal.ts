// Why a request is refused: the cause that is listed, the finer reason, and a sentence that says what to look at.
import type { WebhookResponse } from './webhook-response.ts';

/** `not_ready`: the source itself is not complete, so that nothing can be verified; the provider is asked to come again. */
export const REFUSAL_CAUSES = ['bad_signature', 'bad_handshake', 'method_not_allowed', 'not_ready'] as const;
export type RefusalCause = (typeof REFUSAL_CAUSES)[number];

interface RefusalRow {
  readonly cause: RefusalCause;
  readonly status: number;
  /** `%` is what the reason is about. */
  readonly sentence: string;
}

export const REFUSALS = {
  signature_missing: {
    cause: 'bad_signature',
    status: 401,
    sentence:
      'There is no signature: % is missing. The provider has no secret set for this webhook, the request is not its own, or a proxy took the header away.',
  },
  signature_malformed: {
    cause: 'bad_signature',
    status: 401,
    sentence:
      'The signature in % is not in the form this provider sends. A proxy may have changed the header or sent it twice.',
  },
  too_many_signatures: { cause: 'bad_signature', status: 401, sentence: '% holds more signatures than are tried.' },
  part_missing: {
    cause: 'bad_signature',
    status: 401,
    sentence: 'What was signed cannot be put together: % is missing, comes twice or may not stand there.',
  },
  timestamp_missing: { cause: 'bad_signature', status: 401, sentence: 'The time of signing is missing: %.' },
  timestamp_malformed: { cause: 'bad_signature', status: 401, sentence: 'The time of signing in % is not a time.' },
  timestamp_too_old: {
    cause: 'bad_signature',
    status: 401,
    sentence:
      'The request was signed % s ago, which is longer than is allowed: it is an old request sent anew, or the clock of this machine is fast.',
  },
  timestamp_too_new: {
    cause: 'bad_signature',
    status: 401,
    sentence:
      'The request was signed % s in the future, which is more than is allowed: the clock of this machine is slow.',
  },
  no_match: {
    cause: 'bad_signature',
    status: 401,
    sentence:
      'The signature fits none of the secrets: the source has another secret than the provider, or the body was changed on its way.',
  },
  body_changed: {
    cause: 'bad_signature',
    status: 401,
    sentence: 'The body was changed on its way, by a proxy or a framework before this server: %.',
  },
  secret_misread: { cause: 'bad_signature', status: 401, sentence: 'The signature fits the secret %.' },
  url_differs: {
    cause: 'bad_signature',
    status: 401,
    sentence: 'The URL is part of what is signed, and the signature fits another: set the option url to %.',
  },
  token_missing: { cause: 'bad_signature', status: 401, sentence: 'The token is missing: %.' },
  token_mismatch: { cause: 'bad_signature', status: 401, sentence: 'The token in % is none of the secrets.' },
  certificate_refused: { cause: 'bad_signature', status: 401, sentence: 'The certificate cannot be used: %.' },
  challenge_malformed: { cause: 'bad_handshake', status: 400, sentence: 'The challenge in % is not of its form.' },
  verify_token_mismatch: {
    cause: 'bad_handshake',
    status: 403,
    sentence: 'The verify token is not the one that the source has as its option %.',
  },
  handshake_over: {
    cause: 'bad_handshake',
    status: 403,
    sentence:
      'The provider offers a new secret (%), but the source has one already. Take away its secrets first, if the webhook was set up anew.',
  },
  unsubscribe_refused: {
    cause: 'bad_handshake',
    status: 404,
    sentence:
      'The hub asks whether to end the subscription. It goes on while there is the source: to end it, delete the source.',
  },
  method_not_allowed: { cause: 'method_not_allowed', status: 405, sentence: 'The provider sends %.' },
  secret_missing: {
    cause: 'not_ready',
    status: 503,
    sentence: 'The source has no secret that can be used for this provider. Set %.',
  },
  option_missing: {
    cause: 'not_ready',
    status: 503,
    sentence: 'The source lacks the option % that its provider needs.',
  },
} as const satisfies Record<string, RefusalRow>;
export type RefusalReason = keyof typeof REFUSALS;

export interface Refusal {
  readonly reason: RefusalReason;
  /** What the reason is about: the name of a header, a number of seconds. */
  readonly about?: string;
}

export interface Refused {
  readonly kind: 'refused';
  readonly cause: RefusalCause;
  readonly reason: RefusalReason;
  readonly detail: string;
  readonly response: WebhookResponse;
}

const WORDS: Record<RefusalCause, string> = {
  bad_signature: 'The signature is not valid.\n',
  bad_handshake: 'The challenge is not valid.\n',
  method_not_allowed: 'The method is not allowed here.\n',
  not_ready: 'This address is not ready yet.\n',
};

/** The whole refusal. What the sender is told does not say how near it was. */
export function refused({ reason, about = '' }: Refusal, allow = 'POST'): Refused {
  const { cause, status, sentence }: RefusalRow = REFUSALS[reason];
  const headers: Record<string, string> = { 'content-type': 'text/plain; charset=utf-8' };
  if (status === 405) headers.allow = allow;
  return {
    kind: 'refused',
    cause,
    reason,
    detail: sentence.replace('%', () => about),
    response: { status, headers, body: WORDS[cause] },
  };
}
