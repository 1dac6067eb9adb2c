import { describe, expect, test } from 'vitest';
import { testIds } from '../../test/event-log.ts';
import { decodeCursor } from '../core/cursor.ts';
import type { LogEvent } from '../core/event.ts';
import { uuidFromId } from '../core/id.ts';
import { EventCache } from '../log/event-cache.ts';
import type { Queryable } from '../storage/database.ts';
import { FORMATS } from './log-format.ts';
import { RenderedLog } from './rendered-log.ts';

const DAY = '2026-11-21';
const instance = { cursorKey: Buffer.alloc(32, 3), generation: 4 };

/** What is not in memory is not there at all. */
const nothing: Queryable = {
  query: async () => [],
};

function setup(options: { maxBytes?: number; dataBytes?: number } = {}) {
  const { maxBytes = 1 << 20, dataBytes = 10 } = options;
  const appId = testIds.id('app');
  const cache = new EventCache({ db: nothing, options: { maxBytes: 64 << 20 } });
  const rendered = new RenderedLog({ cache, instance, maxBytes });
  const put = (from: number, to: number): void => {
    const events: LogEvent[] = [];
    for (let position = from; position <= to; position++) {
      const data = Buffer.from(`"${String(position).padEnd(dataBytes, 'x')}"`);
      const rest = { type: 'a.b', timeMs: 0, appendedMs: 0, channels: [], configVersion: 1 };
      events.push({ appId, position, day: DAY, id: `e${position}`, data, ...rest });
    }
    cache.put(appId, events);
  };
  const read = (position: number, head: number, format = FORMATS.json) =>
    rendered.read(format, appId, { position, day: DAY }, { position: head, day: DAY });
  return { appId, cache, rendered, put, read };
}

function positionsOf(text: string): number[] {
  return [...text.matchAll(/"position":(\d+)/g)].map(([, position]) => Number(position));
}

function textOf(events: NonNullable<Awaited<ReturnType<RenderedLog['read']>>>, from: number): string {
  const slices: Buffer[] = [];
  events.slice(from, events.end, true, slices);
  return Buffer.concat(slices).toString();
}

describe('rendered log', () => {
  test('is rendered once for all, and goes on with the log', async () => {
    const { put, read, rendered, appId } = setup();
    put(1, 10);
    const first = (await read(1, 10))!;
    expect(await read(5, 10)).toBe(first);
    put(11, 20);
    const more = (await read(11, 20))!;
    expect(more).toBe(first);
    expect(positionsOf(textOf(more, 1))).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(rendered.peek(FORMATS.json, appId, 20)).toBe(first);
    expect(rendered.peek(FORMATS.json, appId, 21)).toBeNull();
    expect(rendered.peek(FORMATS.ndjson, appId, 1)).toBeNull();
  });

  test('stops at the head it is asked for', async () => {
    const { put, read } = setup();
    put(1, 10);
    expect((await read(1, 5))!.end).toBe(6);
    expect((await read(6, 10))!.end).toBe(11);
  });

  test('holds the cursor of each event', async () => {
    const { put, read, appId } = setup();
    put(1, 3);
    const { events } = JSON.parse(`{"events":[${textOf((await read(1, 3))!, 1)}]}`);
    for (const { cursor, position } of events) {
      const place = decodeCursor(instance.cursorKey, uuidFromId('app', appId), cursor);
      expect(place).toEqual({ generation: 4, position, day: DAY });
    }
  });

  test('readers in the middle and at the beginning of a chunk come to share it', async () => {
    const { put, read } = setup();
    put(1, 100);
    const late = (await read(60, 100))!;
    expect(late.first).toBe(60);
    const early = (await read(10, 100))!;
    expect(positionsOf(textOf(early, 10))).toHaveLength(91);
    expect(await read(60, 100)).toBe(early);
  });

  test('ends with its chunk, and knows nothing of what is gone', async () => {
    const { put, read } = setup();
    put(200, 300);
    expect((await read(200, 300))!.end).toBe(256);
    expect((await read(256, 300))!.end).toBe(301);
    expect(await read(100, 300)).toBeNull();
  });

  test('takes no more memory than it may, and drops what was not used longest', async () => {
    const { put, read, rendered, appId } = setup({ maxBytes: 300_000, dataBytes: 200 });
    put(1, 256 * 8 - 1);
    for (let chunk = 0; chunk < 8; chunk++) {
      await read(Math.max(1, chunk * 256), 256 * 8 - 1);
      await read(1, 256 * 8 - 1);
      expect(rendered.bytes).toBeLessThanOrEqual(300_000);
    }
    expect(rendered.peek(FORMATS.json, appId, 1)).not.toBeNull();
    expect(rendered.peek(FORMATS.json, appId, 256)).toBeNull();
    rendered.forget(appId);
    expect(rendered.bytes).toBe(0);
  });

  test('serves what is larger than all its memory', async () => {
    const { put, read, rendered } = setup({ maxBytes: 10_000, dataBytes: 20_000 });
    put(1, 3);
    expect(textOf((await read(1, 3))!, 1)).toHaveLength(textOf((await read(1, 3))!, 1).length);
    expect(positionsOf(textOf((await read(2, 3))!, 2))).toEqual([2, 3]);
    expect(rendered.bytes).toBe(0);
  });
});
