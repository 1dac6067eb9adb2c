import { describe, expect, test } from 'vitest';
import type { LogEvent } from '../core/event.ts';
import { sseForm, webSocketForm } from './stream-form.ts';

function anEvent(data: string): LogEvent {
  return {
    appId: 'app_1',
    position: 7,
    day: '2026-11-21',
    id: 'evt_1',
    type: 'a.b',
    timeMs: 0,
    appendedMs: 0,
    channels: ['eu'],
    configVersion: 1,
    data: Buffer.from(data),
  };
}

const cursorOf = ({ position }: { position: number }): string => `c${position}`;
const HEAD =
  '{"id":"evt_1","type":"a.b","time":"1970-01-01T00:00:00.000Z","position":7,"cursor":"c7","channels":["eu"],"data":';

/** RFC 6455, 5.2: one unmasked text frame that is the whole message. */
function readFrame(frame: Buffer): string {
  expect(frame[0]).toBe(0x81);
  const [start, length] =
    frame[1] < 126
      ? [2, frame[1]]
      : frame[1] === 126
        ? [4, frame.readUInt16BE(2)]
        : [10, Number(frame.readBigUInt64BE(2))];
  if (frame[1] === 126) expect(length).toBeGreaterThan(125);
  if (frame[1] === 127) expect(length).toBeGreaterThan(65_535);
  expect(frame).toHaveLength(start + length);
  return frame.subarray(start).toString();
}

describe('stream form', () => {
  const sse = (data: string): string => Buffer.concat(sseForm(cursorOf).render(anEvent(data))).toString();

  test('is a block of SSE: the cursor as id, the event as data', () => {
    expect(sse('{"a":"ü\\n"}')).toBe(`id: c7\ndata: ${HEAD}{"a":"ü\\n"}}\n\n`);
  });

  test.each([
    ['\n', ['', '']],
    ['{\n"a":1\r\n}', ['{', '"a":1', '}']],
    ['[1,\r2\r]', ['[1,', '2', ']']],
    ['[\r\r\n\n]', ['[', '', '', ']']],
    ['1\n', ['1', '']],
  ])('makes a line of data for each line of %j', (data, lines) => {
    expect(sse(data)).toBe(`id: c7\ndata: ${HEAD}${lines.join('\ndata: ')}}\n\n`);
  });

  test.each([0, 1, 125, 126, 127, 65_535, 65_536, 200_000])(
    'is a WebSocket frame, of %i bytes or as small as it gets',
    (length) => {
      const empty = `{"type":"event","event":${HEAD}""}}`;
      const data = `"${'x'.repeat(Math.max(0, length - empty.length))}"`;
      const frame = Buffer.concat(webSocketForm(cursorOf).render(anEvent(data)));
      const text = `{"type":"event","event":${HEAD}${data}}}`;
      expect(readFrame(frame)).toBe(text);
      expect(text).toHaveLength(Math.max(length, empty.length));
    },
  );
});
