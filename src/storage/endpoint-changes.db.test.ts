import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anEndpointConfig, type StoredApp, storedApp } from '../../test/stored-app.ts';
import { slotOf } from '../core/endpoint.ts';
import { uuidFromId } from '../core/id.ts';
import { createEndpoint, deleteEndpoint, pauseEndpoint, resumeEndpoint, updateEndpoint } from './endpoint-changes.ts';
import { loadSecrets, rotateSecret } from './endpoint-secrets.ts';
import { findEndpoint, listEndpoints, loadEndpointsOfApp } from './endpoints.ts';
import { readHead } from './heads.ts';

interface LaneRow {
  slot: number;
  settled_through: number;
  settled_day: string;
}

describe('endpoint', () => {
  let app: StoredApp;
  const place = (endpointId: string) => ({ appId: app.appId, endpointId });
  const laneOf = async (endpointId: string): Promise<LaneRow | undefined> => {
    const text = 'SELECT slot, settled_through, settled_day FROM lanes WHERE app_id = $1 AND endpoint_id = $2';
    return (await app.sql<LaneRow>(text, [app.appUuid, uuidFromId('endpoint', endpointId)]))[0];
  };
  const loaded = async (endpointId: string) => {
    const configuration = await loadEndpointsOfApp(app.db, app.appId);
    const endpoint = configuration?.endpoints.find(({ id }) => id === endpointId);
    if (configuration == null || endpoint === undefined) throw new Error('not loaded');
    return { configuration, endpoint };
  };

  beforeAll(async () => {
    app = await storedApp();
  });
  afterAll(() => app.close());

  test('begins after the head, under a configuration version of its own', async () => {
    const head = await app.append(3);
    const before = await readHead(app.db, app.appId);
    const id = await app.anEndpoint({ filter: { types: ['a.*'] } });
    const { configuration, endpoint } = await loaded(id);
    expect(configuration.configVersion).toBe((before?.configVersion ?? 0) + 1);
    expect(configuration.lastPosition).toBe(head.position);
    expect(endpoint.configVersion).toBe(configuration.configVersion);
    expect(endpoint.versions).toEqual([
      { configVersion: configuration.configVersion, fromPosition: head.position + 1, filter: { types: ['a.*'] } },
    ]);
    expect(await laneOf(id)).toEqual({
      slot: slotOf(uuidFromId('endpoint', id)),
      settled_through: head.position,
      settled_day: head.day,
    });
  });

  test('begins before the oldest event that is kept', async () => {
    const head = await app.append(2);
    await app.sql('DELETE FROM events WHERE app_id = $1 AND position < $2', [app.appUuid, head.position]);
    expect(await laneOf(await app.anEndpoint({ start: 'oldest' }))).toMatchObject({
      settled_through: head.position - 1,
      settled_day: head.day,
    });
    await app.sql('DELETE FROM events WHERE app_id = $1', [app.appUuid]);
    expect(await laneOf(await app.anEndpoint({ start: 'oldest' }))).toMatchObject({ settled_through: head.position });
  });

  test('begins at a cursor within the log, and at none beside it', async () => {
    const first = await app.append(1);
    const last = await app.append(4);
    const at = (position: number) => app.anEndpoint({ start: { position, day: last.day } });
    expect(await laneOf(await at(first.position + 1))).toMatchObject({ settled_through: first.position + 1 });
    expect(await laneOf(await at(last.position))).toMatchObject({ settled_through: last.position });
    expect(await laneOf(await at(first.position - 1))).toMatchObject({ settled_through: first.position - 1 });
    await expect(at(last.position + 1)).rejects.toMatchObject({ code: 'cursor_ahead' });
    await expect(at(first.position - 2)).rejects.toMatchObject({ code: 'cursor_expired' });
  });

  test('that fails to be created changes nothing', async () => {
    await app.anEndpoint({ uid: 'taken' });
    const before = await readHead(app.db, app.appId);
    await expect(app.anEndpoint({ uid: 'taken' })).rejects.toMatchObject({ code: 'uid_taken' });
    expect(await readHead(app.db, app.appId)).toEqual(before);
  });

  test('is created once per idempotency key, also when raced', async () => {
    const create = (bodyHash: Buffer) =>
      createEndpoint(app.db, app.box, {
        id: app.ids.id('endpoint'),
        appId: app.appId,
        uid: null,
        config: anEndpointConfig(),
        start: 'now',
        secret: { secretUuid: app.ids.uuid(), secret: 'whsec_x' },
        idempotency: { key: 'once', bodyHash },
      });
    const made = await Promise.all(Array.from({ length: 10 }, () => create(Buffer.alloc(32, 1))));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    await expect(create(Buffer.alloc(32, 2))).rejects.toMatchObject({ code: 'idempotency_conflict' });
  });

  test('gets a filter version only when its filter changes', async () => {
    const id = await app.anEndpoint();
    await updateEndpoint(app.db, app.box, place(id), ({ config }) => ({
      uid: 'u',
      config: { ...config, timeoutMs: 2000 },
    }));
    const first = (await loaded(id)).endpoint;
    expect(first).toMatchObject({ uid: 'u', config: { timeoutMs: 2000 } });
    expect(first.versions).toHaveLength(1);

    const head = await app.append(2);
    await updateEndpoint(app.db, app.box, place(id), ({ uid, config }) => ({
      uid,
      config: { ...config, filter: { channels: ['c'] } },
    }));
    const second = (await loaded(id)).endpoint;
    expect(second.configVersion).toBe(first.configVersion + 1);
    expect(second.versions).toEqual([
      ...first.versions,
      { configVersion: second.configVersion, fromPosition: head.position + 1, filter: { channels: ['c'] } },
    ]);
  });

  test('pauses and resumes, and each raises the version', async () => {
    const id = await app.anEndpoint();
    const paused = await pauseEndpoint(app.db, place(id));
    expect(paused.pausedAt).toBeInstanceOf(Date);
    const again = await pauseEndpoint(app.db, place(id));
    expect(again.pausedAt).toEqual(paused.pausedAt);
    expect(again.configVersion).toBe(paused.configVersion + 1);
    await app.append(3);
    expect(await resumeEndpoint(app.db, place(id), 'cursor')).toMatchObject({ pausedAt: null, skipThrough: 0 });
  });

  test('is enabled again by resuming only, from the head when told so', async () => {
    const id = await app.anEndpoint();
    const disable = "UPDATE endpoints SET disabled_at = now(), disabled_reason = 'gone' WHERE endpoint_id = $1";
    await app.sql(disable, [uuidFromId('endpoint', id)]);
    const changed = await updateEndpoint(app.db, app.box, place(id), (stored) => stored);
    expect(changed).toMatchObject({ disabledReason: 'gone', disabledAt: expect.any(Date) });
    const head = await app.append(3);
    expect(await resumeEndpoint(app.db, place(id), 'head')).toMatchObject({
      disabledAt: null,
      disabledReason: null,
      skipThrough: head.position,
    });
  });

  test('is gone at once when deleted, with lane and secrets', async () => {
    const id = await app.anEndpoint({ uid: 'gone' });
    const before = await readHead(app.db, app.appId);
    await deleteEndpoint(app.db, place(id));
    expect(await findEndpoint(app.db, app.appId, id)).toBeNull();
    expect(await findEndpoint(app.db, app.appId, 'gone')).toBeNull();
    expect(await laneOf(id)).toBeUndefined();
    expect(await loadSecrets(app.db, app.box, app.appId, id)).toEqual([]);
    await expect(loaded(id)).rejects.toThrow('not loaded');
    expect((await readHead(app.db, app.appId))?.configVersion).toBe((before?.configVersion ?? 0) + 1);
    const erasures = 'SELECT 1 FROM erasures WHERE app_id = $1 AND endpoint_id = $2';
    expect(await app.sql(erasures, [app.appUuid, uuidFromId('endpoint', id)])).toHaveLength(1);
    await expect(deleteEndpoint(app.db, place(id))).rejects.toMatchObject({ code: 'not_found' });
    await app.anEndpoint({ uid: 'gone' });
  });

  test('is read with those that were changed since a configuration version, and so is its end', async () => {
    const [changed, deleted, rotated, untouched] = [
      await app.anEndpoint(),
      await app.anEndpoint(),
      await app.anEndpoint(),
      await app.anEndpoint(),
    ];
    const since = (await readHead(app.db, app.appId))!.configVersion;
    await pauseEndpoint(app.db, place(changed));
    await deleteEndpoint(app.db, place(deleted));
    const secret = { secretUuid: app.ids.uuid(), secret: 'whsec_second', signing: 'v1', graceSeconds: 0 } as const;
    await rotateSecret(app.db, app.box, { ...place(rotated), ...secret });
    const created = await app.anEndpoint();
    const changes = await loadEndpointsOfApp(app.db, app.appId, since);
    expect(changes?.configVersion).toBe(since + 4);
    expect(changes?.endpoints.map(({ id }) => id).sort()).toEqual([changed, rotated, created].sort());
    expect(changes?.deleted).toEqual([deleted]);
    const all = await loadEndpointsOfApp(app.db, app.appId);
    expect(all?.deleted).toEqual([]);
    expect(all?.endpoints.map(({ id }) => id)).toContain(untouched);
    const none = await loadEndpointsOfApp(app.db, app.appId, since + 4);
    expect(none).toMatchObject({ configVersion: since + 4, endpoints: [], deleted: [] });
  });

  test('of another app or of none cannot be found or changed', async () => {
    const id = await app.anEndpoint({ uid: 'mine' });
    const other = app.ids.id('app');
    expect(await findEndpoint(app.db, other, id)).toBeNull();
    expect(await findEndpoint(app.db, other, 'mine')).toBeNull();
    for (const endpointId of [app.ids.id('endpoint'), 'nothing']) {
      await expect(pauseEndpoint(app.db, place(endpointId))).rejects.toMatchObject({ code: 'not_found' });
    }
    await expect(pauseEndpoint(app.db, { appId: other, endpointId: id })).rejects.toMatchObject({ code: 'not_found' });
    expect(await loadEndpointsOfApp(app.db, other)).toBeNull();
  });

  test('changes that race take turns', async () => {
    const id = await app.anEndpoint();
    const before = (await loaded(id)).endpoint.configVersion;
    const add = (name: string) =>
      updateEndpoint(app.db, app.box, place(id), ({ uid, config }) => ({
        uid,
        config: { ...config, headers: { ...config.headers, [name]: '1' } },
      }));
    await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(add));
    const { endpoint } = await loaded(id);
    expect(Object.keys(endpoint.config.headers).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(endpoint.configVersion).toBe(before + 6);
  });

  test('is listed newest first', async () => {
    const made = [await app.anEndpoint(), await app.anEndpoint()].reverse();
    const [newest] = await listEndpoints(app.db, app.appId, { limit: 1, before: null });
    expect(newest.id).toBe(made[0]);
    const [next] = await listEndpoints(app.db, app.appId, { limit: 1, before: newest.id });
    expect(next.id).toBe(made[1]);
  });
});
