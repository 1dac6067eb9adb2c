import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { testDatabase } from './database.ts';

describe('test database', () => {
  test('is one of its own, migrated, and reached by its URL', async () => {
    const [one, two] = await Promise.all([testDatabase(), testDatabase()]);
    await one.db.query({ name: 'change', text: 'DELETE FROM slots' });
    const client = new pg.Client({ connectionString: two.url });
    await client.connect();
    const { rows } = await client.query('SELECT current_database() AS name, (SELECT count(*) FROM slots) AS slots');
    expect(rows).toEqual([{ name: two.connection.database, slots: '256' }]);
    await client.end();
    await Promise.all([one.close(), two.close()]);
    await expect(new pg.Client(two.connection).connect()).rejects.toThrow('does not exist');
  });

  test('runs on a durable server of the project that asks', async () => {
    const database = await testDatabase();
    const [row] = await database.db.query<{ fsync: string }>({ name: 'fsync', text: 'SHOW fsync' });
    expect(row.fsync).toBe('on');
    await database.close();
  });
});
