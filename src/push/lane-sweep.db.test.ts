import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { until } from '../../test/until.ts';
import { SLOTS, slotOf } from '../core/endpoint.ts';
import { uuidFromId } from '../core/id.ts';
import { LIVE_CURSOR_UUID } from '../storage/flush.ts';
import { LaneSweep } from './lane-sweep.ts';

const ALL = Array.from({ length: SLOTS }, (_, slot) => slot);

let app: StoredApp;
beforeEach(async () => {
  app = await storedApp();
});
afterEach(() => app.close());

async function sweepFor(slots: number[], ...wanted: ('due' | 'work' | 'unload')[]) {
  const due: string[] = [];
  const work: string[] = [];
  let unloads = 0;
  const sweep = new LaneSweep({
    db: app.db,
    slots: () => slots,
    onDue: (_, endpointId) => due.push(endpointId),
    onWork: (appId) => work.push(appId),
    onUnload: () => {
      unloads++;
    },
    onError: (error) => {
      throw error;
    },
    options: {
      retriesEveryMs: wanted.includes('due') ? 20 : 60_000,
      workEveryMs: wanted.includes('due') ? 60_000 : 20,
    },
  });
  await sweep.start();
  // Two rounds of what is asked for, or of the one that always comes.
  if (wanted.includes('due')) await until(() => due.length > 1);
  else await until(() => unloads > 1);
  await sweep.stop();
  return { due: new Set(due), work: new Set(work) };
}

const aRetry = (endpointId: string, due: string): Promise<unknown> =>
  app.sql(
    `INSERT INTO retries (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, consumed, due_at, last_reason, created_at)
     VALUES ($1, $2, '${LIVE_CURSOR_UUID}', 1, '2026-11-21', 'e', 1, 1, now() + $3::interval, 'status_4xx', now())`,
    [app.appUuid, uuidFromId('endpoint', endpointId), due],
  );

describe('lane sweep', () => {
  test('finds the lanes of its slots whose retries are due', async () => {
    const [now, later, others] = [await app.anEndpoint(), await app.anEndpoint(), await app.anEndpoint()];
    await aRetry(now, '-1 hour');
    await aRetry(later, '1 hour');
    await aRetry(others, '-1 hour');
    const slots = ALL.filter((slot) => slot !== slotOf(uuidFromId('endpoint', others)));
    expect((await sweepFor(slots, 'due')).due).toEqual(new Set([now]));
  });

  test('finds the apps that have work, and none where only a retry waits for later', async () => {
    const endpointId = await app.anEndpoint();
    expect((await sweepFor(ALL, 'work')).work).toEqual(new Set());
    await aRetry(endpointId, '10 hours');
    expect((await sweepFor(ALL, 'work')).work).toEqual(new Set());
    await app.append(1);
    expect((await sweepFor(ALL, 'work')).work).toEqual(new Set([app.appId]));
  });

  test('asks nothing while the process has no slots, and may be stopped twice', async () => {
    let looks = 0;
    const sweep = new LaneSweep({
      db: { query: () => Promise.reject(new Error('asked')) } as never,
      slots: () => {
        looks++;
        return [];
      },
      onDue: () => {},
      onWork: () => {},
      onUnload: () => {},
      onError: (error) => {
        throw error;
      },
      options: { retriesEveryMs: 2, workEveryMs: 2 },
    });
    await sweep.stop();
    await sweep.start();
    await until(() => looks > 4);
    await sweep.stop();
    await sweep.stop();
  });
});
