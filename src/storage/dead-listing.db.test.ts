import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { idFromUuid, uuidFromId } from '../core/id.ts';
import { type DeadKey, listDead } from './dead-listing.ts';

describe('dead listing', () => {
  let app: StoredApp;
  beforeAll(async () => {
    app = await storedApp();
  });
  afterAll(() => app.close());

  test('pages newest first, also through rows of one moment', async () => {
    const endpointId = await app.anEndpoint();
    const replayUuid = app.ids.uuid();
    await app.sql(
      `INSERT INTO dead (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, reason, died_at)
       SELECT $1, $2, CASE p WHEN 7 THEN $3::uuid ELSE '00000000-0000-0000-0000-000000000000' END, p, current_date, 'evt_' || p, 10,
         'status_5xx', timestamptz '2026-11-21 10:00:00.123456+00' + (p / 3) * interval '1 microsecond'
       FROM generate_series(1, 7) AS p`,
      [app.appUuid, uuidFromId('endpoint', endpointId), replayUuid],
    );
    const positions: number[] = [];
    let before: DeadKey | null = null;
    do {
      const page = await listDead(app.db, app.appId, { limit: 2, before });
      positions.push(...page.dead.map(({ position }) => position));
      before = page.next;
    } while (before !== null);
    expect(positions).toEqual([7, 6, 5, 4, 3, 2, 1]);

    const { dead } = await listDead(app.db, app.appId, { limit: 2, before: null });
    expect(dead[1]).toEqual({
      endpointId,
      eventId: 'evt_6',
      position: 6,
      replayId: null,
      attempts: 10,
      reason: 'status_5xx',
      diedAt: new Date('2026-11-21T10:00:00.123Z'),
    });
    expect(dead[0].replayId).toBe(idFromUuid('replay', replayUuid));
    expect(await listDead(app.db, app.ids.id('app'), { limit: 2, before: null })).toEqual({ dead: [], next: null });
  });
});
