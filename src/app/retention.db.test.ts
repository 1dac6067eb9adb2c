import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { operationalData } from '../../test/operational-data.ts';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { until } from '../../test/until.ts';
import { TidingsError } from '../core/errors.ts';
import type { NewEvent } from '../core/event.ts';
import { uuidFromId } from '../core/id.ts';
import { EventCache } from '../log/event-cache.ts';
import { readLog } from '../pull/read-log.ts';
import { RenderedLog } from '../pull/rendered-log.ts';
import { createConsumer } from '../storage/consumers.ts';
import { listDead } from '../storage/dead-listing.ts';
import { readExpired } from '../storage/expirations.ts';
import { readHead } from '../storage/heads.ts';
import { addDays, dayOf, ensurePartitions, listPartitions, partitionName } from '../storage/partitions.ts';
import { Retention, type RetentionOptions } from './retention.ts';

let app: StoredApp;
let today: string;
const running: Retention[] = [];
beforeEach(async () => {
  app = await storedApp();
  today = await dayOf(app.db);
});
afterEach(async () => {
  for (const retention of running.splice(0)) await retention.stop();
  await app.close();
});

const ago = (days: number): string => addDays(today, -days);

/** A partition of a past day, as it stood ahead of that day once. */
async function aPastDay(days: number, tables = ['events', 'attempts']): Promise<void> {
  const day = ago(days);
  for (const table of tables) {
    await app.sql(
      `CREATE TABLE ${table}_${day.replaceAll('-', '_')} PARTITION OF ${table} FOR VALUES FROM ('${day}') TO ('${addDays(day, 1)}')`,
    );
  }
}

/** Events of past days: `positions` of each day, dense over the days given, which go from the oldest on. */
async function aLogOf(days: number[], positions: number): Promise<void> {
  for (const day of days) {
    if (day > 1) await aPastDay(day);
    await app.sql(
      `WITH head AS (UPDATE heads SET last_position = last_position + ${positions}, last_day = '${ago(day)}' WHERE app_id = $1 RETURNING last_position)
       INSERT INTO events (app_id, position, config_version, time, appended_at, day, event_id, type, data)
       SELECT $1, last_position - ${positions} + n, 1, now(), '${ago(day)}'::timestamp + interval '12 hours', '${ago(day)}', 'e' || last_position - ${positions} + n, 'a.b', '{}'
       FROM head, generate_series(1, ${positions}) AS n`,
      [app.appUuid],
    );
  }
}

const settle = (endpointId: string, position: number, day: number) =>
  app.sql('UPDATE lanes SET settled_through = $2, settled_day = $3 WHERE endpoint_id = $1', [
    uuidFromId('endpoint', endpointId),
    position,
    ago(day),
  ]);

function setup(options: Partial<RetentionOptions> = {}) {
  const told: { type: string; [key: string]: unknown }[] = [];
  const ids = new Map<string, string>();
  const checkpointed: string[] = [];
  const retention = new Retention({
    db: app.db,
    append: async ({ events: [event] }: { events: NewEvent[] }) => {
      const data = event.data.toString();
      const known = ids.get(event.id);
      if (known === data) return;
      if (known !== undefined) throw new TidingsError('idempotency_conflict', 'known');
      ids.set(event.id, data);
      told.push({ type: event.type, ...operationalData(event) });
    },
    checkpoint: (_, endpointId) => checkpointed.push(endpointId),
    now: Date.now,
    onError: (error) => {
      throw error;
    },
    options: { eventDays: 3, attemptDays: 2, ...options },
  });
  running.push(retention);
  return { retention, told, checkpointed };
}

const dropped = (table: 'events' | 'attempts', ...days: number[]): string[] =>
  days.map((day) => partitionName(table, ago(day)));

describe('retention', () => {
  test('drops the days past it, and no other', async () => {
    await aLogOf([6, 5, 4, 3, 2, 1, 0], 10);
    const { retention, told } = setup();
    expect(await retention.takeTurn()).toEqual([...dropped('events', 6, 5, 4), ...dropped('attempts', 6, 5, 4, 3)]);
    const kept = await listPartitions(app.db, 'events');
    expect(kept[0]).toBe(partitionName('events', ago(3)));
    expect((await listPartitions(app.db, 'attempts'))[0]).toBe(partitionName('attempts', ago(2)));
    expect(await app.sql('SELECT min(position) FROM events')).toEqual([{ min: 31 }]);
    expect(await retention.takeTurn()).toEqual([]);
    expect(told).toEqual([]);
    expect(await ensurePartitions(app.db, { daysAhead: 7 })).toEqual([]);
    await app.append(1);
  });

  test('keeps all when it is told so', async () => {
    await aLogOf([6, 1], 10);
    expect(await setup({ eventDays: null, attemptDays: null }).retention.takeTurn()).toEqual([]);
    expect(await setup({ eventDays: null, attemptDays: 1 }).retention.takeTurn()).toEqual(dropped('attempts', 6));
  });

  test('warns a day before an endpoint would lose something, once, and records what it does lose', async () => {
    const behind = await app.anEndpoint();
    const quiet = await app.anEndpoint();
    await aLogOf([5, 4, 3, 2, 1, 0], 10);
    // One stands in the day that goes tomorrow; the other has all, and stands at the end of its app's log.
    await settle(behind, 25, 3);
    await settle(quiet, 60, 5);
    const { retention, told, checkpointed } = setup();
    await retention.takeTurn();
    await retention.takeTurn();
    const expiresAt = `${addDays(today, 1)}T00:00:00.000Z`;
    expect(told).toEqual([
      {
        type: 'endpoint.lagging',
        app: app.appId,
        endpoint: behind,
        url: 'https://example.com/webhooks',
        positions: 35,
        oldestSeconds: expect.any(Number),
        expiresAt,
      },
    ]);
    expect(told[0].oldestSeconds).toBeGreaterThan(2 * 86_400);
    expect(checkpointed).toEqual([behind, behind]);
    expect(await readExpired(app.db, { appId: app.appId, endpointId: behind })).toBeNull();

    const later = setup({ eventDays: 1 });
    await later.retention.takeTurn();
    await later.retention.takeTurn();
    expect(later.told).toEqual([
      { ...told[0], oldestSeconds: expect.any(Number), expiresAt: `${ago(1)}T00:00:00.000Z` },
      { type: 'endpoint.expired', app: app.appId, endpoint: behind, events: 15, from: 26, to: 40 },
      // The next day's events are those that go next.
      { ...told[0], positions: 35, oldestSeconds: expect.any(Number), expiresAt },
    ]);
    expect(await readExpired(app.db, { appId: app.appId, endpointId: behind })).toMatchObject({
      events: 15,
      from: 26,
      to: 40,
    });
    expect(await readExpired(app.db, { appId: app.appId, endpointId: quiet })).toBeNull();
  });

  test('warns a day before a consumer would lose something', async () => {
    await aLogOf([3, 2, 1], 10);
    const start = { position: 5, day: ago(3) };
    await createConsumer(app.db, { appId: app.appId, name: 'behind' }, { filter: {}, start });
    await createConsumer(
      app.db,
      { appId: app.appId, name: 'ahead' },
      { filter: {}, start: { position: 10, day: ago(3) } },
    );
    const { retention, told } = setup();
    await retention.takeTurn();
    await retention.takeTurn();
    expect(told).toEqual([
      {
        type: 'consumer.lagging',
        app: app.appId,
        consumer: 'behind',
        positions: 25,
        oldestSeconds: expect.any(Number),
        expiresAt: `${addDays(today, 1)}T00:00:00.000Z`,
      },
    ]);
  });

  test('records each range once, day after day, and none that an endpoint was told to skip', async () => {
    const stuck = await app.anEndpoint();
    const skipped = await app.anEndpoint();
    await aLogOf([6, 5, 4, 3, 2, 1], 10);
    await settle(stuck, 5, 6);
    await settle(skipped, 5, 6);
    await app.sql('UPDATE endpoints SET skip_through = 25 WHERE endpoint_id = $1', [uuidFromId('endpoint', skipped)]);
    for (const eventDays of [5, 4, 3]) await setup({ eventDays }).retention.takeTurn();
    const rows = `SELECT from_position, to_position FROM expirations WHERE endpoint_id = $1 ORDER BY from_position`;
    expect(await app.sql(rows, [uuidFromId('endpoint', stuck)])).toEqual([
      { from_position: 6, to_position: 10 },
      { from_position: 11, to_position: 20 },
      { from_position: 21, to_position: 30 },
    ]);
    expect(await app.sql(rows, [uuidFromId('endpoint', skipped)])).toEqual([{ from_position: 26, to_position: 30 }]);
  });

  test('turns retries of events that go into dead events', async () => {
    const endpointId = await app.anEndpoint();
    await aLogOf([5, 4, 2], 10);
    await settle(endpointId, 30, 2);
    await app.sql(
      `INSERT INTO retries (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, consumed, due_at, last_reason, created_at)
       SELECT app_id, $1, '00000000-0000-0000-0000-000000000000', position, day, event_id, 3, 3, now() + interval '1 hour', 'status_5xx', now()
       FROM events WHERE position IN (3, 14, 25)`,
      [uuidFromId('endpoint', endpointId)],
    );
    const { retention, told } = setup();
    await retention.takeTurn();
    expect(told).toEqual([
      { type: 'event.dead', app: app.appId, endpoint: endpointId, count: 2, firstEvent: 'e3', reason: 'expired' },
    ]);
    const { dead } = await listDead(app.db, app.appId, { limit: 10, before: null });
    expect(dead.map(({ position, reason, attempts }) => ({ position, reason, attempts }))).toEqual([
      { position: 14, reason: 'expired', attempts: 3 },
      { position: 3, reason: 'expired', attempts: 3 },
    ]);
    expect(await app.sql('SELECT position FROM retries')).toEqual([{ position: 25 }]);
  });

  test('forgets dead events once they have been dead for as long as events are kept', async () => {
    const endpointId = await app.anEndpoint();
    await app.sql(
      `INSERT INTO dead (app_id, endpoint_id, cursor_id, position, day, event_id, attempts, reason, died_at)
       SELECT $1, $2, '00000000-0000-0000-0000-000000000000', n, current_date, 'e' || n, 3, 'status_5xx', $3::date - n + interval '1 hour'
       FROM generate_series(1, 5) AS n`,
      [app.appUuid, uuidFromId('endpoint', endpointId), today],
    );
    await setup({ eventDays: null }).retention.takeTurn();
    expect(await app.sql('SELECT count(*)::int FROM dead')).toEqual([{ count: 5 }]);
    await setup().retention.takeTurn();
    expect(await app.sql('SELECT position FROM dead ORDER BY position')).toEqual(
      [1, 2, 3].map((position) => ({ position })),
    );
  });

  test('one process at a time', async () => {
    await aLogOf([6, 5, 4], 10);
    const turns = await Promise.all([1, 2, 3].map(() => setup().retention.takeTurn()));
    expect(turns.flatMap((names) => names ?? []).sort()).toEqual(
      [...dropped('events', 6, 5, 4), ...dropped('attempts', 6, 5, 4)].sort(),
    );
  });

  test.each([
    ['marked', ''],
    ['half detached', 'pending'],
    ['detached', 'detached'],
  ])('finishes what another process left %s', async (_, state) => {
    await aLogOf([6, 5, 0], 10);
    const name = partitionName('events', ago(6));
    await app.sql(`COMMENT ON TABLE ${name} IS 'tidings: past retention, to be dropped'`);
    if (state === 'detached') await app.sql(`ALTER TABLE events DETACH PARTITION ${name}`);
    if (state === 'pending') await detachHalf(name);
    const { retention } = setup();
    expect((await retention.takeTurn())?.slice(0, 2)).toEqual(dropped('events', 6, 5));
    expect(await app.sql('SELECT min(position) FROM events')).toEqual([{ min: 21 }]);
  });

  test('leaves a table alone that somebody detached to keep it', async () => {
    await aLogOf([6, 5], 10);
    const name = partitionName('events', ago(6));
    await app.sql(`ALTER TABLE events DETACH PARTITION ${name}`);
    await setup({ attemptDays: null }).retention.takeTurn();
    expect(await app.sql(`SELECT count(*)::integer AS n FROM ${name}`)).toEqual([{ n: 10 }]);
  });

  test('runs by itself, after a while', async () => {
    await aLogOf([6, 5], 10);
    await setup({ firstAfterMs: 10, everyMs: 10 }).retention.start();
    await until(async () => (await app.sql('SELECT 1 FROM events')).length === 0);
  });
});

/** A DETACH that was cut short while it waited for a reader. */
async function detachHalf(name: string): Promise<void> {
  const reader = app.db.dedicated();
  await reader.begin();
  await reader.query({ name: 'read', text: `SELECT count(*) FROM ${name}` });
  const other = app.db.dedicated({ statementTimeoutMs: null });
  const client = await other.client();
  await client.query(`SET lock_timeout = 200`);
  await expect(client.query(`ALTER TABLE events DETACH PARTITION ${name} CONCURRENTLY`)).rejects.toMatchObject({
    code: '55P03',
  });
  await other.reset();
  await reader.reset();
  expect(await app.sql('SELECT 1 FROM pg_inherits WHERE inhdetachpending')).toHaveLength(1);
}

describe('a reader of the log', () => {
  test('whose events go while it pages is told so, and begins anew without missing what is kept', async () => {
    await aLogOf([6, 5, 4, 3, 2, 1, 0], 300);
    const cache = new EventCache({ db: app.db, options: { maxBytes: 1 } });
    const rendered = new RenderedLog({ cache, instance: { cursorKey: Buffer.alloc(32), generation: 1 } });
    const head = (await readHead(app.db, app.appId))!;
    const request = { appId: app.appId, limit: 100, maxBytes: 1e6, matches: null };
    const read = (after: { position: number; day: string } | null) =>
      readLog({ db: app.db, cache, rendered }, { ...request, after }, head);
    const first = await read(null);
    const second = await read(first.cursor);
    expect(second.events[0].position).toBe(101);
    await setup().retention.takeTurn();
    await expect(read(second.cursor)).rejects.toMatchObject({ code: 'cursor_expired', status: 410 });
    const seen: number[] = [];
    for (let after: { position: number; day: string } | null = null, done = false; !done; ) {
      const page = await read(after);
      seen.push(...page.events.map((event) => event.position));
      after = page.cursor;
      done = page.done;
    }
    expect(seen).toEqual(Array.from({ length: 1200 }, (_, i) => 901 + i));
  });

  test('pages on while partitions are dropped behind it', async () => {
    await aLogOf([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], 400);
    const cache = new EventCache({ db: app.db, options: { maxBytes: 1 } });
    const rendered = new RenderedLog({ cache, instance: { cursorKey: Buffer.alloc(32), generation: 1 } });
    const head = (await readHead(app.db, app.appId))!;
    const request = { appId: app.appId, limit: 50, maxBytes: 1e6, matches: null };
    let after: { position: number; day: string } | null = null;
    let last = 0;
    const dropping = setup({ eventDays: 4 }).retention.takeTurn();
    for (let done = false; !done; ) {
      try {
        const page = await readLog({ db: app.db, cache, rendered }, { ...request, after }, head);
        for (const { position } of page.events) {
          // It may begin anew further on, but within a run it misses nothing.
          if (after !== null) expect(position).toBe(last + 1);
          last = position;
          after ??= page.cursor;
        }
        after = page.cursor;
        done = page.done;
      } catch (error) {
        expect(error).toMatchObject({ code: 'cursor_expired' });
        after = null;
      }
    }
    expect(last).toBe(4000);
    await dropping;
  });
});

describe('the cache of the log', () => {
  test('goes over a gap at once, however long', async () => {
    await aLogOf([5, 1], 5000);
    const { retention } = setup();
    await retention.takeTurn();
    let reads = 0;
    const db = {
      query: <Row>(query: Parameters<typeof app.db.query>[0], values?: unknown[]) => {
        reads++;
        return app.db.query<Row>(query, values);
      },
    };
    const cache = new EventCache({ db });
    const head = (await readHead(app.db, app.appId))!;
    const events = await cache.read(app.appId, { position: 1, day: ago(5) }, head);
    expect(events[0].position).toBe(5001);
    expect(reads).toBeLessThan(20);
    expect(await cache.read(app.appId, { position: 1, day: ago(5) }, { position: 5000, day: ago(5) })).toEqual([]);
  });
});
