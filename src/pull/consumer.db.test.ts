// Several processes race for one consumer: each has connections of its own, holds leases that run out, crashes, and commits too late.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { anApp, anEvent, testIds } from '../../test/event-log.ts';
import { TidingsError } from '../core/errors.ts';
import { uuidFromId } from '../core/id.ts';
import { EventCache } from '../log/event-cache.ts';
import { appendEvents } from '../storage/append.ts';
import { commitConsumer, releaseConsumer } from '../storage/consumer-leases.ts';
import { createConsumer, readConsumer } from '../storage/consumers.ts';
import { Database } from '../storage/database.ts';
import { readHead } from '../storage/heads.ts';
import { type LeasedEvents, leaseEvents } from './consumer.ts';
import { readLog } from './read-log.ts';
import { RenderedLog } from './rendered-log.ts';

const WORKERS = 6;
const EVENTS = 400;
const DAY = new Date().toISOString().slice(0, 10);

let database: TestDatabase;
const processes: Database[] = [];
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((db) => db.close()));
  await database.close();
});

/** A process's part in it: a database of its own, and no memory of the others. */
function aProcess(key: { appId: string; name: string }) {
  const db = new Database({ connection: database.connection, poolSize: 2 });
  processes.push(db);
  const cache = new EventCache({ db });
  const rendered = new RenderedLog({ cache, instance: { cursorKey: randomBytes(32), generation: 1 } });
  return {
    lease: (max: number, heldLeaseId: string | null = null): Promise<LeasedEvents> =>
      leaseEvents(
        {
          db,
          source: { knownHead: () => null, follow: () => () => {} },
          read: async (request) => readLog({ db, cache, rendered }, request, (await readHead(db, request.appId))!),
        },
        {
          ...key,
          newLeaseId: testIds.id('lease'),
          heldLeaseId,
          max,
          maxBytes: 1_000_000,
          leaseSeconds: 3600,
          waitMs: 0,
          signal: new AbortController().signal,
        },
      ),
    commit: (place: { position: number; day: string }, leaseId: string | null) =>
      commitConsumer(db, { ...key, place, leaseId }),
    release: (leaseId: string) => releaseConsumer(db, key, leaseId),
    position: async () => (await readConsumer(db, key)).place.position,
  };
}

async function setup() {
  const appId = await anApp(database.db);
  const key = { appId, name: 'billing' };
  await createConsumer(database.db, key, { filter: { types: ['taken'] }, start: { position: 0, day: DAY } });
  return {
    key,
    append: (count: number, type: string) =>
      appendEvents(database.db, [{ appId, events: Array.from({ length: count }, () => anEvent({ type })) }]),
    /** Time passes: whoever has a lease has had it for too long. */
    expire: () =>
      database.db.query({
        name: 'expire',
        text: "UPDATE consumers SET leased_until = now() - interval '1 ms' WHERE lease_id IS NOT NULL",
      }),
  };
}

const REFUSED = new Set(['consumer_leased', 'lease_lost', 'commit_refused']);

/** What is refused as it may be is undefined. */
async function orRefused<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TidingsError && REFUSED.has(error.code)) return undefined;
    throw error;
  }
}

describe('a consumer of several processes', () => {
  test('gives each event at least once, and its cursor only moves over what its holder was given', async () => {
    const { key, append, expire } = await setup();
    let isAppending = true;
    /** What was accepted: from where the lease began, to where it was committed, and what was handed out with it. */
    const commits: { lease: string; from: number; to: number; given: Set<number> }[] = [];
    const given = new Set<number>();

    const appending = (async () => {
      for (let appended = 0; appended < EVENTS; appended += 8) await append(8, appended % 3 === 0 ? 'other' : 'taken');
      isAppending = false;
    })();
    const work = async (seed: number): Promise<void> => {
      const { lease, commit, release, position } = aProcess(key);
      let random = seed;
      const next = (below: number): number => {
        random = (random * 48_271) % 2_147_483_647;
        return random % below;
      };
      const late: (() => Promise<unknown>)[] = [];
      for (let seen = 0; isAppending || seen < 5; ) {
        const before = await position();
        const leased = await orRefused(lease(1 + next(20)));
        if (leased === undefined || leased.lease === null) {
          seen++;
          if (next(3) === 0) await expire();
          continue;
        }
        const handedOut = new Set(leased.events.map((event) => event.position));
        for (const one of handedOut) given.add(one);
        const { id } = leased.lease;
        const to = next(2) === 0 ? leased.cursor : leased.events[next(leased.events.length)];
        const finish = async (): Promise<void> => {
          if (await orRefused(commit({ position: to.position, day: to.day }, id))) {
            commits.push({ lease: id, from: before, to: to.position, given: handedOut });
          }
        };
        const fate = next(6);
        if (fate === 0) continue; // crashed
        if (fate === 1) late.push(finish);
        else if (fate === 2) await orRefused(release(id));
        else {
          if (fate === 3) await expire();
          await finish();
        }
        expect(await position()).toBeGreaterThanOrEqual(before);
        if (late.length > 2) await late.shift()!();
      }
      for (const finish of late) await finish();
    };
    await Promise.all([appending, ...Array.from({ length: WORKERS }, (_, n) => work(n * 7919 + 17))]);

    await expire();
    const last = aProcess(key);
    for (;;) {
      await expire();
      const from = await last.position();
      const { lease, events, cursor, done } = await last.lease(50);
      if (lease === null) {
        if (done) break;
        continue;
      }
      await last.commit(cursor, lease.id);
      const handedOut = new Set(events.map(({ position }) => position));
      for (const one of handedOut) given.add(one);
      commits.push({ lease: lease.id, from, to: cursor.position, given: handedOut });
    }
    expect(await last.position()).toBe(EVENTS);
    const taken = await database.db.query<{ position: number }>(
      { name: 'taken', text: "SELECT position FROM events WHERE app_id = $1 AND type = 'taken' ORDER BY position" },
      [uuidFromId('app', key.appId)],
    );
    expect(taken.filter(({ position }) => !given.has(position))).toEqual([]);
    // Each event was handed out with a lease whose commit passed it: none was passed by a holder that never had it.
    const passed = new Set(commits.flatMap(({ to, given: ofLease }) => [...ofLease].filter((one) => one <= to)));
    expect(taken.filter(({ position }) => !passed.has(position))).toEqual([]);
    expect(commits.length).toBeGreaterThan(WORKERS);
  });

  test('refuses a late commit, and does not move for it', async () => {
    const { key, append, expire } = await setup();
    await append(10, 'taken');
    const [slow, quick] = [aProcess(key), aProcess(key)];
    const late = await slow.lease(6);
    await expect(quick.lease(1)).rejects.toMatchObject({ code: 'consumer_leased', status: 409 });
    await expire();
    const next = await quick.lease(3);
    expect(next.events.map(({ position }) => position)).toEqual([1, 2, 3]);
    for (const place of [late.cursor, late.events[1]]) {
      await expect(slow.commit(place, late.lease!.id)).rejects.toMatchObject({ code: 'lease_lost', status: 409 });
      expect(await quick.position()).toBe(0);
    }
    await quick.commit(next.cursor, next.lease!.id);
    await expect(slow.commit(late.cursor, late.lease!.id)).rejects.toMatchObject({ code: 'lease_lost' });
    await expect(slow.commit(late.cursor, late.lease!.id)).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await quick.position()).toBe(3);
  });

  test('has one holder of those who ask at once', async () => {
    const { key, append } = await setup();
    await append(5, 'taken');
    const asking = Array.from({ length: 8 }, () => orRefused(aProcess(key).lease(5)));
    const holders = (await Promise.all(asking)).filter((leased) => leased !== undefined);
    expect(holders).toHaveLength(1);
  });

  test('is moved by commits without leases too, as by a stream', async () => {
    const { key, append } = await setup();
    const [group] = await append(5, 'other');
    const { commit, lease, position } = aProcess(key);
    const at = (place: number) => ({ position: place, day: group!.day });
    await commit(at(3), null);
    await commit(at(3), null);
    await expect(commit(at(2), null)).rejects.toMatchObject({ code: 'commit_refused' });
    await expect(commit(at(6), null)).rejects.toMatchObject({ code: 'cursor_ahead' });
    expect(await position()).toBe(3);
    expect(await lease(1)).toMatchObject({ lease: null, events: [], done: true });
    expect(await position()).toBe(5);
  });
});
