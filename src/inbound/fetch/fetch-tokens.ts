// The access tokens of sources with OAuth2 (RFC 6749, sections 4.4 and 6), in the memory of the process that runs them.
import { LRUCache } from 'lru-cache';
import type { FetchAuth } from './fetch-config.ts';
import { FetchFailure } from './fetch-failure.ts';
import type { Fetcher } from './http-fetcher.ts';

type OAuth = Extract<FetchAuth, { type: 'oauth2' }>;

export interface FetchTokensParts {
  fetcher: Fetcher;
  version: string;
  now: () => number;
}

const MAX_TOKENS = 10_000;
const DEFAULT_LIFETIME_MS = 300_000;
/** A token is no longer used so long before its end. */
const MARGIN_MS = 30_000;
const TIMEOUT_MS = 15_000;
const TOKEN = /^[\x21-\x7e]{1,8192}$/;

export class FetchTokens {
  readonly #parts: FetchTokensParts;
  readonly #held = new LRUCache<string, { token: string; untilMs: number }>({ max: MAX_TOKENS });

  constructor(parts: FetchTokensParts) {
    this.#parts = parts;
  }

  /** `saveRefreshToken` is called, and waited for, before the new access token is used: the server may have ended the old one. @throws FetchFailure */
  async get(sourceId: string, auth: OAuth, saveRefreshToken: (token: string) => Promise<void>): Promise<string> {
    const key = keyOf(sourceId, auth);
    const held = this.#held.get(key);
    if (held !== undefined && held.untilMs > this.#parts.now()) return held.token;
    const answer = await this.#ask(auth);
    const { access_token: token, expires_in: seconds, refresh_token: refreshToken } = answer;
    if (typeof token !== 'string' || !TOKEN.test(token)) {
      throw new FetchFailure('unauthorized', `${auth.tokenUrl} answered, and not with an access token.`);
    }
    const isRotated = typeof refreshToken === 'string' && refreshToken !== auth.refreshToken;
    if (auth.refreshToken !== undefined && isRotated) await saveRefreshToken(refreshToken);
    const lifetimeMs = Number(seconds) > 0 ? Number(seconds) * 1000 : DEFAULT_LIFETIME_MS;
    const renewed = isRotated ? keyOf(sourceId, { ...auth, refreshToken }) : key;
    this.#held.set(renewed, { token, untilMs: this.#parts.now() + Math.max(lifetimeMs - MARGIN_MS, lifetimeMs / 2) });
    return token;
  }

  /** The API does not take it. */
  forget(sourceId: string, auth: OAuth): void {
    this.#held.delete(keyOf(sourceId, auth));
  }

  async #ask(auth: OAuth): Promise<Record<string, unknown>> {
    const { tokenUrl, clientId, clientSecret, refreshToken, scope, clientAuthentication } = auth;
    const form = new URLSearchParams({
      grant_type: refreshToken === undefined ? 'client_credentials' : 'refresh_token',
    });
    if (refreshToken !== undefined) form.set('refresh_token', refreshToken);
    if (scope !== undefined) form.set('scope', scope);
    const headers: Record<string, string> = {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
      'user-agent': `Tidings/${this.#parts.version}`,
    };
    if (clientAuthentication === 'body') {
      form.set('client_id', clientId);
      form.set('client_secret', clientSecret);
    } else {
      // Section 2.3.1: both are form-encoded before they are joined.
      const pair = [clientId, clientSecret]
        .map((text) => new URLSearchParams({ a: text }).toString().slice(2))
        .join(':');
      headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
    }
    const request = { method: 'POST', url: tokenUrl, headers, body: form.toString(), timeoutMs: TIMEOUT_MS } as const;
    const { status, body } = await this.#parts.fetcher.request(request);
    if (status >= 500 || status === 429) throw new FetchFailure('unreachable', `${tokenUrl} answered ${status}.`);
    if (status !== 200) {
      throw new FetchFailure('unauthorized', `${tokenUrl} gave no access token: it answered ${status}.`, { status });
    }
    try {
      return JSON.parse(body.toString('utf8')) as Record<string, unknown>;
    } catch (cause) {
      throw new FetchFailure('unauthorized', `${tokenUrl} answered with something else than JSON.`, { cause });
    }
  }
}

function keyOf(sourceId: string, { tokenUrl, clientId, refreshToken, clientSecret, scope }: OAuth): string {
  return JSON.stringify([sourceId, tokenUrl, clientId, refreshToken, clientSecret, scope]);
}
