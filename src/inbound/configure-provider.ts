// A source's provider with the source's options applied: what every provider allows (other places for type and id, another
// tolerance), what its row asks for, and what the generic ones leave open.

import { type FieldError, TidingsError } from '../core/errors.ts';
import { EVENT_TYPE_PATTERN } from '../core/event.ts';
import { compileContent } from './content-template.ts';
import { KEY_FORMS } from './key-form.ts';
import type { Place } from './place.ts';
import { ENCODINGS, HASHES, type Provider, type Scheme, type SignatureScheme } from './provider.ts';
import { findProvider, PROVIDERS } from './provider-table.ts';
import { isUsableSecret } from './verifier.ts';

interface OptionRule {
  readonly doc: string;
  /** What is wrong with the value, or null. */
  problem(value: string): string | null;
}

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
const HMAC_KEYS = KEY_FORMS.filter(
  (form) => form === 'text' || form === 'hex' || form === 'base64' || form === 'whsec',
);
const TIMESTAMP_UNITS = ['s', 'ms', 'iso'] as const;
const MAX_TOLERANCE_SECONDS = 7 * 24 * 3600;

function oneOf(values: readonly string[]): OptionRule['problem'] {
  return (value) => (values.includes(value) ? null : `must be one of ${values.join(', ')}.`);
}

function matching(pattern: RegExp, words: string): OptionRule['problem'] {
  return (value) => (pattern.test(value) ? null : words);
}

const header = matching(HEADER_NAME, 'must be the name of a header.');
const path = matching(/^[^.]{1,64}(\.[^.]{1,64}){0,15}$/, 'must be a path in the body such as `data.id`.');

/** Options that every provider takes. */
export const COMMON_OPTIONS: Readonly<Record<string, OptionRule>> = {
  type: {
    doc: 'The type of every event; the provider’s id does not come before it.',
    problem: matching(EVENT_TYPE_PATTERN, 'must be 1 to 128 of the characters A-Z a-z 0-9 _ . -'),
  },
  typeHeader: { doc: 'The header that holds the event’s type, in place of the provider’s own.', problem: header },
  typePath: { doc: 'The member of the body that holds the event’s type, such as `data.kind`.', problem: path },
  idHeader: { doc: 'The header that holds the id to deduplicate by.', problem: header },
  idPath: { doc: 'The member of the body that holds the id to deduplicate by.', problem: path },
  toleranceSeconds: {
    doc: 'How far the time of signing may be from now, where there is one.',
    problem: (value) =>
      /^\d{1,7}$/.test(value) && Number(value) >= 1 && Number(value) <= MAX_TOLERANCE_SECONDS
        ? null
        : `must be a number of seconds from 1 to ${MAX_TOLERANCE_SECONDS}.`,
  },
};

/** What a generic provider leaves open. */
export const GENERIC_OPTIONS: Readonly<Record<string, Readonly<Record<string, OptionRule>>>> = {
  hmac: {
    header: { doc: 'The header that holds the signature. Default: X-Signature.', problem: header },
    prefix: { doc: 'What stands before the signature in the header, such as `sha256=`.', problem: printable },
    hash: { doc: `One of ${HASHES.join(', ')}. Default: sha256.`, problem: oneOf(HASHES) },
    encoding: { doc: `One of ${ENCODINGS.join(', ')}. Default: hex.`, problem: oneOf(ENCODINGS) },
    key: { doc: `How the secret is shown: ${HMAC_KEYS.join(', ')}. Default: text.`, problem: oneOf(HMAC_KEYS) },
    template: {
      doc: 'What is signed: `{body}` (the default), `{timestamp}.{body}`, `{header:x-id}.{timestamp}.{body}`. It must hold `{body}`.',
      problem: templateProblem,
    },
    timestampHeader: { doc: 'The header that holds the time of signing.', problem: header },
    timestampUnit: { doc: 'Its unit: s, ms or iso. Default: s.', problem: oneOf(TIMESTAMP_UNITS) },
  },
  token: {
    header: { doc: 'The header that holds the key. Default: X-API-Key.', problem: header },
    prefix: { doc: 'What stands before the key.', problem: printable },
  },
};

function printable(value: string): string | null {
  return /^[\x20-\x7e]{0,64}$/.test(value) ? null : 'must be up to 64 printable ASCII characters.';
}

function templateProblem(value: string): string | null {
  try {
    if (value.length > 512) return 'must be at most 512 characters.';
    if (!compileContent(value).coversBody) return 'must hold {body}, or a changed body would pass.';
    return value.includes('{option:') || value.includes('rl}') ? 'may not hold an option or the URL.' : null;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^The template /, '') : 'is not a template.';
  }
}

/**
 * The provider of a source, to be kept and given to `receive` with each request. `path` is where the options stand.
 * @throws TidingsError `invalid_request` with a field error for each thing wrong.
 */
export function configureProvider(id: string, options: Readonly<Record<string, string>>, path = '/options'): Provider {
  const provider = findProvider(id);
  if (provider === null) {
    const message = `There is no provider \`${id.slice(0, 64)}\`. Use one of ${PROVIDERS.map((row) => row.id).join(', ')}.`;
    throw new TidingsError('invalid_request', message, { errors: [{ path: '/provider', message }] });
  }
  const errors = optionProblems(provider, options, path);
  if (errors.length > 0) throw new TidingsError('invalid_request', errors[0].message, { errors });
  const { type, typeHeader, typePath, idHeader, idPath } = options;
  const ownType: Place | null =
    typeHeader !== undefined
      ? { header: typeHeader.toLowerCase() }
      : typePath !== undefined
        ? { body: typePath }
        : null;
  const ownId: Place | null =
    idHeader !== undefined ? { header: idHeader.toLowerCase() } : idPath !== undefined ? { body: idPath } : null;
  return {
    ...provider,
    schemes: provider.schemes.map((scheme) => configureScheme(provider, scheme, options)),
    ...(type === undefined ? {} : { constantType: type }),
    type: ownType === null ? provider.type : [ownType, ...provider.type],
    externalId: ownId === null ? provider.externalId : [ownId, ...provider.externalId],
  };
}

/** What is wrong with a secret for this provider, in words that do not repeat it; null if nothing is. */
export function secretProblem(provider: Provider, secret: string): string | null {
  if (!needsSecret(provider)) return `The provider ${provider.name} takes no secret.`;
  if (isUsableSecret(provider.schemes, secret)) return null;
  return `The secret cannot be used for ${provider.name}: give ${provider.secret}.`;
}

/** Whether a source of this provider verifies by a secret. */
export function needsSecret(provider: Provider): boolean {
  return provider.schemes.some((scheme) => scheme.kind !== 'none' && (scheme.kind !== 'custom' || scheme.needsSecret));
}

function optionProblems(provider: Provider, options: Readonly<Record<string, string>>, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const generic = GENERIC_OPTIONS[provider.id] ?? {};
  for (const [name, value] of Object.entries(options)) {
    const at = `${path}/${name}`;
    const own = provider.options?.some((option) => option.name === name) ?? false;
    const rule = Object.hasOwn(generic, name)
      ? generic[name]
      : Object.hasOwn(COMMON_OPTIONS, name)
        ? COMMON_OPTIONS[name]
        : null;
    if (!own && rule === null) {
      const known = [
        ...(provider.options ?? []).map((option) => option.name),
        ...Object.keys({ ...generic, ...COMMON_OPTIONS }),
      ];
      errors.push({ path: at, message: `There is no option \`${name.slice(0, 64)}\` here. Use ${known.join(', ')}.` });
    } else if (typeof value !== 'string' || value === '' || value.length > 2048) {
      errors.push({ path: at, message: `The option ${name} must be a string of 1 to 2048 characters.` });
    } else {
      const problem = own ? ownProblem(name, value) : rule!.problem(value);
      if (problem !== null) errors.push({ path: at, message: `The option ${name} ${problem}` });
    }
  }
  for (const { name, required, doc } of provider.options ?? []) {
    if (required && options[name] === undefined) {
      errors.push({ path: `${path}/${name}`, message: `${provider.name} needs the option ${name}. ${doc}` });
    }
  }
  if (provider.id === 'hmac' && options.template?.includes('{timestamp}') && options.timestampHeader === undefined) {
    errors.push({ path: `${path}/timestampHeader`, message: 'The template holds {timestamp}: give timestampHeader.' });
  }
  if (provider.id === 'hmac' && options.timestampHeader !== undefined && !options.template?.includes('{timestamp}')) {
    errors.push({
      path: `${path}/template`,
      message: 'A time that is not signed proves nothing: give a template with {timestamp}.',
    });
  }
  return errors;
}

function ownProblem(name: string, value: string): string | null {
  return name === 'url' && !/^https?:\/\/[^\s#]+$/.test(value) ? 'must be an http or https URL.' : null;
}

function configureScheme(provider: Provider, scheme: Scheme, options: Readonly<Record<string, string>>): Scheme {
  if (provider.id === 'token' && scheme.kind === 'token') {
    const { header = 'x-api-key', prefix = '' } = options;
    return { ...scheme, at: { header: header.toLowerCase(), prefix } };
  }
  if (scheme.kind !== 'signature') return scheme;
  const open = provider.id === 'hmac' ? configureHmac(scheme, options) : scheme;
  if (options.toleranceSeconds === undefined || open.timestamp === undefined) return open;
  return { ...open, timestamp: { ...open.timestamp, toleranceSeconds: Number(options.toleranceSeconds) } };
}

function configureHmac(scheme: SignatureScheme, options: Readonly<Record<string, string>>): SignatureScheme {
  const { header = 'x-signature', prefix = '', template = '{body}', timestampHeader } = options;
  const pick = <T extends string>(values: readonly T[], name: string, fallback: T): T =>
    values.find((value) => value === options[name]) ?? fallback;
  return {
    ...scheme,
    algorithm: `hmac-${pick(HASHES, 'hash', 'sha256')}`,
    key: pick(HMAC_KEYS, 'key', 'text'),
    signature: { form: 'whole', header: header.toLowerCase(), prefix },
    encoding: pick(ENCODINGS, 'encoding', 'hex'),
    content: template,
    ...(timestampHeader === undefined
      ? {}
      : {
          timestamp: {
            at: { header: timestampHeader.toLowerCase() },
            unit: pick(TIMESTAMP_UNITS, 'timestampUnit', 's'),
            toleranceSeconds: 300,
          },
        }),
  };
}
