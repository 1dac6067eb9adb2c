import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anApp, anEvent } from '../../test/event-log.ts';
import { until } from '../../test/until.ts';
import type { LogEvent, NewEvent } from '../core/event.ts';
import { Database, type DedicatedConnection, type Query } from '../storage/database.ts';
import { readEvents } from '../storage/events.ts';
import { readHead } from '../storage/heads.ts';
import { ensurePartitions } from '../storage/partitions.ts';
import { Scheduler, type SchedulerOptions } from './scheduler.ts';
import { Writer } from './writer.ts';

let database: TestDatabase;
const running: { stop(): Promise<void> }[] = [];
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.stop();
  await database.close();
});

/** A process that may lose the reply of a COMMIT, and the connection with it. */
class LossyDatabase extends Database {
  losesCommits = 0;

  override dedicated(options?: Parameters<Database['dedicated']>[0]): DedicatedConnection {
    const connection = super.dedicated(options);
    const query = connection.query.bind(connection);
    connection.query = async <Row>(statement: Query, values: unknown[] = []): Promise<Row[]> => {
      if (statement.name !== 'commit' || this.losesCommits === 0) return await query<Row>(statement, values);
      // Every other one has happened.
      if (this.losesCommits-- % 2 === 0) await query<Row>(statement, values);
      await connection.reset();
      throw new Error('Connection terminated unexpectedly');
    };
    return connection;
  }
}

function aProcess(options: Partial<SchedulerOptions> = {}) {
  const db = new LossyDatabase({ connection: database.connection });
  const errors: unknown[] = [];
  const writer = new Writer({
    db,
    onCommitted: () => {},
    ensurePartitions: () => ensurePartitions(db, { daysAhead: 7 }),
  });
  const scheduler = new Scheduler({
    db,
    appendDue: (appId, due) => writer.appendDue(appId, due),
    onError: (error) => errors.push(error),
    options: { pollEveryMs: 50, pauseMs: 5, ...options },
  });
  running.push({ stop: () => db.close() }, writer, scheduler);
  return { db, writer, scheduler, errors };
}

const sql = <Row>(name: string, text: string) => database.db.query<Row>({ name, text });
const left = () => sql('left', 'SELECT 1 FROM scheduled');

async function stored(appId: string): Promise<LogEvent[]> {
  const { position, day } = (await readHead(database.db, appId))!;
  return readEvents(database.db, { appId, from: 1, to: position, day, lastDay: day, maxBytes: 1e9 });
}

/** Schedules for a time that is still to come, then lets it come. */
async function overdue(writer: Writer, appId: string, events: NewEvent[]): Promise<void> {
  await writer.append({ appId, events, idempotency: null });
  await sql('overdue', `UPDATE scheduled SET due_at = due_at - interval '1 day'`);
}

const tomorrow = (ms = 0): number => Date.now() + 80_000_000 + ms;

describe('scheduler', () => {
  test('appends an event within a second of its time, not before', async () => {
    const { writer, scheduler } = aProcess({ pollEveryMs: 1000 });
    await scheduler.start();
    const appId = await anApp(database.db);
    const deliverAtMs = Date.now() + 1500;
    const [answer] = await writer.append({ appId, events: [anEvent({ deliverAtMs })], idempotency: null });
    expect(answer).toMatchObject({ position: null, day: null, duplicate: false });
    await until(async () => (await left()).length === 0);
    const [event] = await stored(appId);
    expect(event.id).toBe(answer.id);
    expect(event.appendedMs - deliverAtMs).toBeGreaterThanOrEqual(0);
    expect(event.appendedMs - deliverAtMs).toBeLessThan(1000);
  });

  test('gives an event the time that was published, or else the time it was due', async () => {
    const { writer, scheduler } = aProcess();
    const appId = await anApp(database.db);
    const deliverAtMs = tomorrow();
    const data = Buffer.from('{ "n": 12345678901234567890 }');
    await overdue(writer, appId, [
      anEvent({
        id: 'given',
        deliverAtMs,
        timeMs: 1_700_000_000_123,
        timeGiven: true,
        channels: ['a:b', 'NULL'],
        data,
      }),
      anEvent({ id: 'none', deliverAtMs: deliverAtMs + 1, timeGiven: false }),
    ]);
    await scheduler.start();
    await until(async () => (await left()).length === 0);
    const [given, none] = await stored(appId);
    expect(given).toMatchObject({ id: 'given', timeMs: 1_700_000_000_123, channels: ['a:b', 'NULL'] });
    expect(given.data.equals(data)).toBe(true);
    expect(none).toMatchObject({ id: 'none', timeMs: deliverAtMs + 1 - 86_400_000 });
  });

  test('three processes append each event once, in order of time, though replies of commits are lost', async () => {
    const processes = [aProcess(), aProcess(), aProcess()];
    const apps = [await anApp(database.db), await anApp(database.db)];
    const base = tomorrow();
    for (const appId of apps) {
      const events = Array.from({ length: 900 }, (_, i) => anEvent({ id: `e${i}`, deliverAtMs: base + 900 - i }));
      await overdue(processes[0].writer, appId, events);
    }
    await sql('same', `UPDATE scheduled SET due_at = least(due_at, now())`);
    for (const { db, scheduler } of processes) {
      db.losesCommits = 3;
      await scheduler.start();
    }
    await until(async () => (await left()).length === 0);
    for (const appId of apps) {
      const ids = (await stored(appId)).map((event) => event.id);
      expect(ids).toEqual(Array.from({ length: 900 }, (_, i) => `e${899 - i}`));
    }
  });

  test('a long backlog of some apps does not hold up the others', async () => {
    const { writer, scheduler } = aProcess({ maxEvents: 2, maxApps: 2 });
    const busy = [await anApp(database.db), await anApp(database.db), await anApp(database.db)];
    for (const appId of busy) {
      const events = Array.from({ length: 120 }, () => anEvent({ deliverAtMs: tomorrow() }));
      await overdue(writer, appId, events);
    }
    const quiet = await anApp(database.db);
    await writer.append({ appId: quiet, events: [anEvent({ deliverAtMs: tomorrow() })], idempotency: null });
    await sql('late', `UPDATE scheduled SET due_at = now() WHERE due_at > now()`);
    await scheduler.start();
    await until(async () => (await stored(quiet)).length === 1);
    expect((await left()).length).toBeGreaterThan(50);
    await until(async () => (await left()).length === 0);
  });

  test('goes by the clock of the database', async () => {
    const { writer, scheduler, errors } = aProcess();
    const appId = await anApp(database.db);
    // Published by a process whose clock is an hour behind: to the database its time has passed.
    const [answer] = await writer.append({
      appId,
      events: [anEvent({ deliverAtMs: Date.now() - 1000 })],
      idempotency: null,
    });
    expect(answer).toMatchObject({ position: 1 });
    await scheduler.start();
    await writer.append({ appId, events: [anEvent({ deliverAtMs: tomorrow() })], idempotency: null });
    await sql('jump', `UPDATE scheduled SET due_at = now() - interval '1 hour'`);
    await until(async () => (await left()).length === 0);
    expect(errors).toEqual([]);
  });

  test('drops the scheduled events of an app that was deleted', async () => {
    const { writer, scheduler } = aProcess();
    const appId = await anApp(database.db);
    await overdue(writer, appId, [anEvent({ deliverAtMs: tomorrow() })]);
    await sql('gone', 'DELETE FROM heads');
    await scheduler.start();
    await until(async () => (await left()).length === 0);
    expect(await sql('events', 'SELECT 1 FROM events')).toHaveLength(0);
  });
});

describe('writer with scheduled events', () => {
  test('appends what is due and puts by what is not, all or nothing, and answers in order', async () => {
    const { writer } = aProcess();
    const appId = await anApp(database.db);
    const events = [
      anEvent({ id: 'a', deliverAtMs: tomorrow() }),
      anEvent({ id: 'b' }),
      anEvent({ id: 'c', deliverAtMs: 1 }),
    ];
    const answers = await writer.append({ appId, events, idempotency: null });
    expect(answers.map(({ id, position }) => [id, position])).toEqual([
      ['a', null],
      ['b', 1],
      ['c', 2],
    ]);
    const other = [anEvent({ id: 'd' }), anEvent({ id: 'a', deliverAtMs: tomorrow(5), type: 'other' })];
    await expect(writer.append({ appId, events: other, idempotency: null })).rejects.toMatchObject({ status: 409 });
    expect(await stored(appId)).toHaveLength(2);
    expect(await left()).toHaveLength(1);
  });

  test('an id and an Idempotency-Key of a scheduled event are known while it waits and once it is appended', async () => {
    const { writer, scheduler } = aProcess();
    const appId = await anApp(database.db);
    const event = anEvent({ id: 'reminder', deliverAtMs: tomorrow() });
    const request = { appId, events: [event], idempotency: { key: 'once', bodyHash: Buffer.from('same') } };
    await writer.append(request);
    expect(await writer.append({ ...request, events: [anEvent({ deliverAtMs: tomorrow() })] })).toEqual([
      { id: 'reminder', position: null, day: null, duplicate: true },
    ]);
    expect(await writer.append({ ...request, idempotency: null })).toMatchObject([{ position: null, duplicate: true }]);
    const later = [{ ...event, deliverAtMs: event.deliverAtMs! + 1 }];
    await expect(writer.append({ appId, events: later, idempotency: null })).rejects.toMatchObject({ status: 409 });
    const hours = `SELECT date_part('epoch', min(k.expires_at - s.due_at)) / 3600 AS hours FROM idempotency_keys k JOIN scheduled s USING (app_id) WHERE key LIKE 'e:%'`;
    expect(await sql('hours', hours)).toEqual([{ hours: 24 }]);
    await sql('overdue', 'UPDATE scheduled SET due_at = now()');
    await scheduler.start();
    await until(async () => (await left()).length === 0);
    expect(await writer.append({ ...request, idempotency: null })).toMatchObject([{ position: 1, duplicate: true }]);
    expect(await writer.append(request)).toMatchObject([{ id: 'reminder', position: 1, duplicate: true }]);
  });

  test('refuses an app that does not exist, and the rest of the batch is written', async () => {
    const { writer } = aProcess();
    const appId = await anApp(database.db);
    const missing = 'app_01k9z3n5w8e6rt4q0v2x7y1abc';
    const [bad, good, worse] = await Promise.allSettled([
      writer.append({ appId: missing, events: [anEvent({ deliverAtMs: tomorrow() })], idempotency: null }),
      writer.append({ appId, events: [anEvent({ deliverAtMs: tomorrow() })], idempotency: null }),
      writer.append({ appId: missing, events: [anEvent({ id: 'x', deliverAtMs: 1 })], idempotency: null }),
    ]);
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'not_found' } });
    expect(good).toMatchObject({ status: 'fulfilled', value: [{ position: null }] });
    expect(worse).toMatchObject({ status: 'rejected', reason: { code: 'not_found' } });
    expect(await left()).toHaveLength(1);
    expect(await sql('keys', 'SELECT 1 FROM idempotency_keys')).toHaveLength(1);
  });
});
