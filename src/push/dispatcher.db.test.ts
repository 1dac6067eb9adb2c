// The dispatcher where leases and slots come and go, and where one app's trouble must stay its own.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anApp, anEvent, testIds } from '../../test/event-log.ts';
import { until } from '../../test/until.ts';
import { ENDPOINT_DEFAULTS, slotOf } from '../core/endpoint.ts';
import { IdGenerator, uuidFromId } from '../core/id.ts';
import type { SendResult } from '../core/outcome.ts';
import { generateMasterKey, parseMasterKey, SecretBox } from '../core/secret-box.ts';
import { generateSecret } from '../core/signature.ts';
import { EventCache } from '../log/event-cache.ts';
import { Tail } from '../log/tail.ts';
import { Writer } from '../log/writer.ts';
import { Database, type DedicatedConnection, type Query, type Queryable } from '../storage/database.ts';
import { createEndpoint } from '../storage/endpoint-changes.ts';
import { ensurePartitions } from '../storage/partitions.ts';
import { registerProcess } from '../storage/processes.ts';
import { Dispatcher, type DispatcherParts } from './dispatcher.ts';
import { Operations } from './operations.ts';
import { Ownership } from './ownership.ts';

const box = new SecretBox({ keys: [parseMasterKey(generateMasterKey(randomBytes))], randomBytes });
const rules = { allowHttp: true, allowPrivate: ['127.0.0.0/8'] };

let database: TestDatabase;
const running: { stop(): Promise<void> }[] = [];
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.stop()));
  await database.close();
});

const sql = (text: string) =>
  database.db.query<{ count: number }>({ name: `t${randomBytes(4).toString('hex')}`, text });

const DELIVERED: SendResult = {
  outcome: 'delivered',
  reason: 'delivered',
  status: 200,
  timings: { dnsUs: null, connectUs: null, tlsUs: null, firstByteUs: 1, totalUs: 2 },
  remoteAddress: null,
  responseHead: null,
  responseBody: null,
  retryAfterMs: null,
  error: null,
};
const GONE: SendResult = { ...DELIVERED, outcome: 'rejected', reason: 'status_410', status: 410 };

type Send = DispatcherParts['sender']['send'];

/** A database that loses the reply of the first statement of a name, holds up one in a snapshot, or refuses flushes. */
class LossyDatabase extends Database {
  loses = '';
  holds: { name: string; until: Promise<void>; reached: () => void } | null = null;
  refusesFlushes = false;

  override snapshot<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return super.snapshot((tx) =>
      work({
        query: async (query, values) => {
          if (query.name === this.holds?.name) {
            const { until, reached } = this.holds;
            this.holds = null;
            reached();
            await until;
          }
          return await tx.query(query, values);
        },
      }),
    );
  }

  override dedicated(): DedicatedConnection {
    const connection = super.dedicated();
    const query = connection.query.bind(connection);
    connection.query = <Row>(statement: Query, values: unknown[] = []): Promise<Row[]> =>
      this.refusesFlushes && statement.name === 'flush'
        ? Promise.reject(new Error('the database is out of reach'))
        : query<Row>(statement, values);
    return connection;
  }

  override async query<Row>(query: Query, values: unknown[] = []): Promise<Row[]> {
    const rows = await super.query<Row>(query, values);
    if (query.name !== this.loses) return rows;
    this.loses = '';
    throw new Error('the reply was lost');
  }
}

/** One process; `sent` are the requests that are not yet answered. */
function aProcess() {
  const db = new LossyDatabase({ connection: database.connection });
  const ids = new IdGenerator({ now: Date.now, randomBytes });
  const cache = new EventCache({ db });
  const sent: { endpoint: string; id: string; answer: (result: SendResult) => void }[] = [];
  const waiting: (() => void)[] = [];
  const tail: Tail = new Tail({
    cache,
    onEvents: (appId, events, head) => dispatcher.onEvents(appId, events, head),
    onFirstSeen: (appId, head) => dispatcher.onHead(appId, head),
    onConfigChanged: (appId) => dispatcher.configChanged(appId),
    onError: () => {},
  });
  const writer = new Writer({
    db,
    onCommitted: (appId, events) => tail.committed(appId, events),
    ensurePartitions: () => ensurePartitions(db, { daysAhead: 7 }),
  });
  const operations = new Operations({ append: async () => {}, now: Date.now, onError: () => {} });
  const ownership: Ownership = new Ownership({
    db,
    newUuid: () => ids.uuid(),
    version: 'test',
    onTaken: (slots) => void dispatcher.takeSlots(slots),
    onLost: () => dispatcher.loseAll(),
    onError: () => {},
    options: { renewEveryMs: 20 },
  });
  const send: Send = (request, done) => {
    const headers = request.headers as Record<string, string>;
    sent.push({ endpoint: headers['x-endpoint'], id: headers['webhook-id'], answer: done });
    for (const resolve of waiting.splice(0)) resolve();
  };
  const dispatcher: Dispatcher = new Dispatcher({
    db,
    box,
    rules,
    ids,
    cache,
    sender: { send, inFlight: 0 },
    ownership,
    operations,
    version: 'test',
    onAppDeleted: () => {},
    onError: () => {},
    options: { flusher: { lingerMs: 1, checkpointEveryMs: 20 } },
  });
  const process = {
    db,
    sent,
    ownership,
    dispatcher,
    start: async () => {
      await dispatcher.start();
      await ownership.start();
    },
    publish: async (appId: string): Promise<string> => {
      const event = anEvent();
      await writer.append({ appId, events: [event], idempotency: null });
      return event.id;
    },
    /** The n-th request that was sent, as soon as it is. */
    request: async (n: number) => {
      while (sent.length < n) await new Promise<void>((resolve) => waiting.push(resolve));
      return sent[n - 1];
    },
    stop: async (): Promise<void> => {
      await dispatcher.stop(0);
      await ownership.stop();
      await writer.stop();
      await db.close();
    },
  };
  running.push(process);
  return process;
}

async function anEndpoint(appId: string, name: string, id = testIds.id('endpoint')): Promise<string> {
  const config = {
    ...ENDPOINT_DEFAULTS,
    url: 'http://127.0.0.1:1/',
    headers: { 'x-endpoint': name },
    maxConcurrency: 8,
    timeoutMs: 1000,
    disableAfterSeconds: 3600,
  };
  const secret = { secretUuid: testIds.uuid(), secret: generateSecret('v1', randomBytes) };
  await createEndpoint(database.db, box, { id, appId, uid: null, config, start: 'now', secret, idempotency: null });
  return id;
}

/** An endpoint's id whose slot is below 128, or from there on. */
function anEndpointId(isLow: boolean): string {
  for (;;) {
    const id = testIds.id('endpoint');
    if (slotOf(uuidFromId('endpoint', id)) < 128 === isLow) return id;
  }
}

describe('dispatcher', () => {
  test('what was in flight when the lease was lost is not recorded under the next lease', async () => {
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    const endpointId = await anEndpoint(appId, 'a');
    await process.publish(appId);
    const first = await process.request(1);
    await sql(`UPDATE processes SET state = 'dead'`);
    const second = await process.request(2);
    expect(second.id).toBe(first.id);
    first.answer(DELIVERED);
    second.answer(DELIVERED);
    await until(() => process.dispatcher.lane(appId, endpointId)?.idle === true);
    expect((await sql('SELECT count(*) FROM attempts'))[0].count).toBe(1);
    expect(process.dispatcher.open).toBe(0);
  });

  test('lanes without work that come to a process are there for the next event of an app that it has loaded', async () => {
    const other = { processUuid: testIds.uuid(), epoch: 1 };
    await registerProcess(database.db, { ...other, ttlSeconds: 60, host: 'h', pid: 1, version: 'test' });
    await sql(`UPDATE slots SET process_id = '${other.processUuid}' WHERE slot >= 128`);
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    await anEndpoint(appId, 'mine', anEndpointId(true));
    const theirs = await anEndpoint(appId, 'theirs', anEndpointId(false));
    await process.publish(appId);
    (await process.request(1)).answer(DELIVERED);
    await sql(`UPDATE lanes SET settled_through = 1 WHERE endpoint_id = '${uuidFromId('endpoint', theirs)}'`);
    await sql(`UPDATE processes SET state = 'dead' WHERE process_id = '${other.processUuid}'`);
    await until(() => process.ownership.slotCount === 256);
    const id = await process.publish(appId);
    await process.request(3);
    const second = process.sent.slice(1).toSorted((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
    expect(second.map(({ endpoint, id }) => ({ endpoint, id }))).toEqual([
      { endpoint: 'mine', id },
      { endpoint: 'theirs', id },
    ]);
  });

  test('a lane is not loaded from a snapshot that is older than the takeover of its slot', async () => {
    const other = { processUuid: testIds.uuid(), epoch: 1 };
    await registerProcess(database.db, { ...other, ttlSeconds: 60, host: 'h', pid: 1, version: 'test' });
    await sql(`UPDATE slots SET process_id = '${other.processUuid}' WHERE slot >= 128`);
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    await anEndpoint(appId, 'mine', anEndpointId(true));
    const theirs = await anEndpoint(appId, 'theirs', anEndpointId(false));
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const reached = new Promise<void>((resolve) => {
      process.db.holds = { name: 'load_secrets_of_app', until: held, reached: resolve };
    });
    const published = process.publish(appId);
    await reached;
    await published;
    // The other process delivers and settles the event, and gives up its slots.
    await sql(`UPDATE lanes SET settled_through = 1 WHERE endpoint_id = '${uuidFromId('endpoint', theirs)}'`);
    await sql(`UPDATE processes SET state = 'dead' WHERE process_id = '${other.processUuid}'`);
    await until(() => process.ownership.slotCount === 256);
    release();
    await until(() => process.dispatcher.laneCount === 2);
    const id = await process.publish(appId);
    await until(() => process.sent.some((request) => request.endpoint === 'theirs'));
    expect(process.sent.filter(({ endpoint }) => endpoint === 'theirs').map((request) => request.id)).toEqual([id]);
  });

  test('stops although the outcomes cannot be written', async () => {
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    await anEndpoint(appId, 'a');
    await process.publish(appId);
    process.db.refusesFlushes = true;
    (await process.request(1)).answer(DELIVERED);
    await process.dispatcher.stop(50);
    expect(process.dispatcher.laneCount).toBe(0);
  });

  test('an app that cannot be loaded does not hold up the others at a takeover', async () => {
    const before = aProcess();
    const apps: string[] = [];
    for (let n = 0; n < 6; n++) {
      const appId = await anApp(database.db);
      await anEndpoint(appId, String(n));
      await before.publish(appId);
      apps.push(appId);
    }
    await sql(`UPDATE endpoint_secrets SET sealed = '\\x00' WHERE app_id = '${uuidFromId('app', apps[0])}'`);
    const process = aProcess();
    await process.start();
    await process.request(5);
    expect(process.sent.map(({ endpoint }) => endpoint).toSorted()).toEqual(['1', '2', '3', '4', '5']);
  });

  test('stops sending to an endpoint that was disabled although the reply of that was lost', async () => {
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    const endpointId = await anEndpoint(appId, 'a');
    process.db.loses = 'disable_endpoint';
    await process.publish(appId);
    (await process.request(1)).answer(GONE);
    await until(() => process.db.loses === '');
    await process.publish(appId);
    (await process.request(2)).answer(GONE);
    await until(() => process.dispatcher.lane(appId, endpointId)?.state === 'disabled');
  });
});
