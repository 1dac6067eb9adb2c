// How much each slot has to do: attempts a second, averaged over the last few, so that slots can be shared out by it. Counting costs an
// addition; the averages are made when they are asked for.
import { SLOTS } from '../core/endpoint.ts';

/** The average forgets with this time constant. */
export const RATE_OVER_MS = 3000;
const MIN_INTERVAL_MS = 250;

export interface SlotLoad {
  /** Attempts a second, by slot. */
  bySlot: Float64Array;
}

export class SlotMeter {
  readonly #counts = new Float64Array(SLOTS);
  readonly #bySlot = new Float64Array(SLOTS);
  #askedMs: number;

  constructor(nowMs: number) {
    this.#askedMs = nowMs;
  }

  count(slot: number): void {
    this.#counts[slot]++;
  }

  /** By slot; the array is the meter's own and changes with the next call. */
  load(nowMs: number): SlotLoad {
    const elapsedMs = nowMs - this.#askedMs;
    if (elapsedMs < MIN_INTERVAL_MS) return { bySlot: this.#bySlot };
    this.#askedMs = nowMs;
    const kept = Math.exp(-elapsedMs / RATE_OVER_MS);
    for (let slot = 0; slot < SLOTS; slot++) {
      const perSecond = this.#counts[slot] / (elapsedMs / 1000);
      this.#bySlot[slot] = this.#bySlot[slot] * kept + perSecond * (1 - kept);
      this.#counts[slot] = 0;
    }
    return { bySlot: this.#bySlot };
  }
}
