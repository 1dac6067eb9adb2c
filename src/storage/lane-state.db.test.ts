import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { readLaneState } from './lane-state.ts';

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
    expect(await readLaneState(app.db, place)).toEqual({ ...start, behind: 0, behindSeconds: 0, breaker: 'closed' });
    await app.append(3);
    await app.sql("UPDATE events SET appended_at = now() - interval '60 seconds' WHERE position = 3");
    const state = await readLaneState(app.db, place);
    expect(state).toMatchObject({ position: start.position, behind: 3 });
    expect(state?.behindSeconds).toBeGreaterThan(59);
    expect(state?.behindSeconds).toBeLessThan(90);
  });

  test('is not there for an endpoint that is not', async () => {
    expect(await readLaneState(app.db, { appId: app.appId, endpointId: app.ids.id('endpoint') })).toBeNull();
  });
});
