import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anApp, anEvent } from '../../test/event-log.ts';
import { until } from '../../test/until.ts';
import type { TidingsError } from '../core/errors.ts';
import { uuidFromId } from '../core/id.ts';
import { EventCache } from '../log/event-cache.ts';
import { GapReader } from '../log/gap-reader.ts';
import { Tail } from '../log/tail.ts';
import { appendEvents } from '../storage/append.ts';
import { readHead } from '../storage/heads.ts';
import { type FrameForm, FrameRuns } from './frame-runs.ts';
import { LogReaders } from './log-readers.ts';
import type { LogStream, StreamSink } from './log-stream.ts';
import { openStream, type StreamRequest } from './open-stream.ts';
import { RenderedLog } from './rendered-log.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

const FORM: FrameForm = { name: 'test', render: ({ position }) => [Buffer.from(`${position} `)] };

/** Takes what it is told to, and keeps it. */
class Sink implements StreamSink {
  readonly failures: string[] = [];
  text = '';
  credit: number;
  most = 0;
  stream: LogStream | null = null;

  constructor(credit: number) {
    this.credit = credit;
  }
  room(): number {
    return this.credit;
  }
  write(frames: Buffer, events: number): void {
    this.credit -= events;
    this.most = Math.min(this.most, this.credit);
    this.text += frames;
  }
  failed(error: TidingsError): void {
    this.failures.push(error.code);
  }
  grant(events: number): void {
    this.credit += events;
    this.stream?.resume();
  }
  get positions(): number[] {
    return this.text.trim().split(' ').filter(Boolean).map(Number);
  }
}

async function setup({ cacheBytes = 8 * 1024 * 1024, runBytes = 256 * 1024, runsBytes = 4 * 1024 * 1024 } = {}) {
  const { db } = database;
  const appId = await anApp(db);
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const cache = new EventCache({ db, options: { maxBytes: cacheBytes, maxReadBytes: 20_000 } });
  const rendered = new RenderedLog({ cache, instance: { cursorKey: Buffer.alloc(32), generation: 1 } });
  const readers = new LogReaders({ onError });
  const tail = new Tail({
    cache,
    gaps: new GapReader({ db, cache }),
    isWanted: () => true,
    onEvents: (id, _events, head) => readers.moved(id, head),
    onHead: (id, head) => readers.moved(id, head),
    onConfigChanged: () => {},
    onError,
  });
  const runs = new FrameRuns({ db, cache, rendered, options: { maxBytes: runsBytes, maxRunBytes: runBytes } });
  const head = async () => (await readHead(db, appId))!;
  /** Appends, and lets the tail know: of the events, or only of where the log ends. */
  const append = async (count: number, { isOwn = true, type = 'a.b', data = '"some data"' } = {}) => {
    const events = Array.from({ length: count }, () => anEvent({ type, data: Buffer.from(data) }));
    const [group] = await appendEvents(db, [{ appId, events }]);
    const { base, day, configVersion, appendedMs } = group!;
    if (!isOwn) tail.headFound(appId, await head());
    else
      tail.committed(
        appId,
        events.map((event, i) => ({ ...event, appId, position: base + i + 1, day, configVersion, appendedMs })),
      );
  };
  const open = async (sink: Sink, more: Partial<StreamRequest> = {}, meanwhile = async () => {}): Promise<Sink> => {
    const request = { appId, after: null, filter: {}, form: FORM, sink, ...more };
    const parts = { db, runs, readers, tail, readHead: head, onError };
    sink.stream = await openStream(parts, request);
    await meanwhile();
    sink.stream.start();
    return sink;
  };
  return { appId, append, open, head, readers, errors };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe('log stream', () => {
  test('writes each event once and in order, and no more than there is room for, however little memory there is', async () => {
    const step = fc.oneof(
      fc.record({ append: fc.integer({ min: 1, max: 300 }), isOwn: fc.boolean() }),
      fc.record({ grant: fc.constantFrom(1, 2, 50, 1000) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.constantFrom(1, 20_000, 8 * 1024 * 1024),
        fc.constantFrom(1, 100, 256 * 1024),
        async (steps, cacheBytes, runBytes) => {
          const log = await setup({ cacheBytes, runBytes, runsBytes: runBytes * 3 });
          const sinks = [await log.open(new Sink(0)), await log.open(new Sink(3)), await log.open(new Sink(1e9))];
          let count = 0;
          for (const one of steps) {
            if ('append' in one) {
              await log.append(one.append, { isOwn: one.isOwn });
              count += one.append;
            } else {
              for (const sink of sinks) sink.grant(one.grant);
            }
          }
          sinks.push(await log.open(new Sink(1e9)), await log.open(new Sink(1e9), { after: 'now' }));
          for (const sink of sinks) sink.grant(1e6);
          await until(() => sinks.every(({ stream }) => stream!.cursor.position === count));
          expect(sinks.map(({ positions }) => positions)).toEqual([...Array(4).fill(upTo(count)), []]);
          expect(sinks.map(({ most }) => most)).toEqual([0, 0, 0, 0, 0]);
          for (const { stream } of sinks) stream!.stop();
          expect([log.readers.count, log.errors]).toEqual([0, []]);
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);

  test('is sent what came between the look at where the log ends and its start', async () => {
    const log = await setup();
    await log.append(1);
    // Who follows is told, and this one does not yet.
    const sink = await log.open(new Sink(1e9), { after: 'now' }, () => log.append(2));
    await until(() => sink.positions.length === 2);
    expect(sink.positions).toEqual([2, 3]);
    sink.stream!.stop();
  });

  test('goes over what does not match, and is sent the rest', async () => {
    const log = await setup();
    const none = await log.open(new Sink(0), { filter: { types: ['none'] } });
    const some = await log.open(new Sink(2), { filter: { types: ['c.*'] } });
    for (let round = 0; round < 3; round++) {
      await log.append(400);
      await log.append(1, { type: 'c.d' });
    }
    none.grant(1);
    await until(() => none.stream!.cursor.position === 1203);
    await until(() => some.positions.length === 2);
    some.grant(1);
    await until(() => some.positions.length === 3);
    expect([none.positions, some.positions]).toEqual([[], [401, 802, 1203]]);
    for (const { stream } of [none, some]) stream!.stop();
  });

  test('renders an event once for all who are at the same place', async () => {
    const log = await setup();
    let rendered = 0;
    const form: FrameForm = {
      name: 'counted',
      render: (event) => {
        rendered++;
        return FORM.render(event);
      },
    };
    const sinks = await Promise.all(Array.from({ length: 50 }, () => log.open(new Sink(1e9), { form })));
    await log.append(10);
    await until(() => sinks.every(({ positions }) => positions.length === 10));
    expect(rendered).toBe(10);
    for (const { stream } of sinks) stream!.stop();
  });

  test('fails in words when retention overtakes it, before it begins and after', async () => {
    const log = await setup({ cacheBytes: 1, runsBytes: 1 });
    await log.append(600, { isOwn: false });
    const slow = await log.open(new Sink(10));
    await until(() => slow.positions.length === 10);
    const expire = { name: 'expire', text: 'DELETE FROM events WHERE app_id = $1 AND position <= 500' };
    await database.db.query(expire, [uuidFromId('app', log.appId)]);
    slow.grant(1000);
    await until(() => slow.failures.length > 0);
    expect(slow.failures).toEqual(['cursor_expired']);
    const { day } = await log.head();
    const begin = (position: number) => log.open(new Sink(1e9), { after: { position, day } });
    await expect(begin(499)).rejects.toMatchObject({ code: 'cursor_expired' });
    await expect(begin(601)).rejects.toMatchObject({ code: 'cursor_ahead' });
    const oldest = await log.open(new Sink(1e9));
    await until(() => oldest.positions.length === 100);
    expect(oldest.positions[0]).toBe(501);
    oldest.stream!.stop();
    expect(log.readers.count).toBe(0);
  });
});
