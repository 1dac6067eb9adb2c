/** What a check may cost, in steps of some 20 ns: so that no data takes long, whatever the schema. */
export class Budget {
  left: number;

  constructor(steps: number) {
    this.left = steps;
  }

  /** @throws Exhausted */
  spend(steps: number): void {
    this.left -= steps;
    if (this.left < 0) throw new Exhausted();
  }
}

export class Exhausted extends Error {
  override readonly name = 'Exhausted';
}
