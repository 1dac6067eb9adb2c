import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { uuidFromId } from '../core/id.ts';
import { MAX_RUNNING_REPLAYS } from '../core/replay.ts';
import { deleteEndpoint, pauseEndpoint, resumeEndpoint } from './endpoint-changes.ts';
import {
  cancelReplay,
  createReplay,
  findReplay,
  listReplays,
  listRunningReplays,
  loadRunningReplays,
  type NewReplay,
} from './replays.ts';

describe('replays', () => {
  let app: StoredApp;
  beforeAll(async () => {
    app = await storedApp();
  });
  afterAll(() => app.close());

  const aReplay = (endpointId: string, more: Partial<NewReplay> = {}) =>
    createReplay(app.db, {
      id: app.ids.id('replay'),
      appId: app.appId,
      endpointId,
      from: { position: 2, day: '2026-11-20' },
      to: { position: 9, day: '2026-11-21' },
      only: 'all',
      types: null,
      reason: null,
      idempotency: null,
      ...more,
    });

  test('begin where their range begins', async () => {
    const endpointId = await app.anEndpoint();
    const replay = await aReplay(endpointId, { only: 'dead', types: ['a.*', 'b'], reason: 'status_5xx' });
    expect(replay).toEqual({
      id: expect.stringMatching(/^rpl_/),
      appId: app.appId,
      endpointId,
      from: { position: 2, day: '2026-11-20' },
      to: { position: 9, day: '2026-11-21' },
      only: 'dead',
      types: ['a.*', 'b'],
      reason: 'status_5xx',
      state: 'running',
      settled: { position: 2, day: '2026-11-20' },
      delivered: 0,
      dead: 0,
      createdAt: expect.any(Date),
      finishedAt: null,
    });
    expect(await findReplay(app.db, { appId: app.appId, endpointId, replayId: replay.id })).toEqual(replay);
    expect(await loadRunningReplays(app.db, app.appId, [uuidFromId('endpoint', endpointId)])).toEqual([
      {
        replayId: replay.id,
        replayUuid: uuidFromId('replay', replay.id),
        endpointId,
        fromPosition: 2,
        fromDay: '2026-11-20',
        toPosition: 9,
        toDay: '2026-11-21',
        only: 'dead',
        types: ['a.*', 'b'],
        reason: 'status_5xx',
        settledThrough: 2,
        settledDay: '2026-11-20',
        lowAttemptUuid: null,
        delivered: 0,
        dead: 0,
      },
    ]);
  });

  test('of an empty range are done at once', async () => {
    const endpointId = await app.anEndpoint();
    const replay = await aReplay(endpointId, { to: { position: 2, day: '2026-11-20' } });
    expect([replay.state, replay.finishedAt]).toEqual(['done', expect.any(Date)]);
    expect(await listRunningReplays(app.db, { appId: app.appId, endpointId })).toEqual([]);
  });

  test('are listed newest first, and of their endpoint only', async () => {
    const endpointId = await app.anEndpoint();
    const other = await app.anEndpoint();
    const ids = [];
    for (let i = 0; i < 3; i++) ids.unshift((await aReplay(endpointId)).id);
    const { id: foreign } = await aReplay(other);
    const place = { appId: app.appId, endpointId };
    const first = await listReplays(app.db, place, { limit: 2, before: null });
    const rest = await listReplays(app.db, place, { limit: 2, before: first[1].id });
    expect([...first, ...rest].map(({ id }) => id)).toEqual(ids);
    expect(await findReplay(app.db, { ...place, replayId: foreign })).toBeNull();
    expect(await findReplay(app.db, { ...place, replayId: 'rpl_none' })).toBeNull();
    const uuids = [endpointId, other].map((id) => uuidFromId('endpoint', id));
    const loaded = await loadRunningReplays(app.db, app.appId, uuids);
    expect(loaded.map(({ replayId }) => replayId).toSorted()).toEqual([...ids, foreign].toSorted());
    expect(await loadRunningReplays(app.db, app.ids.id('app'), uuids)).toEqual([]);
  });

  test('are cancelled once', async () => {
    const endpointId = await app.anEndpoint();
    const { id } = await aReplay(endpointId);
    const place = { appId: app.appId, endpointId, replayId: id };
    await app.sql(
      `INSERT INTO retries (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, consumed, due_at, last_reason, created_at)
       SELECT $1, $2, c, 3, current_date, 'evt_3', 1, 1, now(), 'status_5xx', now()
       FROM unnest(ARRAY[$3, '00000000-0000-0000-0000-000000000000']::uuid[]) AS c`,
      [app.appUuid, uuidFromId('endpoint', endpointId), uuidFromId('replay', id)],
    );
    const cancelled = await cancelReplay(app.db, place);
    expect([cancelled.state, cancelled.finishedAt]).toEqual(['cancelled', expect.any(Date)]);
    expect(await cancelReplay(app.db, place)).toEqual(cancelled);
    const values = [app.appUuid, uuidFromId('endpoint', endpointId)];
    const left = await app.sql<{ cursor_id: string }>(
      'SELECT cursor_id FROM retries WHERE app_id = $1 AND endpoint_id = $2',
      values,
    );
    expect(left).toEqual([{ cursor_id: '00000000-0000-0000-0000-000000000000' }]);
    const done = await aReplay(endpointId, { to: { position: 2, day: '2026-11-20' } });
    expect(await cancelReplay(app.db, { ...place, replayId: done.id })).toEqual(done);
    for (const replayId of [app.ids.id('replay'), 'rpl_x']) {
      await expect(cancelReplay(app.db, { ...place, replayId })).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  test('are limited in number, even when they come at once', async () => {
    const endpointId = await app.anEndpoint();
    const results = await Promise.allSettled(
      Array.from({ length: MAX_RUNNING_REPLAYS + 3 }, () => aReplay(endpointId)),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(MAX_RUNNING_REPLAYS);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'conflict' });
    }
    const [oldest] = await listRunningReplays(app.db, { appId: app.appId, endpointId });
    await cancelReplay(app.db, { appId: app.appId, endpointId, replayId: oldest.id });
    expect((await aReplay(endpointId)).state).toBe('running');
  });

  test('need an endpoint that is sent to', async () => {
    const endpointId = await app.anEndpoint();
    const place = { appId: app.appId, endpointId };
    await pauseEndpoint(app.db, place);
    await expect(aReplay(endpointId)).rejects.toMatchObject({
      code: 'endpoint_paused',
      detail: expect.stringContaining('is paused'),
    });
    await resumeEndpoint(app.db, place, 'cursor');
    await aReplay(endpointId);
    await deleteEndpoint(app.db, place);
    await expect(aReplay(endpointId)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('are made once for a key, which counts within the endpoint', async () => {
    const [one, two] = [await app.anEndpoint(), await app.anEndpoint()];
    const idempotency = { key: 'again', bodyHash: Buffer.from('1') };
    const replay = await aReplay(one, { idempotency });
    expect((await aReplay(one, { idempotency })).id).toBe(replay.id);
    expect((await aReplay(two, { idempotency })).id).not.toBe(replay.id);
    const otherBody = { key: 'again', bodyHash: Buffer.from('2') };
    await expect(aReplay(one, { idempotency: otherBody })).rejects.toMatchObject({
      code: 'idempotency_conflict',
      detail: expect.stringContaining('The Idempotency-Key again was'),
    });
  });
});
