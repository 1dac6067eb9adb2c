import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { uuidFromId } from '../core/id.ts';
import { loadSecrets, loadSecretsOfApp, MAX_CURRENT_SECRETS, rotateSecret } from './endpoint-secrets.ts';
import { findEndpoint } from './endpoints.ts';

describe('endpoint secret', () => {
  let app: StoredApp;
  const rotate = (endpointId: string, secret: string, graceSeconds: number) =>
    rotateSecret(app.db, app.box, {
      appId: app.appId,
      endpointId,
      secretUuid: app.ids.uuid(),
      secret,
      signing: secret.startsWith('whsec_') ? 'v1' : 'v1a',
      graceSeconds,
    });
  const load = (endpointId: string) => loadSecrets(app.db, app.box, app.appId, endpointId);

  beforeAll(async () => {
    app = await storedApp();
  });
  afterAll(() => app.close());

  test('is stored sealed, and for its place only', async () => {
    const id = await app.anEndpoint();
    const [row] = await app.sql<{ sealed: Buffer }>('SELECT sealed FROM endpoint_secrets WHERE endpoint_id = $1', [
      uuidFromId('endpoint', id),
    ]);
    expect(row.sealed.includes('whsec_first')).toBe(false);
    expect(await load(id)).toEqual([{ secret: 'whsec_first', createdAt: expect.any(Date), expiresAt: null }]);

    const other = await app.anEndpoint();
    const swap = 'UPDATE endpoint_secrets SET sealed = $2 WHERE endpoint_id = $1';
    await app.sql(swap, [uuidFromId('endpoint', other), row.sealed]);
    await expect(load(other)).rejects.toMatchObject({ code: 'internal' });
    await app.sql('DELETE FROM endpoint_secrets WHERE endpoint_id = $1', [uuidFromId('endpoint', other)]);
  });

  test('goes on beside its successor for the grace', async () => {
    const id = await app.anEndpoint();
    const before = (await findEndpoint(app.db, app.appId, id))?.configVersion ?? 0;
    await rotate(id, 'whsec_second', 3600);
    const [second, first] = await load(id);
    expect(second).toMatchObject({ secret: 'whsec_second', expiresAt: null });
    expect(first.secret).toBe('whsec_first');
    expect(Math.abs((first.expiresAt?.getTime() ?? 0) - second.createdAt.getTime() - 3_600_000)).toBeLessThan(1000);
    expect((await findEndpoint(app.db, app.appId, id))?.configVersion).toBe(before + 1);

    await rotate(id, 'whsec_third', 7200);
    const expiries = (await load(id)).map(({ expiresAt }) => expiresAt);
    expect(expiries[2]).toEqual(first.expiresAt);
    expect((await loadSecretsOfApp(app.db, app.box, app.appId)).get(id)).toEqual(await load(id));
  });

  test('ends at once without a grace', async () => {
    const id = await app.anEndpoint();
    await rotate(id, 'whsec_second', 3600);
    await rotate(id, 'whsec_third', 0);
    expect((await load(id)).map(({ secret }) => secret)).toEqual(['whsec_third']);
  });

  test('is not loaded after it has expired', async () => {
    const id = await app.anEndpoint();
    await rotate(id, 'whsec_second', 3600);
    const expire = "UPDATE endpoint_secrets SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL";
    await app.sql(`${expire} AND endpoint_id = $1`, [uuidFromId('endpoint', id)]);
    expect((await load(id)).map(({ secret }) => secret)).toEqual(['whsec_second']);
    expect((await loadSecretsOfApp(app.db, app.box, app.appId)).get(id)).toHaveLength(1);
  });

  test(`is refused when ${MAX_CURRENT_SECRETS} are current, unless they end`, async () => {
    const id = await app.anEndpoint();
    for (let i = 2; i <= MAX_CURRENT_SECRETS; i++) await rotate(id, `whsec_${i}`, 3600);
    await expect(rotate(id, 'whsec_more', 3600)).rejects.toMatchObject({ code: 'conflict' });
    expect(await load(id)).toHaveLength(MAX_CURRENT_SECRETS);
    await rotate(id, 'whsec_new', 0);
    expect(await load(id)).toHaveLength(1);
  });

  test('of another scheme is refused: the endpoint was changed meanwhile', async () => {
    const id = await app.anEndpoint();
    await expect(rotate(id, 'whsk_second', 0)).rejects.toMatchObject({ code: 'conflict' });
    expect((await load(id)).map(({ secret }) => secret)).toEqual(['whsec_first']);
  });

  test('of an endpoint that is not there cannot be rotated', async () => {
    await expect(rotate(app.ids.id('endpoint'), 'whsec_x', 0)).rejects.toMatchObject({ code: 'not_found' });
  });
});
