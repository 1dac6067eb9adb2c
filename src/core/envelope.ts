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
