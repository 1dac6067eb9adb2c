import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import type { Credential } from '../core/endpoint-auth.ts';
import { uuidFromId } from '../core/id.ts';
import { deleteEndpoint, updateEndpoint } from './endpoint-changes.ts';
import { loadCredentials, writeCredential } from './endpoint-credentials.ts';

const BEARER: Credential = { type: 'headers', headers: { authorization: 'Bearer hush' } };
const OAUTH2: Credential = { type: 'oauth2', clientSecret: 'hush' };

describe('endpoint credential', () => {
  let app: StoredApp;
  beforeAll(async () => {
    app = await storedApp();
  });
  afterAll(() => app.close());

  const write = (endpointId: string, credential: Credential | null) =>
    app.db.transaction((tx) => {
      const place = { appUuid: app.appUuid, endpointUuid: uuidFromId('endpoint', endpointId) };
      const stored = credential && { credentialUuid: app.ids.uuid(), credential };
      return writeCredential(tx, app.box, place, stored);
    });
  const load = async (endpointId: string) =>
    (await loadCredentials(app.db, app.box, app.appId, [endpointId])).get(endpointId) ?? null;

  test('is stored sealed, and for its place only', async () => {
    const [id, other] = [await app.anEndpoint(), await app.anEndpoint()];
    await write(id, BEARER);
    await write(other, OAUTH2);
    const [row] = await app.sql<{ sealed: Buffer }>('SELECT sealed FROM endpoint_credentials WHERE endpoint_id = $1', [
      uuidFromId('endpoint', id),
    ]);
    expect(row.sealed.includes('hush')).toBe(false);
    expect(await load(id)).toEqual({ credentialUuid: expect.any(String), credential: BEARER });
    expect((await loadCredentials(app.db, app.box, app.appId)).size).toBe(2);

    const swap = 'UPDATE endpoint_credentials SET sealed = $2 WHERE endpoint_id = $1';
    await app.sql(swap, [uuidFromId('endpoint', other), row.sealed]);
    await expect(load(other)).rejects.toMatchObject({ code: 'internal' });
    await write(other, null);
    expect(await load(other)).toBeNull();
  });

  test('takes the place of the one before, under another id', async () => {
    const id = await app.anEndpoint();
    await write(id, BEARER);
    const before = await load(id);
    await write(id, BEARER);
    const after = await load(id);
    expect(after?.credential).toEqual(BEARER);
    expect(after?.credentialUuid).not.toBe(before?.credentialUuid);
  });

  test('stays with other changes, and goes with the endpoint', async () => {
    const id = await app.anEndpoint();
    await write(id, OAUTH2);
    const place = { appId: app.appId, endpointId: id };
    const changed = await updateEndpoint(app.db, app.box, place, ({ uid, config }) => ({
      uid,
      config: { ...config, description: 'Changed' },
    }));
    expect(JSON.stringify(changed)).not.toContain('hush');
    expect((await load(id))?.credential).toEqual(OAUTH2);
    await deleteEndpoint(app.db, place);
    expect(await load(id)).toBeNull();
  });
});
