import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anApp, anEvent } from '../../test/event-log.ts';
import type { LogEvent } from '../core/event.ts';
import { changedHeads, readHead } from '../storage/heads.ts';
import { ensurePartitions } from '../storage/partitions.ts';
import { EventCache } from './event-cache.ts';
import { GapReader } from './gap-reader.ts';
import { Tail } from './tail.ts';
import { Writer } from './writer.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(() => database.close());

/** A process as far as the log is concerned: its writer, its tail, and what its tail has handed on. */
function aProcess(cacheBytes = 1_000_000) {
  const seen = new Map<string, { from: number; events: LogEvent[] }>();
  const cache = new EventCache({ db: database.db, options: { maxBytes: cacheBytes } });
  const tail = new Tail({
    cache,
    gaps: new GapReader({ db: database.db, cache }),
    isWanted: () => true,
    onEvents: (appId, events) => seen.get(appId)!.events.push(...events),
    onHead: (appId, head) => seen.set(appId, { from: head.position, events: [] }),
    onConfigChanged: () => {},
    onError: (error) => {
      throw error;
    },
  });
  const writer = new Writer({
    db: database.db,
    onCommitted: (appId, events) => tail.committed(appId, events),
    ensurePartitions: () => ensurePartitions(database.db, { daysAhead: 7 }),
  });
  const poll = async (): Promise<void> => {
    for (const [appId, head] of await changedHeads(database.db, 30)) tail.headFound(appId, head);
  };
  return { tail, writer, seen, poll };
}

/** Lets gap reads end: polls until what was handed on reaches the head. */
async function untilCaughtUp(process: ReturnType<typeof aProcess>, appId: string): Promise<void> {
  const head = (await readHead(database.db, appId))!.position;
  const reached = (): boolean => {
    const seen = process.seen.get(appId);
    return seen !== undefined && seen.from + seen.events.length >= head;
  };
  while (!reached()) {
    await process.poll();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const step = fc.record({
  process: fc.nat(2),
  app: fc.nat(1),
  events: fc.integer({ min: 1, max: 40 }),
  poll: fc.boolean(),
  wait: fc.boolean(),
});

describe('tail', () => {
  test('hands on each position once and in order, whatever the interleaving of several processes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.constantFrom(2000, 1_000_000),
        async (steps, cacheBytes) => {
          const apps = [await anApp(database.db), await anApp(database.db)];
          const processes = [aProcess(cacheBytes), aProcess(cacheBytes), aProcess(cacheBytes)];
          const open: Promise<unknown>[] = [];
          for (const { process, app, events, poll, wait } of steps) {
            const { writer } = processes[process];
            open.push(
              writer.append({
                appId: apps[app],
                events: Array.from({ length: events }, () => anEvent()),
                idempotency: null,
              }),
            );
            if (poll) open.push(processes[(process + 1) % 3].poll());
            if (wait) await open[open.length - 1];
          }
          await Promise.all(open);
          for (const process of processes) {
            for (const appId of apps) {
              if ((await readHead(database.db, appId))!.position === 0) continue;
              await untilCaughtUp(process, appId);
              const { from, events } = process.seen.get(appId)!;
              expect(events.map((event) => event.position)).toEqual(events.map((_, i) => from + i + 1));
            }
            await process.writer.stop();
          }
        },
      ),
      { numRuns: 15 },
    );
  });

  test('steps over positions that retention has dropped', async () => {
    const [a, b] = [aProcess(), aProcess()];
    const appId = await anApp(database.db);
    const append = (n: number) =>
      a.writer.append({ appId, events: Array.from({ length: n }, () => anEvent()), idempotency: null });
    await append(1);
    await b.poll();
    await append(600);
    await database.db.query({ name: 'retain', text: 'DELETE FROM events WHERE position BETWEEN 2 AND 590' });
    await b.poll();
    while (b.seen.get(appId)!.events.at(-1)?.position !== 601) await new Promise((resolve) => setImmediate(resolve));
    expect(b.seen.get(appId)!.events.map((event) => event.position)).toEqual(
      Array.from({ length: 11 }, (_, i) => 591 + i),
    );
    await a.writer.stop();
    await b.writer.stop();
  });

  test('a configuration change without an event is told once', async () => {
    const told: number[] = [];
    const cache = new EventCache({ db: database.db });
    const tail = new Tail({
      cache,
      gaps: new GapReader({ db: database.db, cache }),
      isWanted: () => true,
      onEvents: () => {},
      onHead: () => {},
      onConfigChanged: (_, head) => told.push(head.configVersion),
      onError: () => {},
    });
    const head = { position: 5, day: '2026-11-21', configVersion: 1 };
    tail.headFound('app', head);
    tail.headFound('app', { ...head, configVersion: 2 });
    tail.headFound('app', { ...head, configVersion: 2 });
    expect(told).toEqual([2]);
  });

  test('of an app that nobody wants only the end is told, and nothing is read', async () => {
    const ends: number[] = [];
    const reads: string[] = [];
    const db = {
      query: async (query: { name: string }) => {
        reads.push(query.name);
        return [];
      },
    } as never;
    const cache = new EventCache({ db });
    const tail = new Tail({
      cache,
      gaps: new GapReader({ db, cache }),
      isWanted: () => false,
      onEvents: () => {
        throw new Error('nobody wants them');
      },
      onHead: (_, head) => ends.push(head.position),
      onConfigChanged: () => {},
      onError: () => {},
    });
    for (const position of [5, 7, 9]) tail.headFound('app', { position, day: '2026-11-21', configVersion: 1 });
    expect(ends).toEqual([5, 7, 9]);
    expect(reads).toEqual([]);
  });
});
