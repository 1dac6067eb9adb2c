// The endpoint's own cursor: it follows the log's live end, and is what a lane's checkpoint writes down.
import type { BreakerSnapshot } from '../core/breaker.ts';
import type { LogEvent } from '../core/event.ts';
import type { Cause } from '../core/outcome.ts';
import { type LaneRow, LIVE_CURSOR_UUID } from '../storage/flush.ts';
import type { StoredLane } from '../storage/lanes.ts';
import { type CursorOwner, type CursorState, LaneCursor } from './lane-cursor.ts';
import { LogFeed } from './log-feed.ts';

const CHECKPOINT_POSITIONS = 1000;
const CHECKPOINT_MS = 1000;

export class LiveCursor extends LaneCursor<LogFeed> {
  #persistedMs = 0;

  constructor(owner: CursorOwner, stored: StoredLane, state: CursorState) {
    const feed = new LogFeed({
      after: { position: stored.settledThrough, day: stored.settledDay },
      isSettled: isIn(state.settledBeyond),
      matches: (event) => owner.endpoint.matches(event),
      read: (from) => owner.host.read(from, owner.host.routed()),
      end: () => owner.host.routed(),
    });
    super({ uuid: LIVE_CURSOR_UUID, owner, feed, settledThrough: stored.settledThrough, state });
  }

  causeOf(isRetry: boolean): Cause {
    return isRetry ? 'retry' : 'live';
  }

  taken(): void {}

  /** Under strict order nothing overtakes an event that failed (design rule 16). */
  override peekEvent(): LogEvent | null {
    if (this.owner.endpoint.config.order === 'strict' && this.hasFailed) return null;
    return super.peekEvent();
  }

  /** Positions up to this one are given up. */
  skipTo(position: number): void {
    if (position <= this.feed.floor.position) return;
    this.feed.skipTo(position, this.settled.day);
    if (this.owner.endpoint.config.order !== 'strict') return;
    // What holds the others up is skipped too; else nothing would be.
    for (let next = this.retries.peek(); next && next.position <= position; next = this.retries.peek()) {
      this.giveUp(this.retries.take()!, 'skipped');
    }
  }

  /** Whether a checkpoint is due: at most a second or a thousand events behind (design rule 9). */
  isDue(nowMs: number): boolean {
    const ahead = this.settled.position - this.persisted;
    return ahead >= CHECKPOINT_POSITIONS || (ahead > 0 && nowMs - this.#persistedMs >= CHECKPOINT_MS);
  }

  checkpoint(nowMs: number, breaker: BreakerSnapshot): LaneRow {
    const { settled } = this;
    this.persisted = settled.position;
    this.#persistedMs = nowMs;
    return {
      key: this.owner.key,
      settledThrough: settled.position,
      settledDay: settled.day,
      lowAttemptUuid: this.lowAttempt(settled.position),
      breaker,
    };
  }
}

/** Whether a position is in a set that may be missing. */
export function isIn(positions: Set<number> | undefined): (position: number) => boolean {
  return (position) => positions?.has(position) ?? false;
}
