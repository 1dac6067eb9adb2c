// One stress over every background part: each may be stopped before it is started, twice, at once and while it starts; it works again
// after a restart; and nothing of it stays behind.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Maintenance } from '../src/app/maintenance.ts';
import { Retention } from '../src/app/retention.ts';
import { startTidings } from '../src/app/tidings.ts';
import type { SendResult } from '../src/core/outcome.ts';
import { generateMasterKey, parseMasterKey, SecretBox } from '../src/core/secret-box.ts';
import { Fetches } from '../src/inbound/fetch/fetches.ts';
import { HttpFetcher } from '../src/inbound/fetch/http-fetcher.ts';
import { RequestLog } from '../src/inbound/request-log.ts';
import { RequestWatch } from '../src/inbound/request-watch.ts';
import { SourceTransforms } from '../src/inbound/source-transforms.ts';
import { Catalogue } from '../src/log/catalogue.ts';
import { EventCache } from '../src/log/event-cache.ts';
import { GapReader } from '../src/log/gap-reader.ts';
import { HeadsPoll } from '../src/log/heads-poll.ts';
import { Hints } from '../src/log/hints.ts';
import { Scheduler } from '../src/log/scheduler.ts';
import { Tail } from '../src/log/tail.ts';
import { Writer } from '../src/log/writer.ts';
import { parseTarget } from '../src/net/address-guard.ts';
import { ConsumerWatch } from '../src/pull/consumer-watch.ts';
import { OpenStreams } from '../src/pull/open-streams.ts';
import { CommandPoll } from '../src/push/command-poll.ts';
import { Dispatcher } from '../src/push/dispatcher.ts';
import { Flusher, type FlushItem } from '../src/push/flusher.ts';
import { LagWatch } from '../src/push/lag-watch.ts';
import { Operations } from '../src/push/operations.ts';
import { Ownership } from '../src/push/ownership.ts';
import { Sender } from '../src/push/sender.ts';
import { createKey, PERMISSIONS } from '../src/storage/api-keys.ts';
import { ensureBuiltinApp, findLiveApps } from '../src/storage/apps.ts';
import { Database } from '../src/storage/database.ts';
import { ensurePartitions } from '../src/storage/partitions.ts';
import { registerProcess } from '../src/storage/processes.ts';
import { TransformPool } from '../src/transform/transform-pool.ts';
import { buildOnce } from './build.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { anApp, anEvent, testIds } from './event-log.ts';
import { type Receiver, receiver } from './receiver.ts';
import { testConfig } from './running.ts';
import { until } from './until.ts';

let database: TestDatabase;
let hooks: Receiver;
let appId: string;
beforeAll(async () => {
  await buildOnce();
  [database, hooks] = await Promise.all([testDatabase(), receiver()]);
  appId = await anApp(database.db);
  await ensureBuiltinApp(database.db);
});
afterAll(async () => {
  await database.close();
  await hooks.close();
});

interface BackgroundPart {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** What the parts are made of, each on a database access of its own. */
function setup() {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const db = new Database({ connection: database.connection, onError });
  const rules = { allowHttp: true, allowPrivate: ['127.0.0.0/8'] };
  const cache = new EventCache({ db });
  const handedOn: string[] = [];
  const tail = new Tail({
    cache,
    gaps: new GapReader({ db, cache }),
    isWanted: () => true,
    onEvents: (_, events) => handedOn.push(...events.map(({ id }) => id)),
    onHead: (id) => handedOn.push(id),
    onConfigChanged: () => {},
    onError,
  });
  const writer = new Writer({
    db,
    onCommitted: (id, events) => tail.committed(id, events),
    ensurePartitions: () => ensurePartitions(db, { daysAhead: 7 }),
  });
  const operations = new Operations({ append: (request) => writer.append(request), now: Date.now, onError });
  const sender = new Sender({ rules });
  const transforms = new TransformPool({ onError });
  const ownership: Ownership = new Ownership({
    db,
    newUuid: () => testIds.uuid(),
    version: 'test',
    onTaken: () => {},
    onLost: () => errors.push(new Error('the lease was lost')),
    onError,
    options: { renewEveryMs: 5 },
  });
  const dispatcher = new Dispatcher({
    db,
    box: new SecretBox({ keys: [parseMasterKey(generateMasterKey(randomBytes))], randomBytes }),
    rules,
    ids: testIds,
    cache,
    sender,
    transforms,
    ownership,
    operations,
    version: 'test',
    onAppDeleted: () => {},
    onError,
  });
  const identity = { processUuid: testIds.uuid(), epoch: 1 };
  const flusher = new Flusher({ db, identity: () => identity, now: Date.now, onFenced: () => {}, onError });
  const scheduler = new Scheduler({ db, appendDue: (app, due) => writer.appendDue(app, due), onError });
  const fetches = new Fetches({
    db,
    box: new SecretBox({ keys: [parseMasterKey(generateMasterKey(randomBytes))], randomBytes }),
    fetcher: new HttpFetcher({ rules }),
    version: 'test',
    appendFetched: (request) => writer.appendFetched(request),
    transforms: new SourceTransforms(transforms),
    append: (request) => writer.append(request),
    slots: () => [0, 1],
    newRunId: () => testIds.id('run'),
    newUuid: () => testIds.uuid(),
    now: Date.now,
    random: Math.random,
    onError,
    pollEveryMs: 5,
  });
  const headsPoll = new HeadsPoll({ db, tail, onAppDeleted: () => {}, onError });
  const catalogue = new Catalogue({ db, onError, pollEveryMs: 5 });
  const hints = new Hints({
    db,
    isOn: true,
    newUuid: () => testIds.uuid(),
    isAlone: () => false,
    onHead: () => {},
    onAppChanged: () => {},
    onCommand: () => {},
    onSlotsMoved: () => {},
    onCatalogueChanged: () => {},
    answer: () => null,
    onError,
  });
  const commandPoll = new CommandPoll({
    db,
    ownership: { owns: () => true, heldSlots: () => new Set([0]), maySend: () => true },
    handlers: { test: async () => void handedOn.push('command') },
    onError,
    options: { everyMs: 5 },
  });
  const lagWatch = new LagWatch({
    db,
    lanes: () => [],
    headOf: () => null,
    operations,
    now: Date.now,
    onError,
    options: { alertAfterSeconds: 1 },
  });
  const consumerWatch = new ConsumerWatch({
    db,
    append: (request) => writer.append(request),
    now: Date.now,
    onError,
    alertAfterSeconds: 1,
  });
  const retention = new Retention({
    db,
    append: (request) => writer.append(request),
    checkpoint: () => {},
    now: Date.now,
    onError,
    options: { firstAfterMs: 0, everyMs: 5 },
  });
  const maintenance = new Maintenance({
    db,
    onError,
    options: { partitionsEveryMs: 5, keysEveryMs: 5, erasuresEveryMs: 5 },
  });
  const openStreams = new OpenStreams({
    limits: { perApp: 1, perKey: 1 },
    liveKeys: async (ids) => new Set(ids),
    liveApps: (ids) => findLiveApps(db, ids),
    onError,
    options: { beatEveryMs: 15, checkEveryMs: 5 },
  });
  const requestLog = new RequestLog({ db, now: Date.now, onError, options: { flushEveryMs: 5 } });
  const requestWatch = new RequestWatch({
    db,
    now: Date.now,
    place: { appId, sourceId: testIds.id('source') },
    after: null,
    onRequests: () => {},
    isBusy: () => false,
    onError,
    options: { everyMs: 5 },
  });
  const flush = (into: Flusher): Promise<void> =>
    new Promise((committed) => into.add({ ...EMPTY_ITEM, committed: () => committed() }));
  const append = () => writer.append({ appId, events: [anEvent()], idempotency: null });

  /** Each part, and a piece of work of which it must be capable after every start. */
  const parts: Record<(typeof PARTS)[number], { part: BackgroundPart; work: () => Promise<unknown> }> = {
    writer: { part: writer, work: append },
    tail: {
      part: tail,
      work: async () => {
        // Another process has appended: the tail reads the gap.
        const head = tail.head(appId) ?? { position: 0, day: '2026-01-01', configVersion: 0 };
        tail.headFound(appId, { ...head, position: head.position + 1 });
        await until(() => handedOn.length > 0);
      },
    },
    scheduler: {
      part: scheduler,
      work: async () => {
        const due = { ...anEvent(), deliverAtMs: Date.now() + 50 };
        await writer.start();
        await writer.append({ appId, events: [due], idempotency: null });
        const find = { name: 'find', text: `SELECT 1 FROM scheduled` };
        await until(async () => (await db.query(find)).length === 0);
      },
    },
    fetches: { part: fetches, work: async () => {} },
    'heads poll': { part: headsPoll, work: async () => {} },
    'command poll': { part: commandPoll, work: async () => commandPoll.soon() },
    'lag watch': { part: lagWatch, work: () => lagWatch.look() },
    'consumer watch': { part: consumerWatch, work: () => consumerWatch.look() },
    catalogue: { part: catalogue, work: () => catalogue.refresh() },
    hints: { part: hints, work: async () => hints.slotsMoved() },
    operations: {
      part: operations,
      work: async () => operations.died(appId, { id: 'ep_x' } as never, 'evt_x', 'status_4xx'),
    },
    sender: {
      part: sender,
      work: async () => {
        const target = parseTarget(hooks.url, rules);
        const request = { target, headers: {}, body: Buffer.from('{}'), timeoutMs: 5000 };
        const result = await new Promise<SendResult>((done) => sender.send(request, done));
        expect(result.outcome).toBe('delivered');
      },
    },
    transforms: {
      part: transforms,
      work: async () => {
        const event = { id: 'evt_1', type: 'a.b', timeMs: 0, channels: [], data: Buffer.from('{}') };
        const verdict = await transforms.run({ appId, code: 'export default () => null', event });
        expect(verdict.kind).toBe('filtered');
      },
    },
    ownership: {
      part: ownership,
      work: async () => {
        expect(ownership.slotCount).toBe(256);
        expect(ownership.maySend()).toBe(true);
      },
    },
    flusher: {
      part: flusher,
      work: async () => {
        await registerProcess(db, { ...identity, ttlSeconds: 60, host: 'h', pid: 1, version: 'test' }).catch(() => {});
        await flush(flusher);
      },
    },
    dispatcher: { part: dispatcher, work: async () => {} },
    maintenance: { part: maintenance, work: async () => {} },
    retention: { part: retention, work: async () => {} },
    'request log': { part: requestLog, work: () => requestLog.flush() },
    'request watch': { part: requestWatch, work: async () => {} },
    'open streams': {
      part: openStreams,
      work: async () => {
        let beats = 0;
        const stream = { appId, keyId: 'key_x', beat: () => void beats++, end: () => {}, destroy: () => {} };
        const remove = openStreams.add(stream);
        await until(() => beats > 0);
        remove();
      },
    },
  };
  return { db, parts, errors, writer };
}

const EMPTY_ITEM: FlushItem = {
  lane: null,
  row: null,
  retry: null,
  closedRetry: null,
  deadRow: null,
  closedDead: null,
  committed: () => {},
};

/** How many handles of each kind keep the process alive. */
async function handles(): Promise<Record<string, number>> {
  // So that the test's own pool holds one connection each time.
  await database.db.query({ name: 'ping', text: 'SELECT 1' });
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Runs the work, which starts and stops often, and resolves when there are no more handles of a kind than before; sockets take a moment. */
async function leavesNothing(work: () => Promise<void>): Promise<void> {
  const before = await handles();
  await work();
  let more: string[] = [];
  await until(async () => {
    const after = Object.entries(await handles());
    more = after.filter(([kind, count]) => count > (before[kind] ?? 0)).map(([kind, count]) => `${count} ${kind}`);
    return more.length === 0;
  }).catch(() => {});
  expect(more).toEqual([]);
}

const PARTS = [
  'command poll',
  'lag watch',
  'catalogue',
  'consumer watch',
  'hints',
  'writer',
  'tail',
  'scheduler',
  'fetches',
  'heads poll',
  'operations',
  'sender',
  'transforms',
  'ownership',
  'flusher',
  'dispatcher',
  'maintenance',
  'retention',
  'request log',
  'request watch',
  'open streams',
] as const;

describe('every background part', () => {
  test.each(PARTS)('%s starts and stops in any order, and leaves nothing behind', async (name) => {
    await leavesNothing(async () => {
      const { db, parts, errors, writer } = setup();
      const { part, work } = parts[name];
      await part.stop();
      await part.stop();
      for (let cycle = 0; cycle < 3; cycle++) {
        await part.start();
        await work();
        await part.stop();
        await part.stop();
      }
      for (let cycle = 0; cycle < 10; cycle++) {
        await part.start();
        await Promise.all([part.stop(), part.stop()]);
      }
      for (let cycle = 0; cycle < 10; cycle++) {
        const starting = part.start();
        await part.stop();
        await starting;
        await part.stop();
      }
      await part.start();
      await work();
      await part.stop();
      await writer.stop();
      await db.close();
      // Whatever still ran would now find its database closed.
      await new Promise((resolve) => setImmediate(resolve));
      expect(errors).toEqual([]);
    });
  });
});

describe('the whole server', () => {
  test('starts and stops again and again, and leaves nothing behind', async () => {
    const { token } = await createKey(database.db, {
      id: testIds.id('key'),
      appId: null,
      name: 'test',
      permissions: [...PERMISSIONS],
      expiresAt: null,
    });
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', connection: 'close' };
    const config = testConfig(database.url, { drainSeconds: 1 });
    await leavesNothing(async () => {
      for (let cycle = 0; cycle < 3; cycle++) {
        const server = await startTidings(config, { migrate: false });
        const post = async (path: string, body: object): Promise<number> => {
          const init = { method: 'POST', headers, body: JSON.stringify(body) };
          return (await fetch(`${server.url}/v1/apps/${appId}/${path}`, init)).status;
        };
        if (cycle === 0) expect(await post('endpoints', { url: hooks.url })).toBe(201);
        // A client that never ends its request does not hold the stop up for longer than the drain.
        const { hostname, port } = new URL(server.url);
        const unending = connect(Number(port), hostname).on('error', () => {});
        const head = ['POST /v1/apps HTTP/1.1', 'host: x', `authorization: Bearer ${token}`, 'content-length: 10'];
        if (cycle === 0) unending.write(`${head.join('\r\n')}\r\ncontent-type: application/json\r\n\r\n`);
        const sent = hooks.requests.length;
        expect(await post('events', { type: 'a.b', data: cycle })).toBe(202);
        await hooks.request(sent + 1);
        await server.stop();
        await server.stop();
        unending.destroy();
      }
    });
  });
});
