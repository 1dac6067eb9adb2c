import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { uuidFromId } from '../core/id.ts';
import { findEndpoint } from '../storage/endpoints.ts';
import { type LaggingLane, LagWatch } from './lag-watch.ts';
import { loadEndpoint } from './loaded-endpoint.ts';

let app: StoredApp;
beforeEach(async () => {
  app = await storedApp();
});
afterEach(async () => {
  await app.close();
});

type Lane = { -readonly [Key in keyof LaggingLane]: LaggingLane[Key] };

async function aLane(more: Partial<Lane> = {}): Promise<Lane> {
  const endpointId = await app.anEndpoint();
  const stored = await findEndpoint(app.db, app.appId, endpointId);
  const endpoint = loadEndpoint({ ...stored!, versions: [], pulledThrough: 0 }, [], {
    allowHttp: false,
    allowPrivate: [],
  });
  const key = { appUuid: app.appUuid, endpointUuid: uuidFromId('endpoint', endpointId) };
  const settled = { position: 0, day: '2000-01-01' };
  return { appId: app.appId, key, endpoint, runs: true, settled, oldestOpen: null, ...more };
}

function aWatch(lanes: LaggingLane[], head: { position: number }, aheadSeconds = 0, alertAfterSeconds = 3600) {
  const told: { endpointId: string; positions: number; oldestSeconds: number }[] = [];
  const watch = new LagWatch({
    db: app.db,
    lanes: () => lanes,
    headOf: () => head.position,
    operations: {
      lagging: async (_, endpoint, { positions, oldestSeconds }) => {
        told.push({ endpointId: endpoint.id, positions, oldestSeconds });
      },
    },
    now: () => Date.now() + aheadSeconds * 1000,
    onError: (error) => {
      throw error;
    },
    options: { alertAfterSeconds },
  });
  return { watch, told };
}

describe('lag watch', () => {
  test('tells of a lane whose oldest event is old, once, until all that waited is settled', async () => {
    const head = await app.append(10);
    const lane = await aLane();
    const { watch, told } = aWatch([lane], head, 3700);
    await watch.look();
    await watch.look();
    expect(told).toEqual([{ endpointId: lane.endpoint.id, positions: 10, oldestSeconds: expect.any(Number) }]);
    expect(told[0].oldestSeconds).toBeGreaterThanOrEqual(3700);
    await app.append(10);
    head.position = 20;
    lane.settled = { position: 9, day: head.day };
    await watch.look();
    expect(told).toHaveLength(1); // still behind what waited then
    lane.settled = { position: 10, day: head.day };
    await watch.look();
    expect(told).toHaveLength(2);
    expect(told[1].positions).toBe(10);
  });

  test('says nothing of a lag that is young, of one that has caught up, nor of a lane that is not to send', async () => {
    const head = await app.append(5);
    const old = { position: 1, appendedMs: Date.now() - 7_200_000 };
    const lanes = [
      await aLane({ oldestOpen: { position: 1, appendedMs: Date.now() } }),
      await aLane(), // its age is found in the table
      await aLane({ settled: { position: 5, day: head.day }, oldestOpen: old }),
      await aLane({ runs: false, oldestOpen: old }),
    ];
    const { watch, told } = aWatch(lanes, head);
    await watch.look();
    expect(told).toEqual([]);
  });

  test('takes the age of what memory holds from there', async () => {
    const head = await app.append(5);
    const lane = await aLane({ oldestOpen: { position: 1, appendedMs: Date.now() - 7_200_000 } });
    const { watch, told } = aWatch([lane], head);
    await watch.look();
    expect(told.map(({ oldestSeconds }) => oldestSeconds)).toEqual([7200]);
  });

  test('is not repeated by the next owner of the lane', async () => {
    const head = await app.append(5);
    const lane = await aLane();
    const [before, after] = [aWatch([lane], head, 7200), aWatch([lane], head, 7200)];
    await before.watch.look();
    await after.watch.look();
    expect([before.told.length, after.told.length]).toEqual([1, 0]);
  });

  test('passes over what retention has dropped, and an app of which nothing is known', async () => {
    const lane = await aLane();
    const { watch, told } = aWatch([lane], { position: 5 }, 7200);
    await watch.look();
    expect(told).toEqual([]);
  });

  test('starts and stops, also when it is off', async () => {
    const { watch } = aWatch([], { position: 0 }, 0, 0);
    await watch.start();
    await watch.stop();
    await watch.stop();
  });
});
