// What an endpoint is sent for an event. The published bytes of `data` go out as they came in.
import { formatTime } from './time.ts';

/**
 * The body in the format `standard`: `{"type":"…","timestamp":"…","data":…}`, as the Standard Webhooks specification
 * recommends ("Payload structure"). `type` matches EVENT_TYPE_PATTERN, so it needs no escapes.
 */
export function standardBody(event: { type: string; timeMs: number; data: Buffer }): Buffer {
  const head = `{"type":"${event.type}","timestamp":"${formatTime(event.timeMs)}","data":`;
  const body = Buffer.allocUnsafe(head.length + event.data.length + 1);
  body.write(head, 0, 'latin1');
  body.set(event.data, head.length);
  body[body.length - 1] = 0x7d;
  return body;
}

/** Several events in one body: an array of the same, each with its `id`, which stands in a header when an event comes alone. */
export function standardBatchBody(
  events: readonly { id: string; type: string; timeMs: number; data: Buffer }[],
): Buffer {
  const parts: Buffer[] = [];
  for (const [i, event] of events.entries()) {
    const head = `${i === 0 ? '[' : ','}{"id":"${event.id}","type":"${event.type}","timestamp":"${formatTime(event.timeMs)}","data":`;
    parts.push(Buffer.from(head, 'latin1'), event.data, CLOSE);
  }
  parts.push(END);
  return Buffer.concat(parts);
}

const CLOSE = Buffer.from('}');
const END = Buffer.from(']');
