// HTTP Message Signatures: the parts of RFC 9421 that a signer of requests needs. What is signed is the signature base, one line per
// component and one for the parameters (section 2.5).

/** Section 2.2. `@query-param` is left out: the whole query is signed by `@query`. */
export const DERIVED_COMPONENTS = [
  '@method',
  '@target-uri',
  '@authority',
  '@scheme',
  '@request-target',
  '@path',
  '@query',
] as const;

export interface MessageParts {
  method: string;
  url: URL;
  /** The value of a header field by its name in lower case; undefined when the request has none. */
  field: (name: string) => string | undefined;
}

/** As in section 2.3; times in seconds since 1970. */
export interface SignatureParameters {
  created: number;
  keyid: string;
  alg?: string;
  tag?: string;
}

/** The covered components with their parameters: the value of `@signature-params`, and of the label in `signature-input`. */
export function signatureParams(components: readonly string[], parameters: SignatureParameters): string {
  const { created, keyid, alg, tag } = parameters;
  let text = `(${components.map(quote).join(' ')});created=${created};keyid=${quote(keyid)}`;
  if (alg !== undefined) text += `;alg=${quote(alg)}`;
  if (tag !== undefined) text += `;tag=${quote(tag)}`;
  return text;
}

/** What is signed. @throws Error when a component is not there: a signature over less than was asked for is none */
export function signatureBase(components: readonly string[], params: string, parts: MessageParts): string {
  const lines = components.map((name) => {
    const value = name.startsWith('@') ? derivedValue(name, parts) : parts.field(name)?.trim();
    if (value === undefined) throw new Error(`The request has no ${name}, which is to be signed.`);
    return `${quote(name)}: ${value}\n`;
  });
  return `${lines.join('')}"@signature-params": ${params}`;
}

function derivedValue(name: string, { method, url }: MessageParts): string | undefined {
  switch (name) {
    case '@method':
      return method;
    case '@target-uri':
      return url.href;
    case '@authority':
      return url.host;
    case '@scheme':
      return url.protocol.slice(0, -1);
    case '@request-target':
      return url.pathname + url.search;
    case '@path':
      return url.pathname;
    case '@query':
      return url.search === '' ? '?' : url.search;
    default:
      return undefined;
  }
}

/** A string of RFC 8941 (section 3.3.3); its characters are printable ASCII. */
function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
