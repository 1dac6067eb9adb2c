// The retries of one cursor that memory holds: the next in order, at most 256, and how many there are in all (design rule 10). What lies
// further off stays in the table and is read when the queue runs low.
//
// The order is that of their due times; under strict order it is the log's own, so that nothing overtakes the first (rule 16).
import type { RetryOrder, StoredRetry } from '../storage/retries.ts';

/** A read of the table for a queue that runs low. */
export interface Refill {
  readonly order: RetryOrder;
  /** Positions to leave out. */
  readonly held: number[];
}

export class RetryQueue {
  static readonly CAPACITY = 256;
  #order: RetryOrder;
  /** Sorted; the next is last, so that taking it is cheap. */
  #due: StoredRetry[] = [];
  /** Taken and not yet settled, or parked. */
  readonly #underWay = new Set<number>();
  #total = 0;
  /** What the table holds and memory does not has its turn from here on, so the next is always in memory. */
  #horizon = Number.POSITIVE_INFINITY;
  /** The first of what was left to the table since the refill under way began. */
  #leftOut = Number.POSITIVE_INFINITY;
  #refill: Refill | null = null;

  constructor(order: RetryOrder = 'due') {
    this.#order = order;
  }

  /** Rows in the table: waiting here, waiting there, and under way. */
  get total(): number {
    return this.#total;
  }

  /** Taken and not yet settled. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** When the next is due. */
  get nextDueMs(): number {
    return this.#due[this.#due.length - 1]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** The next, which stays. */
  peek(): StoredRetry | null {
    return this.#due[this.#due.length - 1] ?? null;
  }

  /** Whether the table holds retries that memory does not, and memory runs low. */
  get needsRefill(): boolean {
    return this.#due.length < RetryQueue.CAPACITY / 4 && this.#total > this.#due.length + this.#underWay.size;
  }

  /** What was found in the table: the next by due time, and how many there are. */
  load(next: StoredRetry[], total: number): void {
    this.#total = total;
    if (total > next.length && (this.#order !== 'due' || next.length === 0)) {
      this.#horizon = Number.NEGATIVE_INFINITY; // the first by position may be another
      return;
    }
    this.#due = next.toSorted((a, b) => this.#compare(b, a));
    if (total > next.length) this.#horizon = this.#keyOf(this.#due[0]);
  }

  /** Takes another order. Unless memory holds all that the table does, it holds the next by the old one: they are read anew. */
  reorder(order: RetryOrder): void {
    if (order === this.#order) return;
    this.#order = order;
    this.#refill = null;
    const isAll = this.#total <= this.#due.length + this.#underWay.size;
    if (!isAll) this.#due = [];
    this.#due.sort((a, b) => this.#compare(b, a));
    this.#horizon = isAll ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /** Call before the table is read for a refill. */
  beginRefill(): Refill {
    this.#leftOut = Number.POSITIVE_INFINITY;
    this.#refill = { order: this.#order, held: this.positions() };
    return this.#refill;
  }

  /** Adds what a refill has read: the next in its order, up to CAPACITY. */
  merge(refill: Refill, more: StoredRetry[]): void {
    if (refill !== this.#refill) return; // the order was changed meanwhile
    this.#refill = null;
    const known = new Set(this.positions());
    const isAll = more.length < RetryQueue.CAPACITY;
    this.#horizon = Math.min(isAll ? Number.POSITIVE_INFINITY : this.#keyOf(more[more.length - 1]), this.#leftOut);
    for (const retry of more) if (!known.has(retry.position)) this.#insert(retry);
    // All that the table holds is in memory: then the count is put right.
    if (isAll && this.#leftOut === Number.POSITIVE_INFINITY) this.#total = this.#due.length + this.#underWay.size;
  }

  take(): StoredRetry | null {
    const retry = this.#due.pop() ?? null;
    if (retry) this.#underWay.add(retry.position);
    return retry;
  }

  /** What memory holds is due now: the endpoint was changed, or whoever waits for it. */
  hasten(nowMs: number): void {
    for (const retry of this.#due) retry.dueMs = Math.min(retry.dueMs, nowMs);
    this.#due.sort((a, b) => this.#compare(b, a));
  }

  /** Gives back a retry that was taken, with a new due time. */
  add(retry: StoredRetry): void {
    this.#underWay.delete(retry.position);
    this.#insert(retry);
  }

  /** A retries row was committed; `wasCounted` when the position had one before. */
  put(retry: StoredRetry, wasCounted: boolean): void {
    this.#underWay.delete(retry.position);
    if (!wasCounted) this.#total++;
    this.#remove(retry.position); // a refill may have read the row before its flush was told of
    this.#insert(retry);
  }

  /** A retries row for an event that is still open. */
  count(position: number): void {
    this.#total++;
    this.#underWay.add(position);
  }

  /** The retries row was deleted. */
  close(position: number): void {
    this.#underWay.delete(position);
    this.#total = Math.max(0, this.#total - 1);
  }

  /**
   * Takes out a retry that is not needed any more; one that is under way runs its course. One that is not in memory may not exist at
   * all: it stays counted until the next refill, for a count too low would leave others in the table unread.
   */
  cancel(position: number): void {
    if (this.#remove(position)) this.#total = Math.max(0, this.#total - 1);
  }

  positions(): number[] {
    return [...this.#due.map((retry) => retry.position), ...this.#underWay];
  }

  #remove(position: number): boolean {
    const at = this.#due.findIndex((retry) => retry.position === position);
    if (at >= 0) this.#due.splice(at, 1);
    return at >= 0;
  }

  #keyOf(retry: StoredRetry): number {
    return this.#order === 'due' ? retry.dueMs : retry.position;
  }

  #compare(a: StoredRetry, b: StoredRetry): number {
    return (this.#order === 'due' ? a.dueMs - b.dueMs : 0) || a.position - b.position;
  }

  #leaveOut(retry: StoredRetry): void {
    this.#horizon = Math.min(this.#horizon, this.#keyOf(retry));
    this.#leftOut = Math.min(this.#leftOut, this.#keyOf(retry));
  }

  #insert(retry: StoredRetry): void {
    if (this.#keyOf(retry) > this.#horizon) {
      this.#leaveOut(retry);
      return;
    }
    let low = 0;
    let high = this.#due.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(this.#due[middle], retry) > 0) low = middle + 1;
      else high = middle;
    }
    this.#due.splice(low, 0, retry);
    if (this.#due.length > RetryQueue.CAPACITY) this.#leaveOut(this.#due.shift()!); // the furthest off; the table keeps it
  }
}
