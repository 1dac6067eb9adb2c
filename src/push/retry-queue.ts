// The retries of one lane that memory holds: the next due, at most 256, and how many there are in all (design rule 10). What lies further
// off stays in the table and is read when the queue runs low.
import type { StoredRetry } from '../storage/retries.ts';

export class RetryQueue {
  static readonly CAPACITY = 256;
  /** Sorted by due time; the next due is last, so that taking it is cheap. */
  #due: StoredRetry[] = [];
  /** Taken and not yet settled, or parked. */
  readonly #underWay = new Set<number>();
  #total = 0;
  /** What the table holds and memory does not is due from here on, so the next due is always in memory. */
  #horizonMs = Number.POSITIVE_INFINITY;
  /** The first due of what was left to the table since the refill under way began. */
  #leftOutMs = Number.POSITIVE_INFINITY;

  /** Rows in the table: waiting here, waiting there, and under way. */
  get total(): number {
    return this.#total;
  }

  get nextDueMs(): number {
    return this.#due[this.#due.length - 1]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** The next due, which stays. */
  peek(): StoredRetry | null {
    return this.#due[this.#due.length - 1] ?? null;
  }

  /** Whether the table holds retries that memory does not, and memory runs low. */
  get needsRefill(): boolean {
    return this.#due.length < RetryQueue.CAPACITY / 4 && this.#total > this.#due.length + this.#underWay.size;
  }

  load(next: StoredRetry[], total: number): void {
    this.#due = next.toSorted((a, b) => b.dueMs - a.dueMs);
    this.#total = total;
    if (total > next.length) this.#horizonMs = this.#due[0]?.dueMs ?? 0;
  }

  /** Call before the table is read for a refill; the positions are those that the read is to leave out. */
  beginRefill(): number[] {
    this.#leftOutMs = Number.POSITIVE_INFINITY;
    return this.positions();
  }

  /** Adds what a refill has read: the next due, in order, up to CAPACITY. */
  merge(more: StoredRetry[]): void {
    const known = new Set(this.positions());
    const isAll = more.length < RetryQueue.CAPACITY;
    this.#horizonMs = Math.min(isAll ? Number.POSITIVE_INFINITY : more[more.length - 1].dueMs, this.#leftOutMs);
    for (const retry of more) if (!known.has(retry.position)) this.#insert(retry);
    // All that the table holds is in memory: then the count is put right.
    if (isAll && this.#leftOutMs === Number.POSITIVE_INFINITY) this.#total = this.#due.length + this.#underWay.size;
  }

  take(): StoredRetry | null {
    const retry = this.#due.pop() ?? null;
    if (retry) this.#underWay.add(retry.position);
    return retry;
  }

  /** What memory holds is due now: the endpoint was changed, or whoever waits for it. */
  hasten(nowMs: number): void {
    for (const retry of this.#due) retry.dueMs = Math.min(retry.dueMs, nowMs);
    this.#due.sort((a, b) => b.dueMs - a.dueMs || b.position - a.position);
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

  #leaveOut(retry: StoredRetry): void {
    this.#horizonMs = Math.min(this.#horizonMs, retry.dueMs);
    this.#leftOutMs = Math.min(this.#leftOutMs, retry.dueMs);
  }

  #insert(retry: StoredRetry): void {
    if (retry.dueMs > this.#horizonMs) {
      this.#leaveOut(retry);
      return;
    }
    let low = 0;
    let high = this.#due.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#due[middle].dueMs > retry.dueMs) low = middle + 1;
      else high = middle;
    }
    this.#due.splice(low, 0, retry);
    if (this.#due.length > RetryQueue.CAPACITY) this.#leaveOut(this.#due.shift()!); // the furthest off; the table keeps it
  }
}
