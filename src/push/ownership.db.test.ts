import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { testIds } from '../../test/event-log.ts';
import { until } from '../../test/until.ts';
import { writeFlush } from '../storage/flush.ts';
import { buryExpired, registerProcess, renewLease, resign } from '../storage/processes.ts';
import { Ownership } from './ownership.ts';

let database: TestDatabase;
const running: Ownership[] = [];
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((ownership) => ownership.stop()));
  await database.close();
});

const EMPTY = { attempts: [], retries: [], closedRetries: [], dead: [], closedDead: [], lanes: [], replays: [] };

function setup(options: { ttlMs?: number; renewEveryMs?: number; marginMs?: number } = {}) {
  const taken: number[][] = [];
  let lost = 0;
  const turns: (() => void)[] = [];
  const tell = (): void => {
    for (const resolve of turns.splice(0)) resolve();
  };
  const ownership = new Ownership({
    db: database.db,
    newUuid: () => testIds.uuid(),
    version: 'test',
    onTaken: (slots) => {
      taken.push(slots);
      tell();
    },
    onLost: () => {
      lost++;
      tell();
    },
    onError: () => {},
    options,
  });
  running.push(ownership);
  return { ownership, taken, lost: () => lost, change: () => new Promise<void>((resolve) => turns.push(resolve)) };
}

const aProcess = () => ({ processUuid: testIds.uuid(), epoch: 1, ttlSeconds: 8, host: 'h', pid: 1, version: 'test' });
const sql = (text: string) => database.db.query({ name: `t${randomBytes(4).toString('hex')}`, text });

describe('ownership', () => {
  test('the first process takes all slots, the second none, and what the first gives up it has at once', async () => {
    const first = setup({ renewEveryMs: 20 });
    await first.ownership.start();
    expect(first.ownership.slotCount).toBe(256);
    expect(first.ownership.maySend()).toBe(true);
    const second = setup({ renewEveryMs: 20 });
    await second.ownership.start();
    expect(second.ownership.slotCount).toBe(0);
    const change = second.change();
    await first.ownership.stop();
    await change;
    expect(second.ownership.slotCount).toBe(256);
    expect(second.ownership.owns(255)).toBe(true);
    expect(first.ownership.owns(255)).toBe(false);
    expect(first.ownership.maySend()).toBe(false);
  });

  test('takes over from a process whose lease has run out, one lease after its own first success', async () => {
    await registerProcess(database.db, { ...aProcess(), ttlSeconds: 0.05 });
    await sql(`UPDATE slots SET process_id = (SELECT process_id FROM processes)`);
    const next = setup({ ttlMs: 200, renewEveryMs: 20, marginMs: 50 });
    await next.ownership.start();
    expect(next.ownership.slotCount).toBe(0);
    const startedMs = performance.now();
    await next.change();
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(100);
    expect(next.ownership.slotCount).toBe(256);
    expect(await sql(`SELECT 1 FROM processes WHERE state = 'dead'`)).toHaveLength(1);
  });

  test('leaves alone a process that renews its lease', async () => {
    const first = setup({ ttlMs: 300, renewEveryMs: 20, marginMs: 50 });
    await first.ownership.start();
    const second = setup({ ttlMs: 300, renewEveryMs: 20, marginMs: 50 });
    await second.ownership.start();
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(first.ownership.slotCount).toBe(256);
    expect(first.lost()).toBe(0);
    expect(second.ownership.slotCount).toBe(0);
  });

  test('learns that it was declared dead, stops sending, and comes back under a new identity', async () => {
    const { ownership, lost, change } = setup({ renewEveryMs: 20 });
    await ownership.start();
    const before = ownership.identity().processUuid;
    const told = change();
    await sql(`UPDATE processes SET state = 'dead'`);
    await told;
    expect(lost()).toBe(1);
    await change();
    expect(ownership.identity().processUuid).not.toBe(before);
    expect(ownership.slotCount).toBe(256);
  });

  test('a lease that is not renewed in time forbids sending before it ends', async () => {
    const { ownership } = setup({ ttlMs: 20_000, renewEveryMs: 60_000, marginMs: 19_000 });
    await ownership.start();
    expect(ownership.maySend()).toBe(true);
    while (ownership.maySend()) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ownership.slotCount).toBe(256);
  });

  test('stops before it was started, and twice', async () => {
    const { ownership } = setup();
    await ownership.stop();
    await ownership.start();
    await ownership.stop();
    await ownership.stop();
  });
});

describe('fence', () => {
  test('a flush of a process that was declared dead writes nothing', async () => {
    const process = aProcess();
    await registerProcess(database.db, process);
    expect(await writeFlush(database.db, process, EMPTY)).toBe(true);
    await sql(`UPDATE processes SET state = 'dead'`);
    expect(await writeFlush(database.db, process, EMPTY)).toBe(false);
    expect(await renewLease(database.db, process, 8)).toBe(false);
  });

  test('a takeover leaves alone who is flushing; a flush behind it finds the fence down', async () => {
    const stale = { ...aProcess(), ttlSeconds: 0 };
    await registerProcess(database.db, stale);
    const flushing = database.db.dedicated();
    await flushing.begin();
    expect(await writeFlush(flushing, stale, EMPTY)).toBe(true);
    expect(await buryExpired(database.db, aProcess())).toBe(0);
    await flushing.commit();
    expect(await buryExpired(database.db, aProcess())).toBe(1);
    expect(await writeFlush(flushing, stale, EMPTY)).toBe(false);
    await flushing.reset();
  });

  test('a process that resigns waits for a flush of its own that is still under way', async () => {
    const leaving = aProcess();
    await registerProcess(database.db, leaving);
    const flushing = database.db.dedicated();
    await flushing.begin();
    expect(await writeFlush(flushing, leaving, EMPTY)).toBe(true);
    let resigned = false;
    const resigning = resign(database.db, leaving).then(() => {
      resigned = true;
    });
    await until(async () => (await sql('SELECT 1 FROM pg_locks WHERE NOT granted')).length > 0);
    expect(resigned).toBe(false);
    await flushing.commit();
    await resigning;
    expect(await writeFlush(flushing, leaving, EMPTY)).toBe(false);
    await flushing.reset();
  });

  test('a flush that meets a takeover waits for it, and finds the fence down', async () => {
    const stale = { ...aProcess(), ttlSeconds: 0 };
    await registerProcess(database.db, stale);
    const [burying, flushing] = [database.db.dedicated(), database.db.dedicated()];
    await burying.begin();
    expect(await buryExpired(burying, aProcess())).toBe(1);
    const flush = writeFlush(flushing, stale, EMPTY);
    await until(async () => (await sql('SELECT 1 FROM pg_locks WHERE NOT granted')).length > 0);
    await burying.commit();
    expect(await flush).toBe(false);
    await Promise.all([burying.reset(), flushing.reset()]);
  });

  test('several survivors bury one process once', async () => {
    await registerProcess(database.db, { ...aProcess(), ttlSeconds: 0 });
    const counts = await Promise.all(Array.from({ length: 5 }, () => buryExpired(database.db, aProcess())));
    expect(counts.reduce((a, b) => a + b)).toBe(1);
  });
});
