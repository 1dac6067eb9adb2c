// Lane and flush against a naive model: random publishing, changes of filters, pauses, days that roll over, completions in any order,
// lost replies of COMMITs, and crashes at any moment. What the model knows is only what was acknowledged and which filter was valid then.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anApp, anEvent, testIds } from '../../test/event-log.ts';
import { ENDPOINT_DEFAULTS, type EndpointConfig, type EndpointFilter } from '../core/endpoint.ts';
import { IdGenerator } from '../core/id.ts';
import type { SendResult } from '../core/outcome.ts';
import { generateMasterKey, parseMasterKey, SecretBox } from '../core/secret-box.ts';
import { generateSecret } from '../core/signature.ts';
import { EventCache } from '../log/event-cache.ts';
import { Tail } from '../log/tail.ts';
import { Writer } from '../log/writer.ts';
import { Database, type DedicatedConnection, type Query } from '../storage/database.ts';
import { createEndpoint, pauseEndpoint, resumeEndpoint, updateEndpoint } from '../storage/endpoint-changes.ts';
import { readHead } from '../storage/heads.ts';
import { ensurePartitions } from '../storage/partitions.ts';
import { Dispatcher, type DispatcherParts } from './dispatcher.ts';
import { Operations } from './operations.ts';
import { Ownership } from './ownership.ts';

const box = new SecretBox({ keys: [parseMasterKey(generateMasterKey(randomBytes))], randomBytes });
const rules = { allowHttp: true, allowPrivate: ['127.0.0.0/8'] };

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(() => database.close());

/** A database whose flushes now and then lose the reply of their COMMIT. */
class LossyDatabase extends Database {
  override dedicated(): DedicatedConnection {
    const connection = super.dedicated();
    const query = connection.query.bind(connection);
    connection.query = async <Row>(statement: Query, values: unknown[] = []): Promise<Row[]> => {
      const rows = await query<Row>(statement, values);
      if (statement.name === 'flush' && Math.random() < 0.15) throw new Error('the reply was lost');
      return rows;
    };
    return connection;
  }
}

type Send = DispatcherParts['sender']['send'];

/** What the endpoints have received, over all crashes, and how they answer. */
class Receivers {
  readonly received = new Map<string, number>();
  sends = 0;
  healthy = false;

  /** An answer after a random while, so that completions overtake each other. */
  send: Send = (request, done) => {
    this.sends++;
    const headers = request.headers as Record<string, string>;
    const key = `${headers['x-endpoint']} ${headers['webhook-id']}`;
    this.received.set(key, (this.received.get(key) ?? 0) + 1);
    const result =
      this.healthy || Math.random() < 0.75 ? DELIVERED : FAILURES[Math.floor(Math.random() * FAILURES.length)];
    setTimeout(done, Math.random() * 15, result);
  };
}

const TIMINGS = { dnsUs: null, connectUs: null, tlsUs: null, firstByteUs: 1, totalUs: 2 };
const REST = {
  timings: TIMINGS,
  remoteAddress: '127.0.0.1:1',
  responseHead: 'HTTP/1.1 200 OK\r\nx: "\\',
  retryAfterMs: null,
};
const DELIVERED: SendResult = {
  outcome: 'delivered',
  reason: 'delivered',
  status: 200,
  responseBody: null,
  error: null,
  ...REST,
};
const FAILURES: SendResult[] = [
  {
    ...DELIVERED,
    outcome: 'unreachable',
    reason: 'timeout_total',
    status: null,
    responseHead: null,
    error: 'nul \0 and "quotes" \\',
  },
  { ...DELIVERED, outcome: 'rejected', reason: 'status_4xx', status: 400, responseBody: Buffer.from('no') },
  { ...DELIVERED, outcome: 'throttled', reason: 'status_429', status: 429, retryAfterMs: 30 },
];

/** One process: everything of the engine but the network. `crash` leaves it where it is and cuts it off. */
async function aProcess(receivers: Receivers) {
  const db = new LossyDatabase({ connection: database.connection });
  const ids = new IdGenerator({ now: Date.now, randomBytes });
  const cache = new EventCache({ db, options: { maxBytes: 50_000 } });
  const errors: unknown[] = [];
  let dead = false;
  const tail: Tail = new Tail({
    cache,
    onEvents: (appId, events, head) => dispatcher.onEvents(appId, events, head),
    onFirstSeen: (appId, head) => dispatcher.onHead(appId, head),
    onConfigChanged: (appId) => dispatcher.configChanged(appId),
    onError: (error) => errors.push(error),
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
    onError: (error) => errors.push(error),
  });
  const send: Send = (request, done) => {
    if (!dead) receivers.send(request, (result) => !dead && done(result));
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
    onError: (error) => errors.push(error),
    options: { flusher: { lingerMs: 2, fullItems: 20, maxItems: 30, checkpointEveryMs: 20 } },
  });
  await dispatcher.start();
  await ownership.start();
  return {
    writer,
    dispatcher,
    async settled(appId: string, endpointIds: string[]): Promise<boolean> {
      const head = await readHead(database.db, appId);
      return endpointIds.every((id) => {
        const lane = dispatcher.lane(appId, id);
        if (head?.position === 0) return true;
        return lane?.idle === true && lane.settled.position === head?.position && lane.retryCount === 0;
      });
    },
    describe(appId: string, endpointIds: string[]): string {
      const lanes = endpointIds.map((id) => {
        const lane = dispatcher.lane(appId, id);
        return (
          lane && {
            state: lane.state,
            settled: lane.settled,
            retries: lane.retryCount,
            open: lane.uncommitted,
            breaker: lane.breaker.snapshot,
          }
        );
      });
      return JSON.stringify({
        lanes,
        head: tail.head(appId),
        flushing: dispatcher.flusher.waiting,
        errors: errors.slice(-3).map(String),
      });
    },
    /** Like a SIGKILL: nothing is flushed, nothing in flight is heard of again; its lease is declared over at once. */
    crash: async (): Promise<void> => {
      dead = true;
      dispatcher.loseAll();
      await dispatcher.flusher.stop();
      await database.db.query({ name: 'bury', text: `UPDATE processes SET state = 'dead'` });
      await ownership.stop();
      await writer.stop();
      await db.close();
    },
    stop: async (): Promise<void> => {
      await dispatcher.stop(1000);
      await ownership.stop();
      await writer.stop();
      await db.close();
    },
  };
}

const FILTERS: EndpointFilter[] = [{}, { types: ['a'] }, { types: ['b', 'c.*'] }, { types: ['c.*'], channels: ['x'] }];
const TYPES = ['a', 'b', 'c.d'];
const matches = (filter: EndpointFilter, event: { type: string; channels: readonly string[] }): boolean =>
  (!filter.types ||
    filter.types.some((type) => type === event.type || (type === 'c.*' && event.type.startsWith('c.')))) &&
  (!filter.channels || filter.channels.some((channel) => event.channels.includes(channel)));

const command = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      events: fc.integer({ min: 1, max: 60 }),
      await: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('filter' as const), endpoint: fc.nat(2), filter: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('roll' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), endpoint: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resume' as const), endpoint: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(40) }) },
);

async function anEndpoint(appId: string, filter: EndpointFilter, name: string): Promise<string> {
  const config: EndpointConfig = {
    ...ENDPOINT_DEFAULTS,
    url: 'http://127.0.0.1:1/',
    filter,
    headers: { 'x-endpoint': name },
    retryDelaysSeconds: Array.from({ length: 30 }, () => 0.02),
    maxConcurrency: 8,
    timeoutMs: 1000,
    disableAfterSeconds: 3600,
  };
  const id = testIds.id('endpoint');
  const secret = { secretUuid: testIds.uuid(), secret: generateSecret('v1', randomBytes) };
  await createEndpoint(database.db, box, { id, appId, uid: null, config, start: 'now', secret, idempotency: null });
  return id;
}

interface Counts {
  attempts: number;
  pending: number;
}

async function count(): Promise<Counts> {
  const text = `SELECT (SELECT count(*) FROM attempts) AS attempts,
    (SELECT count(*) FROM retries) + (SELECT count(*) FROM lanes l JOIN heads h USING (app_id) WHERE h.last_position > l.settled_through) AS pending`;
  const [row] = await database.db.query<Counts>({ name: 'counts', text });
  return row;
}

describe('lane and flush', () => {
  test('deliver what the model expects, through crashes and lost replies', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 30 }), async (commands) => {
        await database.db.query({
          name: 'clear',
          text: 'TRUNCATE attempts, retries, dead, lanes, endpoints, events, heads',
        });
        const appId = await anApp(database.db);
        const receivers = new Receivers();
        const filters = [FILTERS[0], FILTERS[1], FILTERS[2]];
        const paused = [false, false, false];
        const endpoints = await Promise.all(filters.map((filter, i) => anEndpoint(appId, filter, String(i))));
        let process = await aProcess(receivers);
        const expected: { endpoint: number; id: string }[] = [];
        const unexpected: { endpoint: number; id: string }[] = [];
        const open: Promise<unknown>[] = [];
        let crashes = 0;
        let days = 0;

        for (const step of commands) {
          if (step.do === 'publish') {
            const events = Array.from({ length: step.events }, (_, i) =>
              anEvent({ type: TYPES[i % 3], channels: i % 2 ? ['x'] : ['y', 'z'] }),
            );
            // Filters change only while nothing is being published, so that the model knows which one is valid.
            const valid = [...filters];
            const appended = process.writer.append({ appId, events, idempotency: null }).then(() => {
              for (const event of events) {
                for (const [endpoint, filter] of valid.entries()) {
                  (matches(filter, event) ? expected : unexpected).push({ endpoint, id: event.id });
                }
              }
            });
            open.push(appended);
            if (step.await) await appended;
          } else if (step.do === 'filter') {
            await Promise.all(open.splice(0));
            filters[step.endpoint] = FILTERS[step.filter];
            const place = { appId, endpointId: endpoints[step.endpoint] };
            await updateEndpoint(database.db, place, (endpoint) => ({
              uid: endpoint.uid,
              config: { ...endpoint.config, filter: FILTERS[step.filter] },
            }));
            if (step.filter % 2) process.dispatcher.configChanged(appId); // else the next event's version tells
          } else if (step.do === 'crash') {
            await Promise.all(open.splice(0));
            crashes++;
            await process.crash();
            process = await aProcess(receivers);
          } else if (step.do === 'roll') {
            if (days++ < 5) await database.db.query({ name: 'roll', text: 'UPDATE heads SET last_day = last_day + 1' });
          } else if (step.do === 'pause' || step.do === 'resume') {
            const place = { appId, endpointId: endpoints[step.endpoint] };
            paused[step.endpoint] = step.do === 'pause';
            if (step.do === 'pause') await pauseEndpoint(database.db, place);
            else await resumeEndpoint(database.db, place, 'cursor');
            process.dispatcher.configChanged(appId);
          } else {
            await new Promise((resolve) => setTimeout(resolve, step.ms));
          }
        }
        await Promise.all(open);
        receivers.healthy = true;
        for (const [i, endpointId] of endpoints.entries()) {
          if (paused[i]) await resumeEndpoint(database.db, { appId, endpointId }, 'cursor');
        }
        process.dispatcher.configChanged(appId);
        for (const deadline = Date.now() + 10_000; !(await process.settled(appId, endpoints)); ) {
          if (Date.now() > deadline) throw new Error(`still pending: ${process.describe(appId, endpoints)}`);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        await process.stop();
        const { attempts, pending } = await count();
        expect(pending).toBe(0);
        const deadRows = await database.db.query<{ event_id: string }>({
          name: 'dead',
          text: 'SELECT event_id FROM dead',
        });
        const dead = new Set(deadRows.map((row) => row.event_id));

        const lost = expected.filter(
          ({ endpoint, id }) => !receivers.received.has(`${endpoint} ${id}`) && !dead.has(id),
        );
        expect(lost).toEqual([]);
        expect(unexpected.filter(({ endpoint, id }) => receivers.received.has(`${endpoint} ${id}`))).toEqual([]);
        // I2: what was sent and not recorded was open at a crash: at most 2 × window of each lane, and a window of 2 × concurrency.
        expect(receivers.sends).toBeGreaterThanOrEqual(attempts);
        expect(receivers.sends).toBeLessThanOrEqual(attempts + crashes * endpoints.length * 4 * 8);
      }),
      { numRuns: 12, endOnFailure: true },
    );
  });
});
