// The runs that wait for one app, and what is known of how its transformations behave.
import { CpuShare, type CpuShareOptions } from './cpu-share.ts';
import type { QueuedRun } from './queued-run.ts';

/** After a thread had to be ended for an app, it is one of those that share a single thread for so long. */
const SUSPECT_MS = 30_000;

export class AppQueue {
  readonly appId: string;
  readonly share: CpuShare;
  readonly waiting: QueuedRun[] = [];
  /** Threads that run something of it. */
  threads = 0;
  #suspectUntilMs = 0;

  constructor(appId: string, options: CpuShareOptions, nowMs: number) {
    this.appId = appId;
    this.share = new CpuShare(options, nowMs);
  }

  isSuspect(nowMs: number): boolean {
    return nowMs < this.#suspectUntilMs;
  }

  suspect(nowMs: number): void {
    this.#suspectUntilMs = nowMs + SUSPECT_MS;
  }

  /** Whether nothing of it needs to be remembered. */
  isForgettable(nowMs: number): boolean {
    return this.waiting.length === 0 && this.threads === 0 && !this.isSuspect(nowMs) && this.share.isFull(nowMs);
  }

  /** Takes the first run and those after it that are for the same transformation. */
  takeBatch({ maxRuns, maxBytes }: { maxRuns: number; maxBytes: number }): QueuedRun[] {
    const { key } = this.waiting[0];
    let bytes = this.waiting[0].json.length;
    let count = 1;
    while (count < maxRuns && count < this.waiting.length && this.waiting[count].key === key) {
      bytes += this.waiting[count].json.length;
      if (bytes > maxBytes) break;
      count++;
    }
    return this.waiting.splice(0, count);
  }
}
