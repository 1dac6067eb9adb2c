// The one statement that writes the log. It advances the heads of all apps of the batch (taking their row locks until
// commit) and inserts the events under the positions so gained: position order = commit order per app (design, "Append").
//
// Payloads travel as one binary blob that is cut up in Postgres: as a bytea[] literal they would be hex-escaped, twice the
// bytes and most of the cost. The other columns are array literals; ids and types hold no character that needs escaping.

import type { NewEvent } from '../core/event.ts';
import { uuidFromId } from '../core/id.ts';
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
  INSERT INTO events (app_id, position, config_version, time, appended_at, day, event_id, type, channels, data)
  SELECT a.app_id, a.base + e.ordinal, a.config_version, to_timestamp(e.time_ms / 1000), now(), a.last_day,
         e.event_id, e.type, e.channels::text[], substring($10::bytea FROM e.start FOR e.bytes)
  FROM unnest($3::integer[], $4::integer[], $5::float8[], $6::text[], $7::text[], $8::text[], $9::integer[], $11::integer[])
       AS e(app_number, ordinal, time_ms, event_id, type, channels, start, bytes)
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
  let totalBytes = 0;
  for (const group of groups) for (const event of group.events) totalBytes += event.data.length;
  const blob = Buffer.allocUnsafe(totalBytes);
  const appIds: string[] = [];
  const counts: number[] = [];
  const appNumbers: number[] = [];
  const ordinals: number[] = [];
  const times: number[] = [];
  const eventIds: string[] = [];
  const types: string[] = [];
  const channels: string[] = [];
  const starts: number[] = [];
  const lengths: number[] = [];
  let at = 0;
  for (const group of groups) {
    appIds.push(uuidFromId('app', group.appId));
    counts.push(group.events.length);
    let ordinal = 0;
    for (const event of group.events) {
      appNumbers.push(appIds.length);
      ordinals.push(++ordinal);
      times.push(event.timeMs);
      eventIds.push(event.id);
      types.push(event.type);
      channels.push(event.channels.length === 0 ? 'NULL' : `"{${event.channels.map((c) => `\\"${c}\\"`).join(',')}}"`);
      starts.push(at + 1);
      lengths.push(event.data.length);
      event.data.copy(blob, at);
      at += event.data.length;
    }
  }
  return [
    arrayLiteral(appIds),
    arrayLiteral(counts),
    arrayLiteral(appNumbers),
    arrayLiteral(ordinals),
    arrayLiteral(times),
    quotedArrayLiteral(eventIds),
    quotedArrayLiteral(types),
    arrayLiteral(channels),
    arrayLiteral(starts),
    blob,
    arrayLiteral(lengths),
  ];
}

/** `{a,b}` for numbers, UUIDs and what is already quoted; null becomes NULL. */
export function arrayLiteral(values: (string | number | boolean | null)[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ',';
    text += values[i] === null ? 'NULL' : values[i];
  }
  return `${text}}`;
}

/** `{"a","b"}` for texts without a quote or backslash. Quoted, because an id may read NULL. */
export function quotedArrayLiteral(values: string[]): string {
  return values.length === 0 ? '{}' : `{"${values.join('","')}"}`;
}
