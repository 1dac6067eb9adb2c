// Slots among several processes, on a real database.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { Fleet, type Member, slowly } from '../../test/fleet.ts';
import { until } from '../../test/until.ts';
import { liveProcesses } from '../storage/processes.ts';

let database: TestDatabase;
let fleet: Fleet;
beforeEach(async () => {
  database = await testDatabase();
  fleet = new Fleet(database);
});
afterEach(async () => {
  await fleet.close();
  await database.close();
});

/** Null in the moment between two identities. */
function idOf({ ownership }: Member): string | null {
  try {
    return ownership.identity().processUuid;
  } catch {
    return null;
  }
}

const moving = () => fleet.sql('SELECT 1 FROM slots WHERE moving_to IS NOT NULL');

describe('slot sharing', () => {
  test('gives each process that joins its fair share, and nobody works on a slot of another', async () => {
    await fleet.join();
    expect(fleet.shares()).toEqual([256]);
    await fleet.join({ release: slowly(5) });
    await until(() => fleet.shares()[0] === 128);
    await fleet.join();
    await fleet.join();
    await until(() => fleet.shares().every((share) => share === 64));
    expect(fleet.isWhole).toBe(true);
    await fleet.checked();
    expect(fleet.overlaps).toEqual([]);
  });

  test('what processes that start together take is fair from the first turn on', async () => {
    const seldom = { renewEveryMs: 1000 };
    const first = await fleet.join(seldom);
    await Promise.all([fleet.join(seldom), fleet.join(seldom), fleet.join(seldom)]);
    await first.stop();
    await until(() => fleet.isWhole);
    for (const share of fleet.shares()) expect(share).toBeLessThanOrEqual(86);
  });

  test('shares slots out by what their lanes do', async () => {
    const [a, b] = [await fleet.join(), await fleet.join()];
    await until(() => fleet.shares()[0] === 128);
    const busy = [...a.ownership.heldSlots()].slice(0, 30);
    for (const slot of busy) fleet.bySlot[slot] = 100;
    const rateOf = (member: Member) => busy.filter((slot) => member.ownership.owns(slot)).length * 100;
    await until(() => rateOf(b) >= 1200 && rateOf(a) >= 1200 && fleet.isWhole);
    await fleet.checked();
    expect(fleet.overlaps).toEqual([]);
  });

  test('a process without the role push lives, and takes none', async () => {
    const api = await fleet.join({ roles: ['api'] });
    expect(api.ownership.maySend()).toBe(true);
    const [a, b] = [await fleet.join(), await fleet.join()];
    await until(() => a.ownership.slotCount === 128 && b.ownership.slotCount === 128);
    expect(api.ownership.slotCount).toBe(0);
    await until(() => api.ownership.others.length === 2);
    expect(a.ownership.others.map(({ roles }) => roles.join()).sort()).toEqual(['api', 'api,push,inbound']);
  });

  test('slots of a process that stops are with the others at once', async () => {
    const [a, b, c] = [await fleet.join(), await fleet.join(), await fleet.join()];
    await until(() => fleet.shares().every((share) => share >= 85));
    const leftMs = performance.now();
    await b.stop();
    await until(() => fleet.isWhole);
    expect(performance.now() - leftMs).toBeLessThan(1000);
    expect(a.ownership.slotCount + c.ownership.slotCount).toBe(256);
  });

  test('a process that leaves gives what is at rest at once, and only the rest when it is gone', async () => {
    const slow = 7;
    const leaving = await fleet.join({
      release: (slots) => (slots.includes(slow) ? new Promise(() => {}) : Promise.resolve()),
    });
    await leaving.ownership.leave(0);
    expect(leaving.ownership.maySend()).toBe(true);
    const next = await fleet.join();
    await until(() => next.ownership.slotCount === 240);
    expect(next.ownership.owns(slow)).toBe(false);
    await fleet.checked();
    expect(fleet.overlaps).toEqual([]);
    await leaving.ownership.stop();
    await until(() => next.ownership.slotCount === 256);
  });

  test('a process that leaves is given nothing', async () => {
    const staying = await fleet.join();
    const leaving = await fleet.join({ release: slowly(100) });
    await until(() => leaving.ownership.slotCount >= 40);
    await leaving.ownership.leave(1000);
    expect(leaving.ownership.slotCount).toBe(0);
    await until(() => staying.ownership.slotCount === 256);
    expect(staying.ownership.others.map(({ roles }) => roles)).toEqual([['api', 'inbound']]);
  });

  test('what was just given to a process is not passed on, for its rate does not show yet', async () => {
    const a = await fleet.join();
    const b = await fleet.join({ ratesSettleMs: 600_000 });
    await until(() => b.ownership.slotCount === 128);
    const had = b.ownership.heldSlots();
    const c = await fleet.join();
    await until(() => c.ownership.slotCount >= 40);
    expect(b.ownership.heldSlots()).toEqual(had);
    expect(a.ownership.slotCount).toBeLessThan(128);
  });

  test('slots of a process that stops are found without hints too', async () => {
    const alone = { hints: false };
    const [a, b] = [await fleet.join(alone), await fleet.join(alone)];
    await until(() => fleet.shares()[0] === 128);
    await b.stop();
    await until(() => a.ownership.slotCount === 256);
  });

  test('slots of a process that was killed follow when its lease has run out, those it was giving away too', async () => {
    const donor = await fleet.join({ ttlMs: 600, release: () => new Promise(() => {}) });
    const other = await fleet.join({ ttlMs: 600 });
    await until(async () => (await moving()).length === 8);
    donor.kill();
    await until(() => other.ownership.slotCount === 256);
    expect(await moving()).toEqual([]);
    await fleet.checked();
    expect(fleet.overlaps).toEqual([]);
  });

  test('slots that were let go of for a process that died meanwhile are taken back', async () => {
    let letGo = (): void => {};
    const released = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const donor = await fleet.join({ ttlMs: 600, release: () => released });
    const other = await fleet.join({ ttlMs: 600 });
    await until(() => donor.ownership.movingCount === 8);
    expect(donor.ownership.slotCount).toBe(248);
    other.kill();
    await until(async () => (await liveProcesses(database.db)).length === 1);
    letGo();
    await until(() => donor.ownership.slotCount === 256);
    expect(await moving()).toEqual([]);
  });

  test('slots whose lanes cannot be let go of stay', async () => {
    const donor = await fleet.join({
      release: async () => {
        throw new Error('the lanes do not drain');
      },
    });
    const other = await fleet.join();
    await until(() => donor.errors.length >= 3);
    expect(other.ownership.slotCount).toBe(0);
    await until(() => donor.ownership.slotCount + donor.ownership.movingCount === 256);
    expect(String(donor.errors[0])).toContain('do not drain');
  });

  test('slots that their fair owner leaves lying are taken by whoever comes', async () => {
    await fleet.sql(`INSERT INTO processes (process_id, epoch, state, leased_until, started_at, host, pid, version)
      VALUES ('00000000-0000-7000-8000-000000000009', 1, 'live', now() + interval '1 hour', now(), 'h', 1, 'v')`);
    const member = await fleet.join();
    expect(member.ownership.slotCount).toBe(128);
    await until(() => member.ownership.slotCount >= 248); // and it offers to give some away again
  });

  test('a process that was taken for dead goes on under a new identity with what is free', async () => {
    const [a, b] = [await fleet.join(), await fleet.join()];
    await until(() => fleet.shares()[0] === 128);
    const { processUuid } = a.ownership.identity();
    await fleet.sql(`UPDATE processes SET state = 'dead' WHERE process_id = $1`, [processUuid]);
    await until(() => ![null, processUuid].includes(idOf(a)) && fleet.isWhole);
    await until(() => b.ownership.others.length === 1);
    await fleet.checked();
    expect(fleet.overlaps).toEqual([]);
  });

  test('whoever joins, stops, is killed or is declared dead: no two that live work on one slot', async () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant('join' as const) },
      { weight: 1, arbitrary: fc.constant('stop' as const) },
      { weight: 1, arbitrary: fc.constant('kill' as const) },
      { weight: 1, arbitrary: fc.constant('bury' as const) },
      { weight: 2, arbitrary: fc.constant('load' as const) },
    );
    const steps = fc.array(fc.record({ step, which: fc.nat(4), waitMs: fc.nat(120), releaseMs: fc.nat(30) }), {
      minLength: 4,
      maxLength: 10,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const own = await testDatabase();
        const some = new Fleet(own);
        const times = { ttlMs: 500, marginMs: 100 };
        try {
          await some.join(times);
          for (const { step, which, waitMs, releaseMs } of taken) {
            const member = [...some.members][which % some.members.size];
            if (step === 'join' && some.members.size < 5) await some.join({ ...times, release: slowly(releaseMs) });
            else if (step === 'load') for (let n = 0; n < 30; n++) some.bySlot[(which * 50 + n) % 256] = 50 + waitMs;
            else if (step === 'bury') {
              await some.sql(`UPDATE processes SET state = 'dead' WHERE process_id = $1`, [idOf(member)]);
            } else if (some.members.size > 1) {
              if (step === 'stop') await member.stop();
              else if (step === 'kill') member.kill();
            }
            await slowly(waitMs)([]);
          }
          await until(() => some.isWhole);
          await some.checked();
          expect(some.overlaps).toEqual([]);
        } finally {
          await some.close();
          await own.close();
        }
      }),
      { numRuns: 6 },
    );
  }, 120_000);
});
