// Whoever looks at many events in memory, and parses them for a filter, lets others have their turn: reads from memory end in the same turn of the event loop.
import { setImmediate as nextTurn } from 'node:timers/promises';

/** A few chunks under a filter with `where`; some thousand events under one without. */
const TURN_MS = 5;

export class LoopTurns {
  #sinceMs = performance.now();

  /** Whether this turn has lasted long enough: then `next` is to be awaited. */
  get isOver(): boolean {
    return performance.now() - this.#sinceMs >= TURN_MS;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#sinceMs = performance.now();
  }
}
