// CPU time of a thread, so that a busy machine is not taken for a slow transformation. Linux tells it; elsewhere time on the wall has to do.
import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';

/** Of the calling thread, as a ThreadClock takes it; null where the system does not tell. */
export function ownThreadId(): string | null {
  try {
    return readlinkSync('/proc/thread-self').split('/').pop() ?? null;
  } catch {
    return null;
  }
}

export class ThreadClock {
  #file: number | null = null;
  readonly #buffer = Buffer.alloc(64);

  /** The clock of a thread of this process. */
  constructor(threadId: string | null) {
    if (threadId === null) return;
    try {
      this.#file = openSync(`/proc/self/task/${threadId}/schedstat`, 'r');
    } catch {
      // It tells nothing, then.
    }
  }

  /** Milliseconds of CPU that the thread has used; null when the system does not tell, or the thread has ended. */
  readMs(): number | null {
    if (this.#file === null) return null;
    try {
      const length = readSync(this.#file, this.#buffer, 0, this.#buffer.length, 0);
      const nanoseconds = Number.parseInt(this.#buffer.toString('latin1', 0, length), 10);
      return Number.isNaN(nanoseconds) ? null : nanoseconds / 1e6;
    } catch {
      return null;
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}
