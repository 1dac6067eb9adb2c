// Ownership when replies are lost and when others stand in its way.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { testIds } from '../../test/event-log.ts';
import { until } from '../../test/until.ts';
import { Database, type DedicatedConnection, type DedicatedOptions, type Query } from '../storage/database.ts';
import { writeFlush } from '../storage/flush.ts';
import { registerProcess } from '../storage/processes.ts';
import { Ownership } from './ownership.ts';

let database: TestDatabase;
const running: { ownership: Ownership; db: Database }[] = [];
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(async () => {
  for (const { ownership, db } of running.splice(0)) {
    await ownership.stop();
    await db.close();
  }
  await database.close();
});

const sql = (text: string) => database.db.query({ name: `t${randomBytes(4).toString('hex')}`, text });
const EMPTY = { attempts: [], retries: [], closedRetries: [], dead: [], closedDead: [], lanes: [], replays: [] };

/** A database that lets the test act between a statement and its reply. */
class InterceptedDatabase extends Database {
  after: (name: string) => void = () => {};

  override dedicated(options: DedicatedOptions = {}): DedicatedConnection {
    const connection = super.dedicated(options);
    const query = connection.query.bind(connection);
    connection.query = async <Row>(statement: Query, values: unknown[] = []): Promise<Row[]> => {
      const rows = await query<Row>(statement, values);
      this.after(statement.name);
      return rows;
    };
    return connection;
  }
}

function setup(options: { ttlMs?: number; renewEveryMs?: number; marginMs?: number } = {}) {
  const db = new InterceptedDatabase({ connection: database.connection });
  const taken: number[] = [];
  const ownership = new Ownership({
    db,
    newUuid: () => testIds.uuid(),
    version: 'test',
    onTaken: (slots) => taken.push(...slots),
    onLost: () => {},
    onError: () => {},
    options: { renewEveryMs: 20, ...options },
  });
  running.push({ ownership, db });
  return { ownership, db, taken };
}

describe('ownership', () => {
  test('slots whose reply was lost when they were taken are taken with the next turn', async () => {
    const { ownership, db, taken } = setup();
    db.after = (name) => {
      if (name !== 'take_slots') return;
      db.after = () => {};
      throw new Error('the reply was lost');
    };
    await ownership.start();
    expect(ownership.slotCount).toBe(0);
    await until(() => ownership.slotCount === 256);
    expect(taken).toHaveLength(256);
  });

  test('slots that come when the lease has been lost meanwhile are not held', async () => {
    const { ownership, db, taken } = setup({ renewEveryMs: 60_000 });
    db.after = (name) => {
      if (name === 'take_slots') ownership.lost();
    };
    await ownership.start();
    expect(ownership.slotCount).toBe(0);
    expect(taken).toEqual([]);
  });

  test('goes on renewing its lease while a takeover waits for a flush that hangs', async () => {
    const stale = { processUuid: testIds.uuid(), epoch: 1 };
    await registerProcess(database.db, { ...stale, ttlSeconds: 0, host: 'h', pid: 1, version: 'test' });
    const hanging = database.db.dedicated();
    await hanging.query({ name: 'begin', text: 'BEGIN' });
    await writeFlush(hanging, stale, EMPTY);
    const { ownership, db } = setup({ ttlMs: 400, marginMs: 100 });
    let tried = 0;
    let renewals = 0;
    db.after = (name) => {
      if (name === 'bury_processes') tried++;
      if (tried > 0 && name === 'renew_lease') renewals++;
    };
    await ownership.start();
    await until(() => tried >= 3 && renewals >= 3);
    expect(await sql(`SELECT 1 FROM processes WHERE state = 'dead'`)).toEqual([]);
    await hanging.query({ name: 'commit', text: 'COMMIT' });
    await until(async () => (await sql(`SELECT 1 FROM processes WHERE state = 'dead'`)).length === 1);
    await hanging.reset();
  });
});
