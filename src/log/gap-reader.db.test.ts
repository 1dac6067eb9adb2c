import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anApp, anEvent } from '../../test/event-log.ts';
import { appendEvents } from '../storage/append.ts';
import type { Queryable } from '../storage/database.ts';
import { EventCache, type LogPlace } from './event-cache.ts';
import { GapReader } from './gap-reader.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(() => database.close());

interface Log {
  appId: string;
  place(position: number): LogPlace;
}

/** An app whose log holds so many events of so many bytes. */
async function aLog(count: number, bytes = 2): Promise<Log> {
  const appId = await anApp(database.db);
  const data = Buffer.from(JSON.stringify('x'.repeat(bytes)));
  const events = Array.from({ length: count }, () => anEvent({ data }));
  const [group] = await appendEvents(database.db, [{ appId, events }]);
  return { appId, place: (position) => ({ position, day: group!.day }) };
}

function setup() {
  const statements: string[] = [];
  const db: Queryable = {
    query: (query, values) => {
      statements.push(query.name);
      return database.db.query(query, values);
    },
  };
  const cache = new EventCache({ db });
  return { gaps: new GapReader({ db, cache }), cache, statements };
}

describe('gap reader', () => {
  test('reads the gaps of many apps in few statements, each app its own', async () => {
    const { gaps, statements } = setup();
    const logs = await Promise.all(Array.from({ length: 20 }, (_, i) => aLog(10 + i)));
    const read = await Promise.all(logs.map(({ appId, place }) => gaps.read(appId, place(3), place(8))));
    for (const [i, events] of read.entries()) {
      expect(events.map(({ position }) => position)).toEqual([3, 4, 5, 6, 7, 8]);
      expect(new Set(events.map(({ appId }) => appId))).toEqual(new Set([logs[i].appId]));
    }
    expect(statements.length).toBeLessThanOrEqual(2);
  });

  test('what does not fit into a statement is read all the same', async () => {
    const { gaps } = setup();
    const logs = await Promise.all([1, 2, 3].map(() => aLog(4, 900_000)));
    await Promise.all(
      logs.map(async ({ appId, place }) => {
        const seen: number[] = [];
        for (let from = 1; from <= 4; ) {
          const events = await gaps.read(appId, place(from), place(4));
          seen.push(...events.map(({ position }) => position));
          from = seen[seen.length - 1] + 1;
        }
        expect(seen).toEqual([1, 2, 3, 4]);
      }),
    );
  });

  test('a long gap comes in chunks, and one that is in memory without a statement', async () => {
    const { gaps, statements } = setup();
    const { appId, place } = await aLog(600);
    expect((await gaps.read(appId, place(1), place(600))).length).toBe(255);
    const before = statements.length;
    expect((await gaps.read(appId, place(10), place(20))).length).toBeGreaterThanOrEqual(11);
    expect(statements.length).toBe(before);
  });
});
