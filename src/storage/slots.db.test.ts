import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { testIds } from '../../test/event-log.ts';
import type { DedicatedConnection } from './database.ts';
import { liveProcesses, type ProcessIdentity, registerProcess, resign } from './processes.ts';
import { freeSlots, giveSlots, markMoving, takeSlots } from './slots.ts';

let database: TestDatabase;
let connections: DedicatedConnection[];
beforeEach(async () => {
  database = await testDatabase();
  connections = [];
});
afterEach(async () => {
  await Promise.all(connections.map((connection) => connection.reset()));
  await database.close();
});

function aConnection(): DedicatedConnection {
  const connection = database.db.dedicated();
  connections.push(connection);
  return connection;
}

async function aProcess(ttlSeconds = 8): Promise<ProcessIdentity> {
  const identity = { processUuid: testIds.uuid(), epoch: 1 };
  await registerProcess(database.db, { ...identity, ttlSeconds, host: 'h', pid: 1, version: 'test' });
  return identity;
}

const counts = async () =>
  new Map((await liveProcesses(database.db)).map(({ processUuid, slotCount }) => [processUuid, slotCount]));

describe('slots', () => {
  test('are taken by one of two that reach for the same at once', async () => {
    const [a, b] = [await aProcess(), await aProcess()];
    const [mine, theirs] = [aConnection(), aConnection()];
    const free = await freeSlots(mine, a);
    expect(free).toHaveLength(256);
    await mine.begin();
    const taken = await takeSlots(mine, a, free.slice(0, 200));
    const rest = await takeSlots(theirs, b, free);
    await mine.commit();
    expect(taken).toHaveLength(200);
    expect(rest.sort((x, y) => x - y)).toEqual(free.slice(200).map(({ slot }) => slot));
    expect(await takeSlots(theirs, b, free)).toEqual([]); // found free before the other took them
    expect(await counts()).toEqual(
      new Map([
        [a.processUuid, 200],
        [b.processUuid, 56],
      ]),
    );
  });

  test('of a process that has resigned or is dead are free, and those of a live one are not', async () => {
    const [a, b, c] = [await aProcess(), await aProcess(), await aProcess()];
    const connection = aConnection();
    const free = await freeSlots(connection, a);
    await takeSlots(connection, a, free.slice(0, 100));
    await takeSlots(connection, b, free.slice(100));
    expect(await freeSlots(connection, c)).toEqual([]);
    await resign(database.db, a);
    expect(await freeSlots(connection, c)).toHaveLength(100);
    expect(await freeSlots(connection, b)).toHaveLength(256); // its own too
  });

  test('are handed over, and shown while they are on their way', async () => {
    const [a, b] = [await aProcess(), await aProcess()];
    const connection = aConnection();
    await takeSlots(connection, a, await freeSlots(connection, a));
    await markMoving(connection, a, [1, 2, 3], b.processUuid);
    const moving = { name: 'test_moving', text: 'SELECT slot FROM slots WHERE moving_to IS NOT NULL ORDER BY slot' };
    expect(await connection.query(moving)).toEqual([{ slot: 1 }, { slot: 2 }, { slot: 3 }]);
    expect((await giveSlots(connection, a, [1, 2, 3], b.processUuid)).sort()).toEqual([1, 2, 3]);
    expect(await connection.query(moving)).toEqual([]);
    expect((await counts()).get(b.processUuid)).toBe(3);
    expect(await giveSlots(connection, a, [1], b.processUuid)).toEqual([]); // no longer its to give
  });

  test('are not given by a dead process, nor to a dead or expired one', async () => {
    const [a, b, late] = [await aProcess(), await aProcess(), await aProcess(0)];
    const connection = aConnection();
    await takeSlots(connection, a, await freeSlots(connection, a));
    await resign(database.db, b);
    expect(await giveSlots(connection, a, [1], b.processUuid)).toEqual([]);
    expect(await giveSlots(connection, a, [1], late.processUuid)).toEqual([]);
    const c = await aProcess();
    await database.db.query({ name: 'test_kill', text: `UPDATE processes SET state = 'dead' WHERE process_id = $1` }, [
      a.processUuid,
    ]);
    expect(await giveSlots(connection, a, [1], c.processUuid)).toEqual([]);
  });

  test('are not taken back while a hand-over may still come into force', async () => {
    const [a, b] = [await aProcess(), await aProcess()];
    const [broken, next] = [aConnection(), aConnection()];
    await takeSlots(next, a, await freeSlots(next, a));
    broken.commit = async () => {
      throw new Error('the connection broke before COMMIT was answered');
    };
    await expect(giveSlots(broken, a, [9], b.processUuid)).rejects.toThrow('broke');
    const own = (await freeSlots(next, a)).filter(({ slot }) => slot === 9);
    expect(await takeSlots(next, a, own)).toEqual([]);
    await broken.reset();
    expect(await freeSlots(next, b)).toEqual([]);
    while ((await takeSlots(next, a, own)).length === 0); // Postgres has noticed that the connection is gone
    expect((await counts()).get(a.processUuid)).toBe(256);
  });
});
