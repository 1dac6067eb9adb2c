import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { operationalData } from '../../test/operational-data.ts';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { TidingsError } from '../core/errors.ts';
import type { NewEvent } from '../core/event.ts';
import { TIDINGS_APP_ID, TIDINGS_APP_UUID } from '../core/id.ts';
import { commitConsumer } from '../storage/consumer-leases.ts';
import { createConsumer, deleteConsumer } from '../storage/consumers.ts';
import { ConsumerWatch } from './consumer-watch.ts';

let app: StoredApp;
beforeEach(async () => {
  app = await storedApp();
});
afterEach(() => app.close());

/** Watches, with an app of operational events that knows an id when it comes again. */
function setup() {
  const told: { id: string; type: string; data: unknown }[] = [];
  const append = async ({ appId, events: [{ id, type, data }] }: { appId: string; events: NewEvent[] }) => {
    expect(appId).toBe(TIDINGS_APP_ID);
    if (told.some((event) => event.id === id)) throw new TidingsError('idempotency_conflict', 'It is there.');
    told.push({ id, type, data: operationalData({ type, data }) });
  };
  const onError = (error: unknown): void => expect.fail(String(error));
  const aWatch = () => new ConsumerWatch({ db: app.db, append, now: Date.now, onError, alertAfterSeconds: 60 });
  return { told, aWatch };
}

const key = (name: string) => ({ appId: app.appId, name });
const age = (from: number, to: number) =>
  app.sql(`UPDATE events SET appended_at = now() - interval '100 seconds' WHERE position BETWEEN ${from} AND ${to}`);

describe('consumer watch', () => {
  test('tells of a consumer that lags, once, until it has caught up with what waited then', async () => {
    const { told, aWatch } = setup();
    const { day } = await app.append(4);
    const at = (position: number) => ({ position, day });
    await createConsumer(app.db, key('slow'), { filter: {}, start: at(1) });
    await createConsumer(app.db, key('done'), { filter: {}, start: at(4) });
    await aWatch().look();
    expect(told).toEqual([]); // not yet old
    await age(1, 3);
    await Promise.all([aWatch().look(), aWatch().look()]);
    await aWatch().look();
    expect(told).toMatchObject([
      { type: 'consumer.lagging', data: { app: app.appId, consumer: 'slow', positions: 3 } },
    ]);
    await commitConsumer(app.db, { ...key('slow'), place: at(2) });
    await app.append(1);
    await age(1, 5);
    await aWatch().look();
    expect(told.map(({ data }) => data)).toMatchObject([{ consumer: 'slow' }, { consumer: 'done' }]);
    await commitConsumer(app.db, { ...key('slow'), place: at(4) });
    await aWatch().look();
    expect(told).toHaveLength(3); // it lags anew
    await deleteConsumer(app.db, key('done'));
  });

  test('is quiet about readers of the operational events', async () => {
    const { told, aWatch } = setup();
    await app.append(2);
    await age(1, 2);
    await createConsumer(app.db, key('x'), { filter: {}, start: { position: 0, day: '2026-01-01' } });
    for (const table of ['heads', 'events', 'consumers'])
      await app.sql(`UPDATE ${table} SET app_id = '${TIDINGS_APP_UUID}'`);
    await aWatch().look();
    expect(told).toEqual([]);
  });
});
