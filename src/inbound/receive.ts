// What a source does with a request: a handshake is answered, anything else verified, and what is valid becomes an event's
// type and id. No sockets, no database, no clock: who calls it stores the event and then gives the answer.
import { emptyAnswer, type HandshakeContext } from './handshake.ts';
import type { Pick, Place } from './place.ts';
import type { Provider } from './provider.ts';
import { type Refusal, type Refused, refused } from './refusal.ts';
import { isUsableSecret, verifyRequest } from './verifier.ts';
import { MAX_EXTERNAL_ID_CHARS, RequestView, type WebhookRequest } from './webhook-request.ts';
import type { WebhookResponse } from './webhook-response.ts';

export interface ReceiveContext {
  /** Several while they are rotated: any of them is good. */
  readonly secrets: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  readonly nowMs: number;
  /** Certificates that were fetched: the text (PEM) at an URL that `receive` asked for. */
  readonly certificate?: (url: string) => string | undefined;
}

export type Received =
  | {
      readonly kind: 'event';
      /** Matches EVENT_TYPE_PATTERN. */
      readonly type: string;
      /** The provider's own id; null = deduplicate by the body's hash. */
      readonly externalId: string | null;
      /** To be given once the event is stored. */
      readonly response: WebhookResponse;
    }
  | {
      readonly kind: 'handshake';
      readonly name: string;
      readonly response: WebhookResponse;
      /** To be kept as the source's secret before the answer is given. */
      readonly learnedSecret?: string;
      /** To be requested with GET, which confirms the subscription. */
      readonly visit?: string;
    }
  /** To be fetched (its host is pinned by the provider's row; keep it), and the request received again with it. */
  | { readonly kind: 'certificate'; readonly url: string }
  | Refused;

const MAX_TYPE_CHARS = 128;
const ACCEPTED = emptyAnswer(200);
const POST_ONLY: readonly string[] = ['POST'];

/** Receives one request. Header names are in lower case. Never throws for anything that a request holds. */
export function receive(provider: Provider, request: WebhookRequest, context: ReceiveContext): Received {
  const view = new RequestView(request);
  const early = handshake(provider, 'before', view, context);
  if (early !== null) return early;
  const { methods = POST_ONLY, schemes } = provider;
  if (!methods.includes(request.method) && !methods.includes('*')) {
    return refuse(provider, { reason: 'method_not_allowed', about: methods.join(', ') });
  }
  const secrets = context.secrets.filter((secret) => isUsableSecret(schemes, secret));
  const { options, nowMs, certificate = () => undefined } = context;
  const verdict = verifyRequest(schemes, view, { secrets, options, nowMs, certificate });
  if (verdict.kind === 'certificate') return verdict;
  if (verdict.kind === 'invalid') {
    return refuse(provider, verdict.reason === 'secret_missing' ? { ...verdict, about: provider.secret } : verdict);
  }
  const proven = verdict.secret === null ? context : { ...context, secrets: [verdict.secret] };
  const late = handshake(provider, 'verified', view, proven);
  if (late !== null) return late;
  return {
    kind: 'event',
    type: eventType(provider, view),
    externalId: externalId(provider.externalId, view),
    response: provider.accepted ?? ACCEPTED,
  };
}

function refuse({ methods = POST_ONLY, refusesWithoutBody = false }: Provider, refusal: Refusal): Refused {
  const whole = refused(refusal, methods.join(', '));
  if (!refusesWithoutBody) return whole;
  const { 'content-type': _type, ...headers } = whole.response.headers;
  return { ...whole, response: emptyAnswer(whole.response.status, headers) };
}

function handshake(
  provider: Provider,
  when: 'before' | 'verified',
  view: RequestView,
  context: HandshakeContext,
): Received | null {
  for (const { name, when: own, answer } of provider.handshakes ?? []) {
    if (own !== when) continue;
    const given = answer(view, context);
    if (given === null) continue;
    return 'refusal' in given ? refuse(provider, given.refusal) : { kind: 'handshake', name, ...given };
  }
  return null;
}

function eventType({ id, type, constantType }: Provider, view: RequestView): string {
  if (constantType !== undefined) return constantType;
  const found = firstOf(type, view);
  return `${id}.${found === null ? 'event' : cleanType(found)}`.slice(0, MAX_TYPE_CHARS);
}

/** `orders/create` → `orders.create`, `Push Hook` → `Push_Hook`. */
function cleanType(text: string): string {
  const clean = text
    .replaceAll(/[/:]+/g, '.')
    .replaceAll(/[^a-zA-Z0-9_.-]+/g, '_')
    .replace(/^\.+|\.+$/g, '');
  return clean === '' ? 'event' : clean;
}

function firstOf(places: readonly Place[], view: RequestView): string | null {
  for (const place of places) {
    const value = view.place(place);
    if (value !== null && value !== '') return value;
  }
  return null;
}

function externalId(picks: readonly Pick[], view: RequestView): string | null {
  for (const pick of picks) {
    const value = view.pick(pick);
    if (value !== null && value !== '' && value.length <= MAX_EXTERNAL_ID_CHARS) return value;
  }
  return null;
}
