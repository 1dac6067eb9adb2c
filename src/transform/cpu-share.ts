// What an app's transformations may use of the processor. It is spent first and paid back in time, so that a run that took long is waited for afterwards.

export interface CpuShareOptions {
  /** Of one core. */
  share: number;
  /** What a pause may save up, in milliseconds of CPU. */
  burstMs: number;
}

export class CpuShare {
  readonly #options: CpuShareOptions;
  #leftMs: number;
  #atMs: number;

  constructor(options: CpuShareOptions, nowMs: number) {
    this.#options = options;
    this.#leftMs = options.burstMs;
    this.#atMs = nowMs;
  }

  /** 0 = there is something left; else when there will be. */
  nextMs(nowMs: number): number {
    this.#fill(nowMs);
    return this.#leftMs > 0 ? 0 : nowMs + Math.ceil((1 - this.#leftMs) / this.#options.share);
  }

  spend(cpuMs: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#leftMs -= cpuMs;
  }

  /** Whether nothing of it needs to be remembered. */
  isFull(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#leftMs >= this.#options.burstMs;
  }

  #fill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    this.#leftMs = Math.min(this.#options.burstMs, this.#leftMs + elapsedMs * this.#options.share);
  }
}
