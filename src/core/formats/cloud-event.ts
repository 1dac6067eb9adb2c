// CloudEvents 1.0.2: JSON Event Format (structured, section 3; batch, section 4) and HTTP Protocol Binding (binary, section 3.1).
import { formatTime } from '../time.ts';
import type { EventFormat, FormattedBody, FormattedEvent } from './event-format.ts';

export const CLOUD_EVENT_MODES = ['structured', 'binary', 'batch'] as const;

export interface CloudEventOptions {
  mode: (typeof CLOUD_EVENT_MODES)[number];
  /** A URI reference; `urn:tidings:app:<app>` if absent. */
  source?: string;
  /** Further attributes, the same for every event: subject, dataschema, and extensions. */
  attributes?: Readonly<Record<string, string>>;
  /** The endpoint has agreed to take events from this origin (HTTP 1.1 Web Hooks for Event Delivery 1.0.2, section 4). */
  handshake?: { origin: string };
}

export const STRUCTURED_TYPE = 'application/cloudevents+json; charset=utf-8';
export const BATCH_TYPE = 'application/cloudevents-batch+json; charset=utf-8';
/** What every event here has by itself. */
export const OWN_ATTRIBUTES = [
  ...['specversion', 'id', 'source', 'type', 'time', 'sequence', 'channels', 'cursor', 'datacontenttype'],
  ...['data', 'data_base64'],
] as const;

const SEQUENCE_DIGITS = 15;

type Described = Pick<FormattedEvent, 'appId' | 'id' | 'type' | 'timeMs' | 'position' | 'channels'>;

export function sourceOf(appId: string): string {
  return `urn:tidings:app:${appId}`;
}

/**
 * An event in JSON up to its data; after it comes `}`. `more` = members with a comma behind each. What is known of events needs no escapes.
 * `sequence` is the extension of that name: it sorts as text.
 */
export function cloudEventHead(event: Described, more: string, source = `"${sourceOf(event.appId)}"`): string {
  return (
    `{"specversion":"1.0","id":"${event.id}","source":${source},"type":"${event.type}",` +
    `"time":"${formatTime(event.timeMs)}","sequence":"${sequenceOf(event)}",${more}` +
    `${event.channels.length === 0 ? '' : `"channels":"${event.channels.join(',')}",`}"datacontenttype":"application/json","data":`
  );
}

export function cloudEventFormat({ mode, source, attributes = {}, handshake }: CloudEventOptions): EventFormat {
  // What consents to events of a sender is told with each whose they are (Web Hooks 1.0.2, sections 2.1 and 4.1.2).
  const headers: Record<string, string> = handshake === undefined ? {} : { 'webhook-request-origin': handshake.origin };
  if (mode === 'binary')
    return { one: (event) => binary(event, source, { ...headers, ...ceHeaders(attributes) }), many: null };
  const more = Object.entries(attributes)
    .map(([name, value]) => `"${name}":${JSON.stringify(value)},`)
    .join('');
  const sourceJson = source === undefined ? undefined : JSON.stringify(source);
  const head = (event: FormattedEvent): Buffer => Buffer.from(cloudEventHead(event, more, sourceJson));
  if (mode === 'structured') {
    return {
      one: (event) => ({ body: Buffer.concat([head(event), event.data, END]), contentType: STRUCTURED_TYPE, headers }),
      many: null,
    };
  }
  const many = (events: readonly FormattedEvent[]): FormattedBody => {
    const pieces = events.flatMap((event, i) => [i === 0 ? OPEN : COMMA, head(event), event.data, END]);
    return { body: Buffer.concat([...pieces, CLOSE]), contentType: BATCH_TYPE, headers };
  };
  return { one: (event) => many([event]), many };
}

const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const END = Buffer.from('}');
const CLOSE = Buffer.from(']');

/** The attributes as headers, the data as the body. */
function binary(event: FormattedEvent, source: string | undefined, headers: Record<string, string>): FormattedBody {
  return {
    body: event.data,
    contentType: 'application/json',
    headers: {
      ...headers,
      'ce-specversion': '1.0',
      'ce-id': event.id,
      'ce-source': percentEncode(source ?? sourceOf(event.appId)),
      'ce-type': event.type,
      'ce-time': formatTime(event.timeMs),
      'ce-sequence': sequenceOf(event),
      ...(event.channels.length > 0 && { 'ce-channels': event.channels.join(',') }),
    },
  };
}

function ceHeaders(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, percentEncode(value)]));
}

/** HTTP binding, 3.1.3.2: space, quote and percent, and what is not printable ASCII, as %XX of its UTF-8. */
function percentEncode(value: string): string {
  return value
    .toWellFormed()
    .replaceAll(/[^\x21\x23\x24\x26-\x7e]/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    );
}

function sequenceOf({ position }: Described): string {
  return String(position).padStart(SEQUENCE_DIGITS, '0');
}
