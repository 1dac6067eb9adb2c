// Why a signature did not fit, as far as it can be told: the usual accidents are tried one by one (a proxy that wrote the
// body anew, white space around a secret, a URL with another ending), and the first under which the signature fits is named.
// It costs many times a verification: call it for requests that are kept to be looked at, not for each that is refused.
import { createHash } from 'node:crypto';
import { type KeyForm, parseKey } from './key-form.ts';
import { HASHES, type Provider, type Scheme } from './provider.ts';
import type { ReceiveContext } from './receive.ts';
import { type Refused, refused } from './refusal.ts';
import { verifyRequest } from './verifier.ts';
import { RequestView, type WebhookRequest } from './webhook-request.ts';

const MAX_TRIED_BYTES = 256 * 1024;
const OTHER_FORMS: readonly KeyForm[] = ['text', 'hex', 'base64', 'whsec'];

/** A refusal of `receive` for this very request and context, with a finer reason where one is found. */
export function explainRefusal(
  provider: Provider,
  request: WebhookRequest,
  context: ReceiveContext,
  refusal: Refused,
): Refused {
  if (refusal.reason === 'timestamp_too_old' || refusal.reason === 'timestamp_too_new') {
    const fits = isValid(provider.schemes.map(withoutTolerance), request, context);
    const words = fits ? 'The signature itself is right.' : 'The signature would not fit either.';
    return { ...refusal, detail: `${refusal.detail} ${words}` };
  }
  if (refusal.reason !== 'no_match') return refusal;
  const changed = contradictedDigest(request) ?? fittingBody(provider, request, context);
  if (changed !== null) return { ...refused({ reason: 'body_changed', about: changed }), response: refusal.response };
  const secret = fittingSecret(provider, request, context);
  if (secret !== null) return { ...refused({ reason: 'secret_misread', about: secret }), response: refusal.response };
  const url = fittingUrl(provider, request, context);
  if (url !== null) return { ...refused({ reason: 'url_differs', about: url }), response: refusal.response };
  return refusal;
}

function isValid(schemes: readonly Scheme[], request: WebhookRequest, context: ReceiveContext): boolean {
  const { secrets, options, nowMs, certificate = () => undefined } = context;
  return verifyRequest(schemes, new RequestView(request), { secrets, options, nowMs, certificate }).kind === 'valid';
}

function withoutTolerance(scheme: Scheme): Scheme {
  if (scheme.kind !== 'signature' || scheme.timestamp === undefined) return scheme;
  return { ...scheme, timestamp: { ...scheme.timestamp, toleranceSeconds: Number.POSITIVE_INFINITY } };
}

/** A digest of the body that came along (RFC 9530, RFC 3230, RFC 1864) and is of another body. */
function contradictedDigest({ headers, rawBody }: WebhookRequest): string | null {
  const text = (name: string): string => {
    const value = headers[name];
    return typeof value === 'string' ? value : '';
  };
  const digest = (hash: string): string => createHash(hash).update(rawBody).digest('base64');
  const [, sha256] =
    /(?:^|[,\s])sha-256=:([A-Za-z0-9+/=]+):/i.exec(text('content-digest')) ??
    /(?:^|[,\s])sha-256=([A-Za-z0-9+/=]+)/i.exec(text('digest')) ??
    [];
  if (sha256 !== undefined && sha256 !== digest('sha256')) return 'its digest came along and is of another body';
  const [md5] = /^[A-Za-z0-9+/]{22}==$/.exec(text('content-md5')) ?? [];
  return md5 !== undefined && md5 !== digest('md5') ? 'its Content-MD5 came along and is of another body' : null;
}

function fittingBody(provider: Provider, request: WebhookRequest, context: ReceiveContext): string | null {
  if (request.rawBody.length > MAX_TRIED_BYTES) return null;
  for (const [words, text] of otherBodies(request.rawBody.toString('utf8'))) {
    const rawBody = Buffer.from(text);
    if (rawBody.equals(request.rawBody)) continue;
    if (isValid(provider.schemes, { ...request, rawBody }, context)) return words;
  }
  return null;
}

/** What proxies and frameworks make other bodies of. */
function* otherBodies(text: string): Generator<[words: string, text: string]> {
  yield ['it was sent without the white space around it', text.trim()];
  yield ['it was sent with a line feed at its end', `${text}\n`];
  yield ['it was sent with CR LF at its end', `${text}\r\n`];
  yield ['its line ends were CR LF', text.replaceAll(/\r?\n/g, '\r\n')];
  yield ['its line ends were LF', text.replaceAll('\r\n', '\n')];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return;
  }
  const compact = JSON.stringify(value);
  yield ['its JSON was compact', compact];
  yield ['its JSON was indented by 2', JSON.stringify(value, null, 2)];
  yield ['its JSON was indented by 4', JSON.stringify(value, null, 4)];
  yield ['its JSON had a space after each colon and comma', spaced(compact)];
  yield ['its JSON escaped all that is not ASCII', escaped(compact)];
  yield ['its JSON escaped all that is not ASCII and had spaces', escaped(spaced(compact))];
  yield ['its JSON escaped each slash', compact.replaceAll('/', '\\/')];
  yield ['its JSON escaped each slash and all that is not ASCII', escaped(compact.replaceAll('/', '\\/'))];
}

/** As Python writes JSON: strings are left alone. */
function spaced(json: string): string {
  return json.replaceAll(/"(?:[^"\\]|\\.)*"|[:,]/g, (token) => (token.length === 1 ? `${token} ` : token));
}

function escaped(json: string): string {
  return json.replaceAll(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function fittingSecret(provider: Provider, request: WebhookRequest, context: ReceiveContext): string | null {
  const trimmed = context.secrets.map((secret) => secret.trim().replace(/^(["'])(.*)\1$/, '$2'));
  if (trimmed.some((secret, i) => secret !== context.secrets[i])) {
    if (isValid(provider.schemes, request, { ...context, secrets: trimmed })) {
      return 'without what stands around it (white space or quotation marks)';
    }
  }
  // Only there can the reading be chosen.
  if (provider.id !== 'hmac') return null;
  for (const scheme of provider.schemes) {
    if (scheme.kind !== 'signature') continue;
    for (const key of OTHER_FORMS) {
      const secrets = context.secrets.filter((secret) => parseKey(key, secret) !== null);
      if (isValid([{ ...scheme, key }], request, { ...context, secrets })) return `with the option key = ${key}`;
    }
    for (const hash of HASHES) {
      if (isValid([{ ...scheme, algorithm: `hmac-${hash}` }], request, context))
        return `with the option hash = ${hash}`;
    }
  }
  return null;
}

function fittingUrl(provider: Provider, request: WebhookRequest, context: ReceiveContext): string | null {
  const { url } = context.options;
  if (url === undefined) return null;
  const swapped = url.startsWith('https:') ? `http:${url.slice(6)}` : `https:${url.slice(5)}`;
  const tried = [url, swapped].flatMap((text) => [text, text.endsWith('/') ? text.slice(0, -1) : `${text}/`]);
  const bare = url.split('?', 1)[0];
  for (const other of [...tried, bare]) {
    if (other === url) continue;
    if (isValid(provider.schemes, request, { ...context, options: { ...context.options, url: other } })) return other;
  }
  return null;
}
