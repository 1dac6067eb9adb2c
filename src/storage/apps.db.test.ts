import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { IdGenerator, TIDINGS_APP_ID, uuidFromId } from '../core/id.ts';
import { createApp, deleteApp, ensureBuiltinApp, findApp, findAppByUid, listApps, updateApp } from './apps.ts';
import { readHead } from './heads.ts';

describe('app', () => {
  let database: TestDatabase;
  const ids = new IdGenerator({ now: Date.now, randomBytes });
  const anApp = (uid: string | null = null, key: { key: string; bodyHash: Buffer } | null = null) =>
    createApp(database.db, { id: ids.id('app'), uid, name: 'An app', metadata: { plan: 'pro' } }, key);

  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.close());

  test('is created with an empty log', async () => {
    const app = await anApp();
    expect(await findApp(database.db, app.id)).toEqual(app);
    expect(app.metadata).toEqual({ plan: 'pro' });
    expect(await readHead(database.db, app.id)).toMatchObject({ position: 0, configVersion: 1 });
  });

  test('has a uid of its own, which is free again after its deletion', async () => {
    const app = await anApp('acme');
    await expect(anApp('acme')).rejects.toMatchObject({ code: 'uid_taken' });
    await expect(updateApp(database.db, (await anApp()).id, { uid: 'acme' })).rejects.toMatchObject({
      code: 'uid_taken',
    });
    await deleteApp(database.db, app.id);
    expect(await findAppByUid(database.db, 'acme')).toBeNull();
    expect((await anApp('acme')).id).not.toBe(app.id);
  });

  test('changes only what is named', async () => {
    const { id } = await anApp('change');
    expect(await updateApp(database.db, id, { name: 'New' })).toMatchObject({ name: 'New', uid: 'change' });
    expect(await updateApp(database.db, id, { uid: null })).toMatchObject({ uid: null, metadata: { plan: 'pro' } });
    expect(await updateApp(database.db, id, { metadata: {} })).toMatchObject({ name: 'New', metadata: {} });
    await expect(updateApp(database.db, ids.id('app'), {})).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is created once per idempotency key, also when raced', async () => {
    const key = { key: 'once', bodyHash: Buffer.alloc(32, 1) };
    const made = await Promise.all(Array.from({ length: 10 }, () => anApp(null, key)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    await expect(anApp(null, { ...key, bodyHash: Buffer.alloc(32, 2) })).rejects.toMatchObject({
      code: 'idempotency_conflict',
    });
    await deleteApp(database.db, made[0].id);
    await expect(anApp(null, key)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('is listed newest first, page by page', async () => {
    const made = [await anApp(), await anApp(), await anApp()].map(({ id }) => id).reverse();
    const first = await listApps(database.db, { limit: 2, before: null });
    expect(first.map(({ id }) => id)).toEqual(made.slice(0, 2));
    const second = await listApps(database.db, { limit: 1, before: first[1].id });
    expect(second.map(({ id }) => id)).toEqual(made.slice(2));
  });

  test('leaves head, lanes, secrets and keys at once when deleted, and asks for its erasure', async () => {
    const { id } = await anApp();
    await deleteApp(database.db, id);
    expect(await findApp(database.db, id)).toBeNull();
    expect(await readHead(database.db, id)).toBeNull();
    await expect(deleteApp(database.db, id)).rejects.toMatchObject({ code: 'not_found' });
    const query = { name: 'test_erasures', text: 'SELECT endpoint_id FROM erasures WHERE app_id = $1' };
    expect(await database.db.query(query, [uuidFromId('app', id)])).toEqual([
      { endpoint_id: '00000000-0000-0000-0000-000000000000' },
    ]);
  });

  test('of the operational events is made once and cannot be deleted', async () => {
    await Promise.all([ensureBuiltinApp(database.db), ensureBuiltinApp(database.db)]);
    expect(await findApp(database.db, TIDINGS_APP_ID)).toMatchObject({ name: 'Tidings' });
    await expect(deleteApp(database.db, TIDINGS_APP_ID)).rejects.toMatchObject({ code: 'conflict' });
    expect(await readHead(database.db, TIDINGS_APP_ID)).not.toBeNull();
  });
});
