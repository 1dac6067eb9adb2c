import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SLOTS } from '../core/endpoint.ts';
import { fairShare, MAX_SLOTS_A_ROUND, type ProcessLoad, planHandOver } from './slot-balance.ts';

/** Processes that hold slots of given rates, and carry out their plans round by round, all of them on the same figures. */
class Installation {
  readonly holders: Map<string, Set<number>>;
  readonly bySlot: Float64Array;
  readonly moves = new Array<number>(SLOTS).fill(0);

  constructor(shares: number[][], bySlot: Float64Array) {
    this.holders = new Map(shares.map((slots, i) => [`p${i}`, new Set(slots)]));
    this.bySlot = bySlot;
  }

  loads(): ProcessLoad[] {
    return [...this.holders].map(([id, slots]) => ({
      id,
      slotCount: slots.size,
      deliveriesPerSecond: [...slots].reduce((sum, slot) => sum + this.bySlot[slot], 0),
    }));
  }

  /** How many slots were moved. */
  round(): number {
    const loads = this.loads();
    const plans = [...this.holders].map(([id, slots]) => ({
      id,
      plan: planHandOver(loads, { id, slots, bySlot: this.bySlot }),
    }));
    let moved = 0;
    for (const { id, plan } of plans) {
      if (!plan) continue;
      expect(plan.slots.length).toBeLessThanOrEqual(MAX_SLOTS_A_ROUND);
      for (const slot of plan.slots) {
        expect(this.holders.get(id)!.delete(slot)).toBe(true);
        this.holders.get(plan.to)!.add(slot);
        this.moves[slot]++;
        moved++;
      }
      expect(this.holders.get(id)!.size).toBeGreaterThan(0);
    }
    return moved;
  }

  /** Rounds until nothing moves any more. */
  settle(limit: number): number {
    for (let rounds = 0; rounds < limit; rounds++) if (this.round() === 0) return rounds;
    return limit;
  }
}

const all = Array.from({ length: SLOTS }, (_, slot) => slot);
const evenly = (rate: number) => new Float64Array(SLOTS).fill(rate);

/** Every slot with one of so many processes, by a list of choices. */
function dealt(processes: number, choices: number[]): number[][] {
  const shares: number[][] = Array.from({ length: processes }, () => []);
  for (const slot of all) shares[choices[slot % choices.length] % processes].push(slot);
  return shares;
}

describe('slot balance', () => {
  test('shares idle slots out by number, to within one', () => {
    const installation = new Installation([all, [], []], evenly(0));
    installation.settle(100);
    expect([...installation.holders.values()].map(({ size }) => size).sort()).toEqual([85, 85, 86]);
  });

  test('gives at most eight a round, to the one that has least', () => {
    const installation = new Installation([all.slice(0, 200), all.slice(200), []], evenly(0));
    installation.round();
    expect([...installation.holders.values()].map(({ size }) => size)).toEqual([192, 56, 8]);
    installation.settle(100);
    expect([...installation.holders.values()].map(({ size }) => size).sort()).toEqual([85, 85, 86]);
  });

  test('shares loaded slots out by what they do', () => {
    const bySlot = new Float64Array(SLOTS);
    for (let slot = 0; slot < 40; slot++) bySlot[slot] = 100; // all that is busy is with the first
    const installation = new Installation([all.slice(0, 128), all.slice(128)], bySlot);
    installation.settle(100);
    const [a, b] = installation.loads();
    expect(Math.abs(a.deliveriesPerSecond - b.deliveriesPerSecond)).toBeLessThanOrEqual(600);
    expect(Math.abs(a.slotCount - b.slotCount)).toBeLessThanOrEqual(16);
  });

  test('leaves one slot that does everything where it is', () => {
    const bySlot = new Float64Array(SLOTS);
    bySlot[7] = 5000;
    const installation = new Installation([all.slice(0, 128), all.slice(128)], bySlot);
    expect(installation.settle(10)).toBe(0);
  });

  test('lets a difference within the tolerance alone', () => {
    const bySlot = evenly(10);
    for (let slot = 0; slot < 128; slot++) bySlot[slot] = 12;
    expect(new Installation([all.slice(0, 128), all.slice(128)], bySlot).settle(10)).toBe(0);
  });

  test('takes load that is little for none', () => {
    const bySlot = evenly(0);
    bySlot[0] = 50;
    bySlot[1] = 50;
    expect(new Installation([all.slice(0, 128), all.slice(128)], bySlot).settle(10)).toBe(0);
  });

  test('is nothing for a process alone, or one with a single slot', () => {
    const bySlot = evenly(100);
    const alone = { id: 'p0', deliveriesPerSecond: 25_600, slotCount: SLOTS };
    expect(planHandOver([alone], { id: 'p0', slots: all, bySlot })).toBeNull();
    const other = { id: 'p1', deliveriesPerSecond: 0, slotCount: 255 };
    expect(planHandOver([{ ...alone, slotCount: 1 }, other], { id: 'p0', slots: [3], bySlot })).toBeNull();
  });

  test('comes to rest from anywhere, and no slot wanders', () => {
    const rate = fc.oneof(
      fc.constant(0),
      fc.double({ min: 0, max: 50, noNaN: true }),
      fc.integer({ min: 0, max: 3000 }),
    );
    const start = fc.record({
      processes: fc.integer({ min: 2, max: 7 }),
      choices: fc.array(fc.nat(20), { minLength: 1, maxLength: 40 }),
      rates: fc.array(rate, { minLength: 1, maxLength: 64 }),
    });
    fc.assert(
      fc.property(start, ({ processes, choices, rates }) => {
        const bySlot = Float64Array.from(all, (slot) => rates[slot % rates.length]);
        const installation = new Installation(dealt(processes, choices), bySlot);
        expect(installation.settle(400)).toBeLessThan(400);
        expect(Math.max(...installation.moves)).toBeLessThanOrEqual(4);
        expect([...installation.holders.values()].flatMap((slots) => [...slots]).sort((a, b) => a - b)).toEqual(all);
      }),
      { numRuns: 300 },
    );
  });

  test('stays at rest while rates vary a little', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.infiniteStream(fc.double({ min: 0.95, max: 1.05, noNaN: true })),
        (n, noise) => {
          const installation = new Installation(dealt(n, [0]), evenly(20));
          installation.settle(400);
          installation.moves.fill(0);
          for (let round = 0; round < 50; round++) {
            for (const slot of all) installation.bySlot[slot] = 20 * noise.next().value!;
            installation.round();
          }
          expect(installation.moves.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(n);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('fair share', () => {
  test('covers all slots with the processes there are', () => {
    expect([0, 1, 2, 3, 256, 300].map(fairShare)).toEqual([256, 256, 128, 86, 1, 1]);
  });
});
