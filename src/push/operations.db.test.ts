import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { operationalData } from '../../test/operational-data.ts';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { TIDINGS_APP_ID } from '../core/id.ts';
import { Writer } from '../log/writer.ts';
import { ensureBuiltinApp } from '../storage/apps.ts';
import { findEndpoint } from '../storage/endpoints.ts';
import { readEvents } from '../storage/events.ts';
import { readHead } from '../storage/heads.ts';
import { loadEndpoint } from './loaded-endpoint.ts';
import { Operations } from './operations.ts';

let app: StoredApp;
let writer: Writer;
beforeEach(async () => {
  app = await storedApp();
  await ensureBuiltinApp(app.db);
  writer = new Writer({ db: app.db, onCommitted: () => {}, ensurePartitions: async () => {} });
});
afterEach(async () => {
  await writer.stop();
  await app.close();
});

async function anEndpoint() {
  const stored = await findEndpoint(app.db, app.appId, await app.anEndpoint());
  return loadEndpoint({ ...stored!, versions: [], pulledThrough: 0 }, [], { allowHttp: false, allowPrivate: [] });
}

function aProcess(clock: { nowMs: number }) {
  const errors: unknown[] = [];
  const underWay: Promise<unknown>[] = [];
  const operations = new Operations({
    append: (request) => {
      const appended = writer.append(request);
      underWay.push(appended.catch(() => {}));
      return appended;
    },
    now: () => clock.nowMs,
    onError: (error) => errors.push(error),
    options: { failingAfterMs: 0 },
  });
  return { operations, errors, written: () => Promise.all(underWay) };
}

async function told() {
  const head = await readHead(app.db, TIDINGS_APP_ID);
  const range = { from: 1, to: head!.position, day: '2000-01-01', lastDay: head!.day, maxBytes: 1_000_000 };
  const events = await readEvents(app.db, { appId: TIDINGS_APP_ID, ...range });
  return events.map((event) => ({ type: event.type, ...operationalData(event) }));
}

const T0 = Date.UTC(2026, 10, 21, 10);

describe('operations', () => {
  test('told by two processes are in the log once', async () => {
    const clock = { nowMs: T0 };
    const [a, b] = [aProcess(clock), aProcess(clock)];
    const endpoint = await anEndpoint();
    a.operations.failing(app.appId, endpoint, T0);
    a.operations.disabled(app.appId, endpoint, 'gone');
    await a.written();
    clock.nowMs += 5000;
    b.operations.failing(app.appId, endpoint, T0);
    b.operations.disabled(app.appId, endpoint, 'gone'); // at another time: another event, and not told
    await b.written();
    await Promise.all([a, b].map(({ operations }) => operations.stop()));
    expect(await told()).toEqual([
      expect.objectContaining({
        type: 'endpoint.failing',
        app: app.appId,
        endpoint: endpoint.id,
        since: new Date(T0).toISOString(),
      }),
      expect.objectContaining({ type: 'endpoint.disabled', endpoint: endpoint.id, reason: 'gone' }),
    ]);
    expect([...a.errors, ...b.errors]).toEqual([]);
  });

  test('of dead events are counted by endpoint and minute, by each owner its own', async () => {
    const clock = { nowMs: T0 };
    const [a, b] = [aProcess(clock), aProcess(clock)];
    const endpoint = await anEndpoint();
    for (let n = 0; n < 5; n++) a.operations.died(app.appId, endpoint, `a${n}`, 'status_4xx');
    for (let n = 0; n < 3; n++) b.operations.died(app.appId, endpoint, `b${n}`, 'status_4xx');
    await a.operations.stop();
    await b.operations.stop();
    expect((await told()).map(({ type, count, firstEvent }) => [type, count, firstEvent])).toEqual([
      ['event.dead', 5, 'a0'],
      ['event.dead', 3, 'b0'],
    ]);
  });

  test('never tell of the endpoints of their own app', async () => {
    const { operations } = aProcess({ nowMs: T0 });
    const endpoint = await anEndpoint();
    operations.failing(TIDINGS_APP_ID, endpoint);
    operations.recovered(TIDINGS_APP_ID, endpoint);
    operations.disabled(TIDINGS_APP_ID, endpoint, 'gone');
    operations.died(TIDINGS_APP_ID, endpoint, 'x', 'status_4xx');
    await operations.lagging(TIDINGS_APP_ID, endpoint, { positions: 1, oldestSeconds: 1, through: 1 });
    await operations.stop();
    expect((await readHead(app.db, TIDINGS_APP_ID))!.position).toBe(0);
  });
});
