// Runs the sources of this process's slots when they are due, a bounded number at a time, and says when each is due next. Two processes that
// run a source at once, as may happen while a slot moves, are kept apart by the claim on its state: one of them tells what it found.
import { TidingsError } from '../../core/errors.ts';
import type { NewEvent } from '../../core/event.ts';
import { TIDINGS_APP_ID } from '../../core/id.ts';
import { operationalEvent } from '../../core/operational-event.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import type { Writer } from '../../log/writer.ts';
import type { Database } from '../../storage/database.ts';
import { type FetchRunRecord, recordRun } from '../../storage/fetch-runs.ts';
import { dueFetches, type StoredFetch, scheduleFetch } from '../../storage/fetch-state.ts';
import { hideSecrets } from './fetch-auth.ts';
import { FetchFailure } from './fetch-failure.ts';
import { FetchTokens } from './fetch-tokens.ts';
import type { Fetcher } from './http-fetcher.ts';
import { FAILED_RUNS_TO_DISABLE, FAILED_RUNS_TO_TELL, nextRunMs } from './next-run.ts';
import type { RunTally } from './read-answer.ts';
import { dropCursor, type Look, lookForChanges, type RunningSource, type RunParts, tellChanges } from './run-source.ts';
import { loadRunningSource, saveRefreshToken } from './running-source.ts';

export interface FetchesParts {
  db: Database;
  box: SecretBox;
  fetcher: Fetcher;
  version: string;
  appendFetched: Writer['appendFetched'];
  transforms: RunParts['transforms'];
  /** The writer's, for operational events. */
  append: (request: { appId: string; events: NewEvent[]; idempotency: null }) => Promise<unknown>;
  /** Whose sources this process runs. */
  slots: () => Iterable<number>;
  newRunId: () => string;
  newUuid: () => string;
  now: () => number;
  /** In [0, 1). */
  random: () => number;
  onError: (error: unknown) => void;
  pollEveryMs?: number;
}

/** What a run would tell. */
export interface DryRun {
  tally: RunTally;
  /** Null = it would come to its end. */
  failure: FetchFailure | null;
  events: NewEvent[];
}

const POLL_EVERY_MS = 1000;
const MAX_RUNS = 16;

export class Fetches {
  readonly #parts: FetchesParts;
  readonly #tokens: FetchTokens;
  readonly #running = new Map<string, Promise<void>>();
  #abort = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;

  constructor(parts: FetchesParts) {
    this.#parts = parts;
    this.#tokens = new FetchTokens(parts);
  }

  async start(): Promise<void> {
    this.#abort = new AbortController();
    this.#timer ??= setInterval(() => {
      this.#looking ??= this.#look()
        .catch(this.#parts.onError)
        .finally(() => {
          this.#looking = null;
        });
    }, this.#parts.pollEveryMs ?? POLL_EVERY_MS).unref();
  }

  /** Breaks off what is under way; it is made again by whoever has the slot next. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#abort.abort();
    await this.#looking;
    await Promise.all(this.#running.values());
  }

  /** What a run would tell now; nothing is told or remembered. Its first 100 changes. */
  async dryRun(stored: StoredFetch): Promise<DryRun> {
    const tally = newTally();
    let source: RunningSource | null = null;
    try {
      source = await loadRunningSource(this.#parts.db, this.#parts.box, stored);
      const { changes } = await lookForChanges(this.#runParts(source), source, tally);
      return { tally, failure: null, events: changes.flatMap(({ event }) => event ?? []) };
    } catch (error) {
      return { tally, failure: this.#failureOf(error, source), events: [] };
    }
  }

  async #look(): Promise<void> {
    const slots = [...this.#parts.slots()];
    const limit = MAX_RUNS - this.#running.size;
    if (slots.length === 0 || limit <= 0) return;
    for (const stored of await dueFetches(this.#parts.db, { slots, limit, except: [...this.#running.keys()] })) {
      if (this.#abort.signal.aborted) return;
      const run = this.#run(stored)
        .catch(this.#parts.onError)
        .finally(() => this.#running.delete(stored.sourceId));
      this.#running.set(stored.sourceId, run);
    }
  }

  async #run(stored: StoredFetch): Promise<void> {
    const { db, box, now, newRunId } = this.#parts;
    const startedMs = now();
    const began = performance.now();
    const tally = newTally();
    const told = { created: 0, updated: 0, deleted: 0 };
    let source: RunningSource | null = null;
    let limitedMs: number | null = null;
    let failure: FetchFailure | null = null;
    try {
      source = await loadRunningSource(db, box, stored);
      const parts = this.#runParts(source);
      const look = await lookForChanges(parts, source, tally);
      limitedMs = look.limitedMs;
      count(told, look, await tellChanges(parts, source, look));
    } catch (error) {
      failure = this.#failureOf(error, source);
      if (failure.reason === 'gone' && source !== null) failure = await this.#withoutCursor(source, failure);
    }
    if (this.#abort.signal.aborted && failure !== null) return;
    const tells = told.created + told.updated + told.deleted > 0;
    const record: FetchRunRecord = {
      id: newRunId(),
      startedMs,
      durationMs: performance.now() - began,
      outcome: failure !== null ? 'failed' : tells ? 'changed' : 'unchanged',
      cause: failure?.reason ?? null,
      detail: failure?.message ?? null,
      ...tally,
      status: failure?.status ?? tally.status,
      ...told,
    };
    await recordRun(db, stored, record);
    await this.#schedule(stored, { record, failure, limitedMs, config: source?.config ?? {} });
  }

  async #withoutCursor(source: RunningSource, failure: FetchFailure): Promise<FetchFailure> {
    if (typeof (source.stored.state as { cursor?: unknown } | null)?.cursor !== 'string') return failure;
    await dropCursor(this.#runParts(source), source);
    const detail = `${failure.message}. Its cursor is known no more; the next run begins without one, and may tell again what was told.`;
    return new FetchFailure('gone', detail, { status: failure.status });
  }

  async #schedule(
    stored: StoredFetch,
    run: {
      record: FetchRunRecord;
      failure: FetchFailure | null;
      limitedMs: number | null;
      config: Parameters<typeof nextRunMs>[0]['config'];
    },
  ): Promise<void> {
    const { db, now, random } = this.#parts;
    const { record, limitedMs, config } = run;
    // Another process has run it: that says nothing about the API.
    const failure = run.failure?.reason === 'overtaken' ? null : run.failure;
    const failedRuns = failure === null ? 0 : stored.failedRuns + 1;
    const idleRuns = record.outcome === 'unchanged' ? stored.idleRuns + 1 : 0;
    const nowMs = now();
    const dueMs = nextRunMs({ config, failure, failedRuns, idleRuns, limitedMs, nowMs, random: random() });
    // Webhooks still come in by one that has both.
    const isHopeless = stored.kind === 'fetch' && failedRuns >= FAILED_RUNS_TO_DISABLE;
    const disabledReason = failure !== null && isHopeless ? failure.reason : null;
    const { appId, sourceId, revision, dueAt } = stored;
    const next = { appId, sourceId, revision, dueAt, inMs: dueMs - nowMs, failedRuns, idleRuns, disabledReason };
    if (!(await scheduleFetch(db, next)) || appId === TIDINGS_APP_ID) return;
    if (disabledReason !== null) await this.#tell('source.disabled', stored, record);
    else if (failure !== null && failedRuns === (failure.reason === 'too_few_items' ? 1 : FAILED_RUNS_TO_TELL)) {
      await this.#tell('source.failing', stored, record);
    } else if (failure === null && stored.failedRuns >= FAILED_RUNS_TO_TELL) {
      await this.#tell('source.recovered', stored, record);
    }
  }

  async #tell(type: string, { appId, sourceId }: StoredFetch, { id, cause, detail }: FetchRunRecord): Promise<void> {
    const data = { run: id, ...(cause !== null && { reason: cause, detail }) };
    const event = operationalEvent({ type, appId, sourceId, which: id, atMs: this.#parts.now(), data });
    await this.#parts.append({ appId: TIDINGS_APP_ID, events: [event], idempotency: null });
  }

  #runParts(source: RunningSource): RunParts {
    const { db, fetcher, version, now, appendFetched, transforms } = this.#parts;
    const { signal } = this.#abort;
    return {
      db,
      fetcher: { request: (request) => fetcher.request({ ...request, signal }) },
      version,
      now,
      appendFetched,
      transforms,
      accessToken: async (refused) => {
        const { auth } = source.config;
        if (auth?.type !== 'oauth2') throw new Error('the source has no OAuth2');
        const { sourceId } = source.stored;
        if (refused) this.#tokens.forget(sourceId, auth);
        return this.#tokens.get(sourceId, auth, async (token) => {
          await saveRefreshToken(this.#parts, source, token);
          auth.refreshToken = token;
        });
      },
    };
  }

  #failureOf(error: unknown, source: RunningSource | null): FetchFailure {
    if (!(error instanceof FetchFailure)) {
      this.#parts.onError(error);
      const isKnown = error instanceof TidingsError;
      return new FetchFailure('internal', isKnown ? error.detail : 'The server failed; its log tells how.', {
        cause: error,
      });
    }
    if (source === null) return error;
    const { reason, status, retryAfterMs, cause } = error;
    return new FetchFailure(reason, hideSecrets(error.message, source.config), { status, retryAfterMs, cause });
  }
}

function newTally(): RunTally {
  return { pages: 0, items: 0, bytes: 0, status: null };
}

/** Counts what was appended: of a source that has webhooks too, some of it may be known already. */
function count(
  told: { created: number; updated: number; deleted: number },
  { changes }: Look,
  appended: ReadonlySet<string>,
): void {
  for (const { change, event } of changes) {
    if (event === null || !appended.has(event.id)) continue;
    if (change.kind === 'created' || change.kind === 'updated' || change.kind === 'deleted') told[change.kind]++;
  }
}
