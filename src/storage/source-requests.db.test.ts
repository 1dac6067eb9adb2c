import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { createSource, deleteSource } from './source-changes.ts';
import {
  countRepeats,
  deleteOldSourceRequests,
  insertSourceRequests,
  listSourceRequests,
  MAX_KEPT_REQUESTS,
  type NewSourceRequest,
  pruneSourceRequests,
  readSourceRequestsAfter,
} from './source-requests.ts';

let app: StoredApp;
beforeAll(async () => {
  app = await storedApp();
});
afterAll(() => app.close());

async function aSource(): Promise<string> {
  const { appId, ids, db, box } = app;
  const source = await createSource(db, box, {
    id: ids.id('source'),
    appId,
    uid: null,
    kind: 'webhook',
    config: {},
    token: null,
    isFetched: false,
    secrets: { names: [], secrets: [] },
    idempotency: null,
  });
  return source.id;
}

function aRequest(sourceId: string, members: Partial<NewSourceRequest> = {}): NewSourceRequest {
  return {
    appId: app.appId,
    sourceId,
    id: app.ids.id('request'),
    receivedMs: Date.now(),
    cause: 'bad_signature',
    reason: 'no_match',
    detail: 'It is wrong.',
    method: 'POST',
    path: '/in/…',
    headers: [['X-Sig', 'a"b\\ü']],
    body: Buffer.from([0, 255]),
    bodyBytes: 2,
    remoteAddress: '127.0.0.1',
    status: 401,
    type: null,
    eventId: null,
    repeats: 0,
    ...members,
  };
}

const list = (sourceId: string, page: Partial<Parameters<typeof listSourceRequests>[2]> = {}) =>
  listSourceRequests(app.db, { appId: app.appId, sourceId }, { limit: 2000, before: null, cause: null, ...page });

describe('source requests', () => {
  test('are listed newest first, by pages and by cause', async () => {
    const sourceId = await aSource();
    const first = aRequest(sourceId);
    const second = aRequest(sourceId, { cause: null, detail: null, eventId: 'evt_1', type: 'a.b', status: 200 });
    await insertSourceRequests(app.db, [first, second]);
    await insertSourceRequests(app.db, [first]);
    const { appId: _a, sourceId: _s, ...shown } = second;
    expect(await list(sourceId)).toEqual([shown, expect.objectContaining({ id: first.id })]);
    expect((await list(sourceId, { before: second.id })).map(({ id }) => id)).toEqual([first.id]);
    expect((await list(sourceId, { cause: 'bad_signature' })).map(({ id }) => id)).toEqual([first.id]);
    expect((await list(sourceId, { limit: 1 })).map(({ id }) => id)).toEqual([second.id]);
  });

  test('are read on after one of them, oldest first', async () => {
    const sourceId = await aSource();
    const requests = [aRequest(sourceId), aRequest(sourceId), aRequest(sourceId)];
    await insertSourceRequests(app.db, requests);
    const place = { appId: app.appId, sourceId };
    const read = async (after: number, except: string[] = []) =>
      (await readSourceRequestsAfter(app.db, place, { after: requests[after].id, except, limit: 10 })).map(
        ({ id }) => id,
      );
    expect(await read(0)).toEqual([requests[1].id, requests[2].id]);
    expect(await read(0, [requests[1].id])).toEqual([requests[2].id]);
    expect(await read(2)).toEqual([]);
  });

  test('count those that were like them', async () => {
    const sourceId = await aSource();
    const request = aRequest(sourceId);
    await insertSourceRequests(app.db, [request]);
    const place = { appId: app.appId, sourceId, requestId: request.id };
    await countRepeats(app.db, [{ ...place, count: 3 }]);
    await countRepeats(app.db, [{ ...place, count: 4 }]);
    expect((await list(sourceId))[0].repeats).toBe(7);
  });

  test('are so many of a source and no more', async () => {
    const sourceId = await aSource();
    const other = await aSource();
    const requests = Array.from({ length: MAX_KEPT_REQUESTS + 5 }, () => aRequest(sourceId));
    await insertSourceRequests(app.db, [...requests, aRequest(other)]);
    await pruneSourceRequests(app.db, { appId: app.appId, sourceId });
    expect((await list(sourceId)).map(({ id }) => id)).toEqual(
      requests
        .slice(5)
        .map(({ id }) => id)
        .toReversed(),
    );
    expect(await list(other)).toHaveLength(1);
  });

  test('are gone with their source, and none is kept of a source that is not there', async () => {
    const sourceId = await aSource();
    await insertSourceRequests(app.db, [aRequest(sourceId)]);
    await deleteSource(app.db, { appId: app.appId, sourceId });
    await insertSourceRequests(app.db, [aRequest(sourceId)]);
    expect(await list(sourceId)).toEqual([]);
  });

  test('are deleted when they are old, so many at a time', async () => {
    const sourceId = await aSource();
    const old = { receivedMs: Date.now() - 8 * 86_400_000 };
    const young = aRequest(sourceId);
    await insertSourceRequests(app.db, [aRequest(sourceId, old), aRequest(sourceId, old), young]);
    expect(await deleteOldSourceRequests(app.db, 7, 1)).toBe(1);
    expect(await deleteOldSourceRequests(app.db, 7, 10)).toBe(1);
    expect((await list(sourceId)).map(({ id }) => id)).toEqual([young.id]);
  });
});
