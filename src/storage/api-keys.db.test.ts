import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { IdGenerator } from '../core/id.ts';
import { createKey, deleteKey, findKeyByToken, listKeys } from './api-keys.ts';
import { createApp, deleteApp } from './apps.ts';

describe('stored api key', () => {
  let database: TestDatabase;
  const ids = new IdGenerator({ now: Date.now, randomBytes });
  const aKey = (appId: string | null, expiresAt: Date | null = null) =>
    createKey(database.db, { id: ids.id('key'), appId, name: 'a key', permissions: ['read'], expiresAt });

  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.close());

  test('is found by its token and by no other', async () => {
    const { key, token } = await aKey(null);
    expect(await findKeyByToken(database.db, token)).toEqual(key);
    expect(await findKeyByToken(database.db, (await aKey(null)).token)).not.toEqual(key);
    expect(token.startsWith(key.hint)).toBe(true);
  });

  test('is not stored in a form it could be read from', async () => {
    const { token } = await aKey(null);
    const rows = await database.db.query({ name: 'all_keys', text: 'SELECT api_keys::text AS row FROM api_keys' });
    expect(JSON.stringify(rows)).not.toContain(token.slice(12));
  });

  test('that has expired is not found, but listed', async () => {
    const { key, token } = await aKey(null, new Date(Date.now() - 1000));
    expect(await findKeyByToken(database.db, token)).toBeNull();
    expect((await listKeys(database.db, { limit: 100, before: null })).map(({ id }) => id)).toContain(key.id);
  });

  test('of an app needs a live app and ends with it', async () => {
    const id = ids.id('app');
    await expect(aKey(id)).rejects.toMatchObject({ code: 'not_found' });
    await createApp(database.db, { id, uid: null, name: 'app', metadata: {} });
    const { token, key } = await aKey(id);
    expect(key.appId).toBe(id);
    await deleteApp(database.db, id);
    expect(await findKeyByToken(database.db, token)).toBeNull();
    await expect(aKey(id)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is deleted once', async () => {
    const { key, token } = await aKey(null);
    expect(await deleteKey(database.db, key.id)).toBe(true);
    expect(await deleteKey(database.db, key.id)).toBe(false);
    expect(await deleteKey(database.db, 'no id')).toBe(false);
    expect(await findKeyByToken(database.db, token)).toBeNull();
  });
});
