// Which headers a user may have Tidings send. One table, whether the name was given as a header of the endpoint, as that of a signature, or
// as that of a credential.

// What Tidings sets itself, and what belongs to the connection rather than to the request (RFC 9110, section 7.6.1).
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);
const RESERVED_PREFIXES = ['webhook-', 'tidings-', 'proxy-'] as const;
// RFC 9110, sections 5.6.2 and 5.5, the latter without the control characters of obs-text.
const HEADER_NAME_PATTERN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE_PATTERN = /^[\t\x20-\x7e\xa0-\xff]*$/;

/** What is wrong with a header's name, as the rest of a sentence; null when nothing is. */
export function headerNameFault(name: string): string | null {
  if (!HEADER_NAME_PATTERN.test(name)) return "is not a header name. Use letters, digits and !#$%&'*+-.^_`|~ only.";
  const lower = name.toLowerCase();
  if (RESERVED_HEADERS.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix))) {
    return 'is set by Tidings or by the connection and cannot be given.';
  }
  return null;
}

/** And with its value. */
export function headerValueFault(value: unknown): string | null {
  if (typeof value !== 'string') return 'must have a string as its value.';
  if (!HEADER_VALUE_PATTERN.test(value)) {
    return 'has a value with a control character, a line end or a character outside latin1. Take it out or encode it.';
  }
  return null;
}
