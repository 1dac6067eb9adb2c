import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LogEvent } from '../core/event.ts';
import { FORMATS, LOG_FORMATS } from './log-format.ts';
import { RenderedEvents } from './rendered-events.ts';

const cursorOf = ({ position }: { position: number }) => `c${position}`;

function anEvent(position: number, data: string): LogEvent {
  return {
    appId: 'app_1',
    position,
    day: `2026-11-${String(10 + (position % 10)).padStart(2, '0')}`,
    id: `evt_${position}`,
    type: 'invoice.paid',
    timeMs: 1_795_255_200_000 + position,
    appendedMs: 0,
    channels: position % 3 === 0 ? ['eu', 'a:b/c'] : [],
    configVersion: 1,
    data: Buffer.from(data),
  };
}

describe('rendered events', () => {
  test('any run of them is what its events are one by one, however they came', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...LOG_FORMATS),
        fc.nat(1000),
        fc.array(fc.array(fc.nat(3000), { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.nat(),
        fc.boolean(),
        (name, first, batches, seedFrom, seedTo, bare) => {
          const format = FORMATS[name];
          const rendered = new RenderedEvents(format, first);
          const events: LogEvent[] = [];
          for (const sizes of batches) {
            const batch = sizes.map((size, i) => anEvent(first + events.length + i, `"${'é'.repeat(size)}"`));
            rendered.append(batch, cursorOf);
            events.push(...batch);
          }
          const from = first + (seedFrom % events.length);
          const to = from + 1 + (seedTo % (first + events.length - from));
          const slices: Buffer[] = [];
          const bytes = rendered.slice(from, to, bare, slices);
          const expected = events
            .slice(from - first, to - first)
            .map((event) => format.before(event, cursorOf(event)) + event.data.toString() + format.after)
            .join(format.separator);
          expect(Buffer.concat(slices).toString()).toBe(bare ? expected : format.separator + expected);
          expect(bytes).toBe(Buffer.concat(slices).length);
          expect(rendered.end).toBe(first + events.length);
          expect(rendered.dayOf(from)).toBe(events[from - first].day);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('says how many fit, and always one', () => {
    const rendered = new RenderedEvents(FORMATS.json, 1);
    rendered.append(
      [1, 2, 3, 4].map((position) => anEvent(position, '"x"')),
      cursorOf,
    );
    const size = rendered.slice(1, 2, false, []);
    expect(rendered.fitting(1, 5, 1)).toBe(1);
    expect(rendered.fitting(1, 5, size)).toBe(1);
    expect(rendered.fitting(2, 5, 1_000_000)).toBe(3);
    expect(rendered.fitting(1, 3, 1_000_000)).toBe(2);
    expect(rendered.fitting(1, 5, rendered.slice(1, 4, false, []))).toBe(3);
  });

  test('what was handed out stays as it is while more comes', () => {
    const rendered = new RenderedEvents(FORMATS.json, 1);
    rendered.append([anEvent(1, '"x"')], cursorOf);
    const slices: Buffer[] = [];
    rendered.slice(1, 2, true, slices);
    const before = Buffer.concat(slices).toString();
    for (let position = 2; position < 200; position++) rendered.append([anEvent(position, `"${position}"`)], cursorOf);
    expect(Buffer.concat(slices).toString()).toBe(before);
  });

  test('keeps an event on its line without changing what it says', () => {
    const data = '{\r\n "a" : [1,\n2\t],\n "b": "\\n\\u000a\u2028 " , "c":12345678901234567890}';
    const rendered = new RenderedEvents(FORMATS.ndjson, 1);
    rendered.append([anEvent(1, data), anEvent(2, '\n1\n')], cursorOf);
    const slices: Buffer[] = [];
    rendered.slice(1, 3, true, slices);
    const lines = Buffer.concat(slices).toString().split(/\r|\n/);
    expect(lines).toHaveLength(2);
    expect(lines.map((line) => JSON.parse(line).data)).toEqual([JSON.parse(data), 1]);
    expect(lines[0]).toContain('"c":12345678901234567890');
  });
});
