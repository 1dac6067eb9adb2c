// The texts of the scheme `hmac`: what is signed, and what stands before the signature. `{body}` and the like stand for parts of the request;
// all other characters, further braces too, stand for themselves.
import type { SignedRequest } from './signer.ts';

const PLACEHOLDER = /\{(\w+)\}/g;
const KNOWN = ['id', 'timestamp', 'method', 'url'] as const;
type Placeholder = (typeof KNOWN)[number];

export type TemplatePart = { text: string } | { placeholder: Placeholder | 'body' };

/** What is wrong with a text: an unknown placeholder, or content that leaves out the body. Null when nothing is. */
export function templateFault(text: string, withBody: boolean): string | null {
  const names = [...text.matchAll(PLACEHOLDER)].map(([, name]) => name);
  const known: readonly string[] = withBody ? ['body', ...KNOWN] : KNOWN;
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    return `There is no {${unknown}} here. Use ${known.map((name) => `{${name}}`).join(', ')}.`;
  }
  if (withBody && !names.includes('body')) return 'Without {body} the body would not be signed: add it.';
  return null;
}

/** A text that was checked, taken apart. */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    if (match.index > at) parts.push({ text: text.slice(at, match.index) });
    parts.push({ placeholder: match[1] as Placeholder | 'body' });
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push({ text: text.slice(at) });
  return parts;
}

/** Hands each part to `add`, in order; the body as bytes. */
export function fillTemplate(
  parts: readonly TemplatePart[],
  request: SignedRequest,
  timestamp: string,
  add: (part: string | Buffer) => void,
): void {
  for (const part of parts) {
    if ('text' in part) add(part.text);
    else if (part.placeholder === 'timestamp') add(timestamp);
    else add(request[part.placeholder]);
  }
}
