// From what the API receives for `signing` to a Signing: defaults, and what is wrong with it.
import type { FieldError } from '../errors.ts';
import { headerNameFault } from '../request-header.ts';
import { DERIVED_COMPONENTS } from './message-signature.ts';
import { templateFault } from './signed-template.ts';
import {
  DIGEST_ALGORITHMS,
  HMAC_ALGORITHMS,
  type HmacSigning,
  MESSAGE_ALGORITHMS,
  type MessageSigning,
  SECRET_ENCODINGS,
  SIGNATURE_ENCODINGS,
  type Signing,
  type SigningInput,
  STANDARD_SCHEMES,
  type StripeSigning,
  signingHeaders,
  TIMESTAMP_UNITS,
} from './signing.ts';

const STRIPE_DEFAULTS: StripeSigning = { scheme: 'stripe', header: 'stripe-signature' };

const HMAC_DEFAULTS: HmacSigning = {
  scheme: 'hmac',
  header: 'x-signature',
  algorithm: 'sha256',
  encoding: 'hex',
  prefix: '',
  content: '{body}',
  secretEncoding: 'utf8',
  timestampUnit: 'seconds',
  timestampHeader: null,
  idHeader: null,
  separator: null,
};

const MESSAGE_DEFAULTS: MessageSigning = {
  scheme: 'rfc9421',
  algorithm: 'hmac-sha256',
  components: ['@method', '@target-uri', 'content-type', 'content-digest', 'webhook-id'],
  digest: 'sha-256',
  keyId: null,
  tag: null,
};

const MAX_TEXT = 200;
const MAX_COMPONENTS = 32;
// Fields that every request has and whose value is known when it is signed; the connection's own are not.
const OWN_FIELDS = new Set([
  'content-digest',
  'content-length',
  'content-type',
  'host',
  'tidings-attempt',
  'tidings-position',
  'user-agent',
  'webhook-id',
  'webhook-timestamp',
]);
// What a header's value may hold, and a string of RFC 8941 (section 3.3.3).
const PRINTABLE = /^[\x20-\x7e]*$/;

/** The headers of the endpoint's requests, names in lower case. */
interface SentHeaders {
  own: Readonly<Record<string, string>>;
  ofFormat: readonly string[];
}

/** With its defaults, header names in lower case. The input was checked. */
export function completeSigning(input: SigningInput): Signing {
  if (typeof input === 'string') return input;
  switch (input.scheme) {
    case 'github':
      return { scheme: 'github' };
    case 'stripe':
      return lowerHeaders({ ...STRIPE_DEFAULTS, ...given(input) });
    case 'hmac':
      return lowerHeaders({ ...HMAC_DEFAULTS, ...given(input) });
    case 'rfc9421': {
      const signing = { ...MESSAGE_DEFAULTS, ...given(input) };
      return { ...signing, components: signing.components.map((name) => name.toLowerCase()) };
    }
  }
}

/** What is wrong with it. */
export function checkSigning(input: unknown, headers: SentHeaders, path = '/signing'): FieldError[] {
  if (typeof input === 'string') {
    if (input === 'none' || STANDARD_SCHEMES.some((scheme) => scheme === input)) return [];
  } else if (typeof input === 'object' && input !== null) {
    switch ((input as { scheme?: unknown }).scheme) {
      case 'github':
        return checkOwnHeaders({ scheme: 'github' }, headers, path);
      case 'stripe':
        return checkStripe({ ...STRIPE_DEFAULTS, ...given(input) }, headers, path);
      case 'hmac':
        return checkHmac({ ...HMAC_DEFAULTS, ...given(input) }, headers, path);
      case 'rfc9421':
        return checkMessage({ ...MESSAGE_DEFAULTS, ...given(input) }, headers, path);
    }
  }
  const message =
    'The signing scheme is one of v1, v1a, none, or an object whose `scheme` is github, stripe, hmac or rfc9421.';
  return [{ path, message }];
}

function checkStripe(signing: StripeSigning, headers: SentHeaders, path: string): FieldError[] {
  const errors = checkHeaderName(signing.header, `${path}/header`);
  return errors.length > 0 ? errors : checkOwnHeaders(lowerHeaders(signing), headers, path);
}

function checkHmac(signing: HmacSigning, headers: SentHeaders, path: string): FieldError[] {
  const errors = [
    ...checkHeaderName(signing.header, `${path}/header`),
    ...checkOneOf(HMAC_ALGORITHMS, signing.algorithm, `${path}/algorithm`),
    ...checkOneOf(SIGNATURE_ENCODINGS, signing.encoding, `${path}/encoding`),
    ...checkOneOf(SECRET_ENCODINGS, signing.secretEncoding, `${path}/secretEncoding`),
    ...checkOneOf(TIMESTAMP_UNITS, signing.timestampUnit, `${path}/timestampUnit`),
    ...checkTemplate(signing.prefix, `${path}/prefix`, false),
    ...checkTemplate(signing.content, `${path}/content`, true),
  ];
  for (const name of ['timestampHeader', 'idHeader'] as const) {
    if (signing[name] !== null) errors.push(...checkHeaderName(signing[name], `${path}/${name}`));
  }
  if (signing.separator !== null && !/^[\x20-\x7e]{1,8}$/.test(signing.separator)) {
    errors.push({
      path: `${path}/separator`,
      message: 'The separator is 1 to 8 printable characters, such as a comma.',
    });
  }
  if (errors.length > 0) return errors;
  const names = signingHeaders(lowerHeaders(signing));
  if (new Set(names).size < names.length) {
    errors.push({ path: `${path}/header`, message: 'Signature, time and id each need a header of their own.' });
  }
  return errors.length > 0 ? errors : checkOwnHeaders(lowerHeaders(signing), headers, path);
}

function checkMessage(signing: MessageSigning, headers: SentHeaders, path: string): FieldError[] {
  const errors = [
    ...checkOneOf(MESSAGE_ALGORITHMS, signing.algorithm, `${path}/algorithm`),
    ...checkOneOf(DIGEST_ALGORITHMS, signing.digest, `${path}/digest`),
    ...checkComponents(signing.components, headers, `${path}/components`),
  ];
  for (const name of ['keyId', 'tag'] as const) {
    const value = signing[name];
    if (value !== null && (value === '' || value.length > MAX_TEXT || !PRINTABLE.test(value))) {
      const message = `\`${name}\` is 1 to ${MAX_TEXT} printable ASCII characters.`;
      errors.push({ path: `${path}/${name}`, message });
    }
  }
  return errors.length > 0 ? errors : checkOwnHeaders(signing, headers, path);
}

function checkComponents(components: readonly string[], headers: SentHeaders, path: string): FieldError[] {
  if (components.length > MAX_COMPONENTS) {
    return [{ path, message: `At most ${MAX_COMPONENTS} components can be signed, not ${components.length}.` }];
  }
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [i, component] of components.entries()) {
    const name = component.toLowerCase();
    const fault = seen.has(name) ? 'is there twice.' : componentFault(name, headers);
    if (fault !== null) {
      errors.push({
        path: `${path}/${i}`,
        message: `The component ${JSON.stringify(component.slice(0, 60))} ${fault}`,
      });
    }
    seen.add(name);
  }
  if (!seen.has('content-digest')) {
    errors.push({ path, message: 'Without `content-digest` the body would not be signed: add it.' });
  }
  return errors;
}

function componentFault(name: string, headers: SentHeaders): string | null {
  if (name.startsWith('@')) {
    if (DERIVED_COMPONENTS.some((known) => known === name)) return null;
    return `is not known. Derived components are ${DERIVED_COMPONENTS.join(', ')}.`;
  }
  if (OWN_FIELDS.has(name) || headers.ofFormat.includes(name)) return null;
  if (!Object.hasOwn(headers.own, name))
    return "is no header of the endpoint's requests. Add it to `headers`, or leave it out.";
  // RFC 9421, section 2.1: other values would have to be wrapped (`bs`), which few verifiers know.
  if (!PRINTABLE.test(headers.own[name])) return 'has a value outside ASCII, which cannot be signed.';
  return null;
}

function checkHeaderName(name: unknown, path: string): FieldError[] {
  if (typeof name !== 'string' || name.length > MAX_TEXT) {
    return [{ path, message: `A header's name is a string of at most ${MAX_TEXT} characters.` }];
  }
  const fault = headerNameFault(name);
  return fault === null ? [] : [{ path, message: `The header ${JSON.stringify(name.slice(0, 60))} ${fault}` }];
}

function checkOneOf(values: readonly string[], value: unknown, path: string): FieldError[] {
  if (values.some((known) => known === value)) return [];
  return [{ path, message: `This is one of ${values.join(', ')}.` }];
}

function checkTemplate(text: unknown, path: string, withBody: boolean): FieldError[] {
  if (typeof text !== 'string' || text.length > MAX_TEXT || !PRINTABLE.test(text)) {
    return [{ path, message: `This is at most ${MAX_TEXT} printable ASCII characters.` }];
  }
  const fault = templateFault(text, withBody);
  return fault === null ? [] : [{ path, message: fault }];
}

/** A header of the request that the signature takes. */
function checkOwnHeaders(signing: Signing, headers: SentHeaders, path: string): FieldError[] {
  return signingHeaders(signing).flatMap((name) => {
    const message = Object.hasOwn(headers.own, name)
      ? `The header ${name} carries the signature, and is one of the endpoint's \`headers\` too. Take it out there.`
      : headers.ofFormat.includes(name)
        ? `The header ${name} is one that the endpoint's format has. Choose another.`
        : null;
    return message === null ? [] : [{ path, message }];
  });
}

function lowerHeaders<T extends StripeSigning | HmacSigning>(signing: T): T {
  if (signing.scheme === 'stripe') return { ...signing, header: signing.header.toLowerCase() };
  const { header, timestampHeader, idHeader } = signing as HmacSigning;
  return {
    ...signing,
    header: header.toLowerCase(),
    timestampHeader: timestampHeader?.toLowerCase() ?? null,
    idHeader: idHeader?.toLowerCase() ?? null,
  };
}

/** Without members that are there and undefined. */
function given<T extends object>(input: T): T {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as T;
}
