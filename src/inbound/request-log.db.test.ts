import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import type { Database } from '../storage/database.ts';
import { createSource } from '../storage/source-changes.ts';
import { listSourceRequests, type NewSourceRequest } from '../storage/source-requests.ts';
import { RequestLog, type RequestLogOptions } from './request-log.ts';

let app: StoredApp;
beforeAll(async () => {
  app = await storedApp();
});
afterAll(() => app.close());

async function aSource(): Promise<string> {
  const { appId, ids, db, box } = app;
  const secrets = { names: [], secrets: [] };
  const members = { appId, uid: null, kind: 'webhook' as const, config: {}, token: null, isFetched: false };
  return (await createSource(db, box, { ...members, id: ids.id('source'), secrets, idempotency: null })).id;
}

function setup(sourceId: string, options: Partial<RequestLogOptions> = {}, db: Database = app.db) {
  const clock = { nowMs: 1_700_000_000_000 };
  const errors: unknown[] = [];
  let built = 0;
  const log = new RequestLog({ db, now: () => clock.nowMs, onError: (error) => errors.push(error), options });
  const build = (cause: string | null): NewSourceRequest => {
    built++;
    return {
      appId: app.appId,
      sourceId,
      id: app.ids.id('request'),
      receivedMs: clock.nowMs,
      cause,
      reason: null,
      detail: null,
      method: 'POST',
      path: '/in/…',
      headers: [],
      body: Buffer.alloc(100),
      bodyBytes: 100,
      remoteAddress: '',
      status: 401,
      type: null,
      eventId: null,
      repeats: 0,
    };
  };
  return {
    clock,
    errors,
    log,
    built: () => built,
    add: (cause: string | null) => log.add(sourceId, cause, () => build(cause)),
    kept: async () =>
      (await listSourceRequests(app.db, { appId: app.appId, sourceId }, { limit: 100, before: null, cause: null })).map(
        ({ cause, repeats }) => [cause, repeats],
      ),
  };
}

describe('request log', () => {
  test('keeps so many a second and counts the others as more of the last like them', async () => {
    const { clock, log, add, kept, built } = setup(await aSource(), { keptPerSecond: 10 });
    add('duplicate');
    for (let n = 0; n < 5; n++) add('duplicate');
    expect(built()).toBe(1);
    await log.flush();
    clock.nowMs += 100;
    add('bad_signature');
    for (let n = 0; n < 1000; n++) add('bad_signature');
    add('duplicate');
    await log.stop();
    expect(built()).toBe(2);
    expect(await kept()).toEqual([
      ['bad_signature', 1000],
      ['duplicate', 6],
    ]);
  });

  test('keeps no more in memory than it may', async () => {
    const { clock, log, add, kept, built } = setup(await aSource(), { maxWaitingBytes: 5000 });
    for (let n = 0; n < 50; n++) {
      add('paused');
      clock.nowMs += 1000;
    }
    expect(built()).toBe(2);
    await log.flush();
    expect(await kept()).toEqual([
      ['paused', 48],
      ['paused', 0],
    ]);
  });

  test('writes by itself, and may be stopped twice and before it is started', async () => {
    const { log, add, kept } = setup(await aSource(), { flushEveryMs: 5 });
    await log.stop();
    await log.start();
    add(null);
    await expect.poll(kept).toEqual([[null, 0]]);
    await log.stop();
    await log.stop();
  });
});
