// Group commit. While one transaction is under way the next batch gathers; when nothing is under way the requests of one turn
// of the event loop go at once: no timer. A publisher is answered after COMMIT and never before.
//
// Several connections, and an app always uses the same one: so within the process its events reach the tail in position
// order (design rule 3). A batch without claims is a single statement; with claims it is BEGIN, claims, append, COMMIT.

import { TidingsError } from '../core/errors.ts';
import type { LogEvent, NewEvent } from '../core/event.ts';
import { hashEvent } from '../core/publish-request.ts';
import { type AppendedGroup, appendEvents } from '../storage/append.ts';
import { type Database, type DedicatedConnection, isRefused, isRetryable, isUnavailable } from '../storage/database.ts';
import { findPlaces } from '../storage/events.ts';
import { type Claim, claimKeys, findKeys, releaseKeys } from '../storage/idempotency-keys.ts';

export interface AppendRequest {
  appId: string;
  events: NewEvent[];
  /** The Idempotency-Key header with the hash of the body it came with. */
  idempotency: { key: string; bodyHash: Buffer } | null;
}

export interface AppendedEvent {
  id: string;
  position: number;
  day: string;
  /** The event stood in the log already: the key or the event's own id was used before with the same content. */
  duplicate: boolean;
}

export interface WriterOptions {
  connections: number;
  maxBatchEvents: number;
  maxBatchBytes: number;
  /** Beyond these a publisher is told 503 + Retry-After. */
  maxQueueBytes: number;
  maxQueueBytesPerApp: number;
  /** Of each statement: a publisher waits no longer for a database that does not answer. */
  statementTimeoutMs: number;
}

export const WRITER_DEFAULTS: WriterOptions = {
  connections: 2,
  maxBatchEvents: 500,
  maxBatchBytes: 4 * 1024 * 1024,
  maxQueueBytes: 64 * 1024 * 1024,
  maxQueueBytesPerApp: 32 * 1024 * 1024,
  statementTimeoutMs: 10_000,
};

/** One append on its way: what is still to be written, and where its answer goes. */
interface Pending {
  appId: string;
  /** Still to be appended; duplicates found on the way are taken out. */
  events: NewEvent[];
  claims: Claim[];
  bytes: number;
  /** Of a request that lost a claim: what is known of its events by id, and their order in the request. */
  partial: { known: Map<string, AppendedEvent>; order: string[] } | null;
  resolve(events: AppendedEvent[]): void;
  reject(error: TidingsError): void;
}

/** Told of committed events, per app in position order, before their publishers are answered. */
export type OnCommitted = (appId: string, events: LogEvent[]) => void;

export interface WriterParts {
  db: Database;
  onCommitted: OnCommitted;
  /** Makes missing day partitions; called when an insert found none. */
  ensurePartitions: () => Promise<unknown>;
  options?: Partial<WriterOptions>;
}

export class Writer {
  readonly #lines: WriterLine[];
  readonly #parts: WriterParts;
  readonly #options: WriterOptions;
  #queuedBytes = 0;
  readonly #queuedBytesByApp = new Map<string, number>();
  #stopped = false;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#options = { ...WRITER_DEFAULTS, ...parts.options };
    this.#lines = Array.from({ length: this.#options.connections }, () => new WriterLine(this.#parts, this.#options));
  }

  async start(): Promise<void> {
    this.#stopped = false;
  }

  /** Waits for what is under way and queued, then closes the connections. Appends after this answer 503. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lines.map((line) => line.close()));
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Appends the events, all or nothing. Resolves after COMMIT.
   * @throws TidingsError not_found (no such app), idempotency_conflict, overloaded, unavailable (nothing was stored),
   * unclear (the connection broke during COMMIT).
   */
  append(request: AppendRequest): Promise<AppendedEvent[]> {
    let bytes = 512;
    for (const event of request.events) bytes += event.data.length + 128;
    const appBytes = this.#queuedBytesByApp.get(request.appId) ?? 0;
    if (this.#stopped) return Promise.reject(new TidingsError('unavailable', 'The server is stopping. Try again.'));
    if (
      this.#queuedBytes + bytes > this.#options.maxQueueBytes ||
      appBytes + bytes > this.#options.maxQueueBytesPerApp
    ) {
      const detail = 'More is being published than the database takes. Nothing was stored. Try again in a second.';
      return Promise.reject(new TidingsError('overloaded', detail));
    }
    this.#queuedBytes += bytes;
    this.#queuedBytesByApp.set(request.appId, appBytes + bytes);
    return new Promise<AppendedEvent[]>((resolve, reject) => {
      let answered = false;
      const done = (): void => {
        if (answered) return;
        answered = true;
        this.#queuedBytes -= bytes;
        const left = this.#queuedBytesByApp.get(request.appId)! - bytes;
        if (left > 0) this.#queuedBytesByApp.set(request.appId, left);
        else this.#queuedBytesByApp.delete(request.appId);
      };
      const pending: Pending = {
        appId: request.appId,
        events: request.events,
        claims: toClaims(request),
        bytes,
        partial: null,
        resolve(events) {
          done();
          resolve(events);
        },
        reject(error) {
          done();
          reject(error);
        },
      };
      this.#lines[hashText(request.appId) % this.#lines.length].enqueue(pending);
    });
  }
}

function toClaims(request: AppendRequest): Claim[] {
  const { appId, idempotency, events } = request;
  const claims: Claim[] = [];
  if (idempotency) {
    claims.push({
      appId,
      key: `k:${idempotency.key}`,
      bodyHash: idempotency.bodyHash,
      resultIds: events.map((event) => event.id),
    });
  }
  for (const event of events) {
    if (event.ownId) claims.push({ appId, key: `e:${event.id}`, bodyHash: hashEvent(event), resultIds: [event.id] });
  }
  return claims;
}

function hashText(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
  return hash;
}

/** One connection with the queue of its apps. */
class WriterLine {
  readonly #parts: WriterParts;
  readonly #options: WriterOptions;
  readonly #connection: DedicatedConnection;
  /** Per app first in, first out; apps take turns, so a flood of one does not hold up the others. */
  readonly #queues = new Map<string, Pending[]>();
  #working = false;
  #settling = 0;
  #idle: (() => void)[] = [];

  constructor(parts: WriterParts, options: WriterOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#connection = parts.db.dedicated({ statementTimeoutMs: options.statementTimeoutMs });
  }

  enqueue(pending: Pending): void {
    const queue = this.#queues.get(pending.appId);
    if (queue) queue.push(pending);
    else this.#queues.set(pending.appId, [pending]);
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
    for (let batch = this.#takeBatch(); batch.length > 0; batch = this.#takeBatch()) await this.#write(batch);
    this.#working = false;
    this.#settleIdle();
  }

  #settleIdle(): void {
    if (this.#working || this.#settling > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Round robin over apps, a few requests of each a turn; a claim that the batch holds already waits for the next. */
  #takeBatch(): Pending[] {
    const batch: Pending[] = [];
    const held = new Set<string>();
    const single = this.#queues.size === 1;
    let events = 0;
    let bytes = 0;
    for (let progress = true; progress; ) {
      progress = false;
      for (const [appId, queue] of this.#queues) {
        let taken = 0;
        for (const share = single ? queue.length : 8; taken < share && taken < queue.length; taken++) {
          const next = queue[taken];
          if (events > 0 && events + next.events.length > this.#options.maxBatchEvents) break;
          if (events > 0 && bytes + next.bytes > this.#options.maxBatchBytes) break;
          if (next.claims.length > 0 && !holdClaims(held, next.claims)) break;
          batch.push(next);
          events += next.events.length;
          bytes += next.bytes;
        }
        if (taken === queue.length) this.#queues.delete(appId);
        else if (taken > 0) queue.splice(0, taken);
        if (taken > 0) progress = true;
      }
    }
    // Who has had a turn and has more to write comes last in the next batch; otherwise the first apps could fill every one.
    if (this.#queues.size < 2) return batch;
    for (const appId of new Set(batch.map((pending) => pending.appId))) {
      const queue = this.#queues.get(appId);
      if (!queue) continue;
      this.#queues.delete(appId);
      this.#queues.set(appId, queue);
    }
    return batch;
  }

  /** Writes a batch; one that is refused for what it holds is halved until the request at fault stands alone. */
  async #write(batch: Pending[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const progress = { committing: false };
      try {
        return await this.#attempt(batch, progress);
      } catch (error) {
        const code = (error as { code?: string }).code;
        if (!isRefused(error) || isUnavailable(error)) {
          await this.#connection.reset();
          const failure =
            progress.committing && !isRefused(error)
              ? new TidingsError(
                  'unclear',
                  'The database connection broke during the commit, so it is not known whether the events were stored. Publish again with the same id or Idempotency-Key.',
                  { cause: error },
                )
              : new TidingsError('unavailable', 'The database cannot be reached. Nothing was stored. Try again.', {
                  cause: error,
                });
          for (const pending of batch) pending.reject(failure);
          return;
        }
        if (isRetryable(error) && attempt < 10) continue;
        if (code === '23514' && attempt === 1) {
          await this.#parts.ensurePartitions().catch(() => {});
          continue;
        }
        if (batch.length === 1) {
          batch[0].reject(new TidingsError('internal', 'The events could not be stored.', { cause: error }));
          return;
        }
        const half = batch.length >> 1;
        await this.#write(batch.slice(0, half));
        await this.#write(batch.slice(half));
        return;
      }
    }
  }

  async #attempt(batch: Pending[], progress: { committing: boolean }): Promise<void> {
    const claims = batch.flatMap((pending) => pending.claims);
    if (claims.length === 0) {
      await this.#connection.client();
      progress.committing = true; // a single statement commits by itself
      const groups = groupByApp(batch);
      this.#settle(groups, await appendEvents(this.#connection, groups));
      return;
    }
    await this.#connection.begin();
    try {
      const { winners, losers } = await this.#claim(claims, batch);
      const groups = groupByApp(winners);
      const appended = groups.length === 0 ? [] : await appendEvents(this.#connection, groups);
      await releaseKeys(
        this.#connection,
        groups.flatMap((group, i) => (appended[i] ? [] : group.requests.flatMap((pending) => pending.claims))),
      );
      progress.committing = true;
      await this.#connection.commit();
      this.#settle(groups, appended);
      for (const loser of losers) void this.#resolveLoser(loser);
    } catch (error) {
      if (!isUnavailable(error)) await this.#connection.rollback().catch(() => {});
      throw error;
    }
  }

  /** Takes the claims; who lost one gives back its others. */
  async #claim(claims: Claim[], batch: Pending[]): Promise<{ winners: Pending[]; losers: Pending[] }> {
    const won = await claimKeys(this.#connection, claims);
    const winners: Pending[] = [];
    const losers: Pending[] = [];
    const giveBack: Claim[] = [];
    let at = 0;
    for (const pending of batch) {
      const mine = won.slice(at, at + pending.claims.length);
      at += pending.claims.length;
      if (mine.every(Boolean)) {
        winners.push(pending);
      } else {
        losers.push(pending);
        giveBack.push(...pending.claims.filter((_, i) => mine[i]));
      }
    }
    await releaseKeys(this.#connection, giveBack);
    return { winners, losers };
  }

  /** Hands on and answers in the next turn, so that the next batch is on its way to the database before. Turns keep their order. */
  #settle(groups: RequestGroup[], appended: (AppendedGroup | null)[]): void {
    this.#settling++;
    setImmediate(() => {
      try {
        this.#committed(groups, appended);
      } catch (error) {
        const failure = new TidingsError('unclear', 'The events were stored, but the server failed after that.', {
          cause: error,
        });
        for (const pending of groups.flatMap((group) => group.requests)) pending.reject(failure);
      }
      this.#settling--;
      this.#settleIdle();
    });
  }

  #committed(groups: RequestGroup[], appended: (AppendedGroup | null)[]): void {
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i];
      const place = appended[i];
      if (!place) {
        const failure = new TidingsError('not_found', `There is no app ${group.appId}.`);
        for (const pending of group.requests) pending.reject(failure);
        continue;
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
      }
      this.#parts.onCommitted(group.appId, events);
      let position = place.base;
      for (const pending of group.requests) {
        const appended = pending.events.map(({ id }) => ({
          id,
          position: ++position,
          day: place.day,
          duplicate: false,
        }));
        pending.resolve(pending.partial ? completed(pending.partial, appended) : appended);
      }
    }
  }

  /** A claim was taken by another: answer as it was answered, refuse another body, and append what is new. */
  async #resolveLoser(pending: Pending): Promise<void> {
    this.#settling++;
    try {
      const { db } = this.#parts;
      const rows = await findKeys(
        db,
        pending.appId,
        pending.claims.map((claim) => claim.key),
      );
      const conflict = pending.claims.find((claim) => {
        const row = rows.get(claim.key);
        return row !== undefined && !row.bodyHash.equals(claim.bodyHash);
      });
      if (conflict) {
        const what = conflict.key.startsWith('k:') ? 'Idempotency-Key' : 'event id';
        const detail = `The ${what} ${conflict.key.slice(2)} was used before with another body. Use a new one, or send the same body.`;
        pending.reject(new TidingsError('idempotency_conflict', detail));
        return;
      }
      const header = pending.claims.find((claim) => claim.key.startsWith('k:'));
      const earlier = header && rows.get(header.key);
      const known = earlier
        ? earlier.resultIds
        : pending.events.filter((event) => event.ownId && rows.has(`e:${event.id}`)).map((event) => event.id);
      const places = await findPlaces(db, pending.appId, known);
      const missing = known.find((id) => !places.has(id));
      if (missing !== undefined) {
        const detail = `The event ${missing} was published before, but retention has dropped it. Use a new id or Idempotency-Key.`;
        pending.reject(new TidingsError('idempotency_conflict', detail));
        return;
      }
      const duplicates = known.map((id) => ({ id, ...places.get(id)!, duplicate: true }));
      if (earlier) {
        pending.resolve(duplicates);
        return;
      }
      pending.partial ??= { known: new Map(), order: pending.events.map((event) => event.id) };
      for (const event of duplicates) pending.partial.known.set(event.id, event);
      pending.events = pending.events.filter((event) => !places.has(event.id));
      pending.claims = pending.claims.filter((claim) => !rows.has(claim.key));
      if (pending.events.length === 0) pending.resolve(completed(pending.partial, []));
      else this.enqueue(pending);
    } catch (error) {
      pending.reject(new TidingsError('unavailable', 'The database cannot be reached. Try again.', { cause: error }));
    } finally {
      this.#settling--;
      this.#settleIdle();
    }
  }
}

/** The answer in the request's order, of what was known before and what was appended now. */
function completed({ known, order }: NonNullable<Pending['partial']>, appended: AppendedEvent[]): AppendedEvent[] {
  for (const event of appended) known.set(event.id, event);
  return order.map((id) => known.get(id)!);
}

interface RequestGroup {
  appId: string;
  events: NewEvent[];
  requests: Pending[];
}

function groupByApp(batch: Pending[]): RequestGroup[] {
  const groups = new Map<string, RequestGroup>();
  for (const pending of batch) {
    let group = groups.get(pending.appId);
    if (!group) {
      group = { appId: pending.appId, events: [], requests: [] };
      groups.set(pending.appId, group);
    }
    group.requests.push(pending);
    for (const event of pending.events) group.events.push(event);
  }
  // In one order in every process, so that two batches seldom wait for each other's heads.
  return [...groups.values()].sort((a, b) => (a.appId < b.appId ? -1 : 1));
}

/** Adds the claims to those held, or adds none and says false when one is held already. */
function holdClaims(held: Set<string>, claims: Claim[]): boolean {
  if (claims.some((claim) => held.has(`${claim.appId} ${claim.key}`))) return false;
  for (const claim of claims) held.add(`${claim.appId} ${claim.key}`);
  return true;
}
