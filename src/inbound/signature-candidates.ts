// The signatures that a request offers, in the form that its provider writes them in, as bytes. Decoding is strict: text
// that does not encode back to itself is no signature.
import { decodeStrictly } from './key-form.ts';
import type { Encoding, Hash, SignaturePlace } from './provider.ts';
import type { Refusal } from './refusal.ts';
import type { RequestView } from './webhook-request.ts';

export const MAX_SIGNATURES = 16;

export interface Candidate {
  readonly bytes: Buffer;
  /** The hash that stands before the signature, in the form `method`. */
  readonly hash?: Hash;
}

/** At least one candidate, or why there is none. */
export function readCandidates(
  view: RequestView,
  place: SignaturePlace,
  encoding: Encoding,
): readonly Candidate[] | Refusal {
  if (place.form === 'body') {
    const text = view.bodyText(place.path);
    if (text === null) return { reason: 'signature_missing', about: `the member ${place.path} of the body` };
    return decoded([text], encoding, place.path);
  }
  const names = typeof place.header === 'string' ? [place.header] : place.header;
  const texts: string[] = [];
  for (const name of names) {
    const header = view.header(name);
    if (header.kind === 'malformed') return { reason: 'signature_malformed', about: name };
    if (header.kind === 'value') texts.push(header.value);
  }
  if (texts.length === 0) return { reason: 'signature_missing', about: `the header ${names[0]}` };
  const about = names[0];
  switch (place.form) {
    case 'whole': {
      const { prefix = '', separator } = place;
      if (!texts.every((text) => text.startsWith(prefix))) return { reason: 'signature_malformed', about };
      const bare = texts.map((text) => text.slice(prefix.length));
      return decoded(separator === undefined ? bare : bare.flatMap((text) => text.split(separator)), encoding, about);
    }
    case 'pairs':
      return decoded(pairValues(texts[0], place.pair), encoding, about);
    case 'versions': {
      const mark = `${place.version},`;
      const own = texts[0].split(' ').filter((text) => text.startsWith(mark));
      return decoded(
        own.map((text) => text.slice(mark.length)),
        encoding,
        about,
      );
    }
    case 'method': {
      const [, name, text] = /^([^=]*)=(.*)$/.exec(texts[0]) ?? [];
      const hash = place.hashes.find((known) => known === name?.toLowerCase());
      const bytes = text === undefined ? null : decodeStrictly(text, encoding);
      return hash === undefined || bytes === null ? { reason: 'signature_malformed', about } : [{ bytes, hash }];
    }
  }
}

/** The values of the pairs named so, in their order: `t=1,v1=a,v1=b`; also with `;` or spaces between. */
export function pairValues(header: string, name: string): string[] {
  const values: string[] = [];
  for (const pair of header.split(/[,;\s]+/)) {
    if (pair.startsWith(name) && pair[name.length] === '=') values.push(pair.slice(name.length + 1));
  }
  return values;
}

function decoded(texts: readonly string[], encoding: Encoding, about: string): readonly Candidate[] | Refusal {
  if (texts.length > MAX_SIGNATURES) return { reason: 'too_many_signatures', about };
  const candidates: Candidate[] = [];
  for (const text of texts) {
    const bytes = decodeStrictly(text, encoding);
    if (bytes !== null) candidates.push({ bytes });
  }
  return candidates.length > 0 ? candidates : { reason: 'signature_malformed', about };
}
