// What a provider is told when things go wrong: always to come again, never that it is stored.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { TidingsError } from '../core/errors.ts';
import { encodeBase32 } from '../core/id.ts';
import { createSource } from '../storage/source-changes.ts';
import { CertificateStore } from './certificate-store.ts';
import { externalKey, Ingest, type IngestParts, type IngestRequest } from './ingest.ts';
import { RequestLog } from './request-log.ts';
import { SourceDirectory, type SourceDirectoryParts } from './source-directory.ts';

let app: StoredApp;
let count = 0;
beforeAll(async () => {
  app = await storedApp();
});
afterAll(() => app.close());

async function aSource(config: object = {}): Promise<string> {
  const { appId, ids, db, box } = app;
  const token = encodeBase32(Buffer.alloc(16, ++count));
  await createSource(db, box, {
    id: ids.id('source'),
    appId,
    uid: null,
    kind: 'webhook',
    config: { provider: 'none', ...config },
    token,
    isFetched: false,
    secrets: { names: [], secrets: [] },
    idempotency: null,
  });
  return token;
}

function setup(append: IngestParts['append'], find: Partial<SourceDirectoryParts> = {}) {
  const errors: unknown[] = [];
  const { db, box, ids } = app;
  const now = Date.now;
  const visit = () => Promise.reject(new Error('Nothing is visited here.'));
  const onError = (error: unknown) => void errors.push(error);
  const ingest = new Ingest({
    directory: new SourceDirectory({ db, box, now, ...find }),
    requests: new RequestLog({ db, now, onError }),
    certificates: new CertificateStore({ visit, now }),
    append,
    transforms: { apply: () => Promise.reject(new Error('Nothing is transformed here.')) },
    newId: (kind) => ids.id(kind),
    now,
    learnSecret: async () => {},
    visit,
    onError,
  });
  return { ingest, errors };
}

const request: IngestRequest = {
  method: 'POST',
  query: new URLSearchParams(),
  rawQuery: '',
  headers: {},
  rawHeaders: [],
  rawBody: Buffer.from('{}'),
  remoteAddress: '127.0.0.1',
};

describe('ingest', () => {
  test.each(['unclear', 'overloaded', 'unavailable'] as const)('answers 503 when an append is %s', async (code) => {
    const { ingest, errors } = setup(() => Promise.reject(new TidingsError(code, 'No.')));
    const answer = await ingest.receive(await aSource(), request);
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(errors).toEqual([]);
  });

  test('answers 503 and tells of what it did not expect', async () => {
    const error = new Error('Broken.');
    const { ingest, errors } = setup(() => Promise.reject(error));
    expect((await ingest.receive(await aSource(), request)).status).toBe(503);
    expect(errors).toEqual([error]);
  });

  test('answers 404 when the app has been deleted', async () => {
    const { ingest } = setup(() => Promise.reject(new TidingsError('not_found', 'There is no app.')));
    expect((await ingest.receive(await aSource(), request)).status).toBe(404);
  });

  test('gives back what a failed append took of the rate', async () => {
    let fails = true;
    const { ingest } = setup(async ({ events }) => {
      if (fails) throw new TidingsError('unavailable', 'No.');
      return [{ id: events[0].id, duplicate: false }];
    });
    const token = await aSource({ ratePerSecond: 0.01 });
    expect((await ingest.receive(token, request)).status).toBe(503);
    fails = false;
    expect((await ingest.receive(token, request)).status).toBe(200);
    expect((await ingest.receive(token, request)).status).toBe(429);
  });

  test('goes on with what it knows of a source while the database is away, and not for long', async () => {
    const clock = { nowMs: Date.now() };
    let isAway = false;
    const db = {
      query: ((...values: Parameters<typeof app.db.query>) =>
        isAway ? Promise.reject(new Error('The database is away.')) : app.db.query(...values)) as typeof app.db.query,
    };
    const append: IngestParts['append'] = async ({ events }) => [{ id: events[0].id, duplicate: false }];
    const { ingest, errors } = setup(append, { db, now: () => clock.nowMs });
    const [known, unknown] = [await aSource(), await aSource()];
    expect((await ingest.receive(known, request)).status).toBe(200);
    isAway = true;
    clock.nowMs += 5000;
    expect((await ingest.receive(known, request)).status).toBe(200);
    expect((await ingest.receive(unknown, request)).status).toBe(503);
    clock.nowMs += 6000;
    expect((await ingest.receive(known, request)).status).toBe(503);
    expect(errors).toHaveLength(2);
  });

  test('asks the database once for an address that is none', async () => {
    let queries = 0;
    const db = {
      query: ((...values: Parameters<typeof app.db.query>) => {
        queries++;
        return app.db.query(...values);
      }) as typeof app.db.query,
    };
    const { ingest } = setup(() => Promise.reject(new Error('Nothing is appended.')), { db });
    for (let n = 0; n < 3; n++) expect((await ingest.receive('0'.repeat(26), request)).status).toBe(404);
    for (const token of ['', 'x', `${'0'.repeat(25)}!`]) {
      expect((await ingest.receive(token, request)).status).toBe(404);
    }
    expect(queries).toBe(1);
  });

  test('knows events by ids of any kind', () => {
    expect(externalKey('evt_1')).toBe('i:evt_1');
    expect(externalKey('\u0000')).toMatch(/^h:[\w-]{43}$/);
    expect(externalKey('ü')).not.toBe(externalKey('ö'));
  });
});
