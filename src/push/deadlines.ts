// The deadlines of everything that is open, in a wheel: one timer in all, constant time to set and to cancel, nothing left behind by
// what has ended. A timer for each attempt would cost more than the wheel by far, and nearly all deadlines are cancelled.

/** Derive from it what has a deadline: the links of the wheel's lists are its own fields, so that setting one allocates nothing. */
export abstract class Deadline {
  deadlineMs = 0;
  previousDeadline: Deadline | null = null;
  nextDeadline: Deadline | null = null;
  abstract onDeadline(): void;
}

class Slot extends Deadline {
  override previousDeadline: Deadline = this;
  override nextDeadline: Deadline = this;
  override onDeadline(): void {}
}

const TICK_MS = 25;
/** One turn is 25.6 s; a later deadline stays in its slot for another turn. */
const SLOTS = 1024;

export class Deadlines {
  readonly #slots = Array.from({ length: SLOTS }, () => new Slot());
  #timer: NodeJS.Timeout | null = null;
  /** The last tick whose slot was looked at. */
  #tick = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Sets or moves a deadline, in milliseconds of `performance.now()`. It is called at most 50 ms late and never early. */
  set(entry: Deadline, atMs: number): void {
    if (entry.nextDeadline !== null) this.clear(entry);
    if (this.#timer === null) this.#start();
    entry.deadlineMs = atMs;
    const tick = Math.max(Math.ceil(atMs / TICK_MS), this.#tick + 1);
    const slot = this.#slots[tick % SLOTS];
    const last = slot.previousDeadline;
    entry.previousDeadline = last;
    entry.nextDeadline = slot;
    last.nextDeadline = entry;
    slot.previousDeadline = entry;
    this.#size++;
  }

  clear(entry: Deadline): void {
    const { previousDeadline, nextDeadline } = entry;
    if (nextDeadline === null || previousDeadline === null) return;
    previousDeadline.nextDeadline = nextDeadline;
    nextDeadline.previousDeadline = previousDeadline;
    entry.previousDeadline = null;
    entry.nextDeadline = null;
    this.#size--;
  }

  /** Everything that has a deadline now. */
  entries(): Deadline[] {
    return this.#slots.flatMap((slot) => [...listOf(slot)]);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #start(): void {
    this.#tick = Math.floor(performance.now() / TICK_MS);
    this.#timer = setInterval(() => this.#turn(), TICK_MS);
    this.#timer.unref();
  }

  #turn(): void {
    // Stopped here and not when the last deadline is cleared: under a light load that would make a timer for every attempt.
    if (this.#size === 0) {
      this.stop();
      return;
    }
    const nowMs = performance.now();
    const now = Math.floor(nowMs / TICK_MS);
    const due: Deadline[] = [];
    // After a long stall one turn of the wheel sees every slot.
    for (let tick = Math.max(this.#tick + 1, now - SLOTS + 1); tick <= now; tick++) {
      for (const entry of listOf(this.#slots[tick % SLOTS])) if (entry.deadlineMs <= nowMs) due.push(entry);
    }
    this.#tick = Math.max(now, this.#tick);
    for (const entry of due) {
      // One that an earlier call has cleared or moved is no longer due.
      if (entry.nextDeadline === null || entry.deadlineMs > nowMs) continue;
      this.clear(entry);
      entry.onDeadline();
    }
  }
}

function* listOf(slot: Slot): Generator<Deadline> {
  for (let entry = slot.nextDeadline; entry !== slot; ) {
    const next = entry.nextDeadline as Deadline;
    yield entry;
    entry = next;
  }
}
