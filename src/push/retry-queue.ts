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

  /** Rows in the table: waiting here, waiting there, and under way. */
  get total(): number {
    return this.#total;
  }

  get nextDueMs(): number {
    return this.#due[this.#due.length - 1]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  get nextPosition(): number {
    return this.#due[this.#due.length - 1]?.position ?? 0;
  }

  /** Whether the table holds retries that memory does not, and memory runs low. */
  get needsRefill(): boolean {
    return this.#due.length < RetryQueue.CAPACITY / 4 && this.#total > this.#due.length + this.#underWay.size;
  }

  load(next: StoredRetry[], total: number): void {
    this.#due = next.toSorted((a, b) => b.dueMs - a.dueMs);
    this.#total = total;
  }

  /** Adds what a refill has read. */
  merge(more: StoredRetry[]): void {
    const known = new Set(this.positions());
    for (const retry of more) if (!known.has(retry.position)) this.#insert(retry);
    // The table held fewer than counted: then the count is put right.
    if (more.length < RetryQueue.CAPACITY) this.#total = this.#due.length + this.#underWay.size;
  }

  take(): StoredRetry | null {
    const retry = this.#due.pop() ?? null;
    if (retry) this.#underWay.add(retry.position);
    return retry;
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

  /** Takes out a retry that is not needed any more; one that is under way runs its course. */
  cancel(position: number): void {
    const at = this.#due.findIndex((retry) => retry.position === position);
    if (at >= 0) this.#due.splice(at, 1);
    if (!this.#underWay.has(position)) this.#total = Math.max(0, this.#total - 1);
  }

  positions(): number[] {
    return [...this.#due.map((retry) => retry.position), ...this.#underWay];
  }

  #insert(retry: StoredRetry): void {
    let low = 0;
    let high = this.#due.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#due[middle].dueMs > retry.dueMs) low = middle + 1;
      else high = middle;
    }
    this.#due.splice(low, 0, retry);
    if (this.#due.length > RetryQueue.CAPACITY) this.#due.shift(); // the furthest off; the table keeps it
  }
}
