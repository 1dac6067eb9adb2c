// One look a second at the heads that have changed: the truth about what other processes have appended (design rule 12). And at the apps that
// were deleted, whose heads are gone.
import type { Queryable } from '../storage/database.ts';
import { appsBeingErased } from '../storage/erasures.ts';
import { changedHeads } from '../storage/heads.ts';
import type { Tail } from './tail.ts';

const EVERY_MS = 1000;
/** How far a poll looks back beyond the last that succeeded, so that a slow commit hides no change. */
const LOOK_BACK_SECONDS = 30;

export interface HeadsPollParts {
  db: Queryable;
  tail: Tail;
  /** An app that the tail knows was deleted, in this process or in another. */
  onAppDeleted: (appId: string) => void;
  onError: (error: unknown) => void;
}

export class HeadsPoll {
  readonly #parts: HeadsPollParts;
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<void> | null = null;
  #stopped = true;
  #lookedMs = performance.now();

  constructor(parts: HeadsPollParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    this.#lookedMs = performance.now();
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
    const nowMs = performance.now();
    const sinceSeconds = (nowMs - this.#lookedMs) / 1000;
    try {
      for (const [appId, head] of await changedHeads(this.#parts.db, LOOK_BACK_SECONDS + sinceSeconds)) {
        this.#parts.tail.headFound(appId, head);
      }
      for (const appId of await appsBeingErased(this.#parts.db)) {
        if (this.#parts.tail.head(appId) === null) continue;
        this.#parts.onAppDeleted(appId);
        this.#parts.tail.forget(appId);
      }
      this.#lookedMs = nowMs;
    } catch (error) {
      this.#parts.onError(error);
    }
  }
}
