// Housekeeping that one process at a time is to do. A session's advisory lock, on a connection of its own: it goes with the process. What is
// done under it must stand being done by two all the same, for a connection may break.
import type pg from 'pg';
import type { Database } from './database.ts';

/** Any numbers, as long as nothing else in the program locks them. */
const LOCKS = {
  retention: 7_416_200_005,
  keys: 7_416_200_006,
  erasures: 7_416_200_007,
  consumers: 7_416_200_008,
  requests: 7_416_200_012,
} as const;

/**
 * Runs `work` unless another process is at it: then nothing is done, and it returns null. `work` is given the connection that holds
 * the lock, on which statements have no time limit.
 */
export async function exclusively<T>(
  db: Database,
  name: keyof typeof LOCKS,
  work: (client: pg.Client) => Promise<T>,
): Promise<T | null> {
  const connection = db.dedicated({ statementTimeoutMs: null });
  try {
    const client = await connection.client();
    const { rows } = await client.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1) AS held', [LOCKS[name]]);
    return rows[0].held ? await work(client) : null;
  } finally {
    await connection.reset(); // which gives back the lock
  }
}
