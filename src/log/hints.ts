// What processes tell each other by NOTIFY, so that they need not wait for their next poll. Only hints: each may be lost, and then the poll
// finds the same a second later. They are gathered for a few milliseconds and sent on a connection of their own, never in a transaction that
// a publisher waits for; a process that is alone sends none.
import type { Database } from '../storage/database.ts';
import type { Head } from '../storage/heads.ts';
import { Notifications } from '../storage/notifications.ts';
import { decodeHints, emptyBatch, encodeHints, type HintBatch } from './hint-payload.ts';

export interface HintsOptions {
  coalesceMs: number;
  answerWithinMs: number;
  /** How often a connection that is quiet is asked whether it still is one. */
  checkEveryMs: number;
  statementTimeoutMs: number;
}

export const HINTS_DEFAULTS: HintsOptions = {
  coalesceMs: 5,
  answerWithinMs: 500,
  checkEveryMs: 10_000,
  statementTimeoutMs: 3000,
};

/** Heads told at once; the rest follow with the next payloads. */
const MAX_HEADS_AT_ONCE = 500;
/** Beyond this the poll is the better way. */
const MAX_HEADS_WAITING = 10_000;
const MAX_RECONNECT_MS = 5000;

export interface HintsParts {
  db: Database;
  /** Off: nothing is sent or listened to, and every question goes without an answer. */
  isOn: boolean;
  newUuid: () => string;
  /** Whether no other process is known. */
  isAlone: () => boolean;
  onHead: (appId: string, head: Head) => void;
  onAppChanged: (appId: string) => void;
  onCommand: (slot: number) => void;
  onSlotsMoved: () => void;
  onCatalogueChanged: () => void;
  /** What this process knows of it; null when it is another's to answer. */
  answer: (question: unknown) => unknown;
  onError: (error: unknown) => void;
  options?: Partial<HintsOptions>;
}

export class Hints {
  readonly #parts: HintsParts;
  readonly #options: HintsOptions;
  readonly #notifications: Notifications;
  readonly #heads = new Map<string, Head>();
  #waiting: HintBatch = emptyBatch();
  readonly #questions = new Map<string, (answer: unknown) => void>();
  #sendTimer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  #checkTimer: NodeJS.Timeout | null = null;
  #reconnectTimer: NodeJS.Timeout | null = null;
  #stopped = true;

  constructor(parts: HintsParts) {
    this.#parts = parts;
    this.#options = { ...HINTS_DEFAULTS, ...parts.options };
    this.#notifications = new Notifications({
      db: parts.db,
      statementTimeoutMs: this.#options.statementTimeoutMs,
      onPayload: (payload) => this.#received(payload),
      onLost: () => this.#reconnect(),
    });
  }

  async start(): Promise<void> {
    this.#stopped = false;
    if (!this.#parts.isOn) return;
    await this.#connect(100);
    this.#checkTimer = setInterval(() => void this.#check(), this.#options.checkEveryMs).unref();
  }

  /** Sends what waits, then listens no more. */
  async stop(): Promise<void> {
    const wasOn = !this.#stopped && this.#parts.isOn;
    this.#stopped = true;
    for (const timer of [this.#sendTimer, this.#reconnectTimer]) if (timer) clearTimeout(timer);
    if (this.#checkTimer) clearInterval(this.#checkTimer);
    this.#sendTimer = null;
    this.#reconnectTimer = null;
    this.#checkTimer = null;
    if (wasOn) {
      await this.#sending;
      await this.#send();
    }
    for (const resolve of this.#questions.values()) resolve(null);
    await this.#notifications.close();
  }

  // ---- what is told

  /** The app's log ends here now. Called for every batch that is committed, so it must cost next to nothing. */
  headMoved(appId: string, head: Head): void {
    if (!this.#parts.isOn || this.#parts.isAlone()) return;
    if (this.#heads.size >= MAX_HEADS_WAITING && !this.#heads.has(appId)) return;
    this.#heads.set(appId, head);
    if (!this.#sendTimer) this.#schedule();
  }

  /** The app's configuration was changed, or it was deleted. */
  appChanged(appId: string): void {
    this.#tell((waiting) => waiting.changedApps.push(appId));
  }

  commandWaiting(slot: number): void {
    this.#tell((waiting) => waiting.commandSlots.push(slot));
  }

  /** Also told when this process believes to be alone: that is what it may be wrong about. */
  slotsMoved(): void {
    if (!this.#parts.isOn) return;
    this.#waiting.slotsMoved = true;
    this.#schedule();
  }

  catalogueChanged(): void {
    this.#tell((waiting) => {
      waiting.catalogueChanged = true;
    });
  }

  /** Asks the other processes; null when none has answered in time. */
  async ask(question: unknown): Promise<unknown> {
    if (!this.#parts.isOn || this.#stopped || this.#parts.isAlone() || !this.#notifications.isListening) return null;
    const id = this.#parts.newUuid();
    return await new Promise<unknown>((resolve) => {
      const ended = (answer: unknown): void => {
        clearTimeout(timer);
        this.#questions.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(() => ended(null), this.#options.answerWithinMs);
      this.#questions.set(id, ended);
      this.#tell((waiting) => waiting.questions.push([id, question]));
    });
  }

  #tell(add: (waiting: HintBatch) => void): void {
    if (!this.#parts.isOn || this.#parts.isAlone()) return;
    add(this.#waiting);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#sendTimer || this.#sending || this.#stopped) return;
    this.#sendTimer = setTimeout(() => {
      this.#sendTimer = null;
      this.#sending = this.#send().finally(() => {
        this.#sending = null;
        if (this.#heads.size > 0 || hasAny(this.#waiting)) this.#schedule();
      });
    }, this.#options.coalesceMs);
  }

  async #send(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = emptyBatch();
    for (const [appId, head] of this.#heads) {
      if (batch.heads.length >= MAX_HEADS_AT_ONCE) break;
      this.#heads.delete(appId);
      batch.heads.push([appId, head]);
    }
    const payloads = encodeHints(batch);
    if (payloads.length === 0) return;
    if (!this.#notifications.isListening) {
      this.#heads.clear(); // the polls find it
      return;
    }
    try {
      await this.#notifications.send(payloads);
    } catch (error) {
      if (!this.#stopped) this.#parts.onError(error);
      await this.#notifications.close();
      this.#reconnect();
    }
  }

  // ---- what is heard

  #received(payload: string): void {
    if (this.#stopped) return;
    try {
      this.#take(decodeHints(payload));
    } catch (error) {
      this.#parts.onError(error); // whoever reaches the database can send anything
    }
  }

  #take(hints: HintBatch): void {
    const { onHead, onAppChanged, onCommand, onSlotsMoved, onCatalogueChanged } = this.#parts;
    for (const [appId, head] of hints.heads) onHead(appId, head);
    for (const appId of hints.changedApps) onAppChanged(appId);
    for (const slot of hints.commandSlots) onCommand(slot);
    if (hints.slotsMoved) onSlotsMoved();
    if (hints.catalogueChanged) onCatalogueChanged();
    for (const [id, answer] of hints.answers) this.#questions.get(id)?.(answer);
    for (const [id, question] of hints.questions) {
      const answer = this.#parts.answer(question);
      if (answer === null) continue;
      this.#waiting.answers.push([id, answer]);
      this.#schedule();
    }
  }

  // ---- the connection

  async #connect(retryAfterMs: number): Promise<void> {
    try {
      await this.#notifications.listen();
      if (this.#stopped) await this.#notifications.close();
    } catch (error) {
      if (this.#stopped) return;
      this.#parts.onError(error);
      this.#reconnect(retryAfterMs);
    }
  }

  #reconnect(afterMs = 100): void {
    if (this.#stopped || this.#reconnectTimer) return;
    this.#reconnectTimer = setTimeout(() => {
      this.#reconnectTimer = null;
      if (!this.#stopped) void this.#connect(Math.min(MAX_RECONNECT_MS, afterMs * 2));
    }, afterMs);
  }

  async #check(): Promise<void> {
    if (!this.#notifications.isListening || this.#sending) return;
    try {
      await this.#notifications.check();
    } catch (error) {
      if (this.#stopped) return;
      this.#parts.onError(error);
      await this.#notifications.close();
      this.#reconnect();
    }
  }
}

function hasAny({ changedApps, commandSlots, slotsMoved, catalogueChanged, questions, answers }: HintBatch): boolean {
  return (
    slotsMoved || catalogueChanged || [changedApps, commandSlots, questions, answers].some((list) => list.length > 0)
  );
}
