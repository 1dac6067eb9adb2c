// The slots of this process: it takes what is free, and gives away what is too much. A hand-over between live processes is co-operative: the
// donor lets go of the lanes (drains, flushes, checkpoints) and only then writes the receiver into `slots`. The fence is per process and not
// per slot, so nothing else would keep two live owners apart.
import { SLOTS } from '../core/endpoint.ts';
import { failpoint } from '../core/failpoint.ts';
import type { DedicatedConnection } from '../storage/database.ts';
import type { LiveProcess, ProcessIdentity } from '../storage/processes.ts';
import { freeSlots, giveSlots, markMoving, takeSlots } from '../storage/slots.ts';
import { fairShare, type ProcessLoad, planHandOver } from './slot-balance.ts';
import type { SlotLoad } from './slot-meter.ts';

/** A process that leaves lets go of its slots in so many groups: one that has to wait for a slow endpoint does not hold up the others. */
const LEAVE_GROUPS = 16;

export interface SlotSharingParts {
  connection: DedicatedConnection;
  /** Slots came to this process; lane state may be read now. */
  onTaken: (slots: number[]) => void;
  /** Resolves when this process sends and writes nothing more of these slots' lanes. Without it none is given away. */
  onRelease: ((slots: number[]) => Promise<void>) | undefined;
  /** A hand-over can go on: a turn is wanted. */
  onReleased: () => void;
  /** Others should look: a slot was given to one of them. */
  onGiven: () => void;
  onError: (error: unknown) => void;
  /** A slot that nobody has taken for so long is taken beyond the fair share. */
  patienceMs: number;
  /** After so long a slot that has moved shows in the rates of its new process. */
  ratesSettleMs: number;
}

/** Slots on their way to another process, or to whoever comes. */
interface Moving {
  to: string | null;
  slots: number[];
  released: boolean;
}

/** What was given, as long as the receiver's own figures do not show it. */
interface Gift {
  to: string;
  perSecond: number;
  atMs: number;
}

export class SlotSharing {
  readonly #parts: SlotSharingParts;
  #held = new Set<number>();
  #moving = new Set<Moving>();
  #gifts: Gift[] = [];
  readonly #givenToUsMs = new Map<number, number>();
  readonly #freeSinceMs = new Map<number, number>();

  constructor(parts: SlotSharingParts) {
    this.#parts = parts;
  }

  get held(): ReadonlySet<number> {
    return this.#held;
  }

  /** Slots that are on their way to another process. */
  get movingCount(): number {
    let count = 0;
    for (const { slots } of this.#moving) count += slots.length;
    return count;
  }

  /** What the lanes of this process do, without those it has let go of. */
  deliveriesPerSecond(load: SlotLoad): number {
    let sum = 0;
    for (const slot of this.#held) sum += load.bySlot[slot];
    return sum;
  }

  /** Nothing is held any more: the lease has ended. */
  clear(): void {
    this.#held = new Set();
    this.#moving = new Set();
    this.#gifts = [];
    this.#givenToUsMs.clear();
    this.#freeSinceMs.clear();
  }

  /** Hands over what was let go of. What cannot be given is this process's own again with the next take. */
  async giveReleased(self: ProcessIdentity): Promise<void> {
    const released = [...this.#moving].filter((moving) => moving.released);
    for (const to of new Set(released.map((moving) => moving.to))) {
      const moving = released.filter((one) => one.to === to);
      await failpoint('ownership.before_hand_over');
      try {
        const slots = moving.flatMap((one) => one.slots);
        const given = await giveSlots(this.#parts.connection, self, slots, to);
        if (given.length > 0) this.#parts.onGiven();
      } finally {
        for (const one of moving) this.#moving.delete(one);
      }
      await failpoint('ownership.after_hand_over');
    }
  }

  /** Takes what was given to this process, and of what is free its fair share. `isCurrent` = the lease has not been lost meanwhile. */
  async take(self: ProcessIdentity, live: LiveProcess[], isCurrent: () => boolean): Promise<void> {
    const own = live.find(({ processUuid }) => processUuid === self.processUuid)?.slotCount ?? 0;
    const assigned = live.reduce((sum, { slotCount }) => sum + slotCount, 0);
    if (assigned === SLOTS && own === this.#held.size + this.movingCount) {
      this.#freeSinceMs.clear();
      return;
    }
    const moving = new Set([...this.#moving].flatMap(({ slots }) => slots));
    const found = (await freeSlots(this.#parts.connection, self)).filter(
      ({ slot }) => !this.#held.has(slot) && !moving.has(slot),
    );
    const given = found.filter(({ holderUuid }) => holderUuid === self.processUuid);
    const free = found.filter(({ holderUuid }) => holderUuid !== self.processUuid);
    const left = this.#leftLying(free.map(({ slot }) => slot));
    const room = fairShare(sharers(live).length) - this.#held.size - given.length;
    // Rivals take others first, so that they do not all reach for the same.
    const others = shuffled(free.filter(({ slot }) => !left.has(slot))).slice(0, Math.max(0, room - left.size));
    const wanted = [...given, ...free.filter(({ slot }) => left.has(slot)), ...others];
    if (wanted.length === 0) return;
    await failpoint('ownership.before_take');
    const taken = await takeSlots(this.#parts.connection, self, wanted);
    await failpoint('ownership.after_take');
    if (taken.length === 0 || !isCurrent()) return;
    const nowMs = performance.now();
    for (const { slot } of given) this.#givenToUsMs.set(slot, nowMs);
    for (const slot of taken) this.#held.add(slot);
    this.#parts.onTaken(taken);
  }

  /** Frees what was given to this process although it leaves: the donor did not know yet. */
  async refuse(self: ProcessIdentity, live: LiveProcess[]): Promise<void> {
    const own = live.find(({ processUuid }) => processUuid === self.processUuid)?.slotCount ?? 0;
    if (own === this.#held.size + this.movingCount) return;
    const known = new Set([...this.#held, ...[...this.#moving].flatMap(({ slots }) => slots)]);
    const found = await freeSlots(this.#parts.connection, self);
    const slots = found.filter(({ slot, holderUuid }) => holderUuid === self.processUuid && !known.has(slot));
    if (slots.length === 0) return;
    await giveSlots(
      this.#parts.connection,
      self,
      slots.map(({ slot }) => slot),
      null,
    );
    this.#parts.onGiven();
  }

  /** Begins to give away what is too much; it goes on when its lanes are let go of. */
  async beginHandOver(self: ProcessIdentity, live: LiveProcess[], load: SlotLoad): Promise<void> {
    const nowMs = performance.now();
    if (!this.#parts.onRelease || this.#moving.size > 0) return;
    this.#gifts = this.#gifts.filter(({ atMs }) => nowMs - atMs < this.#parts.ratesSettleMs);
    const plan = planHandOver(
      sharers(live).map((process) => this.#loadOf(process, nowMs)),
      { id: self.processUuid, slots: this.#settled(nowMs), bySlot: load.bySlot },
    );
    if (!plan) return;
    await markMoving(this.#parts.connection, self, plan.slots, plan.to);
    if (!plan.slots.every((slot) => this.#held.has(slot))) return; // the lease was lost meanwhile
    const perSecond = plan.slots.reduce((sum, slot) => sum + load.bySlot[slot], 0);
    this.#gifts.push({ to: plan.to, perSecond, atMs: nowMs });
    void this.#release({ ...plan, released: false });
  }

  /** Lets go of everything, for whoever comes; group by group they are free when `giveReleased` is called next. Resolves when all are let go of. */
  async leave(): Promise<void> {
    const groups: number[][] = Array.from({ length: LEAVE_GROUPS }, () => []);
    for (const slot of this.#held) groups[slot % LEAVE_GROUPS].push(slot);
    const leaving = groups.filter((slots) => slots.length > 0);
    await Promise.all(leaving.map((slots) => this.#release({ to: null, slots, released: false })));
  }

  async #release(moving: Moving): Promise<void> {
    this.#moving.add(moving);
    for (const slot of moving.slots) this.#held.delete(slot);
    try {
      await this.#parts.onRelease?.(moving.slots);
      moving.released = true;
    } catch (error) {
      this.#parts.onError(error);
      this.#moving.delete(moving); // they are taken back with the next turn
    }
    this.#parts.onReleased();
  }

  /** What was just given to this process does not yet show its rate, and is not passed on for idle. */
  #settled(nowMs: number): number[] {
    for (const [slot, atMs] of this.#givenToUsMs)
      if (nowMs - atMs >= this.#parts.ratesSettleMs) this.#givenToUsMs.delete(slot);
    return [...this.#held].filter((slot) => !this.#givenToUsMs.has(slot));
  }

  /** Which of the free slots nobody has taken for a while: their fair owner may be one that lives and takes nothing. */
  #leftLying(free: number[]): Set<number> {
    const nowMs = performance.now();
    for (const slot of this.#freeSinceMs.keys()) if (!free.includes(slot)) this.#freeSinceMs.delete(slot);
    for (const slot of free) if (!this.#freeSinceMs.has(slot)) this.#freeSinceMs.set(slot, nowMs);
    return new Set(free.filter((slot) => nowMs - this.#freeSinceMs.get(slot)! >= this.#parts.patienceMs));
  }

  /** A receiver's own rate shows what it was given only by and by; until then the donor adds it. */
  #loadOf(process: LiveProcess, nowMs: number): ProcessLoad {
    let { deliveriesPerSecond } = process;
    for (const { to, perSecond, atMs } of this.#gifts) {
      if (to === process.processUuid)
        deliveriesPerSecond += perSecond * (1 - (nowMs - atMs) / this.#parts.ratesSettleMs);
    }
    return { id: process.processUuid, deliveriesPerSecond, slotCount: process.slotCount };
  }
}

/** Those among whom slots are shared. */
function sharers(live: LiveProcess[]): LiveProcess[] {
  return live.filter(({ roles, leased }) => leased && roles.includes('push'));
}

function shuffled<T>(list: T[]): T[] {
  const shuffled = [...list];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  return shuffled;
}
