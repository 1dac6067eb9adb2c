// An access token by the client credentials grant (RFC 6749, section 4.4), asked for by the sender that sends events: the same guard looks at
// the address, and a redirect is not followed. What goes wrong is told without a word of what was sent or of what came back but the error's code.
import { basicAuthorization } from '../core/endpoint-auth.ts';
import { TidingsError } from '../core/errors.ts';
import type { SendResult } from '../core/outcome.ts';
import type { OAuthGrant } from './loaded-credential.ts';
import type { Sender } from './sender.ts';

export interface AccessToken {
  /** The value of `authorization`. */
  authorization: string;
  /** As the server says; null = it does not say. */
  lifetimeMs: number | null;
}

const MAX_TIMEOUT_MS = 10_000;
const MAX_TOKEN_LENGTH = 8192;
// RFC 6750, section 2.1, with all of VSCHAR: some servers' tokens hold more. It goes into a header, so nothing else may.
const TOKEN = /^[\x21-\x7e]+$/;
const ERROR_CODE = /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,64}$/;

/** No token came. */
export class TokenFailure extends Error {
  override readonly name = 'TokenFailure';
  /** When the token endpoint asked to be asked again; null when it did not. */
  readonly retryAfterMs: number | null;
  readonly isThrottled: boolean;
  /** `internal_error`: it is this server that cannot ask, or stops. */
  readonly reason: 'auth_failed' | 'internal_error';

  constructor(message: string, result: Pick<SendResult, 'outcome' | 'reason' | 'retryAfterMs'> | null = null) {
    super(message);
    this.reason = result?.reason === 'internal_error' ? 'internal_error' : 'auth_failed';
    this.retryAfterMs = result?.retryAfterMs ?? null;
    this.isThrottled = result?.outcome === 'throttled';
  }
}

export interface TokenRequest {
  sender: Pick<Sender, 'send'>;
  grant: OAuthGrant;
  version: string;
  /** Of the attempt that waits for the token; no token is waited for longer than 10 s. */
  timeoutMs: number;
}

/** @throws TokenFailure */
export async function requestToken({ sender, grant, version, timeoutMs }: TokenRequest): Promise<AccessToken> {
  const { target, client, clientSecret } = grant;
  if (target instanceof TidingsError) throw new TokenFailure(`No access token can be asked for: ${target.detail}`);
  const result = await new Promise<SendResult>((resolve) => {
    const asked = {
      target,
      ...formOf(grant, version),
      timeoutMs: Math.min(timeoutMs, MAX_TIMEOUT_MS),
      keepsBody: true,
    };
    sender.send(asked, resolve);
  });
  const { status, responseBody } = result;
  const place = `The token endpoint ${client.tokenUrl}`;
  if (status === null) throw new TokenFailure(`${place} cannot be asked (${result.reason}): ${result.error}`, result);
  const answer = parseAnswer(responseBody);
  if (result.outcome !== 'delivered') {
    const { error } = answer;
    const isCode = typeof error === 'string' && ERROR_CODE.test(error) && !error.includes(clientSecret);
    throw new TokenFailure(`${place} answered ${status}${isCode ? ` ${error}` : ''}.`, result);
  }
  const { access_token: token, token_type: type, expires_in: seconds } = answer;
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH || !TOKEN.test(token)) {
    throw new TokenFailure(
      `${place} answered ${status}, and not with an access token as RFC 6749 (section 5.1) has it.`,
    );
  }
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') {
    throw new TokenFailure(`${place} gave a token of another type than Bearer.`);
  }
  const lifetime = Number(seconds); // some servers write it as text
  const isKnown = seconds !== undefined && seconds !== null && Number.isFinite(lifetime) && lifetime >= 0;
  return { authorization: `Bearer ${token}`, lifetimeMs: isKnown ? lifetime * 1000 : null };
}

function formOf(
  { client, clientSecret }: OAuthGrant,
  version: string,
): { headers: Record<string, string>; body: Buffer } {
  const { clientId, scope, audience, clientAuthentication } = client;
  const headers: Record<string, string> = {
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
    'user-agent': `Tidings/${version}`,
  };
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== null) form.set('scope', scope);
  if (audience !== null) form.set('audience', audience);
  if (clientAuthentication === 'basic') {
    // Section 2.3.1: both are form-encoded before they are joined.
    headers.authorization = basicAuthorization(formEncode(clientId), formEncode(clientSecret));
  } else {
    form.set('client_id', clientId);
    form.set('client_secret', clientSecret);
  }
  return { headers, body: Buffer.from(form.toString()) };
}

function formEncode(text: string): string {
  return new URLSearchParams({ a: text }).toString().slice(2);
}

function parseAnswer(body: Buffer | null): Record<string, unknown> {
  try {
    const answer: unknown = JSON.parse(body?.toString('utf8') ?? '');
    return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
