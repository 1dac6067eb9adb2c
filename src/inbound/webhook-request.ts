// A request as the provider sent it, with what is read from it more than once. Bodies are parsed only when a row asks for
// something in them, and once.
import { createHash } from 'node:crypto';
import type { Pick, Place } from './place.ts';

export interface WebhookRequest {
  readonly method: string;
  readonly query: URLSearchParams;
  /** The query as it came, without `?`; where it is absent it is written anew from `query`. */
  readonly rawQuery?: string;
  /** Names in lower case; an array where a header came more than once. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly rawBody: Buffer;
  readonly remoteAddress: string;
}

export const MAX_HEADER_CHARS = 8192;
export const MAX_EXTERNAL_ID_CHARS = 256;

/** `malformed`: it came twice, is too long, or holds what no header may. */
export type HeaderValue = { kind: 'value'; value: string } | { kind: 'missing' } | { kind: 'malformed' };

const MISSING: HeaderValue = { kind: 'missing' };
const MALFORMED: HeaderValue = { kind: 'malformed' };

export class RequestView {
  readonly request: WebhookRequest;
  #body: { value: unknown } | undefined;

  constructor(request: WebhookRequest) {
    this.request = request;
  }

  get rawBody(): Buffer {
    return this.request.rawBody;
  }

  header(name: string): HeaderValue {
    const value = this.request.headers[name];
    if (value === undefined || value === '') return MISSING;
    if (typeof value !== 'string') return value.length === 0 ? MISSING : MALFORMED;
    return value.length > MAX_HEADER_CHARS || !/^[\t\x20-\x7e]*$/.test(value) ? MALFORMED : { kind: 'value', value };
  }

  /** A header's value, or null where it is missing or malformed. */
  headerText(name: string): string | null {
    const header = this.header(name);
    return header.kind === 'value' ? header.value : null;
  }

  /** The JSON value of the body, or the fields of a form (its `payload` parsed, if that is JSON); undefined if neither. */
  body(): unknown {
    this.#body ??= { value: this.#parse() };
    return this.#body.value;
  }

  /** The text at a path of the body. Numbers count where they are exact integers; anything else is null. */
  bodyText(path: string): string | null {
    return textOf(valueAt(this.body(), path));
  }

  /** The query as it came, without `?`. */
  queryText(): string {
    return this.request.rawQuery ?? this.request.query.toString();
  }

  place(place: Place): string | null {
    if ('header' in place) return this.headerText(place.header);
    if ('body' in place) return this.bodyText(place.body);
    if ('query' in place) return this.request.query.get(place.query);
    if ('constant' in place) return place.constant;
    return createHash('sha256').update(this.rawBody).digest('base64url');
  }

  pick(pick: Pick): string | null {
    if (!isJoined(pick)) return this.place(pick);
    const values = pick.map((place) => this.place(place));
    return values.includes(null) ? null : values.join(':');
  }

  #parse(): unknown {
    const type = this.headerText('content-type') ?? '';
    const text = this.rawBody.toString('utf8');
    if (!type.startsWith('application/x-www-form-urlencoded')) return parseJson(text);
    const fields: Record<string, unknown> = Object.fromEntries(new URLSearchParams(text));
    const payload = typeof fields.payload === 'string' ? parseJson(fields.payload) : undefined;
    return payload === undefined ? fields : { ...fields, payload };
  }
}

/** The value at a dotted path, by own members only; undefined where the path leads nowhere. */
export function valueAt(root: unknown, path: string): unknown {
  let value = root;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    if (key === '[]') {
      if (!Array.isArray(value) || value.length !== 1) return undefined;
      value = value[0];
    } else if (Object.hasOwn(value, key) && !(Array.isArray(value) && key === 'length'))
      value = (value as Record<string, unknown>)[key];
    else return undefined;
  }
  return value;
}

// A number that no double holds is not taken: two ids could become one.
function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value === '' ? null : value;
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isJoined(pick: Pick): pick is readonly Place[] {
  return Array.isArray(pick);
}
