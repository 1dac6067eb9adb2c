import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { migrate, pendingMigrations, refuseOldServer } from './migrate.ts';

let database: TestDatabase;
let folder: string;
beforeEach(async () => {
  database = await testDatabase();
  folder = await mkdtemp(join(tmpdir(), 'tidings-test-'));
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

// The clone has the shipped migrations; these tests bring their own.
async function forgetMigrations(): Promise<void> {
  await database.db.query({ name: 'forget', text: 'DROP TABLE migrations' });
}

function write(name: string, text: string): Promise<void> {
  return writeFile(join(folder, name), text);
}

async function tableExists(name: string): Promise<boolean> {
  const [row] = await database.db.query<{ found: boolean }>(
    { name: 'table_exists', text: 'SELECT to_regclass($1) IS NOT NULL AS found' },
    [name],
  );
  return row.found;
}

describe('migrate', () => {
  test('has nothing left to do on a migrated database', async () => {
    expect(await pendingMigrations(database.db)).toEqual([]);
    expect(await migrate(database.db)).toEqual([]);
  });

  test('applies what is pending, in order, once', async () => {
    await forgetMigrations();
    await write('0001-first.sql', 'CREATE TABLE one (n int); INSERT INTO one VALUES (1);');
    await write('0002-second.sql', 'ALTER TABLE one ADD COLUMN m int;');
    expect(await pendingMigrations(database.db, folder)).toEqual(['0001-first', '0002-second']);
    expect(await migrate(database.db, folder)).toEqual(['0001-first', '0002-second']);
    await write('0003-third.sql', 'ALTER TABLE one DROP COLUMN m;');
    expect(await pendingMigrations(database.db, folder)).toEqual(['0003-third']);
    expect(await migrate(database.db, folder)).toEqual(['0003-third']);
    expect(await migrate(database.db, folder)).toEqual([]);
  });

  test('is done by one of several at the same time', async () => {
    await forgetMigrations();
    await write('0001-first.sql', 'CREATE TABLE one (n int); SELECT pg_sleep(0.1);');
    const applied = await Promise.all([1, 2, 3, 4].map(() => migrate(database.db, folder)));
    expect(applied.flat()).toEqual(['0001-first']);
  });

  test('keeps nothing of a migration that fails, and all before it', async () => {
    await forgetMigrations();
    await write('0001-first.sql', 'CREATE TABLE one (n int);');
    await write('0002-second.sql', 'CREATE TABLE two (n int); SELECT 1 / 0;');
    await expect(migrate(database.db, folder)).rejects.toThrow('The migration 0002-second failed');
    expect(await tableExists('one')).toBe(true);
    expect(await tableExists('two')).toBe(false);
    await write('0002-second.sql', 'CREATE TABLE two (n int);');
    expect(await migrate(database.db, folder)).toEqual(['0002-second']);
  });

  test('refuses a migration that was changed after it was applied', async () => {
    await forgetMigrations();
    await write('0001-first.sql', 'CREATE TABLE one (n int);\n');
    await migrate(database.db, folder);
    // The ends of lines are git's business.
    await write('0001-first.sql', 'CREATE TABLE one (n int);\r\n');
    expect(await migrate(database.db, folder)).toEqual([]);
    await write('0001-first.sql', 'CREATE TABLE one (n bigint);\n');
    await expect(migrate(database.db, folder)).rejects.toThrow('The migration 0001-first was changed');
    await expect(pendingMigrations(database.db, folder)).rejects.toThrow('The migration 0001-first was changed');
  });

  test('refuses a database that a newer release has used', async () => {
    await database.db.query({
      name: 'from_the_future',
      text: "INSERT INTO migrations (version, name, checksum) VALUES (9999, '9999-later', '')",
    });
    await expect(migrate(database.db)).rejects.toThrow(/migration 9999-later, which this release .* does not know/);
    await expect(pendingMigrations(database.db)).rejects.toThrow('9999-later');
  });

  test('refuses files that are misnamed or numbered twice', async () => {
    await write('0001-first.sql', '');
    await write('0001-other.sql', '');
    await expect(pendingMigrations(database.db, folder)).rejects.toThrow(
      '0001-first and 0001-other have the same number',
    );
    await rm(join(folder, '0001-other.sql'));
    await write('2-second.sql', '');
    await expect(pendingMigrations(database.db, folder)).rejects.toThrow('2-second.sql is not named as a migration');
  });

  test('refuses a server older than 15', () => {
    expect(() => refuseOldServer(140_012, '14.12')).toThrow(
      'Postgres 14.12, which is too old. Use Postgres 15 or later',
    );
    refuseOldServer(150_000, '15.0');
  });
});
