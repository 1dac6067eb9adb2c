// One timer for all lanes: a binary heap of who wants to be woken when (a retry falls due, a pause of the endpoint ends, a probe).

interface Wakeable {
  /** When the lane's earliest entry is due; kept by the queue. */
  wakeMs: number;
  wake(): void;
}

interface Entry {
  atMs: number;
  lane: Wakeable;
}

const MAX_TIMER_MS = 3_600_000;
const SWEEP_FROM = 1024;

export class WakeQueue {
  #heap: Entry[] = [];
  readonly #now: () => number;
  #timer: NodeJS.Timeout | null = null;
  #sweepAt = SWEEP_FROM;
  #timerMs = Number.POSITIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Entries held, those that an earlier time has overtaken included. */
  get size(): number {
    return this.#heap.length;
  }

  /** Wakes the lane at this time, or earlier when it asked for that before. */
  at(lane: Wakeable, atMs: number): void {
    if (atMs >= lane.wakeMs || atMs === Number.POSITIVE_INFINITY) return;
    lane.wakeMs = atMs;
    if (this.#heap.length >= this.#sweepAt) this.#sweep();
    this.#push({ atMs, lane });
    this.#arm();
  }

  /** An entry that an earlier time has overtaken would stay until it is due, and a lane may make many: they are taken out. */
  #sweep(): void {
    const lanes = new Set<Wakeable>();
    const valid = this.#heap.filter(({ atMs, lane }) => {
      if (lane.wakeMs !== atMs || lanes.has(lane)) return false;
      lanes.add(lane);
      return true;
    });
    this.#heap = valid.sort((a, b) => a.atMs - b.atMs); // sorted, it is a heap
    this.#sweepAt = Math.max(SWEEP_FROM, 2 * valid.length);
  }

  clear(): void {
    for (const { lane } of this.#heap) lane.wakeMs = Number.POSITIVE_INFINITY;
    this.#heap = [];
    this.#arm();
  }

  #arm(): void {
    const next = this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
    if (next === this.#timerMs) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#timerMs = next;
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#fire(), Math.min(MAX_TIMER_MS, Math.max(0, next - this.#now())));
  }

  #fire(): void {
    this.#timerMs = Number.POSITIVE_INFINITY;
    const now = this.#now();
    while (this.#heap.length > 0 && this.#heap[0].atMs <= now) {
      const { lane, atMs } = this.#pop();
      if (lane.wakeMs !== atMs) continue; // it was woken for an earlier time since
      lane.wakeMs = Number.POSITIVE_INFINITY;
      lane.wake();
    }
    this.#arm();
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent].atMs <= entry.atMs) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop()!;
    if (heap.length > 0) {
      let i = 0;
      for (let child = 1; child < heap.length; child = 2 * i + 1) {
        if (child + 1 < heap.length && heap[child + 1].atMs < heap[child].atMs) child++;
        if (heap[child].atMs >= last.atMs) break;
        heap[i] = heap[child];
        i = child;
      }
      heap[i] = last;
    }
    return top;
  }
}
