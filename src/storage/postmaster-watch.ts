// Looks after a server that is in use: nobody else starts it again when it was killed, or gave up while the disk was full.
export interface PostmasterWatchParts {
  isRunning: () => Promise<boolean>;
  /** Starts the server; another process may be doing the same. */
  start: () => Promise<unknown>;
  /** Told that the server had ended, and of every attempt to start it that fails. */
  onError: (error: unknown) => void;
  everyMs?: number;
}

const EVERY_MS = 2000;

export class PostmasterWatch {
  readonly #parts: PostmasterWatchParts;
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<void> | null = null;
  #stopped = true;
  /** Missed in the last turn too: once may be a restart by hand. */
  #missed = false;

  constructor(parts: PostmasterWatchParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#turn;
  }

  #schedule(): void {
    if (this.#stopped) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      this.#turn = this.#look().catch(this.#parts.onError);
      await this.#turn;
      this.#schedule();
    }, this.#parts.everyMs ?? EVERY_MS).unref();
  }

  async #look(): Promise<void> {
    const missing = !(await this.#parts.isRunning());
    if (!missing || !this.#missed) {
      this.#missed = missing;
      return;
    }
    this.#parts.onError(new Error('The Postgres server had ended while it was in use; it is started again.'));
    await this.#parts.start();
    this.#missed = false;
  }
}
