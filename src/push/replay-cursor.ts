// The cursor of a replay: a second one for its endpoint, over a past range. Its progress is written with the outcomes that it consists of.
import type { LogEvent } from '../core/event.ts';
import { compileFilter } from '../core/filter.ts';
import type { Cause } from '../core/outcome.ts';
import { type ClosedRow, LIVE_CURSOR_UUID, type ReplayRow } from '../storage/flush.ts';
import type { StoredReplay } from '../storage/replays.ts';
import { type CursorOwner, type CursorState, LaneCursor } from './lane-cursor.ts';
import { ListFeed } from './list-feed.ts';
import { isIn, type LiveCursor } from './live-cursor.ts';
import { LogFeed } from './log-feed.ts';
import type { OpenAttempt } from './open-attempt.ts';

export class ReplayCursor extends LaneCursor {
  readonly replay: StoredReplay;
  readonly #live: LiveCursor;
  /** Of events, in flushes taken so far. */
  #delivered: number;
  #dead: number;
  #isDirty = false;

  constructor(parts: { owner: CursorOwner; live: LiveCursor; replay: StoredReplay; state: CursorState }) {
    const { owner, replay, state } = parts;
    const feed = feedOf(owner, replay, isIn(state.settledBeyond));
    super({ uuid: replay.replayUuid, owner, feed, settledThrough: replay.settledThrough, state, order: 'due' });
    this.replay = replay;
    this.#live = parts.live;
    this.#delivered = replay.delivered;
    this.#dead = replay.dead;
  }

  causeOf(): Cause {
    return 'replay';
  }

  override get isFiltered(): boolean {
    return this.replay.only === 'all';
  }

  /** Whether every event of its range is delivered or dead. */
  get isComplete(): boolean {
    return this.isIdle && !this.hasFailed;
  }

  get needsRow(): boolean {
    return this.#isDirty || this.isComplete || this.isAhead;
  }

  taken(open: OpenAttempt): void {
    this.#isDirty = true;
    if (open.dead) this.#dead++;
    else if (open.result.outcome === 'delivered') this.#delivered++;
  }

  protected override takenAside(as: 'dead' | 'parked'): void {
    this.#isDirty = true;
    if (as === 'dead') this.#dead++;
  }

  /** Delivered or filtered by a replay, an event is neither dead nor to be tried again. */
  protected override delivered(open: OpenAttempt): void {
    super.delivered(open);
    const own = { ...this.rowOf(open.event), cursorUuid: LIVE_CURSOR_UUID };
    if (open.closedRetry === null) open.closedRetry = own;
    else this.#close(own);
    open.closedDead = own;
    this.#live.retries.cancel(open.event.position);
  }

  /** An attempt closes one retry; this is the other. */
  #close(retry: ClosedRow): void {
    const { owner } = this;
    owner.itemOpened();
    owner.host.flush({
      lane: owner,
      row: null,
      retry: null,
      closedRetry: retry,
      deadRow: null,
      closedDead: null,
      committed: () => owner.itemCommitted(),
    });
  }

  row(): ReplayRow {
    const { settled } = this;
    this.#isDirty = false;
    this.persisted = settled.position;
    return {
      key: this.owner.key,
      replayUuid: this.uuid,
      settledThrough: settled.position,
      settledDay: settled.day,
      lowAttemptUuid: this.lowAttempt(settled.position),
      delivered: this.#delivered,
      dead: this.#dead,
      isDone: this.isComplete,
    };
  }
}

function feedOf(
  owner: CursorOwner,
  replay: StoredReplay,
  isSettled: (position: number) => boolean,
): LogFeed | ListFeed {
  const { host } = owner;
  const types = replay.types && compileFilter({ types: replay.types });
  const matches = (event: LogEvent): boolean =>
    (types === null || types.matches(event)) && owner.endpoint.matches(event);
  const after = { position: replay.settledThrough, day: replay.settledDay };
  const to = { position: replay.toPosition, day: replay.toDay };
  if (replay.only === 'all') {
    return new LogFeed({ after, isSettled, matches, read: (from) => host.read(from, to), end: () => to });
  }
  return new ListFeed({
    after,
    to,
    isSettled,
    // They matched when they failed; a filter that was changed since says nothing of them.
    matches: (event) => types === null || types.matches(event),
    list: (from, limit) => host.listFailed(owner, replay, from, limit),
    readAt: (place) => host.readAt(owner, place),
  });
}
