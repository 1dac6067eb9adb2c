// From what the API receives for an endpoint to an EndpointConfig. Every limit of an endpoint is here and nowhere else;
// whether a URL's scheme and address are allowed is the address guard's to say.
import {
  ENDPOINT_DEFAULTS,
  ENDPOINT_MODES,
  ENDPOINT_ORDERS,
  type EndpointConfig,
  type EndpointFilter,
  type EndpointMode,
  type EndpointOrder,
  ON_EXHAUSTED,
  type OnExhausted,
} from './endpoint.ts';
import { type AuthInput, authHeaderName, checkAuth, openAuth } from './endpoint-auth.ts';
import type { FieldError } from './errors.ts';
import { checkFilter } from './filter.ts';
import { checkBatchFormat, checkFormat, type FormatInput, normaliseFormat } from './formats/endpoint-format.ts';
import { formatHeaders } from './formats/format-headers.ts';
import { looksLikeId } from './id.ts';
import { headerNameFault, headerValueFault } from './request-header.ts';
import { checkRetryDelays } from './retry-policy.ts';
import { type SigningInput, signingHeaders } from './signing/signing.ts';
import { checkSigning, completeSigning } from './signing/signing-config.ts';
import { changeTransformation, checkTransformation } from './transformation.ts';

export const ENDPOINT_LIMITS = {
  urlLength: 2048,
  descriptionLength: 500,
  headers: 32,
  /** All headers together as they are sent, `name: value` and line end. */
  headerBytes: 8192,
  timeoutMs: { min: 1000, max: 60_000 },
  maxConcurrency: { min: 1, max: 1024 },
  disableAfterSeconds: { min: 60, max: 30 * 24 * 3600 },
  ratePerSecond: { min: 0.01, max: 100_000 },
  batchEvents: { min: 2, max: 1000 },
  batchWaitMs: { min: 0, max: 60_000 },
} as const;

/** How long the first event of a batch waits for others when nothing is said. */
export const DEFAULT_BATCH_WAIT_MS = 1000;

export const UID_PATTERN = /^[A-Za-z0-9._-]{1,128}$/;

/** As received. Absent = as it was, or the default for a new endpoint; null = the default. */
export interface EndpointInput {
  url?: string | null;
  description?: string | null;
  filter?: EndpointFilter | null;
  /** Code. */
  transform?: string | null;
  format?: FormatInput | null;
  headers?: Record<string, string> | null;
  signing?: SigningInput | null;
  auth?: AuthInput | null;
  retry?: { delaysSeconds?: number[] | null } | null;
  maxConcurrency?: number | null;
  timeoutMs?: number | null;
  disableAfterSeconds?: number | null;
  rate?: EndpointConfig['rate'];
  order?: EndpointOrder | null;
  onExhausted?: OnExhausted | null;
  batch?: { maxEvents: number; maxWaitMs?: number } | null;
  mode?: EndpointMode | null;
}

export type EndpointConfigResult = { ok: true; config: EndpointConfig } | { ok: false; errors: FieldError[] };

/** The configuration of a new endpoint. */
export function createEndpointConfig(input: EndpointInput): EndpointConfigResult {
  return mergeEndpointConfig({ url: '', ...ENDPOINT_DEFAULTS }, { ...input, url: input.url ?? null });
}

/**
 * A configuration changed by a PATCH. Filter, format, headers, retry delays, rate and batch are replaced whole, never merged within.
 * `onExhausted` is kept whatever the order, so that turning strict order off and on again does not lose it.
 */
export function mergeEndpointConfig(current: EndpointConfig, input: EndpointInput): EndpointConfigResult {
  const errors: FieldError[] = [];

  /** Takes one field over: checked where it was given, else as it is or by default. */
  function field<T>(given: T | null | undefined, kept: T, byDefault: T, check: (value: T) => FieldError[]): T {
    if (given === undefined) return kept;
    if (given === null) return byDefault;
    errors.push(...check(given));
    return given;
  }
  function wholeNumber(name: 'maxConcurrency' | 'timeoutMs' | 'disableAfterSeconds'): number {
    return field(input[name], current[name], ENDPOINT_DEFAULTS[name], (value) => checkWholeNumber(name, value));
  }

  if (input.url === null) errors.push({ path: '/url', message: 'An endpoint needs a URL.' });
  const filter = field(input.filter, current.filter, ENDPOINT_DEFAULTS.filter, checkFilter);
  const headers = field(input.headers, current.headers, ENDPOINT_DEFAULTS.headers, checkHeaders);
  const config: EndpointConfig = {
    url: field(input.url, current.url, '', checkUrl),
    description: field(input.description, current.description, ENDPOINT_DEFAULTS.description, checkDescription),
    filter,
    transformation: changeTransformation(
      current.transformation,
      field<string | null>(input.transform, current.transformation.code, null, (code) => checkTransformation(code)),
    ),
    format: normaliseFormat(field<FormatInput>(input.format, current.format, ENDPOINT_DEFAULTS.format, checkFormat)),
    headers,
    signing: current.signing,
    auth: current.auth,
    retryDelaysSeconds: field<number[] | null>(
      input.retry === null ? null : input.retry?.delaysSeconds,
      current.retryDelaysSeconds,
      ENDPOINT_DEFAULTS.retryDelaysSeconds,
      checkRetryDelays,
    ),
    maxConcurrency: wholeNumber('maxConcurrency'),
    timeoutMs: wholeNumber('timeoutMs'),
    disableAfterSeconds: wholeNumber('disableAfterSeconds'),
    rate: field(input.rate, current.rate, ENDPOINT_DEFAULTS.rate, checkRate),
    order: field(input.order, current.order, ENDPOINT_DEFAULTS.order, (value) =>
      checkOneOf(ENDPOINT_ORDERS, value, '/order', 'The order'),
    ),
    onExhausted: field(input.onExhausted, current.onExhausted, ENDPOINT_DEFAULTS.onExhausted, (value) =>
      checkOneOf(ON_EXHAUSTED, value, '/onExhausted', '`onExhausted`'),
    ),
    batch: input.batch === undefined ? current.batch : batchOf(input.batch, errors),
    mode: field(input.mode, current.mode, ENDPOINT_DEFAULTS.mode, (value) =>
      checkOneOf(ENDPOINT_MODES, value, '/mode', 'The mode'),
    ),
  };
  if (errors.length === 0 && config.batch !== null) errors.push(...checkBatchFormat(config.format));
  if (errors.length > 0) return { ok: false, errors };
  const signing = input.signing === null ? ENDPOINT_DEFAULTS.signing : (input.signing ?? current.signing);
  const whole = { ...config, headers: normaliseHeaders(headers), filter: normaliseFilter(filter) };
  // Also what was not given: it must go with the headers and the URL as they are now.
  const ofFormat = formatHeaders(whole.format);
  const wrong = [
    ...checkSigning(signing, { own: whole.headers, ofFormat }),
    ...(input.auth ? checkAuth(input.auth) : []),
  ];
  if (wrong.length > 0) return { ok: false, errors: wrong };
  const auth = input.auth === undefined ? current.auth : input.auth && openAuth(input.auth);
  const complete = { ...whole, signing: completeSigning(signing), auth };
  const clash = authClash(complete);
  return clash === null ? { ok: true, config: complete } : { ok: false, errors: [clash] };
}

/** A credential that does not go with the rest. */
function authClash({ url, format, headers, signing, auth }: EndpointConfig): FieldError | null {
  if (auth === null) return null;
  const name = authHeaderName(auth);
  if (name === null) {
    if (url.startsWith('https:')) return null;
    return { path: '/url', message: 'The endpoint has a client certificate, so its URL must begin with https:.' };
  }
  const path = '/auth';
  if (Object.hasOwn(headers, name)) {
    return { path, message: `The header ${name} is one of the endpoint's \`headers\` too. Take it out there.` };
  }
  if (signingHeaders(signing).includes(name)) {
    return { path, message: `The header ${name} carries the signature; the credential needs another.` };
  }
  if (!formatHeaders(format).includes(name)) return null;
  return { path, message: `The header ${name} is one that the endpoint's format has; the credential needs another.` };
}

/** What is wrong with a caller's own name for an app, endpoint or source. */
export function checkUid(uid: unknown, path = '/uid'): FieldError[] {
  if (typeof uid !== 'string' || !UID_PATTERN.test(uid)) {
    return [{ path, message: 'A uid is 1 to 128 of the characters A-Z a-z 0-9 . _ and -.' }];
  }
  if (looksLikeId(uid)) {
    return [
      { path, message: `The uid ${uid} could be taken for an id of Tidings. Choose one with another beginning.` },
    ];
  }
  return [];
}

function checkUrl(url: unknown): FieldError[] {
  const path = '/url';
  if (typeof url !== 'string') return [{ path, message: 'The URL must be a string.' }];
  if (url.length > ENDPOINT_LIMITS.urlLength) {
    return [
      { path, message: `The URL has ${url.length} characters; at most ${ENDPOINT_LIMITS.urlLength} are allowed.` },
    ];
  }
  // The URL parser drops or escapes these without a word; the URL shown must be the one that is called.
  if (/[\x00-\x20\x7f]/.test(url) || !url.isWellFormed()) {
    return [{ path, message: 'The URL holds a space or a control character. Percent-encode it, or take it out.' }];
  }
  if (!URL.canParse(url))
    return [{ path, message: `${url} is not a URL. Give one such as https://example.com/webhooks.` }];
  const { protocol, username, password, hash } = new URL(url);
  if (protocol !== 'https:' && protocol !== 'http:') {
    return [{ path, message: `The URL has the scheme ${protocol} Events are sent over https: only.` }];
  }
  if (username !== '' || password !== '') {
    return [{ path, message: 'The URL holds a user name or password. Use `auth` of type basic instead.' }];
  }
  if (hash !== '')
    return [{ path, message: `The URL ends in the fragment ${hash}, which is never sent. Take it out.` }];
  return [];
}

function checkDescription(description: unknown): FieldError[] {
  const path = '/description';
  if (typeof description !== 'string') return [{ path, message: 'The description must be a string.' }];
  if (description.length > ENDPOINT_LIMITS.descriptionLength) {
    const { descriptionLength } = ENDPOINT_LIMITS;
    return [
      {
        path,
        message: `The description has ${description.length} characters; at most ${descriptionLength} are allowed.`,
      },
    ];
  }
  // Postgres stores neither U+0000 nor half a surrogate pair.
  if (/[\x00-\x08\x0b-\x1f\x7f]/.test(description) || !description.isWellFormed()) {
    return [{ path, message: 'The description holds a control character or is not well-formed Unicode.' }];
  }
  return [];
}

function checkOneOf(values: readonly string[], value: unknown, path: string, name: string): FieldError[] {
  if (values.some((known) => known === value)) return [];
  return [{ path, message: `${name} is one of ${values.join(', ')}.` }];
}

function checkRate(rate: unknown): FieldError[] {
  const { min, max } = ENDPOINT_LIMITS.ratePerSecond;
  const perSecond = (rate as { perSecond?: unknown }).perSecond;
  if (typeof perSecond === 'number' && perSecond >= min && perSecond <= max) return [];
  const message = `The rate must be a number of requests a second from ${min} to ${max}; null is no limit.`;
  return [{ path: '/rate/perSecond', message }];
}

function batchOf(batch: EndpointInput['batch'] & (object | null), errors: FieldError[]): EndpointConfig['batch'] {
  if (batch === null) return ENDPOINT_DEFAULTS.batch;
  const { maxEvents, maxWaitMs = DEFAULT_BATCH_WAIT_MS } = batch;
  const { batchEvents, batchWaitMs } = ENDPOINT_LIMITS;
  if (!isWholeNumber(maxEvents, batchEvents)) {
    const message = `A batch has a whole number of events from ${batchEvents.min} to ${batchEvents.max}; without \`batch\` each event is sent alone.`;
    errors.push({ path: '/batch/maxEvents', message });
  }
  if (!isWholeNumber(maxWaitMs, batchWaitMs)) {
    const message = `\`maxWaitMs\` must be a whole number from ${batchWaitMs.min} to ${batchWaitMs.max}.`;
    errors.push({ path: '/batch/maxWaitMs', message });
  }
  return { maxEvents, maxWaitMs };
}

function checkWholeNumber(name: 'maxConcurrency' | 'timeoutMs' | 'disableAfterSeconds', value: unknown): FieldError[] {
  const { min, max } = ENDPOINT_LIMITS[name];
  if (isWholeNumber(value, { min, max })) return [];
  return [{ path: `/${name}`, message: `\`${name}\` must be a whole number from ${min} to ${max}.` }];
}

function isWholeNumber(value: unknown, { min, max }: { min: number; max: number }): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

function checkHeaders(headers: unknown): FieldError[] {
  const path = '/headers';
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    return [{ path, message: 'The headers must be an object of names and values.' }];
  }
  const entries = Object.entries(headers);
  if (entries.length > ENDPOINT_LIMITS.headers) {
    return [{ path, message: `An endpoint has at most ${ENDPOINT_LIMITS.headers} headers, not ${entries.length}.` }];
  }
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  let bytes = 0;
  for (const [name, value] of entries) {
    const message =
      headerNameFault(name) ??
      headerValueFault(value) ??
      (seen.has(name.toLowerCase()) ? 'is there twice; names ignore case.' : null);
    if (message !== null)
      errors.push({ path: `${path}/${pointerToken(name)}`, message: `The header ${quote(name)} ${message}` });
    seen.add(name.toLowerCase());
    bytes += name.length + String(value).length + ': \r\n'.length;
  }
  if (bytes > ENDPOINT_LIMITS.headerBytes) {
    errors.push({
      path,
      message: `The headers take ${bytes} bytes in all; at most ${ENDPOINT_LIMITS.headerBytes} are allowed.`,
    });
  }
  return errors;
}

/** Names in lower case, values without the space around them, which is no part of a value (RFC 9110, section 5.5). */
function normaliseHeaders(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.replace(/^[\t ]+|[\t ]+$/g, '')]),
  );
}

/** A filter that was checked: entries that stand twice once, and nothing that is undefined. */
export function normaliseFilter({ types, channels, where }: EndpointFilter): EndpointFilter {
  return {
    ...(types && { types: [...new Set(types)] }),
    ...(channels && { channels: [...new Set(channels)] }),
    ...(where && { where }),
  };
}

/** A name as part of a JSON Pointer (RFC 6901, section 3). */
function pointerToken(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function quote(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}
