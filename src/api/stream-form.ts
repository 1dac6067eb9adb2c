// The two forms of a stream: an event as a block of SSE (HTML standard, 9.2.5) and as a WebSocket frame (RFC 6455, 5.2). Both are written to
// the socket as they are, so that all readers of an app share the bytes.
import type { LogEvent } from '../core/event.ts';
import type { FrameForm } from '../pull/frame-runs.ts';
import { FORMATS } from '../pull/log-format.ts';
import type { LogPlace } from './engine.ts';

const { json } = FORMATS;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const DATA = Buffer.from('\ndata: ');
const SSE_END = Buffer.from(`${json.after}\n\n`);

/** `id` is the cursor, the data is the event as everywhere; its type is inside, so that `onmessage` gets every event. */
export function sseForm(cursorOf: (place: LogPlace) => string): FrameForm {
  return {
    name: 'sse',
    render(event: LogEvent) {
      const cursor = cursorOf(event);
      const head = Buffer.from(`id: ${cursor}\ndata: ${json.before(event, cursor)}`);
      return [head, ...lines(event.data), SSE_END];
    },
  };
}

/** A block that tells where the reader is, for when the log went on without an event for it. */
export function sseCursor(cursor: string): string {
  return `event: cursor\nid: ${cursor}\ndata: {"cursor":"${cursor}"}\n\n`;
}

// A line break ends a line of SSE, and JSON may have raw ones between its tokens: each begins a further line of data, which
// the reader puts together again with a line feed between.
function lines(data: Buffer): Buffer[] {
  if (!data.includes(LINE_FEED) && !data.includes(CARRIAGE_RETURN)) return [data];
  const pieces: Buffer[] = [];
  let start = 0;
  for (let at = 0; at < data.length; at++) {
    if (data[at] !== LINE_FEED && data[at] !== CARRIAGE_RETURN) continue;
    pieces.push(data.subarray(start, at), DATA);
    if (data[at] === CARRIAGE_RETURN && data[at + 1] === LINE_FEED) at++;
    start = at + 1;
  }
  pieces.push(data.subarray(start));
  return pieces;
}

const ENVELOPE = '{"type":"event","event":';
const CLOSE = Buffer.from(`${json.after}}`);

/** One text message for each event: `{"type":"event","event":{…}}`. */
export function webSocketForm(cursorOf: (place: LogPlace) => string): FrameForm {
  return {
    name: 'websocket',
    render(event: LogEvent) {
      const head = Buffer.from(ENVELOPE + json.before(event, cursorOf(event)));
      return [frameHeader(head.length + event.data.length + CLOSE.length), head, event.data, CLOSE];
    },
  };
}

const FINAL_TEXT = 0x81;

/** Of an unmasked text frame that is the whole message. */
function frameHeader(length: number): Buffer {
  if (length < 126) return Buffer.from([FINAL_TEXT, length]);
  if (length < 65_536) return Buffer.from([FINAL_TEXT, 126, length >> 8, length & 0xff]);
  const header = Buffer.alloc(10);
  header[0] = FINAL_TEXT;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}
