// One connection of the writer, with the queue of its apps. While one transaction is under way the next batch gathers. A batch without
// claims is a single statement; with claims, or with events that may have to wait, it is BEGIN, claims, append, COMMIT.
import { TidingsError } from '../core/errors.ts';
import type { LogEvent, NewEvent } from '../core/event.ts';
import { failpoint } from '../core/failpoint.ts';
import { type AppendedGroup, appendEvents } from '../storage/append.ts';
import { type Database, type DedicatedConnection, isRefused, isRetryable, isUnavailable } from '../storage/database.ts';
import { deferEvents, timeOf } from '../storage/scheduled.ts';
import { AppendQueue } from './append-queue.ts';

import { resolveDuplicate } from './duplicate.ts';
import { answer, isPlain, type PendingAppend } from './pending-append.ts';
import { releaseClaims, takeClaims } from './take-claims.ts';

export interface WriterLineParts {
  db: Database;
  /** Told of committed events, per app in position order, before their publishers are answered. */
  onCommitted: (appId: string, events: LogEvent[]) => void;
  /** Makes missing day partitions; called when an insert found none. */
  ensurePartitions: () => Promise<unknown>;
}

export interface WriterLineOptions {
  maxBatchEvents: number;
  maxBatchBytes: number;
  /** Of each statement: a publisher waits no longer for a database that does not answer. */
  statementTimeoutMs: number;
  /** How long an idempotency key, or an event's own id, is known. */
  keyHours: number;
}

const NO_PARTITION = '23514';
const MAX_TRIES = 10;

/** What was found to be wrong with one request in the middle of a batch's transaction: that of the batch is rolled back. */
class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  readonly reason: TidingsError;

  constructor(reason: TidingsError) {
    super(reason.message);
    this.reason = reason;
  }
}

export class WriterLine {
  readonly #parts: WriterLineParts;
  readonly #options: WriterLineOptions;
  readonly #connection: DedicatedConnection;
  readonly #queue: AppendQueue;
  #working = false;
  #settling = 0;
  #idle: (() => void)[] = [];

  constructor(parts: WriterLineParts, options: WriterLineOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#connection = parts.db.dedicated({ statementTimeoutMs: options.statementTimeoutMs });
    this.#queue = new AppendQueue({ maxEvents: options.maxBatchEvents, maxBytes: options.maxBatchBytes });
  }

  enqueue(pending: PendingAppend): void {
    this.#queue.add(pending);
    if (!this.#working) {
      this.#working = true;
      setImmediate(() => void this.#work());
    }
  }

  async close(): Promise<void> {
    while (this.#working || this.#settling > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await this.#connection.reset();
  }

  async #work(): Promise<void> {
    for (let batch = this.#queue.takeBatch(); batch.length > 0; batch = this.#queue.takeBatch()) {
      await this.#write(batch);
    }
    this.#working = false;
    this.#settleIdle();
  }

  #settleIdle(): void {
    if (this.#working || this.#settling > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Writes a batch; one that is refused for what it holds is halved until the request at fault stands alone. */
  async #write(batch: PendingAppend[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const progress = { committing: false };
      try {
        return await this.#attempt(batch, progress);
      } catch (error) {
        const refused = isRefused(error) || error instanceof RequestRefused;
        if (!refused || isUnavailable(error)) {
          await this.#connection.reset();
          const failure = progress.committing && !refused ? unclear(error) : unavailable(error);
          for (const pending of batch) pending.reject(failure);
          return;
        }
        if (isRetryable(error) && attempt < MAX_TRIES) continue;
        if ((error as { code?: string }).code === NO_PARTITION && attempt === 1) {
          await this.#parts.ensurePartitions().catch(() => {});
          continue;
        }
        if (batch.length === 1) {
          batch[0].reject(
            error instanceof RequestRefused
              ? error.reason
              : new TidingsError('internal', 'The events could not be stored.', { cause: error }),
          );
          return;
        }
        const half = batch.length >> 1;
        await this.#write(batch.slice(0, half));
        await this.#write(batch.slice(half));
        return;
      }
    }
  }

  async #attempt(batch: PendingAppend[], progress: { committing: boolean }): Promise<void> {
    if (batch.every(isPlain)) {
      await this.#connection.client();
      progress.committing = true; // a single statement commits by itself
      const groups = groupByApp(batch);
      await failpoint('writer.before_insert');
      const appended = await appendEvents(this.#connection, groups);
      await failpoint('writer.after_commit');
      this.#settle(groups, appended, []);
      return;
    }
    await this.#connection.begin();
    try {
      const { held, lost } = await takeClaims(this.#connection, batch, this.#options);
      if (held.some((pending) => pending.timed)) await this.#defer(held);
      const groups = groupByApp(held);
      await failpoint('writer.before_insert');
      const appended = groups.length === 0 ? [] : await appendEvents(this.#connection, groups);
      await releaseClaims(
        this.#connection,
        groups.flatMap((group, i) => (appended[i] ? [] : group.requests)),
      );
      await failpoint('writer.after_insert');
      await failpoint('writer.before_commit');
      progress.committing = true;
      await this.#connection.commit();
      await failpoint('writer.after_commit');
      const without = held.filter((pending) => pending.appending.length === 0);
      this.#settle(groups, appended, without);
      for (const pending of lost) void this.#resolveDuplicate(pending);
    } catch (error) {
      if (isRefused(error) || error instanceof RequestRefused) await this.#connection.rollback().catch(() => {});
      throw error;
    }
  }

  /** Puts by what is not due yet. What time it is the database says: the clock of this process may be wrong. */
  async #defer(held: PendingAppend[]): Promise<void> {
    const nowMs = await timeOf(this.#connection);
    const waiting: { appId: string; event: NewEvent }[] = [];
    const waits = (event: NewEvent): boolean => event.deliverAtMs !== undefined && event.deliverAtMs > nowMs;
    for (const pending of held) {
      if (!pending.timed) continue;
      pending.deferring = pending.events.filter(waits);
      pending.appending = pending.events.filter((event) => !waits(event));
      for (const event of pending.deferring) waiting.push({ appId: pending.appId, event });
    }
    if (waiting.length === 0) return;
    const refused = (await deferEvents(this.#connection, waiting))[0];
    if (refused === undefined) return;
    throw new RequestRefused(
      refused.reason === 'no_app'
        ? new TidingsError('not_found', `There is no app ${refused.appId}.`)
        : new TidingsError(
            'idempotency_conflict',
            `An event with the id ${refused.eventId} is scheduled already. Cancel it first, or use a new id.`,
          ),
    );
  }

  /** Hands on and answers in the next turn, so that the next batch is on its way to the database before. Turns keep their order. */
  #settle(groups: RequestGroup[], appended: (AppendedGroup | null)[], without: PendingAppend[]): void {
    this.#settling++;
    setImmediate(() => {
      try {
        for (let i = 0; i < groups.length; i++) this.#committed(groups[i], appended[i]);
        for (const pending of without) answer(pending, []);
      } catch (error) {
        const failure = new TidingsError('unclear', 'The events were stored, but the server failed after that.', {
          cause: error,
        });
        for (const group of groups) for (const pending of group.requests) pending.reject(failure);
        for (const pending of without) pending.reject(failure);
      }
      this.#settling--;
      this.#settleIdle();
    });
  }

  #committed(group: RequestGroup, place: AppendedGroup | null): void {
    if (!place) {
      const failure = new TidingsError('not_found', `There is no app ${group.appId}.`);
      for (const pending of group.requests) pending.reject(failure);
      return;
    }
    const events: LogEvent[] = new Array(group.events.length);
    for (let n = 0; n < group.events.length; n++) {
      const event = group.events[n];
      events[n] = {
        appId: group.appId,
        position: place.base + n + 1,
        day: place.day,
        id: event.id,
        type: event.type,
        timeMs: event.timeMs,
        appendedMs: place.appendedMs,
        channels: event.channels,
        configVersion: place.configVersion,
        data: event.data,
      };
      if (event.origin !== undefined) events[n].origin = event.origin;
    }
    failpoint('writer.before_hand_over');
    this.#parts.onCommitted(group.appId, events);
    failpoint('writer.after_hand_over');
    let position = place.base;
    for (const pending of group.requests) {
      const { day } = place;
      answer(
        pending,
        pending.appending.map(({ id }) => ({ id, position: ++position, day, duplicate: false })),
      );
    }
  }

  async #resolveDuplicate(pending: PendingAppend): Promise<void> {
    this.#settling++;
    try {
      if ((await resolveDuplicate(this.#parts.db, pending)) === 'again') this.enqueue(pending);
    } catch (error) {
      pending.reject(new TidingsError('unavailable', 'The database cannot be reached. Try again.', { cause: error }));
    } finally {
      this.#settling--;
      this.#settleIdle();
    }
  }
}

function unclear(cause: unknown): TidingsError {
  const detail =
    'The database connection broke during the commit, so it is not known whether the events were stored. Publish again with the same id or Idempotency-Key.';
  return new TidingsError('unclear', detail, { cause });
}

function unavailable(cause: unknown): TidingsError {
  return new TidingsError('unavailable', 'The database cannot be reached. Nothing was stored. Try again.', { cause });
}

interface RequestGroup {
  appId: string;
  events: NewEvent[];
  requests: PendingAppend[];
}

/** What is to be appended, without requests that append nothing. */
function groupByApp(batch: PendingAppend[]): RequestGroup[] {
  const groups = new Map<string, RequestGroup>();
  for (const pending of batch) {
    if (pending.appending.length === 0) continue;
    let group = groups.get(pending.appId);
    if (!group) {
      group = { appId: pending.appId, events: [], requests: [] };
      groups.set(pending.appId, group);
    }
    group.requests.push(pending);
    for (const event of pending.appending) group.events.push(event);
  }
  // In one order in every process, so that two batches seldom wait for each other's heads.
  return [...groups.values()].sort((a, b) => (a.appId < b.appId ? -1 : 1));
}
