import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { operationalData } from '../../../test/operational-data.ts';
import { type Answer, type ReceivedRequest, type Receiver, receiver } from '../../../test/receiver.ts';
import { type StoredApp, storedApp } from '../../../test/stored-app.ts';
import { until } from '../../../test/until.ts';
import { SLOTS } from '../../core/endpoint.ts';
import { Writer } from '../../log/writer.ts';
import { ensureBuiltinApp } from '../../storage/apps.ts';
import { type FetchRunRecord, listRuns } from '../../storage/fetch-runs.ts';
import { askForFetch, findFetch } from '../../storage/fetch-state.ts';
import { ensurePartitions } from '../../storage/partitions.ts';
import { createSource, deleteSource, updateSource } from '../../storage/source-changes.ts';
import { loadSourceSecrets } from '../../storage/source-secrets.ts';
import { TransformPool } from '../../transform/transform-pool.ts';
import { SourceTransforms } from '../source-transforms.ts';
import { FETCH_AUTH_SECRET, takeOutSecrets } from './fetch-auth.ts';
import type { FetchConfig } from './fetch-config.ts';
import { Fetches } from './fetches.ts';
import { HttpFetcher } from './http-fetcher.ts';

const rules = { allowHttp: true, allowPrivate: ['127.0.0.0/8'] };
const ALL_SLOTS = Array.from({ length: SLOTS }, (_, slot) => slot);

let app: StoredApp;
let api: Receiver;
let writer: Writer;
const errors: unknown[] = [];
const running: Fetches[] = [];
const pool = new TransformPool({ onError: (error) => errors.push(error) });
beforeAll(async () => {
  [app, api] = await Promise.all([storedApp(), receiver()]);
  await ensureBuiltinApp(app.db);
  writer = new Writer({
    db: app.db,
    onCommitted: () => {},
    ensurePartitions: () => ensurePartitions(app.db, { daysAhead: 7 }),
  });
  await ensurePartitions(app.db, { daysAhead: 1 });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((fetches) => fetches.stop()));
  await app.sql('UPDATE sources SET next_run_at = NULL');
  expect(errors.splice(0)).toEqual([]);
});
afterAll(async () => {
  await Promise.all([writer.stop(), pool.stop()]);
  await Promise.all([app.close(), api.close()]);
});

async function startFetches(more: Partial<ConstructorParameters<typeof Fetches>[0]> = {}): Promise<Fetches> {
  const fetches = new Fetches({
    db: app.db,
    box: app.box,
    fetcher: new HttpFetcher({ rules }),
    version: 'test',
    appendFetched: (request) => writer.appendFetched(request),
    transforms: new SourceTransforms(pool),
    append: (request) => writer.append(request),
    slots: () => ALL_SLOTS,
    newRunId: () => app.ids.id('run'),
    newUuid: () => app.ids.uuid(),
    now: Date.now,
    random: () => 0,
    onError: (error) => void errors.push(error),
    pollEveryMs: 10,
    ...more,
  });
  running.push(fetches);
  await fetches.start();
  return fetches;
}

/** A source and what became of its runs, each of which a test asks for. */
async function aSource(config: Partial<FetchConfig>) {
  const { config: shown, secret } = takeOutSecrets({ url: api.url, start: 'all', every: '1d', ...config });
  const secrets = secret === null ? [] : [{ name: FETCH_AUTH_SECRET, secret, secretUuid: app.ids.uuid() }];
  const { id } = await createSource(app.db, app.box, {
    id: app.ids.id('source'),
    appId: app.appId,
    uid: null,
    kind: 'fetch',
    config: { fetch: shown, channels: ['fetched'] },
    token: null,
    isFetched: false,
    secrets: { names: [FETCH_AUTH_SECRET], secrets },
    idempotency: null,
  });
  const place = { appId: app.appId, sourceId: id };
  const runs = (): Promise<FetchRunRecord[]> => listRuns(app.db, place, { limit: 100, before: null });
  let count = 0;
  let seen = await length();
  return {
    id,
    place,
    runs,
    stored: async () => (await findFetch(app.db, place))!,
    /** Has it run with this answer, or these, and gives the run's record. */
    async run(answer: Answer | Answer[], allowDeletions = false): Promise<FetchRunRecord> {
      api.respondWith(answer);
      count++;
      expect(await askForFetch(app.db, place, allowDeletions)).toBe(true);
      await until(async () => (await runs()).length === count);
      await until(async () => !(dueMs((await this.stored()).dueAt) <= Date.now()));
      return (await runs())[0];
    },
    /** What was appended since it was last asked. */
    async told(): Promise<{ id: string; type: string; data: Record<string, unknown>; channels: string[] }[]> {
      const rows = await app.sql<{ event_id: string; type: string; data: Buffer; channels: string[] }>(
        `SELECT event_id, type, data, channels FROM events WHERE app_id = $1 AND position > $2 ORDER BY position`,
        [app.appUuid, seen],
      );
      seen = await length();
      return rows.map(({ event_id, type, data, channels }) => ({
        id: event_id,
        type,
        data: JSON.parse(data.toString()),
        channels,
      }));
    },
  };
}

/** NaN when it is not due. */
function dueMs(dueAt: string | null): number {
  return dueAt === null ? Number.NaN : Date.parse(`${dueAt.replace(' ', 'T')}:00`);
}

async function length(): Promise<number> {
  const [row] = await app.sql<{ last: string }>('SELECT last_position AS last FROM heads WHERE app_id = $1', [
    app.appUuid,
  ]);
  return Number(row.last);
}

const json = (value: unknown, headers: Record<string, string> = {}): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(value),
});
const query = ({ path }: ReceivedRequest): URLSearchParams => new URL(path, api.url).searchParams;
const last = (): ReceivedRequest => api.requests[api.requests.length - 1];

describe('fetches', () => {
  test('tell what is new, once', async () => {
    await startFetches();
    const source = await aSource({ key: 'id', type: 'order.{change}', changes: { by: 'version' } });
    expect(await source.run(json([{ id: 1 }, { id: 2 }]))).toMatchObject({
      outcome: 'changed',
      created: 2,
      pages: 1,
      items: 2,
      status: 200,
    });
    expect(await source.told()).toMatchObject([
      { type: 'order.created', data: { id: 1 }, channels: ['fetched'] },
      { type: 'order.created', data: { id: 2 } },
    ]);
    expect(await source.run(json([{ id: 1, paid: true }, { id: 2 }]))).toMatchObject({
      outcome: 'changed',
      created: 0,
      updated: 1,
    });
    expect(await source.told()).toMatchObject([{ type: 'order.updated', data: { id: 1, paid: true } }]);
    const { stateVersion } = await source.stored();
    expect(await source.run(json([{ id: 1, paid: true }, { id: 2 }]))).toMatchObject({ outcome: 'unchanged' });
    expect((await source.stored()).stateVersion).toBe(stateVersion);
  });

  test('ask conditionally, and believe that nothing has changed', async () => {
    await startFetches();
    const source = await aSource({ key: 'id', changes: { by: 'snapshot' } });
    await source.run(json([{ id: 1 }], { etag: '"one"', 'last-modified': 'Sat, 21 Nov 2026 09:00:00 GMT' }));
    expect(last().headers['if-none-match']).toBeUndefined();
    expect(await source.run(304)).toMatchObject({ outcome: 'unchanged', status: 304, pages: 0 });
    expect(last().headers).toMatchObject({
      'if-none-match': '"one"',
      'if-modified-since': 'Sat, 21 Nov 2026 09:00:00 GMT',
    });
    expect(await source.run(json([{ id: 1 }]))).toMatchObject({ outcome: 'unchanged' });
    expect(await source.told()).toHaveLength(1);
    await source.run(json([{ id: 1 }], { etag: '"two"' }));
    await updateSource(app.db, app.box, source.place, ({ uid, config }) => ({
      uid,
      config: { ...config, fetch: { ...(config.fetch as FetchConfig), key: ['id'] } },
      lifecycle: 'keep',
      isFetched: false,
    }));
    await source.run(json([{ id: 1 }]));
    expect(last().headers['if-none-match']).toBeUndefined();
  });

  test.each<[string, Partial<FetchConfig>, (request: ReceivedRequest) => Answer]>([
    [
      'Link',
      { pages: { by: 'link' } },
      (r) =>
        json(
          [{ id: query(r).get('p') ?? '1' }],
          query(r).get('p') === '3' ? {} : { link: `</?p=${Number(query(r).get('p') ?? 1) + 1}>; rel="next"` },
        ),
    ],
    [
      'next URL',
      { items: 'list', pages: { by: 'nextUrl', path: 'next' } },
      (r) => {
        const p = Number(query(r).get('p') ?? 1);
        return json({ list: [{ id: p }], next: p === 3 ? null : `/?p=${p + 1}` });
      },
    ],
    [
      'cursor',
      { items: 'list', pages: { by: 'cursor', path: 'next', param: 'after' } },
      (r) => {
        const p = Number(query(r).get('after') ?? 1);
        return json({ list: [{ id: p }], next: p === 3 ? '' : String(p + 1) });
      },
    ],
    [
      'page',
      { pages: { by: 'page', param: 'page' } },
      (r) => json(Number(query(r).get('page')) > 3 ? [] : [{ id: query(r).get('page') }]),
    ],
    [
      'offset',
      { pages: { by: 'offset', param: 'offset', size: 1 } },
      (r) => json(Number(query(r).get('offset')) >= 3 ? [] : [{ id: Number(query(r).get('offset')) + 1 }]),
    ],
    [
      'a place in the body',
      { method: 'POST', body: '{"page":"{page}"}', pages: { by: 'page' } },
      (r) => {
        const { page } = JSON.parse(r.body.toString());
        return json(Number(page) > 3 ? [] : [{ id: page }]);
      },
    ],
  ])('read all pages by %s', async (_, config, answer) => {
    await startFetches();
    const source = await aSource({ key: 'id', ...config });
    expect(await source.run(answer)).toMatchObject({ outcome: 'changed', items: 3, created: 3 });
    expect((await source.told()).map(({ data }) => String(data.id))).toEqual(['1', '2', '3']);
  });

  test('tell an item once that moves from page to page meanwhile', async () => {
    await startFetches();
    const source = await aSource({ key: 'id', pages: { by: 'page', param: 'page' } });
    await source.run([json([{ id: 3 }, { id: 2 }]), json([{ id: 2 }, { id: 1 }]), json([])]);
    expect(await source.told()).toHaveLength(3);
  });

  test('ask from where they were, by time and by cursor', async () => {
    await startFetches();
    const byTime = await aSource({
      url: `${api.url}?since={since}`,
      key: 'id',
      time: 'at',
      changes: { by: 'time', overlap: '1m' },
    });
    await byTime.run(json([{ id: 1, at: '2026-11-21T09:00:00Z' }]));
    expect(query(last()).has('since')).toBe(false);
    await byTime.run(
      json([
        { id: 1, at: '2026-11-21T09:00:00Z' },
        { id: 2, at: '2026-11-21T08:59:30Z' },
      ]),
    );
    expect(query(last()).get('since')).toBe('2026-11-21T08:59:00.000Z');
    expect(await byTime.told()).toHaveLength(2);
    const byCursor = await aSource({
      url: `${api.url}?cursor={cursor}`,
      items: 'list',
      changes: { by: 'cursor', path: 'next' },
    });
    await byCursor.run(json({ list: [{ n: 1 }], next: 'a b' }));
    await byCursor.run(json({ list: [{ n: 1 }], next: 'c' }));
    expect(query(last()).get('cursor')).toBe('a b');
    expect(await byCursor.told()).toHaveLength(2);
  });

  test('begin anew when the API knows their cursor no more', async () => {
    await startFetches();
    const source = await aSource({
      url: `${api.url}?cursor={cursor}`,
      key: 'id',
      items: 'list',
      changes: { by: 'cursor', path: 'next' },
    });
    await source.run(json({ list: [{ id: 1 }], next: 'a' }));
    expect(await source.run(410)).toMatchObject({ outcome: 'failed', cause: 'gone', status: 410 });
    expect(await source.run(json({ list: [{ id: 1 }, { id: 2 }], next: 'b' }))).toMatchObject({ created: 1 });
    expect(query(last()).has('cursor')).toBe(false);
  });

  test.each<[string, Answer, Partial<FetchRunRecord>]>([
    ['breaks off', 'reset', { cause: 'unreachable', status: null }],
    ['breaks off within its body', 'resetInBody', { cause: 'unreachable' }],
    ['fails', 500, { cause: 'unreachable', status: 500 }],
    ['asks for time', { status: 429, headers: { 'retry-after': '7200' } }, { cause: 'throttled', status: 429 }],
    [
      'is used up',
      { status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '7200' } },
      { cause: 'throttled', status: 403 },
    ],
    ['lets nobody in', 403, { cause: 'unauthorized' }],
    ['is elsewhere', 404, { cause: 'refused' }],
    ['cuts its JSON off', { status: 200, body: '[{"id":1},{"id"' }, { cause: 'not_understood' }],
    [
      'shows a page for people',
      { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' },
      { cause: 'not_understood' },
    ],
    [
      'redirects to where nobody may go',
      { status: 302, headers: { location: 'http://10.0.0.1/' } },
      { cause: 'misconfigured' },
    ],
    ['redirects without an end', { status: 302, headers: { location: '/' } }, { cause: 'refused' }],
    [
      'has its next page elsewhere',
      json([{ id: 1 }], { link: '<http://127.0.0.1:1/>; rel="next"' }),
      { cause: 'misconfigured' },
    ],
    ['leads round in circles', json([{ id: 1 }], { link: '</>; rel="next"' }), { cause: 'misconfigured' }],
    ['has items without a key', json([{ name: 'x' }]), { cause: 'not_understood' }],
  ])('tell nothing when the API %s, and come again', async (_, answer, expected) => {
    await startFetches();
    const source = await aSource({ key: 'id', pages: { by: 'link' } });
    expect(await source.run(answer)).toMatchObject({ outcome: 'failed', created: 0, ...expected });
    expect(await source.told()).toEqual([]);
    const { dueAt, failedRuns } = await source.stored();
    expect(failedRuns).toBe(1);
    const inMs = dueMs(dueAt) - Date.now();
    if (expected.cause === 'throttled') expect(inMs).toBeGreaterThan(7_000_000);
    else expect(inMs).toBeLessThanOrEqual(30_000);
    expect(await source.run(json([{ id: 1 }]))).toMatchObject({ outcome: 'changed', created: 1 });
    expect((await source.stored()).failedRuns).toBe(0);
  });

  test('are shown what they are to be shown, and nobody else is', async () => {
    await startFetches();
    const source = await aSource({ key: 'id', auth: { type: 'bearer', token: 'geheim' }, headers: { 'x-more': '1' } });
    await source.run(json([]));
    expect(last().headers).toMatchObject({ authorization: 'Bearer geheim', 'x-more': '1' });
    const other = await receiver();
    try {
      other.respondWith(json([{ id: 1 }]));
      expect(await source.run({ status: 302, headers: { location: other.url } })).toMatchObject({ outcome: 'changed' });
      expect(other.requests[0].headers.authorization).toBeUndefined();
      expect(other.requests[0].headers['x-more']).toBeUndefined();
    } finally {
      await other.close();
    }
    const echoed = await source.run({ status: 400, body: 'no such token: geheim' });
    expect(echoed.detail).toContain('no such token: …');
    const basic = await aSource({ auth: { type: 'basic', username: 'u', password: 'p' } });
    await basic.run(json({}));
    expect(last().headers.authorization).toBe('Basic dTpw');
    const inQuery = await aSource({ auth: { type: 'query', name: 'key', value: 'k y' } });
    await inQuery.run(json({}));
    expect(query(last()).get('key')).toBe('k y');
    expect(JSON.stringify((await inQuery.stored()).config)).not.toContain('k y');
  });

  test('get an access token, keep the refresh token that follows, and another when it is refused', async () => {
    await startFetches();
    const oauth = {
      type: 'oauth2',
      tokenUrl: new URL('/token', api.url).href,
      clientId: 'me',
      clientSecret: 's',
      refreshToken: 'r1',
    } as const;
    const source = await aSource({ key: 'id', auth: { ...oauth } });
    await source.run([json({ access_token: 'a1', expires_in: 3600, refresh_token: 'r2' }), json([])]);
    const asked = api.requests[api.requests.length - 2];
    expect(Object.fromEntries(new URLSearchParams(asked.body.toString()))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'r1',
    });
    expect(last().headers.authorization).toBe('Bearer a1');
    const [{ secret }] = await loadSourceSecrets(app.db, app.box, source.place);
    expect(JSON.parse(secret)).toEqual({ clientSecret: 's', refreshToken: 'r2' });
    expect(await source.run([401, json({ access_token: 'a2' }), json([{ id: 1 }])])).toMatchObject({
      outcome: 'changed',
    });
    expect(last().headers.authorization).toBe('Bearer a2');
    expect(await source.run([401, 400])).toMatchObject({ outcome: 'failed', cause: 'unauthorized' });
  });

  test('do not believe that most of a collection is gone, until somebody has looked', async () => {
    await startFetches();
    const source = await aSource({ key: 'id', changes: { by: 'snapshot' } });
    const items = Array.from({ length: 12 }, (_, id) => ({ id }));
    await source.run(json(items));
    await source.told();
    expect(await source.run(json([]))).toMatchObject({ outcome: 'failed', cause: 'too_few_items', deleted: 0 });
    const alerts = () =>
      app.sql<{ type: string; data: Buffer }>(
        `SELECT type, data FROM events WHERE type = 'source.failing' AND convert_from(data, 'UTF8') LIKE '%' || $1 || '%'`,
        [source.id],
      );
    await until(async () => (await alerts()).length > 0);
    expect((await alerts()).map((alert) => operationalData(alert))).toMatchObject([
      { app: app.appId, source: source.id, reason: 'too_few_items' },
    ]);
    expect(await source.told()).toEqual([]);
    expect(await source.run(json(items.slice(0, 1)), true)).toMatchObject({ outcome: 'changed', deleted: 11 });
    expect((await source.stored()).allowDeletions).toBe(false);
    expect(await source.run(json([]))).toMatchObject({ deleted: 1 });
  });

  test('tell of a source that keeps failing, of its recovery, and of its end', async () => {
    await startFetches();
    const source = await aSource({});
    const told = async () =>
      (
        await app.sql<{ type: string }>(
          `SELECT type FROM events WHERE type LIKE 'source.%' AND convert_from(data, 'UTF8') LIKE '%' || $1 || '%' ORDER BY position`,
          [source.id],
        )
      ).map(({ type }) => type);
    const untilTold = (count: number) => until(async () => (await told()).length >= count);
    for (let n = 0; n < 3; n++) await source.run(500);
    await untilTold(1);
    await source.run(500);
    await source.run(json({}));
    await untilTold(2);
    await app.sql('UPDATE sources SET failed_runs = 124 WHERE app_id = $1 AND kind = $2', [app.appUuid, 'fetch']);
    await source.run(500);
    await untilTold(3);
    expect((await source.stored()).isActive).toBe(false);
    expect(await told()).toEqual(['source.failing', 'source.recovered', 'source.disabled']);
    expect(await askForFetch(app.db, source.place, false)).toBe(false);
  });

  test('of two processes at once, one tells', async () => {
    const source = await aSource({ key: 'id' });
    let arrived = 0;
    api.respondWith(async () => {
      arrived++;
      await until(() => arrived === 2);
      return json([{ id: 1 }, { id: 2 }]);
    });
    await askForFetch(app.db, source.place, false);
    await Promise.all([startFetches(), startFetches()]);
    await until(async () => (await source.runs()).length === 2);
    expect((await source.runs()).map(({ cause }) => cause).sort()).toEqual([null, 'overtaken'].sort());
    expect(await source.told()).toHaveLength(2);
    expect((await source.stored()).failedRuns).toBe(0);
  });

  test('tell nothing of a source that was changed or deleted meanwhile', async () => {
    await startFetches();
    const source = await aSource({ key: 'id' });
    let change = async (): Promise<unknown> =>
      updateSource(app.db, app.box, source.place, ({ uid, config }) => ({
        uid,
        config,
        lifecycle: 'pause',
        isFetched: true,
      }));
    const answer = async (): Promise<Answer> => {
      await change();
      return json([{ id: 1 }]);
    };
    api.respondWith(answer);
    await askForFetch(app.db, source.place, false);
    await until(async () => (await source.runs()).length === 1);
    expect((await source.runs())[0]).toMatchObject({ outcome: 'failed', cause: 'overtaken' });
    change = () => deleteSource(app.db, source.place);
    await updateSource(app.db, app.box, source.place, ({ uid, config }) => ({
      uid,
      config,
      lifecycle: 'resume',
      isFetched: true,
    }));
    await until(async () => (await findFetch(app.db, source.place)) === null);
    const again = await aSource({ key: 'id' });
    await again.run(json([]));
    expect(await source.told()).toEqual([]);
    expect(
      await app.sql(
        'SELECT 1 FROM fetched_items i WHERE NOT EXISTS (SELECT 1 FROM sources s WHERE s.source_id = i.source_id)',
      ),
    ).toEqual([]);
  });

  test('tell a long answer in several appends, and go on after the last that was stored', async () => {
    const source = await aSource({ key: 'id' });
    let appends = 0;
    const items = Array.from({ length: 1200 }, (_, id) => ({ id }));
    api.respondWith(json(items));
    await askForFetch(app.db, source.place, false);
    const broken = await startFetches({
      appendFetched: (request) => {
        if (++appends > 1) throw new Error('the process was killed');
        return writer.appendFetched(request);
      },
    });
    await until(() => errors.length > 0);
    await broken.stop();
    errors.splice(0);
    expect(await source.told()).toHaveLength(500);
    await startFetches();
    await askForFetch(app.db, source.place, false);
    await until(async () => (await source.runs())[0]?.outcome === 'changed');
    expect((await source.runs())[0]).toMatchObject({ created: 700 });
    const rest = await source.told();
    expect(rest.map(({ data }) => data.id)).toEqual(items.slice(500).map(({ id }) => id));
  });

  test('show what a run would tell, and tell nothing', async () => {
    const fetches = await startFetches({ slots: () => [] });
    const source = await aSource({ key: 'id' });
    api.respondWith(json([{ id: 1 }]));
    const dry = await fetches.dryRun(await source.stored());
    expect(dry).toMatchObject({ failure: null, tally: { items: 1 } });
    expect(await source.told()).toEqual([]);
    expect((await source.stored()).stateVersion).toBe(0);
    await startFetches();
    await source.run(json([{ id: 1 }]));
    expect((await source.told()).map(({ id }) => id)).toEqual(dry.events.map(({ id }) => id));
    api.respondWith(500);
    expect((await fetches.dryRun(await source.stored())).failure?.reason).toBe('unreachable');
  });

  test('replayed, give the state of a collection for any history of it', async () => {
    await startFetches();
    const source = await aSource({
      key: 'id',
      changes: { by: 'snapshot', minShare: 0 },
      pages: { by: 'page', param: 'page', size: 4 },
    });
    const collection = new Map<number, number>();
    const replayed = new Map<number, unknown>();
    const random = randomBytes(4000);
    let at = 0;
    const change = (): void => {
      const [id, what] = [random[at++ % 4000] % 15, random[at++ % 4000] % 3];
      if (what === 0) collection.delete(id);
      else collection.set(id, random[at++ % 4000] % 4);
    };
    const page = (request: ReceivedRequest): Answer => {
      if (random[at++ % 4000] % 2 === 0) change(); // while it is being read
      const from = (Number(query(request).get('page')) - 1) * 4;
      return json([...collection].slice(from, from + 4).map(([id, v]) => ({ id, v })));
    };
    const still = (request: ReceivedRequest): Answer => {
      const from = (Number(query(request).get('page')) - 1) * 4;
      return json([...collection].slice(from, from + 4).map(([id, v]) => ({ id, v })));
    };
    const ids = new Set<string>();
    const replay = async (): Promise<void> => {
      for (const { id, type, data } of await source.told()) {
        expect(ids.has(id)).toBe(false);
        ids.add(id);
        if (type === 'item.deleted') replayed.delete(Number(data.key));
        else replayed.set(data.id as number, data.v);
      }
    };
    for (let n = 0; n < 15; n++) {
      for (let changes = 0; changes < 4; changes++) change();
      await source.run(page);
      await replay();
    }
    for (let n = 0; n < 2; n++) await source.run(still);
    await replay();
    expect(replayed).toEqual(collection);
  });
});
