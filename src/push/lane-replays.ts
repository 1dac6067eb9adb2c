// The replays of a lane: cursors beside the endpoint's own, which share a part of its window and take turns (design rule 14).
import type { ReplayRow } from '../storage/flush.ts';
import type { StoredReplay } from '../storage/replays.ts';
import type { CursorState } from './lane-cursor.ts';
import type { ReplayCursor } from './replay-cursor.ts';

/** Of the window, to replays while live events wait: with a window of one, of the turns. */
const REPLAY_SHARE = 0.1;
const NO_ROWS: ReplayRow[] = [];

/** A replay that runs, with what a lane needs to go on with it. */
export interface RunningReplay {
  replay: StoredReplay;
  state: CursorState;
}

export class LaneReplays {
  readonly #begin: (running: RunningReplay) => ReplayCursor;
  #cursors: ReplayCursor[];
  /** Those that are complete, until the table is seen to say so too. */
  readonly #ended = new Set<string>();
  #turn = 0;

  constructor(running: RunningReplay[], begin: (running: RunningReplay) => ReplayCursor) {
    this.#begin = begin;
    this.#cursors = running.map(begin);
  }

  get isEmpty(): boolean {
    return this.#cursors.length === 0;
  }

  /** In the order of their turns. */
  get cursors(): readonly ReplayCursor[] {
    return this.#cursors;
  }

  /** Those that the table says are running: new ones begin, and those that are missing were cancelled. Call it in the order of the reads. */
  set(running: RunningReplay[]): void {
    const known = new Map(this.#cursors.map((cursor) => [cursor.uuid, cursor]));
    const listed = new Set(running.map(({ replay }) => replay.replayUuid));
    for (const uuid of this.#ended) if (!listed.has(uuid)) this.#ended.delete(uuid);
    this.#cursors = running
      .filter(({ replay }) => !this.#ended.has(replay.replayUuid))
      .map((one) => known.get(one.replay.replayUuid) ?? this.#begin(one));
  }

  /** Whether they have less than their share, so that the next request is theirs. */
  isTurn(concurrency: number): boolean {
    if (concurrency === 1) return ++this.#turn % (1 / REPLAY_SHARE) === 0;
    let inFlight = 0;
    for (const cursor of this.#cursors) inFlight += cursor.inFlight;
    return inFlight < Math.max(1, concurrency * REPLAY_SHARE);
  }

  /** It had its turn. */
  putLast(cursor: ReplayCursor): void {
    this.#cursors = [...this.#cursors.filter((other) => other !== cursor), cursor];
  }

  get needRows(): boolean {
    return this.#cursors.some((cursor) => cursor.needsRow);
  }

  /** Their progress; one that is complete is written as done, and gone. */
  rows(): ReplayRow[] {
    if (this.#cursors.length === 0) return NO_ROWS;
    const rows: ReplayRow[] = [];
    this.#cursors = this.#cursors.filter((cursor) => {
      if (!cursor.needsRow) return true;
      const row = cursor.row();
      rows.push(row);
      if (row.isDone) this.#ended.add(cursor.uuid);
      return !row.isDone;
    });
    return rows;
  }
}
