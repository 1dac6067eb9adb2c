// Carries out what other processes ask of the lanes of this one (design rule 12): one look a second, and one at once when another process hints.
// A command is deleted after it was carried out; so after a crash in between it is carried out again by whoever owns the slot then.
import { TidingsError } from '../core/errors.ts';
import {
  type Command,
  type CommandKind,
  deleteCommand,
  deleteExpiredCommands,
  failCommand,
  waitingCommands,
} from '../storage/commands.ts';
import type { Queryable } from '../storage/database.ts';
import type { Ownership } from './ownership.ts';

export interface CommandPollOptions {
  everyMs: number;
  sweepEveryMs: number;
}

export const COMMAND_POLL_DEFAULTS: CommandPollOptions = { everyMs: 1000, sweepEveryMs: 60_000 };

/** Under way at once; the others wait in the table. */
const MAX_UNDER_WAY = 64;

/** @throws TidingsError when it cannot be carried out; anything else = not now, try again. */
export type CommandHandler = (command: Command) => Promise<void>;

export interface CommandPollParts {
  db: Queryable;
  ownership: Pick<Ownership, 'owns' | 'heldSlots' | 'maySend'>;
  /** A kind without a handler waits. */
  handlers: Partial<Record<CommandKind, CommandHandler>>;
  onError: (error: unknown) => void;
  options?: Partial<CommandPollOptions>;
}

export class CommandPoll {
  readonly #parts: CommandPollParts;
  readonly #options: CommandPollOptions;
  readonly #underWay = new Map<string, { slot: number; done: Promise<void> }>();
  /** Carried out, and not yet known to be deleted. */
  readonly #carriedOut = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<void> | null = null;
  #again = false;
  #sweptMs = Number.NEGATIVE_INFINITY;
  #stopped = true;

  constructor(parts: CommandPollParts) {
    this.#parts = parts;
    this.#options = { ...COMMAND_POLL_DEFAULTS, ...parts.options };
  }

  async start(): Promise<void> {
    this.#stopped = false;
    if (!this.#turn && !this.#timer) this.#schedule();
  }

  /** Looks no more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#turn;
    await Promise.all([...this.#underWay.values()].map(({ done }) => done));
  }

  /** Looks at once: a command waits. */
  soon(): void {
    if (this.#stopped) return;
    this.#again = true;
    if (!this.#turn) this.#takeTurns();
  }

  /** Resolves when nothing of these slots is under way. They must no longer be held. */
  async release(slots: readonly number[]): Promise<void> {
    await this.#turn; // it may have read commands of theirs
    const theirs = [...this.#underWay.values()].filter(({ slot }) => slots.includes(slot));
    await Promise.all(theirs.map(({ done }) => done));
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#takeTurns(), this.#options.everyMs);
  }

  #takeTurns(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const turns = async (): Promise<void> => {
      do {
        this.#again = false;
        await this.#look().catch(this.#parts.onError);
      } while (this.#again && !this.#stopped);
    };
    this.#turn = turns().then(() => {
      this.#turn = null;
      if (!this.#stopped) this.#schedule();
    });
  }

  async #look(): Promise<void> {
    const { db, ownership, handlers } = this.#parts;
    const slots = [...ownership.heldSlots()];
    if (slots.length === 0 || !ownership.maySend()) return;
    for (const command of await waitingCommands(db, slots, Object.keys(handlers))) {
      if (this.#underWay.size >= MAX_UNDER_WAY) break; // it looks again when one has ended
      if (this.#stopped || this.#underWay.has(command.commandUuid)) continue;
      // Asked again: the slot may have gone while the table was read.
      if (!ownership.owns(command.slot) || !ownership.maySend()) continue;
      const done = this.#carryOut(command).finally(() => {
        const wasFull = this.#underWay.size >= MAX_UNDER_WAY;
        this.#underWay.delete(command.commandUuid);
        if (wasFull) this.soon();
      });
      this.#underWay.set(command.commandUuid, { slot: command.slot, done });
    }
    if (performance.now() - this.#sweptMs < this.#options.sweepEveryMs) return;
    this.#sweptMs = performance.now();
    await deleteExpiredCommands(db, slots);
  }

  async #carryOut(command: Command): Promise<void> {
    const { db, handlers, onError } = this.#parts;
    try {
      if (!this.#carriedOut.has(command.commandUuid)) await handlers[command.kind]?.(command);
      this.#carriedOut.add(command.commandUuid);
      await deleteCommand(db, command);
      this.#carriedOut.delete(command.commandUuid);
    } catch (error) {
      if (!(error instanceof TidingsError)) {
        onError(error); // the next look finds it again
        return;
      }
      await failCommand(db, command, { code: error.code, detail: error.detail }).catch(onError);
    }
  }
}
