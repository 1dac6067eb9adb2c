import { z } from 'zod';
import type { LogEvent } from '../core/event.ts';
import { FORMATS } from '../pull/log-format.ts';
import type { LogPlace } from './engine.ts';
import { Time } from './text.ts';

export { cursorWriter } from '../core/cursor.ts';

export const EventSchema = z
  .object({
    id: z.string(),
    type: z.string(),
    time: Time,
    position: z.int().describe("The event's number in its app's log: 1, 2, 3 …"),
    cursor: z.string().describe('To read on after this event.'),
    channels: z.array(z.string()),
    data: z.unknown().describe('Any JSON value, byte for byte as published.'),
    webhook: z
      .object({
        headers: z.object({
          'webhook-id': z.string(),
          'webhook-timestamp': z.string(),
          'webhook-signature': z.string(),
        }),
        body: z.string().describe('What is signed: the body that the endpoint would be sent.'),
      })
      .optional()
      .describe('With `signatures` only: the event as a webhook, for a receiver that verifies (Standard Webhooks).'),
  })
  .meta({ id: 'Event' });

export function renderEvent(event: LogEvent, cursorOf: (place: LogPlace) => string): Buffer {
  const { before, after } = FORMATS.json;
  return Buffer.concat([Buffer.from(before(event, cursorOf(event))), event.data, Buffer.from(after)]);
}
