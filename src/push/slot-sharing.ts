// The slots of this process: it takes what is free, and gives away what is too much. A hand-over between live processes is co-operative: the
// donor lets go of the lanes (drains, flushes, checkpoints) and only then writes the receiver into `slots`. The fence is per process and not
// per slot, so nothing else would keep two live owners apart.
import { SLOTS } from '../core/endpoint.ts';
import { failpoint } from '../core/failpoint.ts';
import type { DedicatedConnection } from '../storage/database.ts';
import type { LiveProcess, ProcessIdentity } from '../storage/processes.ts';
import { freeSlots, giveSlots, markMoving, takeSlots } from '../storage/slots.ts';
import { fairShare, type HandOver, type ProcessLoad, planHandOver } from './slot-balance.ts';
import { RATE_OVER_MS, type SlotLoad } from './slot-meter.ts';

export interface SlotSharingParts {
  connection: DedicatedConnection;
  /** Slots came to this process; lane state may be read now. */
  onTaken: (slots: number[]) => void;
  /** Resolves when this process sends and writes nothing more of these slots' lanes. Without it none is given away. */
  onRelease: ((slots: number[]) => Promise<void>) | undefined;
  /** The hand-over can go on: a turn is wanted. */
  onReleased: () => void;
  /** Others should look: a slot was given to one of them. */
  onGiven: () => void;
  onError: (error: unknown) => void;
  /** A slot that nobody has taken for so long is taken beyond the fair share. */
  patienceMs: number;
}

interface Moving extends HandOver {
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
  #moving: Moving | null = null;
  #gifts: Gift[] = [];
  readonly #freeSinceMs = new Map<number, number>();

  constructor(parts: SlotSharingParts) {
    this.#parts = parts;
  }

  get held(): ReadonlySet<number> {
    return this.#held;
  }

  /** Slots that are on their way to another process. */
  get movingCount(): number {
    return this.#moving?.slots.length ?? 0;
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
    this.#moving = null;
    this.#gifts = [];
    this.#freeSinceMs.clear();
  }

  /** Hands over what was let go of. What cannot be given is this process's own again with the next take. */
  async giveReleased(self: ProcessIdentity): Promise<void> {
    const moving = this.#moving;
    if (!moving?.released) return;
    await failpoint('ownership.before_hand_over');
    try {
      const given = await giveSlots(this.#parts.connection, self, moving.slots, moving.to);
      if (given.length > 0) this.#parts.onGiven();
    } finally {
      if (this.#moving === moving) this.#moving = null;
    }
    await failpoint('ownership.after_hand_over');
  }

  /** Takes what was given to this process, and of what is free its fair share. `isCurrent` = the lease has not been lost meanwhile. */
  async take(self: ProcessIdentity, live: LiveProcess[], isCurrent: () => boolean): Promise<void> {
    const own = live.find(({ processUuid }) => processUuid === self.processUuid)?.slotCount ?? 0;
    const assigned = live.reduce((sum, { slotCount }) => sum + slotCount, 0);
    if (assigned === SLOTS && own === this.#held.size + this.movingCount) {
      this.#freeSinceMs.clear();
      return;
    }
    const moving = new Set(this.#moving?.slots);
    const found = (await freeSlots(this.#parts.connection, self)).filter(
      ({ slot }) => !this.#held.has(slot) && !moving.has(slot),
    );
    const wanted = found.filter(({ holderUuid }) => holderUuid === self.processUuid);
    const free = found.filter(({ holderUuid }) => holderUuid !== self.processUuid);
    const left = this.#leftLying(free.map(({ slot }) => slot));
    const room = fairShare(sharers(live).length) - this.#held.size - wanted.length;
    // Rivals take others first, so that they do not all reach for the same.
    const others = shuffled(free.filter(({ slot }) => !left.has(slot)));
    wanted.push(...free.filter(({ slot }) => left.has(slot)), ...others.slice(0, Math.max(0, room - left.size)));
    if (wanted.length === 0) return;
    await failpoint('ownership.before_take');
    const taken = await takeSlots(this.#parts.connection, self, wanted);
    await failpoint('ownership.after_take');
    if (taken.length === 0 || !isCurrent()) return;
    for (const slot of taken) this.#held.add(slot);
    this.#parts.onTaken(taken);
  }

  /** Begins to give away what is too much; it goes on when its lanes are let go of. */
  async beginHandOver(self: ProcessIdentity, live: LiveProcess[], load: SlotLoad, nowMs: number): Promise<void> {
    const { onRelease } = this.#parts;
    if (!onRelease || this.#moving) return;
    this.#gifts = this.#gifts.filter(({ atMs }) => nowMs - atMs < 5 * RATE_OVER_MS);
    const plan = planHandOver(
      sharers(live).map((process) => this.#loadOf(process, nowMs)),
      { id: self.processUuid, slots: this.#held, bySlot: load.bySlot },
    );
    if (!plan) return;
    await markMoving(this.#parts.connection, self, plan.slots, plan.to);
    if (!plan.slots.every((slot) => this.#held.has(slot))) return; // the lease was lost meanwhile
    const moving: Moving = { ...plan, released: false };
    this.#moving = moving;
    for (const slot of plan.slots) this.#held.delete(slot);
    this.#gifts.push({ to: plan.to, perSecond: plan.slots.reduce((a, slot) => a + load.bySlot[slot], 0), atMs: nowMs });
    void this.#release(moving, onRelease);
  }

  async #release(moving: Moving, onRelease: (slots: number[]) => Promise<void>): Promise<void> {
    try {
      await onRelease(moving.slots);
      moving.released = true;
    } catch (error) {
      this.#parts.onError(error);
      if (this.#moving === moving) this.#moving = null; // they are taken back with the next turn
    }
    if (this.#moving === moving || this.#moving === null) this.#parts.onReleased();
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
    for (const gift of this.#gifts) {
      if (gift.to !== process.processUuid) continue;
      deliveriesPerSecond += gift.perSecond * Math.exp(-(nowMs - gift.atMs) / RATE_OVER_MS);
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
