import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anEngineEndpoint } from '../../test/engine-alone.ts';
import { anApp, testIds } from '../../test/event-log.ts';
import { uuidFromId } from '../core/id.ts';
import { type Flush, type LaneKey, LIVE_CURSOR_UUID, writeFlush } from './flush.ts';
import { registerProcess } from './processes.ts';
import { cancelReplay, createReplay, findReplay } from './replays.ts';
import { loadRetries } from './retries.ts';

const DAY = '2026-11-21';
const NOTHING: Flush = {
  attempts: [],
  retries: [],
  closedRetries: [],
  dead: [],
  closedDead: [],
  lanes: [],
  replays: [],
};

let database: TestDatabase;
const process = { processUuid: testIds.uuid(), epoch: 1 };
beforeAll(async () => {
  database = await testDatabase();
  await registerProcess(database.db, { ...process, ttlSeconds: 600, host: 'h', pid: 1, version: 'test' });
});
afterAll(() => database.close());

async function aLane() {
  const appId = await anApp(database.db);
  const endpointId = await anEngineEndpoint(database.db, { appId, name: 'a' });
  const key: LaneKey = { appUuid: uuidFromId('app', appId), endpointUuid: uuidFromId('endpoint', endpointId) };
  return { appId, endpointId, key };
}

async function aReplay(lane: Awaited<ReturnType<typeof aLane>>) {
  const replayId = testIds.id('replay');
  const place = { appId: lane.appId, endpointId: lane.endpointId, replayId };
  const range = { from: { position: 0, day: DAY }, to: { position: 9, day: DAY } };
  const rest = { only: 'all' as const, types: null, reason: null, idempotency: null };
  await createReplay(database.db, { id: replayId, ...place, ...range, ...rest });
  const replayUuid = uuidFromId('replay', replayId);
  const retry = { cursorUuid: replayUuid, position: 1, day: DAY, eventId: 'e1', attempts: 1, consumed: 1, dueMs: 0 };
  const progress = { replayUuid, settledThrough: 1, settledDay: DAY, lowAttemptUuid: testIds.uuid(), dead: 0 };
  const flush: Flush = {
    ...NOTHING,
    retries: [{ key: lane.key, ...retry, transformationVersion: null, reason: 'status_4xx' }],
    replays: [{ key: lane.key, ...progress, delivered: 4, isDone: false }],
  };
  return { place, flush };
}

const retriesOf = async ({ appId, key }: Awaited<ReturnType<typeof aLane>>): Promise<number> => {
  const cursors = await loadRetries(database.db, appId, [key.endpointUuid], 10);
  return [...cursors.values()].reduce((sum, { total }) => sum + total, 0);
};

describe('flush', () => {
  test('writes the retries of a replay with its progress', async () => {
    const lane = await aLane();
    const { place, flush } = await aReplay(lane);
    expect(await writeFlush(database.db, process, flush)).toBe(true);
    expect(await retriesOf(lane)).toBe(1);
    expect(await findReplay(database.db, place)).toMatchObject({ state: 'running', delivered: 4 });
    await cancelReplay(database.db, place);
    expect(await retriesOf(lane)).toBe(0);
  });

  test('writes no retries of a replay that was cancelled, and those of the endpoint beside them', async () => {
    const lane = await aLane();
    const { place, flush } = await aReplay(lane);
    await cancelReplay(database.db, place);
    const own = { ...flush.retries[0], cursorUuid: LIVE_CURSOR_UUID, position: 2 };
    await writeFlush(database.db, process, { ...flush, retries: [...flush.retries, own] });
    expect(await retriesOf(lane)).toBe(1);
    expect((await findReplay(database.db, place))?.state).toBe('cancelled');
  });

  test('waits for a cancellation under way, and then writes none', async () => {
    const lane = await aLane();
    const { place, flush } = await aReplay(lane);
    const client = new pg.Client(database.connection);
    await client.connect();
    try {
      await client.query('BEGIN');
      const where = `app_id = '${lane.key.appUuid}' AND replay_id = '${uuidFromId('replay', place.replayId)}'`;
      await client.query(`UPDATE replays SET state = 'cancelled', finished_at = now() WHERE ${where}`);
      const written = writeFlush(database.db, process, flush);
      const waits = `SELECT count(*) AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
      while (Number((await client.query(waits)).rows[0].waiting) === 0) await new Promise(setImmediate);
      await client.query('COMMIT');
      expect(await written).toBe(true);
    } finally {
      await client.end();
    }
    expect(await retriesOf(lane)).toBe(0);
  });

  test('writes nothing as a process that is no more', async () => {
    const lane = await aLane();
    const { flush, place } = await aReplay(lane);
    expect(await writeFlush(database.db, { ...process, epoch: 2 }, flush)).toBe(false);
    expect(await findReplay(database.db, place)).toMatchObject({ delivered: 0 });
  });

  test('may be repeated as it was', async () => {
    const lane = await aLane();
    const { place, flush } = await aReplay(lane);
    for (let n = 0; n < 2; n++) await writeFlush(database.db, process, flush);
    expect(await retriesOf(lane)).toBe(1);
    expect(await findReplay(database.db, place)).toMatchObject({ delivered: 4, settled: { position: 1 } });
  });
});
