import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { uuidFromId } from '../core/id.ts';
import { positionsToReplay } from './replay-positions.ts';

describe('replay positions', () => {
  let app: StoredApp;
  let endpointId: string;

  beforeAll(async () => {
    app = await storedApp();
    endpointId = await app.anEndpoint();
    const place = [app.appUuid, uuidFromId('endpoint', endpointId)];
    // Every third died, every fifth waits; those of a replay's cursor and of another endpoint are not looked at.
    await app.sql(
      `INSERT INTO dead (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, reason, died_at)
       SELECT $1, e, CASE WHEN p = 4 THEN '00000000-0000-0000-0000-000000000001'::uuid ELSE '00000000-0000-0000-0000-000000000000' END,
         p, date '2026-11-20' + p / 10, 'evt_' || p, 3, CASE WHEN p % 2 = 0 THEN 'status_5xx' ELSE 'status_4xx' END, now()
       FROM generate_series(1, 30) AS p, unnest(ARRAY[$2, $3]::uuid[]) AS e WHERE (p % 3 = 0 AND e = $2) OR p = 4`,
      [...place, app.ids.uuid()],
    );
    await app.sql(
      `INSERT INTO retries (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, consumed, due_at, last_reason, created_at)
       SELECT $1, $2, '00000000-0000-0000-0000-000000000000', p, date '2026-11-20' + p / 10, 'evt_' || p, 1, 1, now(), 'timeout_total', now()
       FROM generate_series(1, 30) AS p WHERE p % 5 = 0 AND p % 3 <> 0`,
      place,
    );
  });
  afterAll(() => app.close());

  const positions = async (only: 'failed' | 'dead', range: { after?: number; to?: number; reason?: string } = {}) => {
    const { after = 0, to = 30, reason = null } = range;
    const found = [];
    for (let from = after; ; from = found[found.length - 1].position) {
      const page = await positionsToReplay(app.db, {
        appId: app.appId,
        endpointId,
        only,
        reason,
        after: from,
        to,
        limit: 2,
      });
      if (page.length === 0) break;
      found.push(...page);
    }
    return found;
  };

  test('of the dead are theirs alone, in order', async () => {
    expect((await positions('dead')).map(({ position }) => position)).toEqual([3, 6, 9, 12, 15, 18, 21, 24, 27, 30]);
    expect(await positions('dead', { after: 9, to: 15 })).toEqual([
      { position: 12, day: '2026-11-21' },
      { position: 15, day: '2026-11-21' },
    ]);
    const ofReason = await positions('dead', { reason: 'status_5xx' });
    expect(ofReason.map(({ position }) => position)).toEqual([6, 12, 18, 24, 30]);
  });

  test('of the failed are those of the dead and of the waiting, in order', async () => {
    expect((await positions('failed')).map(({ position }) => position)).toEqual([
      3, 5, 6, 9, 10, 12, 15, 18, 20, 21, 24, 25, 27, 30,
    ]);
  });

  test('of an endpoint without any are none', async () => {
    expect(
      await positionsToReplay(app.db, {
        appId: app.appId,
        endpointId: await app.anEndpoint(),
        only: 'failed',
        reason: null,
        after: 0,
        to: 30,
        limit: 10,
      }),
    ).toEqual([]);
  });
});
