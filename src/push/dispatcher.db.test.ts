// The dispatcher where leases and slots come and go, and where one app's trouble must stay its own.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anEngineEndpoint, engineAlone } from '../../test/engine-alone.ts';
import { anApp, anEvent, testIds } from '../../test/event-log.ts';
import { DELIVERED, REJECTED } from '../../test/lane-alone.ts';
import { until } from '../../test/until.ts';
import { slotOf } from '../core/endpoint.ts';
import { uuidFromId } from '../core/id.ts';
import type { SendResult } from '../core/outcome.ts';
import { deleteEndpoint } from '../storage/endpoint-changes.ts';
import { readHead } from '../storage/heads.ts';
import { registerProcess } from '../storage/processes.ts';
import { createReplay, findReplay } from '../storage/replays.ts';
import type { DispatcherOptions } from './dispatcher.ts';

let database: TestDatabase;
const running: { stop(): Promise<void> }[] = [];
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.stop()));
  await database.close();
});

const sql = (text: string) =>
  database.db.query<{ count: number }>({ name: `t${randomBytes(4).toString('hex')}`, text });

const GONE: SendResult = { ...REJECTED, reason: 'status_410', status: 410 };

/** One process; `sent` are the requests that are not yet answered. */
function aProcess(dispatcher?: DispatcherOptions) {
  const sent: { endpoint: string; id: string; answer: (result: SendResult) => void }[] = [];
  const waiting: (() => void)[] = [];
  const engine = engineAlone(database, {
    ...(dispatcher && { dispatcher }),
    send: ({ headers }, done) => {
      sent.push({ endpoint: headers['x-endpoint'], id: headers['webhook-id'], answer: done });
      for (const resolve of waiting.splice(0)) resolve();
    },
  });
  running.push(engine);
  return {
    ...engine,
    sent,
    publish: async (appId: string): Promise<string> => {
      const event = anEvent();
      await engine.writer.append({ appId, events: [event], idempotency: null });
      return event.id;
    },
    /** The n-th request that was sent, as soon as it is. */
    request: async (n: number) => {
      while (sent.length < n) await new Promise<void>((resolve) => waiting.push(resolve));
      return sent[n - 1];
    },
  };
}

const anEndpoint = (appId: string, name: string, id?: string): Promise<string> =>
  anEngineEndpoint(database.db, { appId, name, ...(id && { id }) });

/** An endpoint's id whose slot is below 128, or from there on. */
function anEndpointId(isLow: boolean): string {
  for (;;) {
    const id = testIds.id('endpoint');
    if (slotOf(uuidFromId('endpoint', id)) < 128 === isLow) return id;
  }
}

describe('dispatcher', () => {
  test('what was in flight when the lease was lost is not recorded under the next lease', async () => {
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    const endpointId = await anEndpoint(appId, 'a');
    await process.publish(appId);
    const first = await process.request(1);
    await sql(`UPDATE processes SET state = 'dead'`);
    const second = await process.request(2);
    expect(second.id).toBe(first.id);
    first.answer(DELIVERED);
    second.answer(DELIVERED);
    await until(() => process.dispatcher.lane(appId, endpointId)?.idle === true);
    expect((await sql('SELECT count(*) FROM attempts'))[0].count).toBe(1);
    expect(process.dispatcher.open).toBe(0);
  });

  test('lanes without work that come to a process are there for the next event of an app that it has loaded', async () => {
    const other = { processUuid: testIds.uuid(), epoch: 1 };
    await registerProcess(database.db, { ...other, ttlSeconds: 60, host: 'h', pid: 1, version: 'test' });
    await sql(`UPDATE slots SET process_id = '${other.processUuid}' WHERE slot >= 128`);
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    await anEndpoint(appId, 'mine', anEndpointId(true));
    const theirs = await anEndpoint(appId, 'theirs', anEndpointId(false));
    await process.publish(appId);
    (await process.request(1)).answer(DELIVERED);
    await sql(`UPDATE lanes SET settled_through = 1 WHERE endpoint_id = '${uuidFromId('endpoint', theirs)}'`);
    await sql(`UPDATE processes SET state = 'dead' WHERE process_id = '${other.processUuid}'`);
    await until(() => process.ownership.slotCount === 256);
    const id = await process.publish(appId);
    await process.request(3);
    const second = process.sent.slice(1).toSorted((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
    expect(second.map(({ endpoint, id }) => ({ endpoint, id }))).toEqual([
      { endpoint: 'mine', id },
      { endpoint: 'theirs', id },
    ]);
  });

  test('reads but the endpoint that was changed', async () => {
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    const [deleted] = [await anEndpoint(appId, 'deleted'), await anEndpoint(appId, 'untouched')];
    await process.publish(appId);
    for (const n of [1, 2]) (await process.request(n)).answer(DELIVERED);
    // From here on the app cannot be read whole: no secret of it can be opened.
    await sql(`UPDATE endpoint_secrets SET sealed = ''`);
    await deleteEndpoint(database.db, { appId, endpointId: deleted });
    const id = await process.publish(appId);
    expect(await process.request(3)).toMatchObject({ endpoint: 'untouched', id });
    expect(process.dispatcher.lane(appId, deleted)).toBeNull();
  });

  test('a lane is not loaded from a snapshot that is older than the takeover of its slot', async () => {
    const other = { processUuid: testIds.uuid(), epoch: 1 };
    await registerProcess(database.db, { ...other, ttlSeconds: 60, host: 'h', pid: 1, version: 'test' });
    await sql(`UPDATE slots SET process_id = '${other.processUuid}' WHERE slot >= 128`);
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    await anEndpoint(appId, 'mine', anEndpointId(true));
    const theirs = await anEndpoint(appId, 'theirs', anEndpointId(false));
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const reached = new Promise<void>((resolve) => {
      process.db.holds = { name: 'load_secrets_of_app', until: held, reached: resolve };
    });
    const published = process.publish(appId);
    await reached;
    await published;
    // The other process delivers and settles the event, and gives up its slots.
    await sql(`UPDATE lanes SET settled_through = 1 WHERE endpoint_id = '${uuidFromId('endpoint', theirs)}'`);
    await sql(`UPDATE processes SET state = 'dead' WHERE process_id = '${other.processUuid}'`);
    await until(() => process.ownership.slotCount === 256);
    release();
    await until(() => process.dispatcher.laneCount === 2);
    const id = await process.publish(appId);
    await until(() => process.sent.some((request) => request.endpoint === 'theirs'));
    expect(process.sent.filter(({ endpoint }) => endpoint === 'theirs').map((request) => request.id)).toEqual([id]);
  });

  test('stops although the outcomes cannot be written', async () => {
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    await anEndpoint(appId, 'a');
    await process.publish(appId);
    process.db.refusesFlushes = true;
    (await process.request(1)).answer(DELIVERED);
    await process.dispatcher.stop(50);
    expect(process.dispatcher.laneCount).toBe(0);
  });

  test('an app that cannot be loaded does not hold up the others at a takeover', async () => {
    const before = aProcess();
    const apps: string[] = [];
    for (let n = 0; n < 6; n++) {
      const appId = await anApp(database.db);
      await anEndpoint(appId, String(n));
      await before.publish(appId);
      apps.push(appId);
    }
    await sql(`UPDATE endpoint_secrets SET sealed = '\\x00' WHERE app_id = '${uuidFromId('app', apps[0])}'`);
    const process = aProcess();
    await process.start();
    await process.request(5);
    expect(process.sent.map(({ endpoint }) => endpoint).toSorted()).toEqual(['1', '2', '3', '4', '5']);
  });

  test('stops sending to an endpoint that was disabled although the reply of that was lost', async () => {
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    const endpointId = await anEndpoint(appId, 'a');
    process.db.loses = 'disable_endpoint';
    await process.publish(appId);
    (await process.request(1)).answer(GONE);
    await until(() => process.db.loses === '');
    await process.publish(appId);
    (await process.request(2)).answer(GONE);
    await until(() => process.dispatcher.lane(appId, endpointId)?.state === 'disabled');
  });

  test('slots are not let go of before the load under way that may bring lanes of theirs', async () => {
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    const endpointId = await anEndpoint(appId, 'a');
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const reached = new Promise<void>((resolve) => {
      process.db.holds = { name: 'load_secrets_of_app', until: held, reached: resolve };
    });
    await process.publish(appId);
    await reached;
    let isReleased = false;
    const released = process.dispatcher.releaseSlots([slotOf(uuidFromId('endpoint', endpointId))]).then(() => {
      isReleased = true;
    });
    await sql('SELECT 1');
    expect(isReleased).toBe(false);
    release();
    const request = await Promise.race([process.request(1), released.then(() => null)]);
    request?.answer(DELIVERED);
    await released;
    expect(process.dispatcher.lane(appId, endpointId)).toBeNull();
    expect(process.dispatcher.open).toBe(0);
  });

  test('a replay that is created while its app is loaded is not missed', async () => {
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    const endpointId = await anEndpoint(appId, 'a');
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const reached = new Promise<void>((resolve) => {
      process.db.holds = { name: 'load_secrets_of_app', until: held, reached: resolve };
    });
    await process.publish(appId);
    await reached; // the snapshot is taken
    const head = (await readHead(database.db, appId))!;
    const replayId = testIds.id('replay');
    const range = { from: { position: 0, day: head.day }, to: { position: 1, day: head.day } };
    const rest = { only: 'all' as const, types: null, reason: null, idempotency: null };
    await createReplay(database.db, { id: replayId, appId, endpointId, ...range, ...rest });
    process.dispatcher.reloadReplays(appId, endpointId);
    release();
    (await process.request(1)).answer(DELIVERED);
    (await process.request(2)).answer(DELIVERED);
    await until(async () => (await findReplay(database.db, { appId, endpointId, replayId }))?.state === 'done');
    expect(process.sent).toHaveLength(2);
  });

  test('a request that cannot be built is an outcome, and its lane goes on', async () => {
    const process = aProcess();
    await process.start();
    const appId = await anApp(database.db);
    const endpointId = await anEndpoint(appId, 'a');
    await process.publish(appId);
    (await process.request(1)).answer(DELIVERED);
    const lane = process.dispatcher.lane(appId, endpointId)!;
    const { keys } = lane.endpoint;
    lane.endpoint.keys = () => {
      throw new Error('no key');
    };
    await process.publish(appId);
    await until(() => lane.retryCount === 1);
    expect(lane.lastAttempt?.result).toMatchObject({ reason: 'internal_error', error: 'Error: no key' });
    lane.endpoint.keys = keys;
    const id = await process.publish(appId);
    expect((await process.request(2)).id).toBe(id);
  });

  test('an app of which nothing was heard for a while is forgotten once it is written down, and comes back', async () => {
    const process = aProcess({ sweep: { workEveryMs: 20, retriesEveryMs: 60_000, coldAfterMs: 50 } });
    await process.start();
    const appId = await anApp(database.db);
    await anEngineEndpoint(database.db, { appId, name: 'other', settings: { filter: { types: ['other'] } } });
    await anEndpoint(appId, 'a');
    await process.publish(appId);
    (await process.request(1)).answer(DELIVERED);
    await until(() => process.dispatcher.laneCount === 0);
    // Its checkpoint is under way when it is forgotten; written it must be.
    await until(async () => (await sql('SELECT count(*) FROM lanes WHERE settled_through = 1'))[0].count === 2);
    const id = await process.publish(appId);
    expect((await process.request(2)).id).toBe(id);
  });
});
