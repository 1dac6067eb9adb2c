import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anApp, anEvent, testIds } from '../../test/event-log.ts';
import type { LogEvent } from '../core/event.ts';
import { Database, type DedicatedConnection, type DedicatedOptions, type Query } from '../storage/database.ts';
import { readEvents } from '../storage/events.ts';
import { readHead } from '../storage/heads.ts';
import { ensurePartitions } from '../storage/partitions.ts';
import type { AppendedEvent } from './pending-append.ts';
import { Writer, type WriterOptions } from './writer.ts';

let database: TestDatabase;
const writers: Writer[] = [];

beforeEach(async () => {
  database = await testDatabase();
});
afterEach(async () => {
  await Promise.all(writers.splice(0).map((writer) => writer.stop()));
  await database.close();
});

function setup(options: Partial<WriterOptions> = {}) {
  const committed: LogEvent[] = [];
  const writer = new Writer({
    db: database.db,
    onCommitted: (_, events) => committed.push(...events),
    ensurePartitions: () => ensurePartitions(database.db, { daysAhead: 7 }),
    options,
  });
  writers.push(writer);
  return { writer, committed };
}

async function stored(appId: string): Promise<LogEvent[]> {
  const head = (await readHead(database.db, appId))!;
  return readEvents(database.db, {
    appId,
    from: 1,
    to: head.position,
    day: head.day,
    lastDay: head.day,
    maxBytes: 1e9,
  });
}

const positions = (events: { position: number | null }[]): number[] => events.map((event) => event.position ?? 0);

describe('writer', () => {
  test('gives dense positions in commit order and hands on what is committed before it answers', async () => {
    const { writer, committed } = setup();
    const apps = await Promise.all([anApp(database.db), anApp(database.db), anApp(database.db)]);
    const requests = Array.from({ length: 300 }, (_, i) => ({
      appId: apps[i % 3],
      events: Array.from({ length: 1 + (i % 4) }, () => anEvent()),
      idempotency: null,
    }));
    const answers = await Promise.all(requests.map((request) => writer.append(request)));
    for (const appId of apps) {
      const answered = answers.filter((_, i) => requests[i].appId === appId).flat();
      expect(positions(answered).toSorted((a, b) => a - b)).toEqual(answered.map((_, i) => i + 1));
      const handed = committed.filter((event) => event.appId === appId);
      expect(positions(handed)).toEqual(answered.map((_, i) => i + 1));
      expect((await stored(appId)).map((event) => event.id)).toEqual(handed.map((event) => event.id));
    }
  });

  test('keeps every field and every byte', async () => {
    const { writer, committed } = setup();
    const appId = await anApp(database.db);
    const data = Buffer.from('{ "n" : 12345678901234567890, "z": 1e400,"a":-0, "u":"\\ud800\\u0000" }');
    const event = anEvent({ id: 'NULL', type: 'a.b', channels: ['x:y', 'NULL'], timeMs: 1_614_265_330_999, data });
    await writer.append({ appId, events: [event, anEvent({ data: Buffer.from('null') })], idempotency: null });
    const events = await stored(appId);
    expect(events).toEqual(committed);
    expect(events[0]).toMatchObject({ id: 'NULL', type: 'a.b', channels: ['x:y', 'NULL'], timeMs: 1_614_265_330_999 });
    expect(events[0].data.equals(data)).toBe(true);
    expect(events[1].channels).toEqual([]);
  });

  test('refuses events of an app that does not exist, and stores the rest of the batch', async () => {
    const { writer } = setup();
    const appId = await anApp(database.db);
    const [good, bad] = await Promise.allSettled([
      writer.append({ appId, events: [anEvent()], idempotency: null }),
      writer.append({ appId: testIds.id('app'), events: [anEvent({ id: 'own' })], idempotency: null }),
    ]);
    expect(good).toMatchObject({ status: 'fulfilled', value: [{ position: 1, duplicate: false }] });
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'not_found' } });
    const left = await database.db.query({ name: 'left', text: 'SELECT 1 FROM idempotency_keys' });
    expect(left).toHaveLength(0);
  });

  test('a poison request fails alone', async () => {
    const { writer } = setup();
    const appId = await anApp(database.db);
    const requests = Array.from({ length: 20 }, (_, i) =>
      writer.append({ appId, events: [anEvent(i === 7 ? { type: 'nul\0byte' } : {})], idempotency: null }),
    );
    const results = await Promise.allSettled(requests);
    expect(results.filter((result) => result.status === 'rejected')).toHaveLength(1);
    expect(results[7]).toMatchObject({ status: 'rejected', reason: { code: 'internal' } });
    expect(positions(await stored(appId))).toEqual(Array.from({ length: 19 }, (_, i) => i + 1));
  });

  test('one idempotency key raced fifty times by two writers gives one event', async () => {
    const [a, b] = [setup().writer, setup().writer];
    const appId = await anApp(database.db);
    const bodyHash = Buffer.from('same');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        (i % 2 ? a : b).append({ appId, events: [anEvent(), anEvent()], idempotency: { key: 'order "7"', bodyHash } }),
      ),
    );
    expect(await stored(appId)).toHaveLength(2);
    expect(answers.filter((answer) => !answer[0].duplicate)).toHaveLength(1);
    for (const answer of answers) expect(positions(answer)).toEqual([1, 2]);
    expect(new Set(answers.flat().map((event) => event.id)).size).toBe(2);
  });

  test('an own id raced fifty times gives one event; another body is refused', async () => {
    const [a, b] = [setup().writer, setup().writer];
    const appId = await anApp(database.db);
    const event = anEvent({ id: 'order-7' });
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? a : b).append({ appId, events: [event], idempotency: null })),
    );
    expect(answers.filter(([answer]) => !answer.duplicate)).toHaveLength(1);
    expect(await stored(appId)).toHaveLength(1);
    const other = a.append({ appId, events: [anEvent({ id: 'order-7', type: 'other' })], idempotency: null });
    await expect(other).rejects.toMatchObject({ code: 'idempotency_conflict', status: 409 });
  });

  test('a batch with known and new ids appends the new ones and answers in its own order', async () => {
    const { writer } = setup();
    const appId = await anApp(database.db);
    await writer.append({ appId, events: [anEvent({ id: 'b' })], idempotency: null });
    const events = ['a', 'b', 'c'].map((id) => anEvent({ id }));
    const answer = await writer.append({ appId, events, idempotency: null });
    expect(answer.map(({ id, position, duplicate }: AppendedEvent) => ({ id, position, duplicate }))).toEqual([
      { id: 'a', position: 2, duplicate: false },
      { id: 'b', position: 1, duplicate: true },
      { id: 'c', position: 3, duplicate: false },
    ]);
  });

  test('a batch in which one id has another body stores nothing', async () => {
    const { writer } = setup();
    const appId = await anApp(database.db);
    await writer.append({ appId, events: [anEvent({ id: 'b' })], idempotency: null });
    const events = [anEvent({ id: 'a' }), anEvent({ id: 'b', type: 'other' })];
    await expect(writer.append({ appId, events, idempotency: null })).rejects.toMatchObject({
      code: 'idempotency_conflict',
    });
    expect(await stored(appId)).toHaveLength(1);
    const again = await writer.append({ appId, events: [events[0]], idempotency: null });
    expect(again).toMatchObject([{ id: 'a', position: 2, duplicate: false }]);
  });

  test('takes over a key that has expired', async () => {
    const { writer } = setup();
    const appId = await anApp(database.db);
    await writer.append({ appId, events: [anEvent({ id: 'a' })], idempotency: null });
    await database.db.query({
      name: 'age',
      text: `UPDATE idempotency_keys SET expires_at = now() - interval '1 second'`,
    });
    const answer = await writer.append({ appId, events: [anEvent({ id: 'a', type: 'other' })], idempotency: null });
    expect(answer).toMatchObject([{ position: 2, duplicate: false }]);
  });

  test('refuses with 503 when its queue is full, per app and in all, and stores nothing of it', async () => {
    const { writer } = setup({ maxQueueBytes: 20_000, maxQueueBytesPerApp: 10_000 });
    const [a, b, c] = await Promise.all([anApp(database.db), anApp(database.db), anApp(database.db)]);
    const big = (appId: string) =>
      writer.append({ appId, events: [anEvent({ data: Buffer.alloc(8000, '1') })], idempotency: null });
    const results = await Promise.allSettled([big(a), big(a), big(b), big(c)]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(results[1]).toMatchObject({ reason: { code: 'overloaded', status: 503, retryAfterSeconds: 1 } });
    expect(await stored(a)).toHaveLength(1);
    expect(writer.queuedBytes).toBe(0);
    await expect(big(c)).resolves.toHaveLength(1);
  });

  test('answers 503 when the database goes away and works again when it is back', async () => {
    const { writer } = setup();
    const appId = await anApp(database.db);
    await writer.append({ appId, events: [anEvent()], idempotency: null });
    const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
    await database.db.query({ name: 'kill', text: kill });
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, () => writer.append({ appId, events: [anEvent()], idempotency: null })),
    );
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason.status).toBe(503);
    }
    await expect(writer.append({ appId, events: [anEvent()], idempotency: null })).resolves.toHaveLength(1);
    const events = await stored(appId);
    expect(positions(events)).toEqual(events.map((_, i) => i + 1));
  });

  test('never lets a position go back a day, whatever the clock says', async () => {
    const { writer } = setup();
    const appId = await anApp(database.db);
    await database.db.query({ name: 'ahead', text: `UPDATE heads SET last_day = current_date + 2` });
    const [event] = await writer.append({ appId, events: [anEvent()], idempotency: null });
    const head = (await readHead(database.db, appId))!;
    expect(event.day).toBe(head.day);
    expect(await stored(appId)).toHaveLength(1);
  });

  test('writes a batch without claims by one statement, and with claims within a transaction', async () => {
    const statements: string[] = [];
    class ListeningDatabase extends Database {
      override dedicated(options?: DedicatedOptions): DedicatedConnection {
        const connection = super.dedicated(options);
        const query = connection.query.bind(connection);
        connection.query = (statement: Query, values: unknown[] = []) => {
          statements.push(statement.name);
          return query(statement, values);
        };
        return connection;
      }
    }
    const db = new ListeningDatabase({ connection: database.connection });
    const writer = new Writer({ db, onCommitted: () => {}, ensurePartitions: async () => {} });
    writers.push(writer);
    const appId = await anApp(database.db);
    const append = (id?: string) =>
      writer.append({ appId, events: [anEvent(id === undefined ? {} : { id })], idempotency: null });
    await Promise.all([append(), append(), append()]);
    expect(statements.splice(0)).toEqual(['append_events']);
    await Promise.all([append(), append('own')]);
    expect(statements).toEqual(['begin', 'claim_keys', 'append_events', 'commit']);
    await db.close();
  });

  test('finishes what is queued when it stops, and takes nothing after', async () => {
    const { writer } = setup();
    const appId = await anApp(database.db);
    const open = Array.from({ length: 30 }, () => writer.append({ appId, events: [anEvent()], idempotency: null }));
    await writer.stop();
    expect(await Promise.all(open)).toHaveLength(30);
    await expect(writer.append({ appId, events: [anEvent()], idempotency: null })).rejects.toMatchObject({
      status: 503,
    });
  });
});
