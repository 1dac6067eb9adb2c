// What came in from outside goes on as it was received: body, content type and headers, the provider's signature among them.
import { originalBody, parseOrigin } from '../origin.ts';
import { type EventFormat, FormatError, type FormattedBody, type FormattedEvent } from './event-format.ts';

export interface OriginalOptions {
  /** Of the headers that were kept only these; names in any case. Absent = all. */
  headers?: string[];
}

const UNKNOWN_TYPE = 'application/octet-stream';

/** An event that was published has no request: its data goes out. */
export function originalFormat({ headers }: OriginalOptions): EventFormat {
  const chosen = headers === undefined ? null : new Set(headers.map((name) => name.toLowerCase()));
  return {
    one: (event) =>
      event.origin === undefined
        ? { body: event.data, contentType: 'application/json' }
        : original(event, event.origin, chosen),
    many: null,
  };
}

function original({ data }: FormattedEvent, bytes: Buffer, chosen: ReadonlySet<string> | null): FormattedBody {
  const origin = parseOrigin(bytes);
  const body = originalBody(data, origin);
  if (body === null) throw new FormatError('The data no longer holds the body that was received: it was transformed.');
  const entries = Object.entries(origin.headers);
  return {
    body,
    contentType: origin.contentType === '' ? UNKNOWN_TYPE : origin.contentType,
    received: Object.fromEntries(chosen === null ? entries : entries.filter(([name]) => chosen.has(name))),
  };
}
