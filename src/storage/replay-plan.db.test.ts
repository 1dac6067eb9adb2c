import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { compileVersions } from '../core/filter-versions.ts';
import { uuidFromId } from '../core/id.ts';
import { listVersions } from './endpoint-versions.ts';
import { type PlannedReplay, planReplay } from './replay-plan.ts';

const EVENTS = 150_000;

describe('replay plan', () => {
  let app: StoredApp;
  let endpointId: string;
  let day: string;

  // One in ten is of the type `rare.x`; all have 10 bytes.
  beforeAll(async () => {
    app = await storedApp();
    endpointId = await app.anEndpoint({ start: 'oldest', filter: { types: ['a.b', 'rare.*'] } });
    ({ day } = await app.append(1));
    await app.sql(
      `INSERT INTO events (app_id, position, config_version, time, appended_at, day, event_id, type, data)
       SELECT app_id, p, config_version, time, appended_at + p * interval '1 millisecond', day, 'evt_' || p,
         CASE WHEN p % 10 = 0 THEN 'rare.x' ELSE 'other' END, '0123456789'
       FROM events, generate_series(2, ${EVENTS}) AS p WHERE app_id = $1`,
      [app.appUuid],
    );
  });
  afterAll(() => app.close());

  const plan = async (more: Partial<PlannedReplay>) => {
    const place = { appId: app.appId, endpointId };
    const range = { from: { position: 0, day }, to: { position: EVENTS, day } };
    const replay: PlannedReplay = { ...place, ...range, only: 'all', types: null, reason: null, ...more };
    return await planReplay(app.db, replay, compileVersions(await listVersions(app.db, place)));
  };

  test('counts a range that is not too long', async () => {
    const counted = await plan({ from: { position: 1, day }, to: { position: 100_001, day } });
    expect(counted).toMatchObject({ events: 10_000, bytes: 100_000, approximate: false });
    expect(counted.newestMs! - counted.oldestMs!).toBe(99_990);
  });

  test('estimates a longer one from its parts', async () => {
    const estimated = await plan({ from: { position: 1, day } });
    expect(estimated.approximate).toBe(true);
    expect(Math.abs(estimated.events - 15_000)).toBeLessThan(150);
    expect(Math.abs(estimated.bytes - 150_000)).toBeLessThan(1500);
    expect(estimated.newestMs! - estimated.oldestMs!).toBe(149_990);
    expect(await plan({ types: ['nothing.*'] })).toEqual({
      events: 0,
      bytes: 0,
      approximate: true,
      oldestMs: null,
      newestMs: null,
    });
  });

  test('counts the dead that are still kept, and estimates when there are too many', async () => {
    const die = (positions: string) =>
      app.sql(
        `INSERT INTO dead (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, reason, died_at)
         SELECT $1, $2, '00000000-0000-0000-0000-000000000000', p, $3, 'evt_' || p, 1, CASE p % 2 WHEN 0 THEN 'redirect' ELSE 'status_5xx' END, now()
         FROM ${positions} AS p ON CONFLICT DO NOTHING`,
        [app.appUuid, uuidFromId('endpoint', endpointId), day],
      );
    await die(`generate_series(11, 20)`);
    await die(`generate_series(${EVENTS + 1}, ${EVENTS + 5})`); // not in the log any more
    const to = { position: EVENTS + 100, day };
    expect(await plan({ only: 'dead', to })).toMatchObject({ events: 10, bytes: 100, approximate: false });
    expect(await plan({ only: 'dead', reason: 'redirect' })).toMatchObject({ events: 5 });
    expect(await plan({ only: 'failed', types: ['rare.x'] })).toMatchObject({ events: 1 });
    await die(`generate_series(1, 40000)`);
    const estimated = await plan({ only: 'dead' });
    expect(estimated).toMatchObject({ events: 40_000, approximate: true });
    expect(await plan({ only: 'failed', types: ['rare.x'] })).toMatchObject({ events: 4000, approximate: true });
  });
});
