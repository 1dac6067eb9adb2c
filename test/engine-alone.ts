// One process as far as the engine goes: log, ownership, dispatcher and flusher on a real database, without the network and the API. Several
// of them share a database as several servers do.
import { randomBytes } from 'node:crypto';
import { ENDPOINT_DEFAULTS, type EndpointConfig } from '../src/core/endpoint.ts';
import { IdGenerator } from '../src/core/id.ts';
import { generateMasterKey, parseMasterKey, SecretBox } from '../src/core/secret-box.ts';
import { generateSecret } from '../src/core/signature.ts';
import { EventCache } from '../src/log/event-cache.ts';
import { GapReader } from '../src/log/gap-reader.ts';
import { Tail } from '../src/log/tail.ts';
import { Writer } from '../src/log/writer.ts';
import { Dispatcher, type DispatcherOptions, type DispatcherParts } from '../src/push/dispatcher.ts';
import { Operations } from '../src/push/operations.ts';
import { Ownership, type OwnershipOptions } from '../src/push/ownership.ts';
import { Database, type DedicatedConnection, type Query, type Queryable } from '../src/storage/database.ts';
import { createEndpoint } from '../src/storage/endpoint-changes.ts';
import { changedHeads } from '../src/storage/heads.ts';
import { ensurePartitions } from '../src/storage/partitions.ts';
import type { TestDatabase } from './database.ts';
import { testIds } from './event-log.ts';

export const testBox = new SecretBox({ keys: [parseMasterKey(generateMasterKey(randomBytes))], randomBytes });
const rules = { allowHttp: true, allowPrivate: ['127.0.0.0/8'] };

/** A database that loses the reply of the first statement of a name, or of some flushes, holds up one in a snapshot, or refuses flushes. */
export class LossyDatabase extends Database {
  loses = '';
  /** Of the replies to flushes. */
  lostShare = 0;
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
    connection.query = async <Row>(statement: Query, values: unknown[] = []): Promise<Row[]> => {
      if (statement.name !== 'flush') return await query<Row>(statement, values);
      if (this.refusesFlushes) throw new Error('the database is out of reach');
      const rows = await query<Row>(statement, values);
      if (Math.random() < this.lostShare) throw new Error('the reply was lost');
      return rows;
    };
    return connection;
  }

  override async query<Row>(query: Query, values: unknown[] = []): Promise<Row[]> {
    const rows = await super.query<Row>(query, values);
    if (query.name !== this.loses) return rows;
    this.loses = '';
    throw new Error('the reply was lost');
  }
}

const NO_TRANSFORMS: DispatcherParts['transforms'] = {
  run: async () => ({ kind: 'unavailable', message: 'there are none here' }),
  hasRoom: () => true,
};

export interface EngineOptions {
  send: DispatcherParts['sender']['send'];
  transforms?: DispatcherParts['transforms'];
  lostShare?: number;
  cacheBytes?: number;
  dispatcher?: DispatcherOptions;
  ownership?: Partial<OwnershipOptions>;
}

export function engineAlone({ connection }: Pick<TestDatabase, 'connection'>, options: EngineOptions) {
  const db = new LossyDatabase({ connection });
  db.lostShare = options.lostShare ?? 0;
  const ids = new IdGenerator({ now: Date.now, randomBytes });
  const cache = new EventCache({ db, options: { maxBytes: options.cacheBytes ?? 1024 * 1024 } });
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  let isDead = false;
  const tail: Tail = new Tail({
    cache,
    gaps: new GapReader({ db, cache }),
    isWanted: (appId) => dispatcher.wants(appId),
    onEvents: (appId, events, head) => dispatcher.onEvents(appId, events, head),
    onHead: (appId, head) => dispatcher.onHead(appId, head),
    onConfigChanged: (appId) => dispatcher.configChanged(appId),
    onError,
  });
  const writer = new Writer({
    db,
    onCommitted: (appId, events) => tail.committed(appId, events),
    ensurePartitions: () => ensurePartitions(db, { daysAhead: 7 }),
  });
  const operations = new Operations({ append: async () => {}, now: Date.now, onError });
  const ownership: Ownership = new Ownership({
    db,
    newUuid: () => ids.uuid(),
    version: 'test',
    onTaken: (slots) => void dispatcher.takeSlots(slots),
    onRelease: (slots) => dispatcher.releaseSlots(slots),
    onLost: () => dispatcher.loseAll(),
    onError,
    options: { renewEveryMs: 20, ...options.ownership },
  });
  const dispatcher: Dispatcher = new Dispatcher({
    db,
    box: testBox,
    rules,
    ids,
    cache,
    sender: {
      send: (request, done) => {
        if (!isDead) options.send(request, (result) => void (isDead || done(result)));
      },
      inFlight: 0,
    },
    transforms: options.transforms ?? NO_TRANSFORMS,
    ownership,
    operations,
    version: 'test',
    onAppDeleted: () => {},
    onError,
    options: { flusher: { lingerMs: 1, checkpointEveryMs: 20 }, ...options.dispatcher },
  });

  return {
    db,
    tail,
    writer,
    ownership,
    dispatcher,
    errors,
    async start(): Promise<void> {
      await dispatcher.start();
      await ownership.start();
    },
    /** What other processes have appended or changed. */
    async look(): Promise<void> {
      for (const [appId, head] of await changedHeads(db, 3600)) tail.headFound(appId, head);
    },
    /** As SIGTERM. */
    async stop(drainMs = 0): Promise<void> {
      if (drainMs > 0) await ownership.leave(drainMs);
      await dispatcher.stop(drainMs);
      await ownership.stop();
      await writer.stop();
      await db.close();
    },
    /** As SIGKILL, with a lease that has run out: nothing is flushed, and nothing in flight is heard of again. */
    async crash(): Promise<void> {
      isDead = true;
      const { processUuid } = ownership.identity();
      dispatcher.loseAll();
      await dispatcher.flusher.stop();
      const text = `UPDATE processes SET state = 'dead' WHERE process_id = '${processUuid}'`;
      await db.query({ name: `bury_${processUuid}`, text });
      await ownership.stop();
      await writer.stop();
      await db.close();
    },
  };
}

export type EngineAlone = ReturnType<typeof engineAlone>;

/** An endpoint whose requests tell its name in `x-endpoint`. */
export async function anEngineEndpoint(
  db: Database,
  endpoint: { appId: string; name: string; id?: string; settings?: Partial<EndpointConfig> },
): Promise<string> {
  const { appId, name, id = testIds.id('endpoint'), settings } = endpoint;
  const config: EndpointConfig = {
    ...ENDPOINT_DEFAULTS,
    url: 'http://127.0.0.1:1/',
    headers: { 'x-endpoint': name },
    maxConcurrency: 8,
    timeoutMs: 1000,
    disableAfterSeconds: 3600,
    ...settings,
  };
  const secret = { secretUuid: testIds.uuid(), secret: generateSecret('v1', randomBytes) };
  await createEndpoint(db, testBox, { id, appId, uid: null, config, start: 'now', secret, idempotency: null });
  return id;
}
