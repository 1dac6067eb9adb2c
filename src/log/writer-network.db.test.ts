// The writer over a network that goes half-open: publishers are told within the time of a statement, and nothing is appended twice.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TcpProxy } from '../../faults/tcp-proxy.ts';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anApp, anEvent } from '../../test/event-log.ts';
import { until } from '../../test/until.ts';
import { Database } from '../storage/database.ts';
import { Writer } from './writer.ts';

let database: TestDatabase;
let proxy: TcpProxy;
let db: Database;
let writer: Writer;
beforeEach(async () => {
  database = await testDatabase();
  const { host, port } = database.connection;
  proxy = new TcpProxy({ upstream: () => ({ path: `${host}/.s.PGSQL.${port}` }) });
  await proxy.start();
  db = new Database({ connection: { ...database.connection, host: '127.0.0.1', port: proxy.port } });
  const options = { connections: 1, statementTimeoutMs: 1600 };
  writer = new Writer({ db, onCommitted: () => {}, ensurePartitions: async () => {}, options });
});
afterEach(async () => {
  proxy.breakConnections();
  await writer.stop();
  await db.close();
  await proxy.stop();
  await database.close();
});

const sql = <Row>(name: string, text: string) => database.db.query<Row>({ name, text });
const count = async () => (await sql('count', 'SELECT 1 FROM events')).length;
const append = (appId: string, id?: string) =>
  writer.append({ appId, events: [anEvent(id === undefined ? {} : { id })], idempotency: null });

describe('writer', () => {
  test('says that it does not know when the network goes silent under an append, and works when it is back', async () => {
    const appId = await anApp(database.db);
    await append(appId);
    await proxy.set({ kind: 'half-open' });
    const from = performance.now();
    await expect(append(appId)).rejects.toMatchObject({ code: 'unclear', status: 503 });
    // No connection can be made now: it is known that nothing was stored.
    await expect(append(appId)).rejects.toMatchObject({ code: 'unavailable' });
    expect(performance.now() - from).toBeLessThan(8000);
    await proxy.set({ kind: 'pass' });
    await append(appId);
    expect(await count()).toBe(2);
  });

  test('an append with an id that ended unclear is found by its id when it is published again', async () => {
    const appId = await anApp(database.db);
    await append(appId, 'first');
    // The reply of the commit is lost.
    await sql(
      'slow',
      `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.4); RETURN NULL; END $$`,
    );
    await sql(
      'trigger',
      'CREATE CONSTRAINT TRIGGER late AFTER INSERT ON idempotency_keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()',
    );
    const appending = append(appId, 'order-7');
    appending.catch(() => {});
    await until(
      async () => (await sql('waits', `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)).length > 0,
    );
    await proxy.set({ kind: 'half-open' });
    await expect(appending).rejects.toMatchObject({ code: 'unclear' });
    await until(async () => (await count()) === 2);
    await proxy.set({ kind: 'pass' });
    expect(await append(appId, 'order-7')).toMatchObject([{ position: 2, duplicate: true }]);
    expect(await count()).toBe(2);
  });

  test('an append that waits too long for the app is refused by the server, so that nothing was stored', async () => {
    const appId = await anApp(database.db);
    await database.db.transaction(async (tx) => {
      await tx.query({ name: 'hold', text: 'SELECT 1 FROM heads FOR UPDATE' });
      await expect(append(appId)).rejects.toMatchObject({ code: 'unavailable' });
    });
    await append(appId);
    expect(await count()).toBe(1);
  });
});
