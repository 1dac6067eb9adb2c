import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anApp, anEvent, testIds } from '../../test/event-log.ts';
import { encodeOrigin } from '../core/origin.ts';
import { findEvent, readEvents, readRanges } from '../storage/events.ts';
import { readHead } from '../storage/heads.ts';
import { ensurePartitions } from '../storage/partitions.ts';
import { Writer } from './writer.ts';

let database: TestDatabase;
let writer: Writer;
let appId: string;
const sourceId = testIds.id('source');

beforeEach(async () => {
  database = await testDatabase();
  writer = new Writer({
    db: database.db,
    onCommitted: () => {},
    ensurePartitions: () => ensurePartitions(database.db, { daysAhead: 7 }),
  });
  appId = await anApp(database.db);
});
afterEach(async () => {
  await writer.stop();
  await database.close();
});

function take(key: string, { event = anEvent(), keptSeconds = 60, source = sourceId } = {}) {
  return writer.append({
    appId,
    events: [event],
    idempotency: null,
    received: { sourceId: source, key, keptSeconds },
  });
}

const length = async (): Promise<number> => (await readHead(database.db, appId))!.position;

describe('an event that a source gave', () => {
  test('is appended once, whatever its body is the next time', async () => {
    const [first] = await take('i:1');
    const answers = await Promise.all([take('i:1'), take('i:1', { event: anEvent({ data: Buffer.from('2') }) })]);
    expect(first).toMatchObject({ duplicate: false, position: 1 });
    expect(answers.flat()).toEqual(
      Array.from({ length: 2 }, () => ({ id: first.id, position: null, day: null, duplicate: true })),
    );
    expect(await length()).toBe(1);
  });

  test('is appended once when it comes many times at once', async () => {
    const answers = (await Promise.all(Array.from({ length: 50 }, () => take('i:2')))).flat();
    expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(await length()).toBe(1);
  });

  test('is another event of another source, or under another key', async () => {
    await take('i:3');
    await take('i:3', { source: testIds.id('source') });
    await take('i:4');
    expect(await length()).toBe(3);
  });

  test('is known no longer than it is to be', async () => {
    await take('i:5', { keptSeconds: 0 });
    const [again] = await take('i:5', { keptSeconds: 60 });
    expect(again.duplicate).toBe(false);
    expect((await take('i:5'))[0].duplicate).toBe(true);
  });

  test('keeps what is known of the request that brought it', async () => {
    const origins = [
      encodeOrigin({ contentType: 'text/plain', headers: { 'x-id': '1' }, body: 'data' }),
      undefined,
      Buffer.from('2'),
    ];
    const events = origins.map((origin) => anEvent(origin === undefined ? {} : { origin }));
    await writer.append({ appId, events, idempotency: null });
    const { day, position } = (await readHead(database.db, appId))!;
    const range = { appId, from: 1, to: position, day, lastDay: day, maxBytes: 1e9 };
    const [run] = await readRanges(database.db, [range], 1e9);
    for (const read of [await readEvents(database.db, range), run]) {
      expect(read.map(({ origin }) => origin)).toEqual(origins);
      expect(read.map(({ data }) => data)).toEqual(events.map(({ data }) => data));
    }
    expect((await findEvent(database.db, appId, events[0].id))?.origin).toEqual(origins[0]);
  });
});
