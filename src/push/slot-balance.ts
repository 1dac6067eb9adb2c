// Which slots a process gives away, to whom: pure. Every process plans for all from the same figures, and carries out its own part.
//
// Two sums are evened out, the rate of deliveries first, then the number of slots with those that carry little: so neither undoes the other.
// A slot is moved only if the difference shrinks by it, and the first sum is let alone within a tolerance: slots do not wander. Donors and
// receivers are paired, so that a round of many donors does not bury one receiver.
import { SLOTS } from '../core/endpoint.ts';

/** More at once would leave a receiver with more lanes to load than it can in a second. */
export const MAX_SLOTS_A_ROUND = 8;
/** Below this rate, on average per process, the load is noise. */
const MIN_PER_SECOND = 200;
/** Of the average: who is within it is let alone. */
const TOLERANCE = 0.15;
/** A slot with less than this part of the average slot's rate counts as idle: it is not worth a move for its load. */
const IDLE_PART = 0.25;

export interface ProcessLoad {
  id: string;
  deliveriesPerSecond: number;
  slotCount: number;
}

export interface HandOver {
  to: string;
  slots: number[];
}

/** The part of one process in a round: `slots` are those it holds, `bySlot` their deliveries a second. Null = nothing. */
export function planHandOver(
  processes: readonly ProcessLoad[],
  self: { id: string; slots: Iterable<number>; bySlot: ArrayLike<number> },
): HandOver | null {
  if (processes.length < 2) return null;
  const slots = [...self.slots];
  if (slots.length < 2) return null;
  return byRate(processes, { ...self, slots }) ?? byCount(processes, { ...self, slots });
}

/** How many slots a process takes of those that are free. */
export function fairShare(processCount: number): number {
  return Math.ceil(SLOTS / Math.max(1, processCount));
}

interface Donor {
  id: string;
  slots: number[];
  bySlot: ArrayLike<number>;
}

function byRate(processes: readonly ProcessLoad[], self: Donor): HandOver | null {
  const total = sum(processes.map((process) => process.deliveriesPerSecond));
  const mean = total / processes.length;
  if (mean < MIN_PER_SECOND) return null;
  const tolerance = TOLERANCE * mean;
  // One to one: the greatest donor with the neediest receiver.
  const donors = ranked(
    processes
      .filter(({ slotCount, deliveriesPerSecond }) => slotCount > 1 && deliveriesPerSecond - mean > tolerance)
      .map(({ id, deliveriesPerSecond }) => ({ id, excess: deliveriesPerSecond - mean })),
  );
  const rank = donors.findIndex(({ id }) => id === self.id);
  const to = ranked(
    processes
      .filter(({ deliveriesPerSecond }) => mean - deliveriesPerSecond > tolerance / 4)
      .map(({ id, deliveriesPerSecond }) => ({ id, excess: mean - deliveriesPerSecond })),
  )[rank];
  if (!to) return null;
  const gap = Math.min(donors[rank].excess, to.excess); // what both can bear
  const worthIt = idleBelow(total);
  const candidates = self.slots
    .filter((slot) => self.bySlot[slot] >= worthIt)
    .sort((a, b) => self.bySlot[b] - self.bySlot[a] || a - b);
  const chosen: number[] = [];
  let moved = 0;
  for (const slot of candidates) {
    if (chosen.length >= Math.min(MAX_SLOTS_A_ROUND, self.slots.length - 1)) break;
    if (moved + self.bySlot[slot] > gap) continue;
    chosen.push(slot);
    moved += self.bySlot[slot];
  }
  return moved >= Math.min(tolerance / 4, gap / 2) && chosen.length > 0 ? { to: to.id, slots: chosen } : null;
}

function byCount(processes: readonly ProcessLoad[], self: Donor): HandOver | null {
  const share = SLOTS / processes.length;
  const donors = ranked(processes.map(({ id, slotCount }) => ({ id, excess: slotCount - Math.ceil(share) })));
  const receivers = ranked(processes.map(({ id, slotCount }) => ({ id, excess: Math.floor(share) - slotCount })));
  const rank = donors.findIndex(({ id }) => id === self.id);
  if (rank < 0 || receivers.length === 0) return null;
  // Several donors share a receiver: one of them may have nothing that it can give.
  const to = receivers[rank % receivers.length];
  const place = Math.floor(rank / receivers.length);
  const sharing = Math.ceil((donors.length - (rank % receivers.length)) / receivers.length);
  const part = Math.floor(to.excess / sharing) + (place < to.excess % sharing ? 1 : 0);
  const total = sum(processes.map((process) => process.deliveriesPerSecond));
  const loaded = total / processes.length >= MIN_PER_SECOND;
  const idle = loaded ? self.slots.filter((slot) => self.bySlot[slot] < idleBelow(total)) : self.slots;
  const slots = [...idle]
    .sort((a, b) => self.bySlot[a] - self.bySlot[b] || a - b)
    .slice(0, Math.min(MAX_SLOTS_A_ROUND, donors[rank].excess, part, self.slots.length - 1));
  return slots.length > 0 ? { to: to.id, slots } : null;
}

interface Excess {
  id: string;
  excess: number;
}

/** Those with any, the greatest first. */
function ranked(processes: Excess[]): Excess[] {
  return processes.filter(({ excess }) => excess > 0).sort((a, b) => b.excess - a.excess || (a.id < b.id ? -1 : 1));
}

function idleBelow(totalPerSecond: number): number {
  return (IDLE_PART * totalPerSecond) / SLOTS;
}

function sum(values: number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
