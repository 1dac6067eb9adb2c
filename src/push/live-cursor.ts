// The endpoint's own cursor: it follows the log's live end, and is what a lane's checkpoint writes down.
import type { BreakerSnapshot } from '../core/breaker.ts';
import type { EndpointConfig } from '../core/endpoint.ts';
import type { LogEvent } from '../core/event.ts';
import type { Cause, Reason } from '../core/outcome.ts';
import { type LaneRow, LIVE_CURSOR_UUID } from '../storage/flush.ts';
import type { StoredLane } from '../storage/lanes.ts';
import type { RetryOrder } from '../storage/retries.ts';
import { type CursorOwner, type CursorState, LaneCursor } from './lane-cursor.ts';
import { LogFeed } from './log-feed.ts';

const CHECKPOINT_POSITIONS = 1000;
const CHECKPOINT_MS = 1000;

export class LiveCursor extends LaneCursor<LogFeed> {
  #persistedMs = 0;
  /** Positions up to here are given up, by word of whoever resumed the endpoint from the head. */
  #skippedThrough = 0;
  /** Since when the next retries that are read are due at once; 0 = by their own time. */
  #hastenedMs = 0;

  constructor(owner: CursorOwner, stored: StoredLane, state: CursorState) {
    const feed = new LogFeed({
      after: { position: stored.settledThrough, day: stored.settledDay },
      isSettled: isIn(state.settledBeyond),
      matches: (event) => owner.endpoint.matches(event),
      read: (from) => owner.host.read(from, owner.host.routed()),
      end: () => owner.host.routed(),
    });
    const order = orderOf(owner.endpoint.config);
    super({ uuid: LIVE_CURSOR_UUID, owner, feed, settledThrough: stored.settledThrough, state, order });
  }

  causeOf(isRetry: boolean): Cause {
    return isRetry ? 'retry' : 'live';
  }

  taken(): void {}

  override get isOrdered(): boolean {
    return this.owner.endpoint.config.order === 'strict';
  }

  /** Under strict order nothing overtakes an event that failed (design rule 16). */
  override peekEvent(): LogEvent | null {
    return this.isOrdered && this.hasFailed ? null : super.peekEvent();
  }

  /** The endpoint's configuration is a newer one. */
  reconfigured(nowMs: number): void {
    this.retries.reorder(orderOf(this.owner.endpoint.config));
    this.#hastenedMs = nowMs;
    if (this.isOrdered) this.retries.hasten(nowMs); // all others wait for the first
  }

  /** Positions up to this one are given up. */
  skipTo(position: number): void {
    if (position <= this.feed.floor.position) return;
    this.feed.skipTo(position, this.settled.day);
    this.#skippedThrough = position;
    this.#skipRetries();
  }

  protected override refilled(): void {
    if (!this.isOrdered) return;
    if (this.#hastenedMs > 0) this.retries.hasten(this.#hastenedMs);
    this.#hastenedMs = 0;
    this.#skipRetries();
  }

  /** What holds the others up is skipped too; else nothing would be. */
  #skipRetries(): void {
    if (!this.isOrdered) return;
    for (let next = this.retries.peek(); next && this.overruled(next.position); next = this.retries.peek()) {
      this.giveUp(this.retries.take()!, 'skipped');
    }
  }

  protected override overruled(position: number): Reason | null {
    return this.isOrdered && position <= this.#skippedThrough ? 'skipped' : null;
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

function orderOf(config: EndpointConfig): RetryOrder {
  return config.order === 'strict' ? 'position' : 'due';
}

/** Whether a position is in a set that may be missing. */
export function isIn(positions: Set<number> | undefined): (position: number) => boolean {
  return (position) => positions?.has(position) ?? false;
}
