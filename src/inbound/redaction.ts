// What is taken out of a request before it is kept to be looked at. Signatures stay, since they tell what was wrong; what would let a reader
// pose as the provider does not.
import type { SourceRequest } from '../storage/source-requests.ts';

/** How much of a body is kept. */
export const MAX_KEPT_BODY_BYTES = 64 * 1024;
const MAX_KEPT_HEADERS = 100;
const MAX_VALUE_CHARS = 8192;
const REDACTED = '[redacted]';
/** Shorter ones would be found by chance, and are no secrets. */
const MIN_SECRET_CHARS = 6;

const SECRET_HEADERS = new Set(['authorization', 'proxy-authorization', 'cookie', 'x-hook-secret']);
const SECRET_NAME = /(^|[-_.])(token|secret|password|passwd|api[-_]?key|apikey|auth)([-_.]|$)/i;
// Names of that form whose values say nothing, or prove something without giving it away.
const HARMLESS_NAME = /(signature|digest|hmac|idempotency|timestamp)/i;

type Redacted = Pick<SourceRequest, 'headers' | 'path' | 'body' | 'bodyBytes'>;

/** `headers` are names and values by turns, as Node reads them; `query` without `?`. */
export function redact(
  request: { rawHeaders: readonly string[]; query: string; rawBody: Buffer },
  secrets: readonly string[],
): Redacted {
  const known = secrets.filter((secret) => secret.length >= MIN_SECRET_CHARS).flatMap(spellings);
  const hide = (text: string): string => known.reduce((rest, secret) => rest.replaceAll(secret, REDACTED), text);
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < request.rawHeaders.length && headers.length < MAX_KEPT_HEADERS; i += 2) {
    const name = request.rawHeaders[i];
    const value = request.rawHeaders[i + 1].slice(0, MAX_VALUE_CHARS).replaceAll('\u0000', '');
    headers.push([name, isSecretName(name) ? REDACTED : hide(value)]);
  }
  return {
    headers,
    path: `/in/…${hide(redactedQuery(request.query.slice(0, MAX_VALUE_CHARS)))}`,
    body: redactedBody(request.rawBody, known),
    bodyBytes: request.rawBody.length,
  };
}

/** As it is, and as it stands in a header of HTTP basic authentication, a query and a form. */
function spellings(secret: string): string[] {
  return [...new Set([secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')])];
}

function isSecretName(name: string): boolean {
  return SECRET_HEADERS.has(name.toLowerCase()) || (SECRET_NAME.test(name) && !HARMLESS_NAME.test(name));
}

function redactedQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').map((pair) => {
    const [name] = pair.split('=', 1);
    return isSecretName(name) ? `${name}=${REDACTED}` : pair;
  });
  return `?${pairs.join('&').replaceAll('\u0000', '')}`;
}

function redactedBody(body: Buffer, secrets: readonly string[]): Buffer {
  const found = secrets.filter((secret) => body.includes(secret));
  let kept = body;
  // Byte by byte the text is the same in latin1, whatever the body is.
  if (found.length > 0) {
    const text = found.reduce(
      (rest, secret) => rest.replaceAll(Buffer.from(secret).toString('latin1'), REDACTED),
      body.toString('latin1'),
    );
    kept = Buffer.from(text, 'latin1');
  }
  return Buffer.from(kept.subarray(0, MAX_KEPT_BODY_BYTES));
}
