// The one statement that writes the log. It advances the heads of all apps of the batch (taking their row locks until
// commit) and inserts the events under the positions so gained: position order = commit order per app (design, "Append").
//
// Payloads travel as one binary blob that is cut up in Postgres: as a bytea[] literal they would be hex-escaped, twice the
// bytes and most of the cost. The other columns are binary arrays.

import type { NewEvent } from '../core/event.ts';
import { uuidFromId } from '../core/id.ts';
import { float8Array, int4Array, textArray, uuidArray } from './binary-array.ts';
import type { Query, Queryable } from './database.ts';

export interface AppendGroup {
  appId: string;
  events: NewEvent[];
}

/** Where a group's events came to stand: positions base + 1, base + 2, … */
export interface AppendedGroup {
  base: number;
  day: string;
  configVersion: number;
  appendedMs: number;
}

export const APPEND_EVENTS = {
  name: 'append_events',
  text: `
WITH advanced AS (
  UPDATE heads h
  SET last_position = h.last_position + b.events,
      last_day = greatest(h.last_day, (now() AT TIME ZONE 'UTC')::date),
      changed_at = now()
  FROM unnest($1::uuid[], $2::integer[]) WITH ORDINALITY AS b(app_id, events, app_number)
  WHERE h.app_id = b.app_id
  RETURNING b.app_number, h.app_id, h.last_position - b.events AS base, h.last_day, h.config_version
), inserted AS (
  INSERT INTO events (app_id, position, config_version, time, appended_at, day, event_id, type, channels, data, origin)
  SELECT a.app_id, a.base + e.ordinal, a.config_version, to_timestamp(e.time_ms / 1000), now(), a.last_day,
         e.event_id, e.type, e.channels::text[], substring($10::bytea FROM e.start FOR e.bytes),
         CASE WHEN e.origin_bytes IS NOT NULL THEN substring($10::bytea FROM e.start + e.bytes FOR e.origin_bytes) END
  FROM unnest($3::integer[], $4::integer[], $5::float8[], $6::text[], $7::text[], $8::text[], $9::integer[], $11::integer[], $12::integer[])
       AS e(app_number, ordinal, time_ms, event_id, type, channels, start, bytes, origin_bytes)
  JOIN advanced a ON a.app_number = e.app_number
)
SELECT app_number::integer, base, last_day, config_version, (date_part('epoch', now()) * 1000)::float8 AS appended_ms FROM advanced`,
} satisfies Query;

interface AdvancedRow {
  app_number: number;
  base: number;
  last_day: string;
  config_version: number;
  appended_ms: number;
}

/** Appends the groups (one per app) in one statement; null in the place of a group whose app does not exist. */
export async function appendEvents(db: Queryable, groups: AppendGroup[]): Promise<(AppendedGroup | null)[]> {
  const rows = await db.query<AdvancedRow>(APPEND_EVENTS, encodeGroups(groups));
  const appended: (AppendedGroup | null)[] = groups.map(() => null);
  for (const row of rows) {
    appended[row.app_number - 1] = {
      base: row.base,
      day: row.last_day,
      configVersion: row.config_version,
      appendedMs: Math.round(row.appended_ms),
    };
  }
  return appended;
}

function encodeGroups(groups: AppendGroup[]): unknown[] {
  const rows: EventRow[] = [];
  let start = 1;
  for (let i = 0; i < groups.length; i++) {
    let ordinal = 0;
    for (const event of groups[i].events) {
      rows.push({ event, appNumber: i + 1, ordinal: ++ordinal, start });
      start += event.data.length + (event.origin?.length ?? 0);
    }
  }
  const blob = Buffer.allocUnsafe(start - 1);
  for (const { event, start } of rows) {
    event.data.copy(blob, start - 1);
    event.origin?.copy(blob, start - 1 + event.data.length);
  }
  return [
    uuidArray(groups, (group) => uuidFromId('app', group.appId)),
    int4Array(groups, (group) => group.events.length),
    int4Array(rows, (row) => row.appNumber),
    int4Array(rows, (row) => row.ordinal),
    float8Array(rows, (row) => row.event.timeMs),
    textArray(rows, (row) => row.event.id),
    textArray(rows, (row) => row.event.type),
    textArray(rows, ({ event }) => (event.channels.length === 0 ? null : textArrayLiteral(event.channels))),
    int4Array(rows, (row) => row.start),
    blob,
    int4Array(rows, (row) => row.event.data.length),
    int4Array(rows, (row) => row.event.origin?.length ?? null),
  ];
}

interface EventRow {
  event: NewEvent;
  appNumber: number;
  ordinal: number;
  /** Where its data begins in the blob, with its origin behind it; the first byte is 1, as substring counts. */
  start: number;
}

/** `{"a","b"}`; channels hold no quote or backslash. Quoted, because one may read NULL. */
export function textArrayLiteral(values: readonly string[]): string {
  return `{"${values.join('","')}"}`;
}
