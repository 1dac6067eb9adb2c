import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { generateMasterKey, parseMasterKey, SecretBox } from '../core/secret-box.ts';
import { loadInstance } from './instance.ts';

describe('instance', () => {
  let database: TestDatabase;
  const aBox = (masterKey = generateMasterKey(randomBytes)) =>
    new SecretBox({ keys: [parseMasterKey(masterKey)], randomBytes });

  beforeEach(async () => {
    database = await testDatabase();
  });
  afterEach(() => database.close());

  test('keeps what the first start made', async () => {
    const box = aBox();
    const first = await loadInstance(database.db, { box, randomBytes });
    expect(first.generation).toBe(1);
    expect(first.cursorKey).toHaveLength(32);
    expect(await loadInstance(database.db, { box, randomBytes })).toEqual(first);
  });

  test('is one for processes that start at once', async () => {
    const box = aBox();
    const loaded = await Promise.all([1, 2, 3, 4].map(() => loadInstance(database.db, { box, randomBytes })));
    for (const one of loaded) expect(one).toEqual(loaded[0]);
  });

  test('refuses another master key in words', async () => {
    await loadInstance(database.db, { box: aBox(), randomBytes });
    await expect(loadInstance(database.db, { box: aBox(), randomBytes })).rejects.toThrow(/master key is not the one/);
  });
});
