// What a publisher sends, read without parsing what is only passed on: one pass over the body checks all of it and finds
// the members of the events; `data` stays the bytes that came in. All that is wrong with a request is told at once.
import { createHash, hash } from 'node:crypto';
import { type FieldError, TidingsError } from './errors.ts';
import {
  CHANNEL_PATTERN,
  EVENT_ID_PATTERN,
  EVENT_TYPE_PATTERN,
  MAX_BATCH_EVENTS,
  MAX_CHANNELS,
  MAX_DELIVER_AT_DAYS,
  type NewEvent,
} from './event.ts';
import { jsonPointer } from './json-error.ts';
import { JsonScanner, kindOf, MAX_JSON_DEPTH } from './json-scan.ts';
import { parseTime } from './time.ts';

export interface PublishParts {
  /** Mints the id of an event that came without one. */
  newId(): string;
  /** The time of an event that came without one; milliseconds since 1970. */
  nowMs: number;
}

const EVENT_MEMBERS = members(['type', 'data', 'id', 'time', 'channels', 'deliverAt']);
const BATCH_MEMBERS = members(['events']);
/** A batch wraps an event in two containers more; its data may be nested as deeply as when it is published alone. */
const MAX_BATCH_DEPTH = MAX_JSON_DEPTH + 2;
const MAX_ERRORS = 20;
const DAY_MS = 86_400_000;
/** A Buffer of up to this size is cut from a slab of this size by Node, so that a copy would keep as much alive. */
const SLAB_BYTES = Buffer.poolSize;
const NO_CHANNELS: readonly string[] = [];

const scanner = new JsonScanner();

/**
 * Reads the body of a publish request, `{type, data, id?, time?, channels?, deliverAt?}`. An `id` may be one minted here earlier:
 * that is a retry. @throws TidingsError `invalid_json`; `invalid_request` with one row in `errors` per problem
 */
export function parsePublish(body: Buffer, parts: PublishParts): NewEvent {
  scanner.open(body, MAX_JSON_DEPTH);
  const reading: Reading = { body, parts, errors: [] };
  const event = readEvent(reading, []);
  scanner.finish();
  if (event === null || reading.errors.length > 0) throw invalidRequest(reading.errors);
  return event;
}

/**
 * Reads the body of a batch, `{events: […]}` with 1 to 1,000 events as `parsePublish` takes them. An own id may stand
 * only once in it. @throws TidingsError like `parsePublish`
 */
export function parsePublishBatch(body: Buffer, parts: PublishParts): NewEvent[] {
  scanner.open(body, MAX_BATCH_DEPTH);
  const reading: Reading = { body, parts, errors: [] };
  let events: NewEvent[] | null = null;
  if (scanner.kind() !== 'object') {
    refuse(reading, [], `The body must be an object {"events": […]}, not ${kindHere(reading)}.`);
    scanner.skipValue();
  } else {
    scanner.enterObject();
    while (scanner.nextMember()) {
      if (readMember(reading, BATCH_MEMBERS) === 0) events = readEvents(reading);
      else refuseMember(reading, [], 'a batch has only "events"');
    }
    if (events === null) refuse(reading, ['events'], 'The events are missing; give an array of 1 to 1,000 events.');
  }
  scanner.finish();
  if (events === null || reading.errors.length > 0) throw invalidRequest(reading.errors);
  return events;
}

/** SHA-256 of a whole body, to tell whether an idempotency key comes again with the same one. 32 bytes. */
export function hashBody(body: Buffer): Buffer {
  return Buffer.from(hash('sha256', body, 'hex'), 'hex');
}

/**
 * SHA-256 of what the caller said of an event, to tell whether its own id comes again with the same event: type, time
 * if given, channels in their order, the time to deliver it at, and the bytes of data. Alone or in a batch makes no difference. 32 bytes.
 */
export function hashEvent(event: NewEvent): Buffer {
  const said: unknown[] = [event.type, event.timeGiven ? event.timeMs : null, event.channels];
  if (event.deliverAtMs !== undefined) said.push(event.deliverAtMs);
  const head = JSON.stringify(said);
  return createHash('sha256').update(head).update(event.data).digest();
}

interface Reading {
  body: Buffer;
  parts: PublishParts;
  errors: FieldError[];
}
type Path = readonly (string | number)[];

function readEvents(reading: Reading): NewEvent[] {
  const events: NewEvent[] = [];
  if (scanner.kind() !== 'array') {
    refuse(reading, ['events'], `The events must be an array, not ${kindHere(reading)}.`);
    scanner.skipValue();
    return events;
  }
  let count = 0;
  const indexById = new Map<string, number>();
  scanner.enterArray();
  while (scanner.nextElement()) {
    const index = count++;
    if (count > MAX_BATCH_EVENTS) {
      scanner.skipValue();
      continue;
    }
    const event = readEvent(reading, ['events', index]);
    if (event === null) continue;
    events.push(event);
    if (!event.ownId) continue;
    const earlier = indexById.get(event.id);
    if (earlier === undefined) indexById.set(event.id, index);
    else refuse(reading, ['events', index, 'id'], `The id is that of /events/${earlier} too; give each event its own.`);
  }
  if (count === 0) refuse(reading, ['events'], 'The array is empty; give 1 to 1,000 events.');
  if (count > MAX_BATCH_EVENTS) {
    refuse(reading, ['events'], `The array has ${count} events; 1,000 is the most: send several batches.`);
  }
  return events;
}

/** Reads the event at the scanner. Null = it is refused; the caller looks at `reading.errors`. */
function readEvent(reading: Reading, path: Path): NewEvent | null {
  if (scanner.kind() !== 'object') {
    refuse(reading, path, `An event must be an object {"type": …, "data": …}, not ${kindHere(reading)}.`);
    scanner.skipValue();
    return null;
  }
  const { body, parts } = reading;
  let type: string | null | undefined;
  let id: string | null | undefined;
  let timeMs: number | null | undefined;
  let deliverAtMs: number | null | undefined;
  let channels = NO_CHANNELS;
  let dataFrom = -1;
  let dataTo = -1;
  scanner.enterObject();
  while (scanner.nextMember()) {
    switch (readMember(reading, EVENT_MEMBERS)) {
      case 0:
        type = readType(reading, path);
        break;
      case 1:
        dataFrom = scanner.at;
        scanner.skipValue();
        dataTo = scanner.at;
        break;
      case 2:
        id = readId(reading, path);
        break;
      case 3:
        timeMs = readTime(reading, [...path, 'time'], 'leave it out for now');
        break;
      case 4:
        channels = readChannels(reading, path);
        break;
      case 5:
        deliverAtMs = readDeliverAt(reading, [...path, 'deliverAt']);
        break;
      default:
        refuseMember(reading, path, 'an event has "type", "data", "id", "time", "channels" and "deliverAt"');
    }
  }
  if (type === undefined) refuse(reading, [...path, 'type'], 'The type is missing; give one such as "invoice.paid".');
  if (dataFrom < 0)
    refuse(reading, [...path, 'data'], 'The data is missing; give any JSON value, null if there is none.');
  if (typeof type !== 'string' || dataFrom < 0 || id === null || timeMs === null || deliverAtMs === null) return null;
  const event: NewEvent = {
    id: id ?? parts.newId(),
    ownId: id !== undefined,
    type,
    timeMs: timeMs ?? parts.nowMs,
    timeGiven: timeMs !== undefined,
    channels,
    data: takeData(body, dataFrom, dataTo),
  };
  if (deliverAtMs !== undefined) event.deliverAtMs = deliverAtMs;
  return event;
}

// A slice costs 40 ns and keeps the whole body alive as long as the event, a copy of 1 KB 180 ns. An event published
// alone is most of its body: sliced. One of a batch is a small part of it, and may wait in a lane after the others are
// gone: copied, unless the body is no larger than the slab that the copy would come from.
function takeData(body: Buffer, from: number, to: number): Buffer {
  if (body.length <= SLAB_BYTES || to - from >= body.length / 2) return body.subarray(from, to);
  const data = Buffer.allocUnsafe(to - from);
  body.copy(data, 0, from, to);
  return data;
}

function readType(reading: Reading, path: Path): string | null {
  const text = readString(reading);
  if (text !== null && EVENT_TYPE_PATTERN.test(text)) return text;
  refuse(reading, [...path, 'type'], 'The type must be a string of 1 to 128 of the characters A-Z a-z 0-9 _ . -');
  return null;
}

function readId(reading: Reading, path: Path): string | null {
  const text = readString(reading);
  if (text !== null && EVENT_ID_PATTERN.test(text)) return text;
  refuse(
    reading,
    [...path, 'id'],
    'The id must be a string of 1 to 64 of the characters A-Z a-z 0-9 _ - (no dots); leave it out to have one made.',
  );
  return null;
}

function readTime(reading: Reading, path: Path, otherwise: string): number | null {
  const text = readString(reading);
  const timeMs = text === null ? null : parseTime(text);
  if (timeMs === null) {
    const example = 'a string in RFC 3339 with an offset, such as "2026-11-21T10:00:00Z"';
    refuse(reading, path, `The ${path[path.length - 1]} must be ${example}; ${otherwise}.`);
  }
  return timeMs;
}

function readDeliverAt(reading: Reading, path: Path): number | null {
  const timeMs = readTime(reading, path, 'leave it out to deliver at once');
  if (timeMs === null || timeMs - reading.parts.nowMs <= MAX_DELIVER_AT_DAYS * DAY_MS) return timeMs;
  refuse(reading, path, `The deliverAt is more than ${MAX_DELIVER_AT_DAYS} days ahead. Give an earlier time.`);
  return null;
}

function readChannels(reading: Reading, path: Path): readonly string[] {
  const at = [...path, 'channels'];
  if (scanner.kind() !== 'array') {
    refuse(reading, at, `The channels must be an array of strings, not ${kindHere(reading)}; leave them out for none.`);
    scanner.skipValue();
    return NO_CHANNELS;
  }
  const channels: string[] = [];
  let count = 0;
  scanner.enterArray();
  while (scanner.nextElement()) {
    const index = count++;
    const text = readString(reading);
    if (count > MAX_CHANNELS) continue;
    if (text === null || !CHANNEL_PATTERN.test(text)) {
      refuse(reading, [...at, index], 'A channel must be a string of 1 to 128 of the characters A-Z a-z 0-9 _ . : / -');
    } else if (channels.includes(text)) {
      refuse(reading, [...at, index], `The channel "${text}" stands twice; name it once.`);
    } else channels.push(text);
  }
  if (count > MAX_CHANNELS) refuse(reading, at, `The event has ${count} channels; ${MAX_CHANNELS} is the most.`);
  return channels;
}

/** Reads the value at the scanner: null when it is no string. */
function readString({ body }: Reading): string | null {
  const from = scanner.at;
  scanner.skipValue();
  if (body[from] !== 0x22) return null;
  const text = body.toString('utf8', from + 1, scanner.at - 1);
  return text.includes('\\') ? JSON.parse(`"${text}"`) : text;
}

function members(names: string[]): readonly Buffer[] {
  return names.map((name) => Buffer.from(name));
}

/** Which of the known members the scanner is at; -1 = none. */
function readMember({ body }: Reading, known: readonly Buffer[]): number {
  if (scanner.keyHasEscape) {
    const key = keyHere(body);
    return known.findIndex((name) => name.toString() === key);
  }
  const from = scanner.keyFrom;
  const length = scanner.keyTo - from;
  for (let m = 0; m < known.length; m++) {
    const name = known[m];
    if (name.length !== length) continue;
    let i = 0;
    while (i < length && name[i] === body[from + i]) i++;
    if (i === length) return m;
  }
  return -1;
}

function keyHere(body: Buffer): string {
  return JSON.parse(body.toString('utf8', scanner.keyFrom - 1, scanner.keyTo + 1));
}

function kindHere({ body }: Reading): string {
  const kind = kindOf(body[scanner.at]);
  return kind === 'null' ? 'null' : kind === 'object' || kind === 'array' ? `an ${kind}` : `a ${kind}`;
}

function refuseMember(reading: Reading, path: Path, known: string): void {
  const key = keyHere(reading.body);
  const shown = JSON.stringify(key.length > 64 ? `${key.slice(0, 64)}…` : key);
  refuse(reading, [...path, key], `There is no member ${shown}; ${known}.`);
  scanner.skipValue();
}

function refuse(reading: Reading, path: Path, message: string): void {
  if (reading.errors.length < MAX_ERRORS) reading.errors.push({ path: jsonPointer(path), message });
}

function invalidRequest(errors: FieldError[]): TidingsError {
  const [{ path, message }] = errors;
  const place = path === '' ? '' : ` at ${path.length > 200 ? `${path.slice(0, 200)}…` : path}`;
  const more =
    errors.length === 1 ? '' : ` (${errors.length === MAX_ERRORS ? 'at least ' : ''}${errors.length} problems)`;
  return new TidingsError('invalid_request', `The request is not valid${place}: ${message}${more}`, { errors });
}
