// Events as JSON, put together by hand: `data` goes out byte for byte as it came in, never parsed and written again. Ids and
// types hold no character that JSON escapes (core/event.ts).
import { z } from 'zod';
import { encodeCursor } from '../core/cursor.ts';
import type { LogEvent } from '../core/event.ts';
import { formatTime } from '../core/time.ts';
import type { Instance } from '../storage/instance.ts';
import type { LogPlace } from './engine.ts';
import { Time } from './text.ts';

export const EventSchema = z
  .object({
    id: z.string(),
    type: z.string(),
    time: Time,
    position: z.int().describe("The event's number in its app's log: 1, 2, 3 …"),
    cursor: z.string().describe('To read on after this event.'),
    channels: z.array(z.string()),
    data: z.unknown().describe('Any JSON value, byte for byte as published.'),
  })
  .meta({ id: 'Event' });

/** Makes cursors of one app. */
export function cursorWriter(instance: Instance, appUuid: string): (place: LogPlace) => string {
  const { cursorKey, generation } = instance;
  return ({ position, day }) => encodeCursor(cursorKey, { appUuid, generation, position, day });
}

const CLOSE = Buffer.from('}');
const COMMA = Buffer.from(',');

function eventParts(event: LogEvent, cursorOf: (place: LogPlace) => string): Buffer[] {
  const head =
    `{"id":"${event.id}","type":"${event.type}","time":"${formatTime(event.timeMs)}",` +
    `"position":${event.position},"cursor":"${cursorOf(event)}","channels":${JSON.stringify(event.channels)},"data":`;
  return [Buffer.from(head), event.data, CLOSE];
}

export function renderEvent(event: LogEvent, cursorOf: (place: LogPlace) => string): Buffer {
  return Buffer.concat(eventParts(event, cursorOf));
}

/** A page of the log: `{events, cursor, done}`. */
export function renderEventPage(
  page: { events: LogEvent[]; cursor: LogPlace; done: boolean },
  cursorOf: (place: LogPlace) => string,
): Buffer {
  const parts: Buffer[] = [Buffer.from('{"events":[')];
  page.events.forEach((event, i) => {
    if (i > 0) parts.push(COMMA);
    parts.push(...eventParts(event, cursorOf));
  });
  parts.push(Buffer.from(`],"cursor":"${cursorOf(page.cursor)}","done":${page.done}}`));
  return Buffer.concat(parts);
}
