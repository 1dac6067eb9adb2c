// The one verifier over every provider's row. Everything comes in: the request, the secrets, the time. Signatures and tokens
// are compared in constant time, and nothing tells the sender which secret was nearly right.
import { createHmac, type KeyObject, timingSafeEqual, verify as verifyBytes } from 'node:crypto';
import { type ContentTemplate, compileContent, type SignedContent } from './content-template.ts';
import { type CheckContext, invalid, VALID, type Verdict } from './custom-check.ts';
import { decodeStrictly, digestOf, parseKey } from './key-form.ts';
import type { Algorithm, BasicScheme, Scheme, SignatureScheme, TimestampRule, TokenScheme } from './provider.ts';
import type { Refusal, RefusalReason } from './refusal.ts';
import { type Candidate, pairValues, readCandidates } from './signature-candidates.ts';
import type { RequestView } from './webhook-request.ts';

/** Verifies by the schemes' rules: the request is valid if any secret fits by the scheme that is for it. */
export function verifyRequest(schemes: readonly Scheme[], view: RequestView, context: CheckContext): Verdict {
  let failure: Verdict | null = null;
  for (const scheme of schemes) {
    if (scheme.kind === 'none') return VALID;
    const secrets = context.secrets.filter((secret) => schemeOf(schemes, secret) === scheme);
    if (secrets.length === 0 && (scheme.kind !== 'custom' || scheme.needsSecret)) continue;
    const verdict = verifyScheme(scheme, view, { ...context, secrets });
    if (verdict.kind !== 'invalid') return verdict;
    failure ??= verdict;
  }
  return failure ?? invalid('secret_missing');
}

/** Whether the text can serve as a secret of these schemes. */
export function isUsableSecret(schemes: readonly Scheme[], secret: string): boolean {
  const scheme = schemeOf(schemes, secret);
  if (secret.trim() === '' || scheme === undefined) return false;
  if (scheme.kind === 'basic') return secret.indexOf(':') > 0;
  return scheme.kind !== 'signature' || parseKey(scheme.key, secret) !== null;
}

function schemeOf(schemes: readonly Scheme[], secret: string): Scheme | undefined {
  return schemes.find(({ secretPrefix }) => secretPrefix === undefined || secret.startsWith(secretPrefix));
}

function verifyScheme(scheme: Exclude<Scheme, { kind: 'none' }>, view: RequestView, context: CheckContext): Verdict {
  switch (scheme.kind) {
    case 'signature':
      return verifySignature(scheme, view, context);
    case 'token':
      return verifyToken(scheme, view, context);
    case 'basic':
      return verifyBasic(scheme, view, context);
    case 'custom':
      return scheme.check(view, context);
  }
}

const templates = new WeakMap<SignatureScheme, ContentTemplate>();

/** The scheme's template, compiled once. */
export function templateOf(scheme: SignatureScheme): ContentTemplate {
  let template = templates.get(scheme);
  if (template === undefined) {
    template = compileContent(scheme.content);
    templates.set(scheme, template);
  }
  return template;
}

function verifySignature(scheme: SignatureScheme, view: RequestView, context: CheckContext): Verdict {
  const { secrets } = context;
  if (secrets.length === 0) return invalid('secret_missing');
  const candidates = readCandidates(view, scheme.signature, scheme.encoding);
  if ('reason' in candidates) return { kind: 'invalid', ...candidates };
  const timestamp =
    scheme.timestamp === undefined ? null : readTimestamp(view, scheme, scheme.timestamp, context.nowMs);
  if (timestamp !== null && typeof timestamp !== 'string') return { kind: 'invalid', ...timestamp };
  const content = templateOf(scheme).build({ view, timestamp, options: context.options });
  if (typeof content === 'string') {
    return content.startsWith('option ') || content === 'url' || content === 'decodedUrl'
      ? invalid('option_missing', content.replace(/^option /, '').replace('decodedUrl', 'url'))
      : invalid('part_missing', content);
  }
  for (const secret of secrets) {
    const key = parseKey(scheme.key, secret);
    if (key !== null && matches(scheme.algorithm, key, content, view.rawBody, candidates)) {
      return { kind: 'valid', secret };
    }
  }
  return invalid('no_match');
}

function matches(
  algorithm: Algorithm,
  key: KeyObject,
  { head, withBody, tail }: SignedContent,
  rawBody: Buffer,
  candidates: readonly Candidate[],
): boolean {
  if (!algorithm.startsWith('hmac-')) {
    const signed = Buffer.concat([Buffer.from(head), withBody ? rawBody : Buffer.alloc(0), Buffer.from(tail)]);
    const digest = algorithm === 'ed25519' ? null : 'sha256';
    return candidates.some(({ bytes }) => verifyBytes(digest, signed, key, bytes));
  }
  const expected = new Map<string, Buffer>();
  for (const { bytes, hash = algorithm.slice('hmac-'.length) } of candidates) {
    let own = expected.get(hash);
    if (own === undefined) {
      const hmac = createHmac(hash, key);
      if (head !== '') hmac.update(head);
      if (withBody) hmac.update(rawBody);
      if (tail !== '') hmac.update(tail);
      own = hmac.digest();
      expected.set(hash, own);
    }
    if (bytes.length === own.length && timingSafeEqual(bytes, own)) return true;
  }
  return false;
}

const TIMESTAMP_PATTERNS = {
  s: /^\d{1,12}$/,
  ms: /^\d{1,15}$/,
  iso: /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/,
};

/** The timestamp as it came, once it is found to be within the tolerance. */
function readTimestamp(
  view: RequestView,
  scheme: SignatureScheme,
  { at, unit, toleranceSeconds }: TimestampRule,
  nowMs: number,
): string | Refusal {
  let about: string;
  let text: string | null;
  if ('header' in at) {
    about = `the header ${at.header}`;
    const header = view.header(at.header);
    if (header.kind === 'malformed') return { reason: 'timestamp_malformed', about };
    text = header.kind === 'value' ? header.value : null;
  } else if ('body' in at) {
    about = `the member ${at.body} of the body`;
    text = view.bodyText(at.body);
  } else {
    if (scheme.signature.form !== 'pairs') throw new Error('Only a header of pairs has a timestamp among them.');
    about = `${at.pair} in the header ${scheme.signature.header}`;
    const header = view.headerText(scheme.signature.header) ?? '';
    const values = pairValues(header, at.pair);
    // Persona repeats the time with each signature while keys rotate; two different times are not of one request.
    if (new Set(values).size > 1) return { reason: 'timestamp_malformed', about };
    text = values[0] ?? null;
  }
  if (text === null) return { reason: 'timestamp_missing', about };
  if (!TIMESTAMP_PATTERNS[unit].test(text)) return { reason: 'timestamp_malformed', about };
  const timeMs = unit === 'iso' ? Date.parse(text) : Number(text) * (unit === 's' ? 1000 : 1);
  if (Number.isNaN(timeMs)) return { reason: 'timestamp_malformed', about };
  const ageSeconds = (nowMs - timeMs) / 1000;
  if (Math.abs(ageSeconds) <= toleranceSeconds) return text;
  const reason: RefusalReason = ageSeconds > 0 ? 'timestamp_too_old' : 'timestamp_too_new';
  return { reason, about: String(Math.round(Math.abs(ageSeconds))) };
}

function verifyToken({ at }: TokenScheme, view: RequestView, { secrets }: CheckContext): Verdict {
  if (!('header' in at)) {
    const about = 'query' in at ? `${at.query} in the query` : `the member ${at.body} of the body`;
    const token = view.place(at);
    if (token === null) return invalid('token_missing', about);
    return isOneOf(secrets, token) ? VALID : invalid('token_mismatch', about);
  }
  const about = `the header ${at.header}`;
  const header = view.header(at.header);
  if (header.kind === 'missing') return invalid('token_missing', about);
  const { prefix = '' } = at;
  // The scheme of an Authorization header is written in any case (RFC 9110, 11.1).
  if (header.kind !== 'value' || header.value.slice(0, prefix.length).toLowerCase() !== prefix.toLowerCase()) {
    return invalid('signature_malformed', about);
  }
  return isOneOf(secrets, header.value.slice(prefix.length)) ? VALID : invalid('token_mismatch', about);
}

function verifyBasic(_scheme: BasicScheme, view: RequestView, { secrets }: CheckContext): Verdict {
  const about = 'the header authorization';
  const header = view.header('authorization');
  if (header.kind === 'missing') return invalid('token_missing', about);
  const [, encoded] = (header.kind === 'value' && /^basic +([^ ]+)$/i.exec(header.value)) || [];
  const bytes = encoded === undefined ? null : decodeStrictly(encoded, 'base64');
  if (bytes === null) return invalid('signature_malformed', about);
  return isOneOf(secrets, bytes.toString('utf8')) ? VALID : invalid('token_mismatch', about);
}

/** Compares digests, so that the time tells nothing of length or content. */
export function isOneOf(secrets: readonly string[], text: string): boolean {
  const digest = digestOf(text);
  let found = false;
  for (const secret of secrets) found = timingSafeEqual(digestOf(secret), digest) || found;
  return found;
}
