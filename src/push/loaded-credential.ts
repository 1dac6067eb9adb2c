// A credential as requests use it: most are headers that never change, one is a token that must be fetched, one belongs to the connection.
import type { EndpointAuth, OAuthClient } from '../core/endpoint-auth.ts';
import { TidingsError } from '../core/errors.ts';
import { type AddressRules, parseTarget, type Target } from '../net/address-guard.ts';
import type { StoredCredential } from '../storage/endpoint-credentials.ts';
import { echoesOf } from './credential-echo.ts';

/** What an access token is fetched with (RFC 6749, section 4.4). */
export interface OAuthGrant {
  /** Of endpoint and credential: a token of another is never used. */
  readonly key: string;
  readonly client: OAuthClient;
  readonly clientSecret: string;
  /** Where the token is asked for; or why it cannot be. */
  readonly target: Target | TidingsError;
}

export interface LoadedCredential {
  /** Sent with every request. */
  headers: Record<string, string>;
  /** How those may come back in an answer, to be blotted out there; null without any. */
  echoes: readonly string[] | null;
  grant: OAuthGrant | null;
  /** The endpoint's, with what its connections show. */
  target: Target | TidingsError;
}

export function loadCredential(
  endpoint: { id: string; auth: EndpointAuth | null; target: Target | TidingsError },
  stored: StoredCredential | null,
  rules: AddressRules,
): LoadedCredential {
  const { auth, target } = endpoint;
  const none = { headers: {}, echoes: null, grant: null, target };
  if (auth === null || stored === null) return none;
  const { credential } = stored;
  const key = `${endpoint.id} ${stored.credentialUuid}`;
  switch (credential.type) {
    case 'headers':
      return { ...none, headers: credential.headers, echoes: echoesOf(credential.headers) };
    case 'mtls': {
      if (target instanceof TidingsError) return none;
      // A connection speaks for who opened it, so it is not shared with other endpoints.
      const { certificate, key: privateKey, ca } = credential;
      const identity = { certificate, key: privateKey, ca };
      return { ...none, target: { ...target, pool: `${target.origin} ${key}`, identity } };
    }
    case 'oauth2': {
      if (auth.type !== 'oauth2') return none;
      const { clientSecret } = credential;
      return {
        ...none,
        grant: { key, client: auth, clientSecret, target: targetOf(auth.tokenUrl, rules, 'token URL') },
      };
    }
  }
}

/** Where a URL leads; or why nothing can be sent there under the rules that the server runs with. */
export function targetOf(url: string, rules: AddressRules, what?: string): Target | TidingsError {
  try {
    return parseTarget(url, rules, what);
  } catch (error) {
    if (error instanceof TidingsError) return error;
    throw error;
  }
}
