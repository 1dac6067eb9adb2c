// A provider's schemes in words, for people who compare them with the vendor's documentation.
import type { Algorithm, Provider, Scheme, SignaturePlace, SignatureScheme, TimestampRule } from './provider.ts';

const ALGORITHMS: Readonly<Record<string, string>> = {
  ed25519: 'Ed25519',
  'ecdsa-sha256': 'ECDSA with SHA-256',
  'rsa-sha256': 'RSA with SHA-256',
};
const KEYS: Readonly<Record<string, string>> = {
  hex: ', key decoded from hex',
  base64: ', key decoded from base64',
  whsec: ', key decoded from `whsec_…`',
};

/** What is verified, by each of the provider's schemes in a phrase. */
export function describeSchemes(provider: Provider): string[] {
  return provider.schemes.map((scheme) => {
    const { secretPrefix } = scheme;
    return secretPrefix === undefined
      ? describeScheme(scheme)
      : `secrets that begin with \`${secretPrefix}\`: ${describeScheme(scheme)}`;
  });
}

function describeScheme(scheme: Scheme): string {
  switch (scheme.kind) {
    case 'signature':
      return describeSignature(scheme);
    case 'token': {
      if ('query' in scheme.at) return `the secret itself as \`${scheme.at.query}\` in the query`;
      if ('body' in scheme.at) return `the secret itself as \`${scheme.at.body}\` in the body`;
      const { header, prefix = '' } = scheme.at;
      return `the secret itself in \`${header}\`${prefix === '' ? '' : ` after \`${prefix.trim()}\``}`;
    }
    case 'basic':
      return 'HTTP basic authentication';
    case 'custom':
      return scheme.words;
    case 'none':
      return 'nothing';
  }
}

function describeSignature({ algorithm, key, signature, encoding, timestamp, content }: SignatureScheme): string {
  const over = content === '{body}' ? 'the body' : `\`${content}\``;
  const age = timestamp === undefined ? '' : `; ${describeTimestamp(timestamp)}`;
  return `${algorithmName(algorithm)}${KEYS[key] ?? ''}, ${encoding}, ${describePlace(signature)}, over ${over}${age}`;
}

function algorithmName(algorithm: Algorithm): string {
  return ALGORITHMS[algorithm] ?? algorithm.toUpperCase();
}

function describePlace(place: SignaturePlace): string {
  switch (place.form) {
    case 'whole': {
      const { prefix = '', separator } = place;
      const [first, ...others] = typeof place.header === 'string' ? [place.header] : place.header;
      const to = others.length === 0 ? '' : ` to \`${others[others.length - 1]}\` (any)`;
      const several = separator === undefined ? '' : ` (several with \`${separator}\` between)`;
      return `in \`${first}\`${to}${prefix === '' ? '' : ` after \`${prefix}\``}${several}`;
    }
    case 'pairs':
      return `as \`${place.pair}=\` in \`${place.header}\``;
    case 'versions':
      return `after \`${place.version},\` in \`${place.header}\``;
    case 'method':
      return `after its hash (${place.hashes.join(', ')}) and \`=\` in \`${place.header}\``;
    case 'body':
      return `as \`${place.path}\` in the body`;
  }
}

function describeTimestamp({ at, unit, toleranceSeconds }: TimestampRule): string {
  const place = 'header' in at ? `\`${at.header}\`` : 'pair' in at ? `\`${at.pair}=\`` : `\`${at.body}\` in the body`;
  const units = { s: 'seconds', ms: 'milliseconds', iso: 'RFC 3339' };
  return `time in ${place} (${units[unit]}), at most ${describeDuration(toleranceSeconds)} off`;
}

function describeDuration(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600} h`;
  return seconds % 60 === 0 && seconds >= 120 ? `${seconds / 60} min` : `${seconds} s`;
}
