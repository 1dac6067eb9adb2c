// How Tidings proves to an endpoint who calls. What is secret of it is sealed and write-only (storage/endpoint-credentials.ts); what an
// endpoint's configuration holds, and the API shows, is the rest.
import { type ClientCertificate, clientCertificateFault, describeCertificate } from './client-certificate.ts';
import type { FieldError } from './errors.ts';
import { headerNameFault, headerValueFault } from './request-header.ts';

/** How the client's id and secret are given to the token endpoint (RFC 6749, section 2.3.1). */
export const CLIENT_AUTHENTICATIONS = ['basic', 'body'] as const;
export type ClientAuthentication = (typeof CLIENT_AUTHENTICATIONS)[number];

/** What is stored openly. */
export type EndpointAuth =
  | { type: 'basic' }
  | { type: 'bearer' }
  | { type: 'header'; name: string }
  | ({ type: 'oauth2' } & OAuthClient)
  | ({ type: 'mtls'; ownAuthorities: boolean } & ClientCertificate);

export interface OAuthClient {
  tokenUrl: string;
  clientId: string;
  scope: string | null;
  /** Sent as `audience`, which some authorization servers ask for. */
  audience: string | null;
  clientAuthentication: ClientAuthentication;
}

/** As received, secrets included. */
export type AuthInput =
  | { type: 'basic'; username: string; password: string }
  | { type: 'bearer'; token: string }
  | { type: 'header'; name: string; value: string }
  | {
      type: 'oauth2';
      tokenUrl: string;
      clientId: string;
      clientSecret: string;
      scope?: string | null;
      audience?: string | null;
      clientAuthentication?: ClientAuthentication | null;
    }
  | { type: 'mtls'; certificate: string; key: string; ca?: string | null };

/** What is sealed. */
export type Credential =
  | { type: 'headers'; headers: Record<string, string> }
  | { type: 'oauth2'; clientSecret: string }
  | { type: 'mtls'; certificate: string; key: string; ca: string | null };

const MAX_SECRET_LENGTH = 4096;
const MAX_NAME_LENGTH = 1000;
const MAX_PEM_LENGTH = 32_768;
// RFC 6750, section 2.1, of a token; RFC 6749, appendix A, of an id, a secret (VSCHAR) and a scope.
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
const VSCHARS = /^[\x20-\x7e]+$/;
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/;

/** The header by which a credential goes out; null for one that has none. */
export function authHeaderName(auth: EndpointAuth): string | null {
  if (auth.type === 'mtls') return null;
  return auth.type === 'header' ? auth.name : 'authorization';
}

/** What of it is stored openly. The input was checked. */
export function openAuth(input: AuthInput): EndpointAuth {
  switch (input.type) {
    case 'basic':
    case 'bearer':
      return { type: input.type };
    case 'header':
      return { type: 'header', name: input.name.toLowerCase() };
    case 'oauth2':
      return {
        type: 'oauth2',
        tokenUrl: input.tokenUrl,
        clientId: input.clientId,
        scope: input.scope ?? null,
        audience: input.audience ?? null,
        clientAuthentication: input.clientAuthentication ?? 'basic',
      };
    case 'mtls': {
      const ownAuthorities = input.ca !== undefined && input.ca !== null;
      return { type: 'mtls', ownAuthorities, ...describeCertificate(input.certificate) };
    }
  }
}

/** And what is sealed. */
export function credentialOf(input: AuthInput): Credential {
  switch (input.type) {
    case 'basic': {
      const { username, password } = input;
      return { type: 'headers', headers: { authorization: basicAuthorization(username, password) } };
    }
    case 'bearer':
      return { type: 'headers', headers: { authorization: `Bearer ${input.token}` } };
    case 'header':
      return { type: 'headers', headers: { [input.name.toLowerCase()]: input.value } };
    case 'oauth2':
      return { type: 'oauth2', clientSecret: input.clientSecret };
    case 'mtls':
      return { type: 'mtls', certificate: input.certificate, key: input.key, ca: input.ca ?? null };
  }
}

/** RFC 7617, in UTF-8. */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** What is wrong with it; no message repeats a secret. The URL's address is the address guard's to judge. */
export function checkAuth(input: AuthInput, path = '/auth'): FieldError[] {
  const at = (member: string, message: string | null): FieldError[] =>
    message === null ? [] : [{ path: `${path}/${member}`, message }];
  switch (input.type) {
    case 'basic':
      return [
        ...at('username', basicFault(input.username, true)),
        ...at('password', basicFault(input.password, false)),
      ];
    case 'bearer':
      return at(
        'token',
        tooLong(input.token) ??
          (TOKEN.test(input.token)
            ? null
            : 'This is not a bearer token: it holds other characters than letters, digits and -._~+/=.'),
      );
    case 'header':
      return [...at('name', headerFault(input.name)), ...at('value', valueFault(input.value))];
    case 'oauth2':
      return [
        ...at('tokenUrl', tokenUrlFault(input.tokenUrl)),
        ...at('clientId', vscharsFault(input.clientId, MAX_NAME_LENGTH)),
        ...at('clientSecret', vscharsFault(input.clientSecret, MAX_SECRET_LENGTH)),
        ...at('scope', scopeFault(input.scope ?? null)),
        ...at('audience', input.audience == null ? null : vscharsFault(input.audience, MAX_NAME_LENGTH)),
      ];
    case 'mtls':
      return checkMtls(input, path);
  }
}

function checkMtls(input: AuthInput & { type: 'mtls' }, path: string): FieldError[] {
  for (const member of ['certificate', 'key', 'ca'] as const) {
    if ((input[member]?.length ?? 0) > MAX_PEM_LENGTH) {
      return [{ path: `${path}/${member}`, message: `This has more than ${MAX_PEM_LENGTH} characters.` }];
    }
  }
  const fault = clientCertificateFault(input);
  return fault === null ? [] : [{ path: `${path}/${fault.member}`, message: fault.message }];
}

function tooLong(text: string): string | null {
  return text.length > MAX_SECRET_LENGTH ? `This has more than ${MAX_SECRET_LENGTH} characters.` : null;
}

// RFC 7617, section 2: no control characters, and no colon in the name.
function basicFault(text: string, isName: boolean): string | null {
  if (/[\x00-\x1f\x7f]/.test(text) || !text.isWellFormed())
    return 'This holds a control character or is not well-formed Unicode.';
  if (isName && text.includes(':')) return 'A user name cannot hold a colon.';
  return tooLong(text);
}

function headerFault(name: string): string | null {
  if (name.length > MAX_NAME_LENGTH) return `This has more than ${MAX_NAME_LENGTH} characters.`;
  const fault = headerNameFault(name);
  return fault === null ? null : `The header ${JSON.stringify(name.slice(0, 60))} ${fault}`;
}

function valueFault(value: string): string | null {
  if (value.trim() !== value || value === '') return 'The value is empty, or has space around it. Take that out.';
  const fault = headerValueFault(value);
  return fault === null ? tooLong(value) : `The header ${fault}`;
}

function vscharsFault(text: string, maxLength: number): string | null {
  if (text.length > maxLength) return `This has more than ${maxLength} characters.`;
  return VSCHARS.test(text) ? null : 'This is empty, or holds characters outside printable ASCII.';
}

function scopeFault(scope: string | null): string | null {
  if (scope === null) return null;
  if (scope.length > MAX_NAME_LENGTH) return `This has more than ${MAX_NAME_LENGTH} characters.`;
  return SCOPE.test(scope) ? null : 'Scopes are words of printable ASCII, with one space between two.';
}

function tokenUrlFault(url: string): string | null {
  if (url.length > 2048 || /[\x00-\x20\x7f]/.test(url) || !URL.canParse(url)) {
    return 'This is not a URL. Give one such as https://auth.example.com/oauth/token.';
  }
  const { protocol, username, password, hash } = new URL(url);
  if (protocol !== 'https:' && protocol !== 'http:') return 'The token URL has to begin with https:.';
  if (username !== '' || password !== '') return 'The token URL holds a user name or password. Take it out.';
  return hash === '' ? null : 'The token URL ends in a fragment, which is never sent. Take it out.';
}
