// The parts of a server: started in order, stopped in reverse, each even if another fails to.
import { setTimeout as pause } from 'node:timers/promises';

export interface Part {
  start?(): Promise<void>;
  stop(): Promise<void>;
}

export class PartList {
  #parts: Part[] = [];

  /** Starts the part; it is stopped with the others from here on, even if its start fails. */
  async use(part: Part): Promise<void> {
    this.#parts.push(part);
    await part.start?.();
  }

  /**
   * Stops all, and rejects with the first failure. After `limitMs` nobody is waited for but the first part, on which the others stand: a
   * database that has stopped answering must not keep the process.
   */
  async stop(limitMs: number): Promise<void> {
    const failures: unknown[] = [];
    const limit = new AbortController();
    const late = pause(limitMs, true, { signal: limit.signal }).catch(() => false);
    const [first, ...others] = this.#parts.splice(0);
    let isLate = false;
    for (const part of others.reverse()) {
      const stopped = part.stop().catch((error) => void failures.push(error));
      isLate ||= (await Promise.race([stopped, late])) === true;
    }
    limit.abort();
    if (isLate) failures.push(new Error(`Not everything could be stopped within ${Math.ceil(limitMs / 1000)} s.`));
    await first?.stop().catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}
