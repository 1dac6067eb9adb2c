// The clock of a worker's sandboxes: it stands still at the time of the event, and knows no time zone but UTC, so that a transformation says the
// same of an event whenever and wherever it runs. The engine inside asks JavaScript's Date for the time, so that is what is replaced, in the worker.

export class FixedClock {
  nowMs = 0;

  /** Replaces Date in this thread for good. */
  install(): void {
    const now = (): number => this.nowMs;
    globalThis.Date = class extends Date {
      static override now(): number {
        return now();
      }
      override getTimezoneOffset(): number {
        return 0;
      }
      override getSeconds(): number {
        return this.getUTCSeconds();
      }
      override getMinutes(): number {
        return this.getUTCMinutes();
      }
      override getHours(): number {
        return this.getUTCHours();
      }
      override getDate(): number {
        return this.getUTCDate();
      }
      override getMonth(): number {
        return this.getUTCMonth();
      }
      override getFullYear(): number {
        return this.getUTCFullYear();
      }
      override getDay(): number {
        return this.getUTCDay();
      }
    } as DateConstructor;
  }
}
