// What providers ask before they send, or to see whether the address still answers. A handshake looks at a request and
// answers it, refuses it, or says that it is none of its own.

import type { Refusal } from './refusal.ts';
import type { RequestView } from './webhook-request.ts';
import type { WebhookResponse } from './webhook-response.ts';

export interface HandshakeContext {
  /** Where the request is verified by one of them, that one alone. */
  readonly secrets: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  readonly nowMs: number;
}

export interface HandshakeAnswer {
  readonly response: WebhookResponse;
  /** The provider made the secret and gave it with this request: to be kept before the answer. */
  readonly learnedSecret?: string;
  /** An address of the provider's, to be requested with GET once, which confirms the subscription. */
  readonly visit?: string;
}

export interface Handshake {
  readonly name: string;
  /** What is asked and answered, in a sentence. */
  readonly words: string;
  /** `before` = the request carries no signature. */
  readonly when: 'before' | 'verified';
  answer(view: RequestView, context: HandshakeContext): HandshakeAnswer | { refusal: Refusal } | null;
}

const MAX_CHALLENGE_CHARS = 1024;

/** An answer that no browser takes for a page. */
export function textAnswer(text: string, status = 200): WebhookResponse {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
    body: text,
  };
}

export function jsonAnswer(value: unknown): WebhookResponse {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

export function emptyAnswer(status: number, headers: Record<string, string> = {}): WebhookResponse {
  return { status, headers, body: '' };
}

/** A challenge sent back as it came, as plain text. */
export function echo(challenge: string, about: string): HandshakeAnswer | { refusal: Refusal } {
  if (challenge === '' || challenge.length > MAX_CHALLENGE_CHARS || /[\x00-\x1f\x7f]/.test(challenge)) {
    return { refusal: { reason: 'challenge_malformed', about } };
  }
  return { response: textAnswer(challenge) };
}
