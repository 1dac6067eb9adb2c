import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { deleteApp } from './apps.ts';
import { createSource, deleteSource, type NewSource, updateSource } from './source-changes.ts';
import { loadSourceSecrets } from './source-secrets.ts';
import { findSource, findSourceByToken, listSources } from './sources.ts';

let app: StoredApp;
beforeAll(async () => {
  app = await storedApp();
});
afterAll(() => app.close());

function aSource(members: Partial<NewSource> = {}): Promise<string> {
  const { appId, ids, db, box } = app;
  return createSource(db, box, {
    id: ids.id('source'),
    appId,
    uid: null,
    kind: 'webhook',
    config: { provider: 'github' },
    token: null,
    isFetched: false,
    secrets: { names: [], secrets: [] },
    idempotency: null,
    ...members,
  }).then(({ id }) => id);
}

const named = (name: string, ...texts: string[]) => ({
  names: [name],
  secrets: texts.map((secret) => ({ name, secret, secretUuid: app.ids.uuid() })),
});
const place = (sourceId: string) => ({ appId: app.appId, sourceId });
const nextRunOf = async (sourceId: string): Promise<Date | null> => {
  const source = await app.sql<{ next_run_at: Date | null; source_id: string }>(
    'SELECT s.next_run_at, s.source_id FROM sources s WHERE app_id = $1 ORDER BY source_id DESC LIMIT 1',
    [app.appUuid],
  );
  expect(sourceId).toBeTypeOf('string');
  return source[0].next_run_at;
};

describe('sources', () => {
  test('are found by id, uid and token, and listed newest first', async () => {
    const { db, box, appId } = app;
    const first = await aSource({ uid: 'hub', token: 'abc' });
    const second = await aSource();
    const found = await findSource(db, box, appId, first);
    expect(found).toMatchObject({ id: first, appId, uid: 'hub', kind: 'webhook', token: 'abc', pausedAt: null });
    expect(found?.config).toEqual({ provider: 'github' });
    expect(await findSource(db, box, appId, 'hub')).toEqual(found);
    expect(await findSourceByToken(db, box, 'abc')).toEqual(found);
    expect(await findSourceByToken(db, box, 'abd')).toBeNull();
    expect((await findSource(db, box, appId, second))?.token).toBeNull();
    const [page] = await listSources(db, box, appId, { limit: 1, before: null });
    expect(page.id).toBe(second);
    expect((await listSources(db, box, appId, { limit: 9, before: second })).map(({ id }) => id)).toContain(first);
  });

  test('keep neither tokens nor secrets readable', async () => {
    await aSource({ token: 'plain-token', secrets: named('webhook', 'plain-secret') });
    const rows = await app.sql<{ all: string }>(
      `SELECT encode(sealed_token, 'escape') || encode(token_hash, 'escape') AS all FROM sources WHERE sealed_token IS NOT NULL
       UNION ALL SELECT encode(sealed, 'escape') FROM source_secrets`,
    );
    expect(rows.length).toBeGreaterThan(1);
    expect(rows.map(({ all }) => all).join()).not.toContain('plain');
  });

  test('have several secrets of a name, replaced together, and leave others', async () => {
    const { db, box } = app;
    const id = await aSource({ secrets: named('webhook', 'one', 'two') });
    const revise = (secrets: NewSource['secrets']) =>
      updateSource(db, box, place(id), ({ uid, config }) => ({
        uid,
        config,
        lifecycle: 'keep',
        isFetched: false,
        secrets,
      }));
    await revise(named('token', 'other'));
    expect(await loadSourceSecrets(db, box, place(id))).toEqual([
      { name: 'webhook', secret: 'one' },
      { name: 'webhook', secret: 'two' },
      { name: 'token', secret: 'other' },
    ]);
    await revise(named('webhook', 'three'));
    expect(await loadSourceSecrets(db, box, place(id))).toEqual([
      { name: 'token', secret: 'other' },
      { name: 'webhook', secret: 'three' },
    ]);
  });

  test('are good with secrets that were replaced for as long as they are granted', async () => {
    const { db, box } = app;
    const id = await aSource({ secrets: named('webhook', 'one') });
    const secrets = async () => (await loadSourceSecrets(db, box, place(id))).map(({ secret }) => secret);
    const rotate = (secret: string, graceSeconds: number) =>
      updateSource(db, box, place(id), ({ uid, config }) => ({
        uid,
        config,
        lifecycle: 'keep',
        isFetched: false,
        secrets: { ...named('webhook', secret), graceSeconds },
      }));
    expect((await rotate('two', 3600)).secretNames).toEqual(['webhook', 'webhook']);
    expect(await secrets()).toEqual(['one', 'two']);
    const pass = (seconds: number) =>
      app.sql(`UPDATE source_secrets SET expires_at = expires_at - make_interval(secs => $1::float8)`, [seconds]);
    await pass(1800);
    // A longer grace lengthens none that runs already.
    await rotate('three', 7200);
    await pass(1801);
    expect(await secrets()).toEqual(['two', 'three']);
    expect((await findSource(db, box, app.appId, id))?.secretNames).toHaveLength(2);
    await rotate('four', 0);
    expect(await secrets()).toEqual(['four']);
    expect(
      await app.sql('SELECT 1 FROM source_secrets WHERE source_id = (SELECT max(source_id::text)::uuid FROM sources)'),
    ).toHaveLength(1);
  });

  test('are due while they are fetched and neither paused nor disabled', async () => {
    const { db, box } = app;
    const id = await aSource({ kind: 'fetch', isFetched: true });
    const revise = (lifecycle: 'pause' | 'resume' | 'keep') =>
      updateSource(db, box, place(id), ({ uid, config }) => ({ uid, config, lifecycle, isFetched: true }));
    expect(await nextRunOf(id)).toBeInstanceOf(Date);
    expect((await revise('pause')).pausedAt).toBeInstanceOf(Date);
    expect(await nextRunOf(id)).toBeNull();
    await revise('keep');
    expect(await nextRunOf(id)).toBeNull();
    expect((await revise('resume')).pausedAt).toBeNull();
    expect(await nextRunOf(id)).toBeInstanceOf(Date);
    await app.sql(`UPDATE sources SET disabled_at = now(), disabled_reason = 'x' WHERE source_id IN
      (SELECT source_id FROM sources WHERE kind = 'fetch')`);
    expect((await revise('keep')).disabledReason).toBe('x');
    expect(await nextRunOf(id)).toBeNull();
    expect(await revise('resume')).toMatchObject({ disabledAt: null, disabledReason: null });
    expect(await nextRunOf(id)).toBeInstanceOf(Date);
  });

  test('have a uid of their own within the app', async () => {
    const { db, box } = app;
    await aSource({ uid: 'taken' });
    await expect(aSource({ uid: 'taken' })).rejects.toMatchObject({ code: 'uid_taken' });
    const other = await aSource();
    const change = updateSource(db, box, place(other), ({ config }) => ({
      uid: 'taken',
      config,
      lifecycle: 'keep',
      isFetched: false,
    }));
    await expect(change).rejects.toMatchObject({ code: 'uid_taken' });
  });

  test('are created once under an idempotency key', async () => {
    const idempotency = { key: 'k1', bodyHash: Buffer.alloc(32) };
    const id = await aSource({ idempotency });
    expect(await aSource({ idempotency })).toBe(id);
    await deleteSource(app.db, place(id));
    await expect(aSource({ idempotency })).rejects.toMatchObject({ code: 'conflict' });
  });

  test('are deleted with their secrets', async () => {
    const { db, box, appId } = app;
    const id = await aSource({ token: 'gone', secrets: named('webhook', 'one') });
    await deleteSource(db, place(id));
    expect(await findSource(db, box, appId, id)).toBeNull();
    expect(await findSourceByToken(db, box, 'gone')).toBeNull();
    expect(await loadSourceSecrets(db, box, place(id))).toEqual([]);
    await expect(deleteSource(db, place(id))).rejects.toMatchObject({ code: 'not_found' });
  });

  test('go with their app, and none comes after it', async () => {
    const gone = await storedApp();
    try {
      const members = { appId: gone.appId, token: 'late', secrets: named('webhook', 'one') };
      const create = () =>
        createSource(gone.db, gone.box, {
          id: gone.ids.id('source'),
          uid: null,
          kind: 'webhook',
          config: {},
          isFetched: false,
          idempotency: null,
          ...members,
        });
      await create();
      await deleteApp(gone.db, gone.appId);
      expect(await findSourceByToken(gone.db, gone.box, 'late')).toBeNull();
      await expect(create()).rejects.toMatchObject({ code: 'not_found' });
    } finally {
      await gone.close();
    }
  });
});
