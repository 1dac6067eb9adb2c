// Reading the log. A read is bounded by a range of positions and by bytes, never by a number of matches (design rule 11), and
// touches one day's partition at a time (rule 5).
import type { LogEvent } from '../core/event.ts';
import { uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

const COLUMNS = `position, config_version, date_part('epoch', time) * 1000 AS time_ms,
  date_part('epoch', appended_at) * 1000 AS appended_ms, event_id, type, channels, data, origin`;

interface EventRow {
  position: number;
  config_version: number;
  time_ms: number;
  appended_ms: number;
  event_id: string;
  type: string;
  channels: string[] | null;
  data: Buffer;
  origin: Buffer | null;
}

function toEvent(appId: string, day: string, row: EventRow): LogEvent {
  return {
    appId,
    position: row.position,
    day,
    id: row.event_id,
    type: row.type,
    timeMs: Math.round(row.time_ms),
    appendedMs: Math.round(row.appended_ms),
    channels: row.channels ?? [],
    configVersion: row.config_version,
    data: row.data,
    ...(row.origin !== null && { origin: row.origin }),
  };
}

// A chunk comes as few rows of joined columns: a row per event costs more to take apart here than to read there, and one row for all would
// have to be put together whole before it can be taken apart. Ids, types and channels hold no comma and no line break. octet_length of an
// out-of-line value is known from its pointer, so the running sum reads no payload. Few events have an origin: those that have none add nothing.
const READ_EVENTS = {
  name: 'read_events',
  text: `
SELECT string_agg(position::text, ',') AS positions, string_agg(config_version::text, ',') AS config_versions,
  string_agg((date_part('epoch', time) * 1000)::text, ',') AS times, string_agg((date_part('epoch', appended_at) * 1000)::text, ',') AS appended,
  string_agg(event_id, ',') AS ids, string_agg(type, ',') AS types, string_agg(coalesce(array_to_string(channels, ','), ''), E'\\n') AS channels,
  string_agg(octet_length(data)::text, ',') AS lengths, string_agg(data, '') AS data,
  string_agg(position || ':' || octet_length(origin), ',') AS origin_lengths, string_agg(origin, '') AS origins
FROM (
  SELECT *, sum(octet_length(data)) OVER (ORDER BY position) - octet_length(data) AS bytes_before
  FROM events WHERE app_id = $1 AND day = $2 AND position >= $3 AND position <= $4 ORDER BY position
) AS range
WHERE bytes_before < $5 GROUP BY position / 32`,
} satisfies Query;

interface ChunkRow {
  positions: string;
  config_versions: string;
  times: string;
  appended: string;
  ids: string;
  types: string;
  channels: string;
  lengths: string;
  data: Buffer;
  /** `position:bytes` of those that have one. */
  origin_lengths: string | null;
  origins: Buffer | null;
}

function toEvents(appId: string, day: string, row: ChunkRow): LogEvent[] {
  const positions = row.positions.split(',');
  const configVersions = row.config_versions.split(',');
  const times = row.times.split(',');
  const appended = row.appended.split(',');
  const ids = row.ids.split(',');
  const types = row.types.split(',');
  const channels = row.channels.split('\n');
  const lengths = row.lengths.split(',');
  const starts = [0];
  for (const length of lengths) starts.push(starts[starts.length - 1] + Number(length));
  const events = positions.map(
    (position, i): LogEvent => ({
      appId,
      position: Number(position),
      day,
      id: ids[i],
      type: types[i],
      timeMs: Math.round(Number(times[i])),
      appendedMs: Math.round(Number(appended[i])),
      channels: channels[i] === '' ? NO_CHANNELS : channels[i].split(','),
      configVersion: Number(configVersions[i]),
      // A copy: a slice would keep the whole chunk in memory for as long as one event of it.
      data: Buffer.from(row.data.subarray(starts[i], starts[i + 1])),
    }),
  );
  if (row.origin_lengths !== null) addOrigins(events, row.origin_lengths, row.origins!);
  return events;
}

function addOrigins(events: LogEvent[], lengths: string, origins: Buffer): void {
  const byPosition = new Map(events.map((event) => [event.position, event]));
  let at = 0;
  for (const entry of lengths.split(',')) {
    const [position, bytes] = entry.split(':').map(Number);
    byPosition.get(position)!.origin = Buffer.from(origins.subarray(at, at + bytes));
    at += bytes;
  }
}

const NO_CHANNELS: readonly string[] = [];

export interface ReadRange {
  appId: string;
  /** Positions from..to, both included. */
  from: number;
  to: number;
  /** A day not after that of `from`, and the last day to look at. */
  day: string;
  lastDay: string;
  maxBytes: number;
}

/**
 * The events of a range in order: at least one when there is any, and no more than the byte cap was reached with. Gaps at the
 * front mean that retention has dropped those positions.
 */
export async function readEvents(db: Queryable, range: ReadRange): Promise<LogEvent[]> {
  const appUuid = uuidFromId('app', range.appId);
  const events: LogEvent[] = [];
  let bytes = 0;
  let from = range.from;
  for (let day = range.day; day <= range.lastDay && from <= range.to && bytes < range.maxBytes; day = nextDay(day)) {
    const values = [appUuid, day, from, range.to, range.maxBytes - bytes];
    const runs = (await db.query<ChunkRow>(READ_EVENTS, values)).map((row) => toEvents(range.appId, day, row));
    for (const event of runs.sort((a, b) => a[0].position - b[0].position).flat()) {
      events.push(event);
      bytes += event.data.length;
      from = event.position + 1;
    }
  }
  return events;
}

// Short runs of many logs in one statement: a row per event, for they are few. Bounded by bytes as above.
const READ_RANGES = {
  name: 'read_ranges',
  text: `
SELECT range_number::integer, ${COLUMNS} FROM (
  SELECT r.range_number, e.*, sum(octet_length(e.data)) OVER (ORDER BY r.range_number, e.position) - octet_length(e.data) AS bytes_before
  FROM unnest($1::uuid[], $2::date[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS r(app_id, day, low, high, range_number)
  JOIN events e ON e.app_id = r.app_id AND e.day = r.day AND e.position BETWEEN r.low AND r.high
  WHERE e.app_id = ANY ($1::uuid[]) AND e.day = ANY ($2::date[])
) AS ranges
WHERE bytes_before < $5 ORDER BY range_number, position`,
} satisfies Query;

/** Positions from..to, both included, of one app and day. */
export interface EventRange {
  appId: string;
  day: string;
  from: number;
  to: number;
}

/** The events of each range, in order; of the last ranges fewer or none when there are more bytes than asked for. */
export async function readRanges(db: Queryable, ranges: EventRange[], maxBytes: number): Promise<LogEvent[][]> {
  const rows = await db.query<EventRow & { range_number: number }>(READ_RANGES, [
    ranges.map(({ appId }) => uuidFromId('app', appId)),
    ranges.map(({ day }) => day),
    ranges.map(({ from }) => from),
    ranges.map(({ to }) => to),
    maxBytes,
  ]);
  const found: LogEvent[][] = ranges.map(() => []);
  for (const row of rows) {
    const at = row.range_number - 1;
    found[at].push(toEvent(ranges[at].appId, ranges[at].day, row));
  }
  return found;
}

/** The day after `YYYY-MM-DD`. */
export function nextDay(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}

const EVENT_AT = {
  name: 'event_at',
  text: `SELECT ${COLUMNS} FROM events WHERE app_id = $1 AND day = $2 AND position = $3`,
} satisfies Query;

/** One event by its place; null when retention has dropped it. */
export async function readEventAt(
  db: Queryable,
  place: { appId: string; position: number; day: string },
): Promise<LogEvent | null> {
  const rows = await db.query<EventRow>(EVENT_AT, [uuidFromId('app', place.appId), place.day, place.position]);
  return rows.length === 0 ? null : toEvent(place.appId, place.day, rows[0]);
}

const EVENTS_AT = {
  name: 'events_at',
  text: `
SELECT ${COLUMNS}, day FROM (
  SELECT *, sum(octet_length(data)) OVER (ORDER BY position) - octet_length(data) AS bytes_before
  FROM events WHERE app_id = $1 AND day = ANY ($2::date[]) AND position = ANY ($3::bigint[])
) AS found
WHERE bytes_before < $4 ORDER BY position`,
} satisfies Query;

/** Events by their places, in order, until the byte cap is reached; those that retention has dropped are left out. */
export async function readEventsAt(
  db: Queryable,
  appId: string,
  places: readonly EventPlace[],
  maxBytes: number,
): Promise<LogEvent[]> {
  if (places.length === 0) return [];
  const days = [...new Set(places.map(({ day }) => day))];
  const positions = places.map(({ position }) => position);
  const rows = await db.query<EventRow & { day: string }>(EVENTS_AT, [
    uuidFromId('app', appId),
    days,
    positions,
    maxBytes,
  ]);
  return rows.map((row) => toEvent(appId, row.day, row));
}

const FIND_EVENT = {
  name: 'find_event',
  text: `SELECT day::text AS day_text, ${COLUMNS} FROM events WHERE app_id = $1 AND event_id = $2 ORDER BY position DESC LIMIT 1`,
} satisfies Query;

/** One event by its id (the newest, when an id came again after its idempotency window). */
export async function findEvent(db: Queryable, appId: string, eventId: string): Promise<LogEvent | null> {
  const rows = await db.query<EventRow & { day_text: string }>(FIND_EVENT, [uuidFromId('app', appId), eventId]);
  return rows.length === 0 ? null : toEvent(appId, rows[0].day_text, rows[0]);
}

const FIND_PLACES = {
  name: 'find_places',
  text: `SELECT event_id, position, day FROM events WHERE app_id = $1 AND event_id = ANY ($2::text[]) ORDER BY position`,
} satisfies Query;

export interface EventPlace {
  position: number;
  day: string;
}

/** Where the events with these ids stand. */
export async function findPlaces(db: Queryable, appId: string, eventIds: string[]): Promise<Map<string, EventPlace>> {
  const rows = await db.query<{ event_id: string } & EventPlace>(FIND_PLACES, [uuidFromId('app', appId), eventIds]);
  return new Map(rows.map((row) => [row.event_id, { position: row.position, day: row.day }]));
}

const OLDEST_KEPT = {
  name: 'oldest_kept',
  text: `SELECT position, day FROM events WHERE app_id = $1 ORDER BY position LIMIT 1`,
} satisfies Query;

/** The first event that retention has kept; null for an empty log. */
export async function oldestKept(db: Queryable, appId: string): Promise<EventPlace | null> {
  const rows = await db.query<EventPlace>(OLDEST_KEPT, [uuidFromId('app', appId)]);
  return rows[0] ?? null;
}

const FIRST_KEPT = {
  name: 'first_kept',
  text: `
SELECT position, day FROM events WHERE app_id = $1 AND position > $2 AND position <= $3 AND day <= $4 ORDER BY position LIMIT 1`,
} satisfies Query;

/** The first event after a position that retention has kept; null when there is none up to a place. */
export async function firstKept(
  db: Queryable,
  appId: string,
  { after, upTo }: { after: number; upTo: EventPlace },
): Promise<EventPlace | null> {
  const values = [uuidFromId('app', appId), after, upTo.position, upTo.day];
  return (await db.query<EventPlace>(FIRST_KEPT, values))[0] ?? null;
}
