// The flusher when flushes fail, overlap with the loss of the lease, or are cut short.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { testIds } from '../../test/event-log.ts';
import { Database, type DedicatedConnection, type Query } from '../storage/database.ts';
import { type ProcessIdentity, registerProcess } from '../storage/processes.ts';
import { Flusher, type FlusherOptions, type FlushItem } from './flusher.ts';

let database: TestDatabase;
const running: { flusher: Flusher; db: Database }[] = [];
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(async () => {
  for (const { flusher, db } of running.splice(0)) {
    await flusher.stop();
    await db.close();
  }
  await database.close();
});

/** A database that tells of each flush and lets the test hold it up or fail it. */
class WatchedDatabase extends Database {
  under: string[] = [];
  atOnce = 0;
  mostAtOnce = 0;
  before: () => Promise<void> = async () => {};

  override dedicated(): DedicatedConnection {
    const connection = super.dedicated();
    const query = connection.query.bind(connection);
    connection.query = async <Row>(statement: Query, values: unknown[] = []): Promise<Row[]> => {
      this.under.push(values[0] as string);
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
      try {
        await this.before();
        return await query<Row>(statement, values);
      } finally {
        this.atOnce--;
      }
    };
    return connection;
  }
}

async function aProcess(): Promise<ProcessIdentity> {
  const identity = { processUuid: testIds.uuid(), epoch: 1 };
  await registerProcess(database.db, { ...identity, ttlSeconds: 8, host: 'h', pid: 1, version: 'test' });
  return identity;
}

async function setup(options: Partial<FlusherOptions> = {}) {
  const db = new WatchedDatabase({ connection: database.connection });
  const state = { identity: await aProcess(), fenced: 0 };
  const flusher = new Flusher({
    db,
    identity: () => state.identity,
    now: () => Date.now(),
    onFenced: () => state.fenced++,
    onError: () => {},
    options: { lingerMs: 1, ...options },
  });
  running.push({ flusher, db });
  return { flusher, db, state };
}

/** An item that writes nothing; `ended` says what became of it. */
function anItem(): { item: FlushItem; ended: Promise<'committed' | 'dropped'> } {
  let committed = (): void => {};
  let dropped = (): void => {};
  const ended = new Promise<'committed' | 'dropped'>((resolve) => {
    committed = () => resolve('committed');
    dropped = () => resolve('dropped');
  });
  const none = { row: null, retry: null, closedRetry: null, deadRow: null, closedDead: null };
  return { item: { lane: null, ...none, committed: () => committed(), dropped: () => dropped() }, ended };
}

/** Resolves when a flush has reached the database, which then holds it up until `release`. */
function holdUp(db: WatchedDatabase): { reached: Promise<void>; release: () => void } {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    db.before = async () => {
      db.before = async () => {};
      resolve();
      await held;
    };
  });
  return { reached, release };
}

describe('flusher', () => {
  test('a flush that failed before the lease was lost is not repeated under the next lease', async () => {
    const { flusher, db, state } = await setup();
    const stale = state.identity.processUuid;
    const failed = new Promise<void>((resolve) => {
      db.before = async () => {
        db.before = async () => {};
        resolve();
        throw new Error('the connection broke');
      };
    });
    const { item, ended } = anItem();
    flusher.add(item);
    await failed;
    flusher.discard();
    state.identity = await aProcess();
    await flusher.start();
    expect(await ended).toBe('dropped');
    expect(db.under).toEqual([stale]);
  });

  test('a flush of the lost lease that finds the fence down leaves the next lease alone', async () => {
    const { flusher, db, state } = await setup();
    const { reached, release } = holdUp(db);
    const { item, ended } = anItem();
    flusher.add(item);
    await reached;
    await database.db.query({ name: 'bury', text: `UPDATE processes SET state = 'dead'` });
    flusher.discard();
    state.identity = await aProcess();
    await flusher.start();
    release();
    expect(await ended).toBe('dropped');
    expect(state.fenced).toBe(0);
  });

  test('what is added while a flush of the lost lease ends is written', async () => {
    const { flusher, db, state } = await setup({ checkpointEveryMs: 60_000 });
    const { reached, release } = holdUp(db);
    const first = anItem();
    flusher.add(first.item);
    await reached;
    await database.db.query({ name: 'bury', text: `UPDATE processes SET state = 'dead'` });
    flusher.discard();
    state.identity = await aProcess();
    await flusher.start();
    const second = anItem();
    flusher.add(second.item);
    release();
    expect(await first.ended).toBe('dropped');
    expect(await second.ended).toBe('committed');
  });

  test('draining never writes two flushes at once', async () => {
    const { flusher, db } = await setup({ maxItems: 10, fullItems: 5 });
    const items = Array.from({ length: 60 }, () => anItem());
    for (const { item } of items) flusher.add(item);
    await flusher.drain();
    await Promise.all(items.map(({ ended }) => ended));
    expect(db.mostAtOnce).toBe(1);
    expect(flusher.waiting).toBe(0);
  });

  test('whoever waits for an item is told that it was dropped', async () => {
    const { flusher } = await setup({ lingerMs: 60_000 });
    const waiting = anItem();
    flusher.add(waiting.item);
    flusher.discard();
    expect(await waiting.ended).toBe('dropped');
    const late = anItem();
    flusher.add(late.item);
    expect(await late.ended).toBe('dropped');
  });

  test('settles lanes while outcomes of others never cease to come', async () => {
    const { flusher, db } = await setup({ fullItems: 1 });
    let ceaselessly = true;
    const feed = (): void => {
      const { item, ended } = anItem();
      flusher.add(item);
      if (ceaselessly) void ended.then(feed);
    };
    for (let n = 0; n < 5; n++) feed();
    let behindCheckpoint = true;
    const forced: boolean[] = [];
    const flushesBefore = db.under.length;
    await flusher.settle([
      {
        get behindCheckpoint() {
          return behindCheckpoint;
        },
        checkpoint: (_nowMs, force) => {
          forced.push(force);
          behindCheckpoint = false;
          return null;
        },
        replayCheckpoints: () => [],
      },
    ]);
    expect(forced).toEqual([true]);
    expect(db.under.length - flushesBefore).toBeLessThanOrEqual(3);
    ceaselessly = false;
  });
});
