// How many names are looked up at once. Names that could not be resolved last time share a quarter of the slots, so that name servers that
// do not answer hold up nobody else (design rule 14).

const SUSPECT_SHARE = 0.25;

export class LookupSlots {
  readonly #max: number;
  readonly #maxSuspects: number;
  readonly #waiting: (() => void)[] = [];
  readonly #waitingSuspects: (() => void)[] = [];
  #taken = 0;
  #suspects = 0;

  constructor(max: number) {
    this.#max = max;
    this.#maxSuspects = Math.max(1, Math.floor(max * SUSPECT_SHARE));
  }

  /** Runs `work` when there is a slot for it. */
  async run<T>(isSuspect: boolean, work: () => Promise<T>): Promise<T> {
    while (this.#taken >= this.#max || (isSuspect && this.#suspects >= this.#maxSuspects)) {
      const queue = isSuspect ? this.#waitingSuspects : this.#waiting;
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    this.#taken++;
    if (isSuspect) this.#suspects++;
    try {
      return await work();
    } finally {
      this.#taken--;
      if (isSuspect) this.#suspects--;
      // Who does not find a slot after all waits again; one of each kind, for either may fit.
      this.#waiting.shift()?.();
      this.#waitingSuspects.shift()?.();
    }
  }
}
