// The access tokens of endpoints with OAuth2, in the memory of this process: one fetch at a time per endpoint, and a new token before the old
// one ends, while that is still sent. Endpoints without OAuth2 never come here.
import { LRUCache } from 'lru-cache';
import type { SendResult } from '../core/outcome.ts';
import { echoesOf } from './credential-echo.ts';
import type { SendRequest } from './exchange.ts';
import type { OAuthGrant } from './loaded-credential.ts';
import type { Sender } from './sender.ts';
import { type AccessToken, requestToken, TokenFailure } from './token-request.ts';

export interface AccessTokensParts {
  sender: Pick<Sender, 'send'>;
  /** Of Tidings, for `user-agent`. */
  version: string;
  /** Monotonic milliseconds. */
  now?: () => number;
}

const MAX_TOKENS = 10_000;
/** For servers that do not say how long a token lives. */
const DEFAULT_LIFETIME_MS = 300_000;
const MAX_LIFETIME_MS = 24 * 3_600_000;
/** It is renewed this long before its end, or in the last fifth of a short life; and not used any more in the last part of that. */
const RENEWAL_MARGIN_MS = 60_000;
const RENEWAL_SHARE = 0.2;
const USE_MARGIN_MS = 10_000;
const USE_SHARE = 0.05;
/** After a renewal that failed, while the old token is good. */
const RENEWAL_PAUSE_MS = 5000;
/** What an attempt has left at least when its token came late: the endpoint is not to be blamed for that. */
const MIN_LEFT_MS = 1000;
/** A token that is refused when it is younger is kept: a new one would be refused too, and each attempt would cost two requests. */
const MIN_REFUSED_AGE_MS = 30_000;

interface Held {
  authorization: string;
  /** How it may come back in an answer. */
  echoes: readonly string[];
  fetchedMs: number;
  renewMs: number;
  endMs: number;
}

export class AccessTokens {
  readonly #parts: Required<AccessTokensParts>;
  readonly #held = new LRUCache<string, Held>({ max: MAX_TOKENS });
  readonly #fetches = new Map<string, Promise<Held>>();

  constructor(parts: AccessTokensParts) {
    this.#parts = { now: () => performance.now(), ...parts };
  }

  /** Sends a request with a token, fetched if need be. Never throws; calls `done` exactly once, after it has returned. */
  send(grant: OAuthGrant, request: SendRequest, done: (result: SendResult) => void): void {
    const held = this.#held.get(grant.key);
    const nowMs = this.#parts.now();
    if (held !== undefined && nowMs < held.endMs) {
      if (nowMs >= held.renewMs) this.#renew(grant, held, request.timeoutMs);
      this.#sendWith(held, grant, request, done);
      return;
    }
    this.#fetch(grant, request.timeoutMs).then(
      (fetched) => {
        const leftMs = request.timeoutMs - (this.#parts.now() - nowMs);
        this.#sendWith(fetched, grant, { ...request, timeoutMs: Math.max(MIN_LEFT_MS, leftMs) }, done);
      },
      (error) => done(failureOf(error, this.#parts.now() - nowMs)),
    );
  }

  #sendWith(held: Held, grant: OAuthGrant, request: SendRequest, done: (result: SendResult) => void): void {
    const { authorization, echoes } = held;
    this.#parts.sender.send({ ...request, headers: { ...request.headers, authorization }, echoes }, (result) => {
      if (result.status === 401) this.#refused(grant, held);
      done(result);
    });
  }

  /** The endpoint does not take the token: it may have been revoked. The event's next attempt is made with another. */
  #refused(grant: OAuthGrant, held: Held): void {
    if (this.#held.get(grant.key) !== held) return;
    if (this.#parts.now() - held.fetchedMs >= MIN_REFUSED_AGE_MS) this.#held.delete(grant.key);
  }

  #renew(grant: OAuthGrant, held: Held, timeoutMs: number): void {
    held.renewMs = this.#parts.now() + RENEWAL_PAUSE_MS;
    this.#fetch(grant, timeoutMs).catch(() => {}); // it is tried again, and told when the old token has ended
  }

  /** The deadline is the first caller's; all of them are attempts at one endpoint. */
  #fetch(grant: OAuthGrant, timeoutMs: number): Promise<Held> {
    const { key } = grant;
    const open = this.#fetches.get(key);
    if (open !== undefined) return open;
    const { sender, version, now } = this.#parts;
    const beganMs = now();
    const fetch = requestToken({ sender, grant, version, timeoutMs })
      .then((token) => {
        const held = holdToken(token, beganMs);
        this.#held.set(key, held);
        return held;
      })
      .finally(() => this.#fetches.delete(key));
    this.#fetches.set(key, fetch);
    return fetch;
  }
}

function holdToken({ authorization, lifetimeMs }: AccessToken, fetchedMs: number): Held {
  const lifeMs = Math.min(lifetimeMs ?? DEFAULT_LIFETIME_MS, MAX_LIFETIME_MS);
  return {
    authorization,
    echoes: echoesOf({ authorization }),
    fetchedMs,
    renewMs: fetchedMs + lifeMs - Math.min(RENEWAL_MARGIN_MS, lifeMs * RENEWAL_SHARE),
    endMs: fetchedMs + lifeMs - Math.min(USE_MARGIN_MS, lifeMs * USE_SHARE),
  };
}

/** As if the endpoint could not be reached: it says nothing about the event, and an event must not die of it. */
function failureOf(error: unknown, elapsedMs: number): SendResult {
  const failure = error instanceof TokenFailure ? error : new TokenFailure(String(error));
  return {
    outcome: failure.isThrottled ? 'throttled' : 'unreachable',
    reason: failure.reason,
    status: null,
    timings: { dnsUs: null, connectUs: null, tlsUs: null, firstByteUs: null, totalUs: Math.round(elapsedMs * 1000) },
    remoteAddress: null,
    responseHead: null,
    responseBody: null,
    retryAfterMs: failure.retryAfterMs,
    error: failure.message,
  };
}
