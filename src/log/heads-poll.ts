// One look a second at the heads that have changed: the truth about what other processes have appended (design rule 12).
import type { Queryable } from '../storage/database.ts';
import { changedHeads } from '../storage/heads.ts';
import type { Tail } from './tail.ts';

const EVERY_MS = 1000;
/** Far more than a period, so that neither a slow commit nor a missed poll hides a change. */
const LOOK_BACK_SECONDS = 30;

export class HeadsPoll {
  readonly #parts: { db: Queryable; tail: Tail; onError: (error: unknown) => void };
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<void> | null = null;
  #stopped = true;

  constructor(parts: { db: Queryable; tail: Tail; onError: (error: unknown) => void }) {
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
    this.#timer = setTimeout(async () => {
      this.#turn = this.#look();
      await this.#turn;
      this.#schedule();
    }, EVERY_MS);
  }

  async #look(): Promise<void> {
    try {
      for (const [appId, head] of await changedHeads(this.#parts.db, LOOK_BACK_SECONDS)) {
        this.#parts.tail.headFound(appId, head);
      }
    } catch (error) {
      this.#parts.onError(error);
    }
  }
}
