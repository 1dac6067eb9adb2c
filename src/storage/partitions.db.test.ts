import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { dayOf, ensurePartitions, listPartitions, PARTITIONED_TABLES, partitionName } from './partitions.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(() => database.close());

function run<Row>(name: string, text: string, values: unknown[] = []): Promise<Row[]> {
  return database.db.query<Row>({ name, text }, values);
}

async function dropPartitions(): Promise<void> {
  for (const table of PARTITIONED_TABLES) {
    for (const name of await listPartitions(database.db, table)) await run(`drop ${name}`, `DROP TABLE ${name}`);
  }
}

const INSERT_EVENT = `INSERT INTO events (app_id, position, config_version, time, appended_at, day, event_id, type, data)
  VALUES (gen_random_uuid(), 1, 1, now(), now(), $1, 'evt', 'a.b', $2)`;

describe('partitions', () => {
  test('reach from yesterday to the days ahead', async () => {
    await dropPartitions();
    const made = await ensurePartitions(database.db, { daysAhead: 7 });
    expect(made).toHaveLength(18);
    const today = await dayOf(database.db);
    expect(today).toMatch(/^\d{4}-\d\d-\d\d$/);
    for (const table of PARTITIONED_TABLES) {
      const names = await listPartitions(database.db, table);
      expect(names).toHaveLength(9);
      expect(names[1]).toBe(partitionName(table, today));
      expect(made).toEqual(expect.arrayContaining(names));
    }
    expect(await ensurePartitions(database.db, { daysAhead: 7 })).toEqual([]);
    expect(await ensurePartitions(database.db, { daysAhead: 8 })).toHaveLength(2);
  });

  test('take rows of their day and no others', async () => {
    const today = await dayOf(database.db);
    await run('insert', INSERT_EVENT, [today, Buffer.from('{}')]);
    const rows = await run<{ name: string }>('where', 'SELECT tableoid::regclass::text AS name FROM events');
    expect(rows).toEqual([{ name: partitionName('events', today) }]);
    await expect(run('insert', INSERT_EVENT, ['2020-01-01', Buffer.from('{}')])).rejects.toThrow(
      'no partition of relation',
    );
  });

  test('have the indexes of their parent, its storage of data, and no further constraint', async () => {
    const name = partitionName('events', await dayOf(database.db));
    const [{ storage }] = await run<{ storage: string }>(
      'storage',
      "SELECT attstorage AS storage FROM pg_attribute WHERE attrelid = $1::text::regclass AND attname = 'data'",
      [name],
    );
    expect(storage).toBe('e');
    const indexes = 'SELECT indisprimary AS primary FROM pg_index WHERE indrelid = $1::text::regclass ORDER BY 1';
    expect(await run('indexes', indexes, [name])).toEqual(await run('indexes', indexes, ['events']));
    const checks = "SELECT conname FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype = 'c'";
    expect(await run('checks', checks, [name])).toEqual([]);
    await run('insert', INSERT_EVENT, [await dayOf(database.db), Buffer.alloc(100_000)]);
    const [{ bytes }] = await run<{ bytes: number }>('size', 'SELECT pg_column_size(data) AS bytes FROM events');
    expect(bytes).toBe(100_000);
  });

  test('are made by several at once', async () => {
    await dropPartitions();
    const made = await Promise.all([1, 2, 3, 4].map(() => ensurePartitions(database.db, { daysAhead: 3 })));
    expect(made.flat().sort()).toEqual([
      ...(await listPartitions(database.db, 'attempts')),
      ...(await listPartitions(database.db, 'events')),
    ]);
    expect(new Set(made.flat()).size).toBe(10);
  });

  test('are made behind a long reader and an open insert, and stall no insert', async () => {
    const today = await dayOf(database.db);
    await database.db.transaction(async (tx) => {
      await tx.query({ name: 'reader', text: 'SELECT count(*) FROM events' });
      await tx.query({ name: 'insert', text: INSERT_EVENT }, [today, Buffer.from('{}')]);
      const made = ensurePartitions(database.db, { daysAhead: 20 });
      let inserts = 0;
      let done = false;
      const settled = made
        .catch(() => {})
        .then(() => {
          done = true;
        });
      while (!done) {
        await database.db.transaction(async (other) => {
          await other.query({ name: 'impatient', text: "SET LOCAL lock_timeout = '1s'" });
          await other.query({ name: 'insert', text: INSERT_EVENT }, [today, Buffer.from('{}')]);
        });
        inserts++;
      }
      await settled;
      expect(await made).toHaveLength(26);
      expect(inserts).toBeGreaterThan(0);
    });
  });

  test('wait for a lock in turns until it is free', async () => {
    let making: Promise<string[]> | undefined;
    await database.db.transaction(async (tx) => {
      await tx.query({ name: 'lock', text: 'LOCK TABLE events IN SHARE UPDATE EXCLUSIVE MODE' });
      making = ensurePartitions(database.db, { daysAhead: 8 });
      making.catch(() => {});
      // Past the first lock_timeout.
      await tx.query({ name: 'hold', text: 'SELECT pg_sleep(2.3)' });
    });
    expect(await making).toHaveLength(2);
  });
});
