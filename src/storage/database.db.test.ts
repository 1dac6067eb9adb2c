// Connections over a network that goes half-open: it takes what is written and answers nothing.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TcpProxy } from '../../faults/tcp-proxy.ts';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { until } from '../../test/until.ts';
import { Database, isRefused, isUnavailable } from './database.ts';

let database: TestDatabase;
let proxy: TcpProxy;
const opened: Database[] = [];
beforeEach(async () => {
  database = await testDatabase();
  const { host, port } = database.connection;
  proxy = new TcpProxy({ upstream: () => ({ path: `${host}/.s.PGSQL.${port}` }) });
  await proxy.start();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((db) => db.close()));
  await proxy.stop();
  await database.close();
});

function openDatabase(options: { statementTimeoutMs?: number } = {}): Database {
  const connection = { ...database.connection, host: '127.0.0.1', port: proxy.port };
  const db = new Database({ connection, ...options });
  opened.push(db);
  return db;
}

const ONE = { name: 'one', text: 'SELECT 1 AS one' };
const SLEEP = { name: 'sleep', text: 'SELECT pg_sleep($1)' };

async function failure(work: Promise<unknown>): Promise<{ error: unknown; elapsedMs: number }> {
  const from = performance.now();
  const error = await work.then(
    () => null,
    (thrown) => thrown,
  );
  return { error, elapsedMs: performance.now() - from };
}

describe('database', () => {
  test('a dedicated connection gives up a statement that nobody answers, and opens another', async () => {
    const connection = openDatabase().dedicated({ statementTimeoutMs: 200 });
    expect(await connection.query(ONE)).toEqual([{ one: 1 }]);
    await proxy.set({ kind: 'half-open' });
    const { error, elapsedMs } = await failure(connection.query(ONE));
    expect(isUnavailable(error)).toBe(true);
    expect(isRefused(error)).toBe(false);
    expect(elapsedMs).toBeLessThan(2000);
    await proxy.set({ kind: 'pass' });
    expect(await connection.query(ONE)).toEqual([{ one: 1 }]);
    expect(proxy.accepted).toBe(2);
    await connection.reset();
  });

  test('a transaction whose connection is lost between two statements does not go on, or commit, on another', async () => {
    const connection = openDatabase().dedicated();
    for (const last of [() => connection.query(ONE), () => connection.commit(), () => connection.rollback()]) {
      await connection.begin();
      const client = await connection.client();
      const lost = new Promise((resolve) => client.once('end', resolve));
      await database.db.query({ name: 'end_backend', text: 'SELECT pg_terminate_backend($1)' }, [
        (client as unknown as { processID: number }).processID,
      ]);
      await lost;
      expect(isUnavailable((await failure(last())).error)).toBe(true);
      await connection.reset();
      expect(await connection.query(ONE)).toEqual([{ one: 1 }]);
    }
    await connection.reset();
  });

  test('a pooled connection that is ended between two statements of a transaction fails the next one, and no more', async () => {
    const db = openDatabase();
    const pid = { name: 'pid', text: 'SELECT pg_backend_pid() AS pid' };
    const { error } = await failure(
      db.transaction(async (tx) => {
        const [row] = await tx.query<{ pid: number }>(pid);
        await database.db.query({ name: 'end_backend', text: 'SELECT pg_terminate_backend($1)' }, [row.pid]);
        await until(
          async () =>
            (
              await database.db.query({ name: 'lives', text: 'SELECT 1 FROM pg_stat_activity WHERE pid = $1' }, [
                row.pid,
              ])
            ).length === 0,
        );
        await new Promise((resolve) => setImmediate(resolve)); // its last words have arrived
        await tx.query(ONE);
      }),
    );
    expect(isUnavailable(error)).toBe(true);
    expect(await db.query(ONE)).toEqual([{ one: 1 }]);
  });

  test('a reset does not wait for a server that is silent, nor for a connection that is only being made', async () => {
    const connection = openDatabase().dedicated({ statementTimeoutMs: 60_000 });
    await connection.query(ONE);
    await proxy.set({ kind: 'half-open' });
    const waiting = failure(connection.query(ONE));
    await connection.reset();
    expect(isUnavailable((await waiting).error)).toBe(true);
    const connecting = failure(connection.query(ONE));
    await connection.reset();
    expect((await connecting).elapsedMs).toBeLessThan(2000);
    expect(isUnavailable((await connecting).error)).toBe(true);
  });

  test('the server itself ends a statement that takes too long, and the connection lives on', async () => {
    const connection = openDatabase().dedicated({ statementTimeoutMs: 1000 });
    const { error } = await failure(connection.query(SLEEP, [30]));
    expect(error).toMatchObject({ code: '57014' });
    expect(isUnavailable(error)).toBe(true);
    expect(isRefused(error)).toBe(true);
    expect(await connection.query(ONE)).toEqual([{ one: 1 }]);
    expect(proxy.accepted).toBe(1);
    await connection.reset();
  });

  test('the pool gives up statements and transactions that nobody answers, and opens other connections', async () => {
    const db = openDatabase({ statementTimeoutMs: 300 });
    await Promise.all([db.query(ONE), db.query(ONE)]);
    await proxy.set({ kind: 'half-open' });
    const failures = await Promise.all([
      failure(db.query(ONE)),
      failure(db.transaction((tx) => tx.query(ONE))),
      failure(db.snapshot((tx) => tx.query(ONE))),
    ]);
    for (const { error, elapsedMs } of failures) {
      expect(isUnavailable(error)).toBe(true);
      expect(elapsedMs).toBeLessThan(6000);
    }
    await proxy.set({ kind: 'pass' });
    expect(await db.query(ONE)).toEqual([{ one: 1 }]);
    expect(await db.transaction((tx) => tx.query(ONE))).toEqual([{ one: 1 }]);
  });

  test('closes although idle connections do not answer', async () => {
    const db = openDatabase();
    await db.query(ONE);
    await proxy.set({ kind: 'half-open' });
    opened.length = 0;
    const { error, elapsedMs } = await failure(db.close());
    expect(error).toBe(null);
    expect(elapsedMs).toBeGreaterThan(1000); // it said goodbye, and did not leave the socket behind
    expect(elapsedMs).toBeLessThan(6000);
  });
});
