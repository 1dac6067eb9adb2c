// What holds clients for long, and lets go of them when the server leaves: long polls and the like.

export interface Held {
  release(): void;
}

export class Leaving {
  readonly #held = new Set<Held>();
  #isLeaving = false;

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Has `held` released when the server leaves; at once, when it does already. */
  add(held: Held): void {
    if (this.#isLeaving) held.release();
    else this.#held.add(held);
  }

  delete(held: Held): void {
    this.#held.delete(held);
  }

  leave(): void {
    this.#isLeaving = true;
    for (const held of this.#held) {
      this.#held.delete(held);
      held.release();
    }
  }
}
