// The handshake by which a receiver of CloudEvents agrees to be sent events (HTTP 1.1 Web Hooks for Event Delivery 1.0.2, section 4, "Abuse
// Protection"), made by the sender that sends events: the same guard looks at the address, and a redirect is not followed.
import type { EndpointAuth } from '../core/endpoint-auth.ts';
import { TidingsError } from '../core/errors.ts';
import type { SendResult } from '../core/outcome.ts';
import { type AddressRules, parseTarget } from '../net/address-guard.ts';
import type { StoredCredential } from '../storage/endpoint-credentials.ts';
import type { AccessTokens } from './access-tokens.ts';
import { loadCredential } from './loaded-credential.ts';
import type { Sender } from './sender.ts';

export interface ConsentRequest {
  url: string;
  /** The endpoint's own. */
  headers: Readonly<Record<string, string>>;
  /** What it is called with beside them; null = nothing. */
  credential: { endpointId: string; auth: EndpointAuth; stored: StoredCredential } | null;
  /** The name that this sender goes by. */
  origin: string;
  /** null = none is asked for. */
  ratePerMinute: number | null;
}

export interface Consent {
  /** Requests a minute that it agrees to; null = any number. */
  ratePerMinute: number | null;
}

export interface ConsentParts {
  sender: Pick<Sender, 'send'>;
  tokens: Pick<AccessTokens, 'send'>;
  rules: AddressRules;
  version: string;
}

const TIMEOUT_MS = 10_000;
const NO_CREDENTIAL = { endpointId: '', auth: null, stored: null };

/** @throws TidingsError `handshake_failed` when it does not agree, or cannot be asked; `invalid_url`, `address_forbidden` */
export async function askConsent(parts: ConsentParts, request: ConsentRequest): Promise<Consent> {
  const { sender, tokens, rules, version } = parts;
  const { url, origin, ratePerMinute } = request;
  const { endpointId, auth, stored } = request.credential ?? NO_CREDENTIAL;
  const called = { id: endpointId, auth, target: parseTarget(url, rules) };
  const { target, grant, headers: proof } = loadCredential(called, stored, rules);
  if (target instanceof TidingsError) throw target;
  const headers = {
    ...request.headers,
    ...proof,
    'user-agent': `Tidings/${version}`,
    'webhook-request-origin': origin,
    ...(ratePerMinute !== null && { 'webhook-request-rate': String(ratePerMinute) }),
  };
  const asked = { method: 'OPTIONS', target, headers, body: Buffer.alloc(0), timeoutMs: TIMEOUT_MS } as const;
  const { status, responseHead, error } = await new Promise<SendResult>((resolve) => {
    if (grant === null) sender.send(asked, resolve);
    else tokens.send(grant, asked, resolve);
  });
  if (responseHead === null) throw refused(`${url} could not be asked whether it takes events: ${error}`);
  // Section 4.2: consent is in the headers; the status says nothing.
  const allowed = headerOf(responseHead, 'webhook-allowed-origin');
  if (allowed !== '*' && allowed?.toLowerCase() !== origin.toLowerCase()) {
    const answer = allowed === null ? 'without WebHook-Allowed-Origin' : 'with another WebHook-Allowed-Origin';
    throw refused(
      `${url} answered OPTIONS with WebHook-Request-Origin: ${origin} by ${status} ${answer}. It has to answer with WebHook-Allowed-Origin: ${origin}, or leave \`handshake\` out.`,
    );
  }
  return { ratePerMinute: rateOf(headerOf(responseHead, 'webhook-allowed-rate'), url) };
}

function rateOf(text: string | null, url: string): number | null {
  if (text === null || text === '*') return null;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw refused(`${url} answered with a WebHook-Allowed-Rate that is neither a number of requests a minute nor *.`);
}

/** A response's header; null = it has none, or more than one. */
function headerOf(head: string, name: string): string | null {
  const lines = head.split('\r\n').filter((line) => line.slice(0, name.length + 1).toLowerCase() === `${name}:`);
  return lines.length === 1 ? lines[0].slice(name.length + 1).trim() : null;
}

function refused(detail: string): TidingsError {
  return new TidingsError('handshake_failed', detail);
}
