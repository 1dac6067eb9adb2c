import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { uuidFromId } from '../core/id.ts';
import { CAUSES, type Cause, OUTCOMES, REASONS } from '../core/outcome.ts';
import { commitPulled, readDue } from './pulled-lane.ts';

describe('pulled lane', () => {
  let app: StoredApp;
  let day: string;
  beforeAll(async () => {
    app = await storedApp();
    ({ day } = await app.append(20));
  });
  afterAll(() => app.close());

  /** An endpoint in mode pull whose cursor began at position 2 and is at 10. */
  async function setup(mode = 'pull') {
    const endpointId = await app.anEndpoint({ start: { position: 2, day } });
    const key = { appId: app.appId, endpointId };
    const uuids = [app.appUuid, uuidFromId('endpoint', endpointId)];
    const sql = (text: string) => app.sql(text, uuids);
    await sql('UPDATE lanes SET settled_through = 10 WHERE app_id = $1 AND endpoint_id = $2');
    await sql(`UPDATE endpoints SET config = config || '{"mode":"${mode}"}' WHERE app_id = $1 AND endpoint_id = $2`);
    const attempted = (position: number, { cause = 'live' as Cause, delivered = true }) =>
      app.sql(
        `INSERT INTO attempts (app_id, endpoint_id, attempt_id, position, started_at, day, cause, attempt, outcome, reason, total_us, dead, event_id)
         VALUES ($1, $2, $3, $4, now(), current_date, $5, 1, $6, $7, 5, false, 'x')`,
        [
          ...uuids,
          app.ids.uuid(),
          position,
          CAUSES.indexOf(cause),
          OUTCOMES.indexOf(delivered ? 'delivered' : 'rejected'),
          REASONS.indexOf(delivered ? 'delivered' : 'status_4xx'),
        ],
      );
    const retry = (position: number, cursor = '00000000-0000-0000-0000-000000000000') =>
      sql(
        `INSERT INTO retries (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, consumed, due_at, last_reason, created_at)
         VALUES ($1, $2, '${cursor}', ${position}, current_date, 'x', 1, 1, now(), 'status_5xx', now())`,
      );
    const retries = async () =>
      (
        await app.sql<{ position: number }>(
          'SELECT position FROM retries WHERE app_id = $1 AND endpoint_id = $2 ORDER BY 1',
          uuids,
        )
      ).map(({ position }) => position);
    return { key, uuids, sql, attempted, retry, retries };
  }

  test('is due what failed before its cursor, and what comes after it without what is settled there', async () => {
    const { key, sql, attempted, retry } = await setup();
    for (const position of [9, 4, 7, 12]) await retry(position);
    await retry(5, app.ids.uuid()); // a replay's
    await attempted(3, {});
    await attempted(11, {});
    await attempted(12, { delivered: false });
    await attempted(13, { cause: 'replay' });
    await sql(
      `INSERT INTO dead (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, reason, died_at)
       VALUES ($1, $2, '00000000-0000-0000-0000-000000000000', 14, current_date, 'x', 1, 'status_4xx', now())`,
    );
    expect(await readDue(app.db, key, { maxFailed: 2 })).toEqual({
      startPosition: 2,
      settled: { position: 10, day },
      settledBeyond: new Set([11, 14]),
      failed: [4, 7].map((position) => ({ position, day: expect.any(String) })),
    });
    await sql('UPDATE endpoints SET skip_through = 12 WHERE app_id = $1 AND endpoint_id = $2');
    expect(await readDue(app.db, key, { maxFailed: 10 })).toMatchObject({
      settled: { position: 12 },
      settledBeyond: new Set([14]),
      failed: [4, 7, 9, 12].map((position) => ({ position })),
    });
    expect(await readDue(app.db, { ...key, endpointId: app.ids.id('endpoint') }, { maxFailed: 1 })).toBeNull();
  });

  test('moves forward only, and no longer tries what was fetched', async () => {
    const { key, retry, retries, uuids } = await setup();
    for (const position of [4, 9, 12]) await retry(position);
    expect(await commitPulled(app.db, key, { position: 7, day })).toEqual({ position: 10, day });
    expect(await retries()).toEqual([9, 12]);
    expect(await commitPulled(app.db, key, { position: 15, day })).toEqual({ position: 15, day });
    expect(await commitPulled(app.db, key, { position: 11, day })).toEqual({ position: 15, day });
    expect(await retries()).toEqual([]);
    expect(await commitPulled(app.db, key, { position: 21, day })).toBeNull();
    const [lane] = await app.sql<object>(
      'SELECT settled_through, pulled_through FROM lanes WHERE app_id = $1 AND endpoint_id = $2',
      uuids,
    );
    expect(lane).toEqual({ settled_through: 15, pulled_through: 15 });
  });

  test('is not moved in mode push, not even by a commit that waited for the turn', async () => {
    const push = await setup('push');
    expect(await commitPulled(app.db, push.key, { position: 12, day })).toBe(false);
    const pull = await setup();
    let commit: Promise<unknown> | undefined;
    await app.db.transaction(async (tx) => {
      await tx.query(
        {
          name: 'turn',
          text: `UPDATE endpoints SET config = config || '{"mode":"push"}' WHERE app_id = $1 AND endpoint_id = $2`,
        },
        pull.uuids,
      );
      commit = commitPulled(app.db, pull.key, { position: 12, day });
      const waits = {
        name: 'waits',
        text: "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
      };
      while ((await app.db.query(waits)).length === 0);
    });
    expect(await commit).toBe(false);
  });
});
