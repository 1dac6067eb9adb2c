import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { uuidFromId } from '../core/id.ts';
import { readLaneState, readWaitingRetries } from './lane-state.ts';

describe('lane state', () => {
  let app: StoredApp;
  beforeAll(async () => {
    app = await storedApp();
  });
  afterAll(() => app.close());

  test('tells how far the lane is behind the log', async () => {
    const start = await app.append(2);
    const endpointId = await app.anEndpoint();
    const place = { appId: app.appId, endpointId };
    expect(await readLaneState(app.db, place)).toEqual({
      ...start,
      behind: 0,
      behindSeconds: 0,
      breaker: { state: 'closed', openSinceMs: null, nextProbeMs: null },
      startPosition: start.position,
      pulledThrough: 0,
    });
    await app.append(3);
    await app.sql("UPDATE events SET appended_at = now() - interval '60 seconds' WHERE position = 3");
    const state = await readLaneState(app.db, place);
    expect(state).toMatchObject({ position: start.position, behind: 3 });
    expect(state?.behindSeconds).toBeGreaterThan(59);
    expect(state?.behindSeconds).toBeLessThan(90);
  });

  test('tells since when the breaker is open, and how many events wait for a retry', async () => {
    const endpointId = await app.anEndpoint();
    const place = { appId: app.appId, endpointId };
    expect(await readWaitingRetries(app.db, place)).toEqual({ waiting: 0, nextDueMs: null });
    const values = [app.appUuid, uuidFromId('endpoint', endpointId)];
    await app.sql(
      `UPDATE lanes SET breaker = 'open', breaker_open_since = '2026-11-21T10:00:00Z', breaker_next_probe_at = '2026-11-21T10:01:00Z'
       WHERE app_id = $1 AND endpoint_id = $2`,
      values,
    );
    expect((await readLaneState(app.db, place))?.breaker).toEqual({
      state: 'open',
      openSinceMs: Date.parse('2026-11-21T10:00:00Z'),
      nextProbeMs: Date.parse('2026-11-21T10:01:00Z'),
    });
    await app.sql(
      `INSERT INTO retries (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, consumed, due_at, last_reason, created_at)
       SELECT $1, $2, CASE p WHEN 9 THEN $2::uuid ELSE '00000000-0000-0000-0000-000000000000' END, p, current_date, 'x', 1, 1,
         timestamptz '2026-11-21T10:00:00Z' - p * interval '1 minute', 'status_5xx', now() FROM generate_series(7, 9) AS p`,
      values,
    );
    expect(await readWaitingRetries(app.db, place)).toEqual({
      waiting: 2,
      nextDueMs: Date.parse('2026-11-21T09:52:00Z'),
    });
  });

  test('is not there for an endpoint that is not', async () => {
    expect(await readLaneState(app.db, { appId: app.appId, endpointId: app.ids.id('endpoint') })).toBeNull();
  });
});
