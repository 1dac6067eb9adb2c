// What a provider signs, as a template: `{timestamp}.{body}`, `v0:{timestamp}:{body}`, `{header:webhook-id}.{timestamp}.{body}`.
//
//   {body}            the bytes of the body          {timestamp}     as it came
//   {header:NAME}     a header                       {field:PATH}    a member of the body
//   {option:NAME}     an option of the source        {method}        POST
//   {url}             the option `url`, and the query of this request if the option has none
//   {decodedUrl}      the same with %3A %2F %3F … decoded, as HubSpot signs it
//   {crc32}           the body's CRC-32 in decimal
//
// A value that stands before a literal must not hold it, so that no two requests are signed alike.
import { crc32 } from 'node:zlib';
import type { RequestView } from './webhook-request.ts';

export interface ContentValues {
  readonly view: RequestView;
  readonly timestamp: string | null;
  readonly options: Readonly<Record<string, string>>;
}

/** What comes before the body, whether the body is in it, and what comes after. */
export interface SignedContent {
  readonly head: string;
  readonly withBody: boolean;
  readonly tail: string;
}

export interface ContentTemplate {
  /** Whether a changed body is noticed. */
  readonly coversBody: boolean;
  /** What is signed in this request; a string names the part that is missing or may not stand there. */
  build(values: ContentValues): SignedContent | string;
}

type Part = { literal: string } | { name: string; argument: string };

/** @throws Error where the template names a part that there is not; rows are held by tests, users' ones are checked. */
export function compileContent(template: string): ContentTemplate {
  const parts = parseTemplate(template);
  const bodyAt = parts.findIndex((part) => 'name' in part && part.name === 'body');
  if (parts.filter((part) => 'name' in part && part.name === 'body').length > 1) {
    throw new Error('The template may hold {body} once.');
  }
  const before = bodyAt < 0 ? parts : parts.slice(0, bodyAt);
  const after = bodyAt < 0 ? [] : parts.slice(bodyAt + 1);
  const coversBody = bodyAt >= 0 || parts.some((part) => 'name' in part && part.name === 'crc32');
  return {
    coversBody,
    build(values) {
      const head = join(before, values);
      if (head === null) return lacking(before, values);
      const tail = join(after, values);
      if (tail === null) return lacking(after, values);
      return { head, withBody: bodyAt >= 0, tail };
    },
  };
}

function parseTemplate(template: string): Part[] {
  const parts: Part[] = [];
  for (const piece of template.split(/(\{[^{}]*\})/)) {
    if (piece === '') continue;
    if (!piece.startsWith('{')) {
      parts.push({ literal: piece });
      continue;
    }
    const [, name, argument = ''] = /^\{([a-zA-Z0-9]+)(?::([^{}]+))?\}$/.exec(piece) ?? [];
    const takesArgument = ARGUMENTS[name];
    if (takesArgument === undefined || takesArgument !== (argument !== '')) {
      throw new Error(`The template holds ${piece}, which there is not. Use ${KNOWN}.`);
    }
    parts.push({ name, argument: name === 'header' ? argument.toLowerCase() : argument });
  }
  return parts;
}

const ARGUMENTS: Record<string, boolean> = {
  body: false,
  timestamp: false,
  header: true,
  field: true,
  option: true,
  method: false,
  url: false,
  decodedUrl: false,
  crc32: false,
};
const KNOWN = Object.entries(ARGUMENTS)
  .map(([name, takesArgument]) => (takesArgument ? `{${name}:…}` : `{${name}}`))
  .join(', ');

function join(parts: readonly Part[], values: ContentValues): string | null {
  let text = '';
  for (let i = 0; i < parts.length; i++) {
    const value = partText(parts, i, values);
    if (value === null) return null;
    text += value;
  }
  return text;
}

function lacking(parts: readonly Part[], values: ContentValues): string {
  const part = parts.find((_part, i) => partText(parts, i, values) === null);
  if (part === undefined || 'literal' in part) return 'content';
  return part.argument === '' ? part.name : `${part.name} ${part.argument}`;
}

function partText(parts: readonly Part[], index: number, values: ContentValues): string | null {
  const part = parts[index];
  if ('literal' in part) return part.literal;
  const value = read(part, values);
  const next = parts[index + 1];
  if (value === null || next === undefined || !('literal' in next)) return value;
  // A URL and an option are the user's own, and hold what they hold.
  const isSent = part.name === 'header' || part.name === 'timestamp' || part.name === 'field';
  return isSent && part.name !== 'timestamp' && value.includes(next.literal) ? null : value;
}

function read(part: { name: string; argument: string }, { view, timestamp, options }: ContentValues): string | null {
  switch (part.name) {
    case 'timestamp':
      return timestamp;
    case 'header':
      return view.headerText(part.argument);
    case 'field':
      return view.bodyText(part.argument);
    case 'option':
      return options[part.argument] ?? null;
    case 'method':
      return view.request.method;
    case 'url':
      return calledUrl(view, options.url);
    case 'decodedUrl':
      return decodeReserved(calledUrl(view, options.url));
    default:
      return String(crc32(view.rawBody));
  }
}

/** The URL as the provider was given it, with the query of this request where the given one has none. */
export function calledUrl(view: RequestView, url: string | undefined): string | null {
  if (url === undefined) return null;
  const query = view.queryText();
  return query === '' || url.includes('?') ? url : `${url}?${query}`;
}

// HubSpot, "Validate v3 request signature": exactly these are decoded before the URL is signed.
const RESERVED: Record<string, string> = {
  '%3A': ':',
  '%2F': '/',
  '%3F': '?',
  '%40': '@',
  '%21': '!',
  '%24': '$',
  '%27': "'",
  '%28': '(',
  '%29': ')',
  '%2A': '*',
  '%2C': ',',
  '%3B': ';',
};

function decodeReserved(url: string | null): string | null {
  return url?.replace(/%[0-9A-Fa-f]{2}/g, (code) => RESERVED[code.toUpperCase()] ?? code) ?? null;
}
