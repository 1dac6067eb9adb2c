import type { LogEvent } from '../core/event.ts';
import type { Cause, SendResult } from '../core/outcome.ts';
import type { AttemptRow, ClosedRow, DeadRow, LaneKey, RetryRow } from '../storage/flush.ts';
import type { FlushedLane, FlushItem } from './flusher.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';

/** What is minted when an attempt begins: so that an unclear COMMIT can be repeated as it was (design rule 2). */
export interface AttemptStamp {
  attemptUuid: string;
  /** Partition day: of the time inside the id, which never goes back. */
  day: string;
  startedMs: number;
}

/** The lane, as its attempts see it. */
export interface AttemptOwner extends FlushedLane {
  readonly key: LaneKey;
  readonly endpoint: LoadedEndpoint;
  attemptCommitted(attempt: OpenAttempt): void;
}

/**
 * One attempt of a lane from the moment it is taken until its outcome is committed: what is sent, the row that is written, and the item of
 * the flush, all in one object, for there is one per delivery.
 */
export class OpenAttempt implements AttemptStamp, AttemptRow, FlushItem {
  readonly lane: AttemptOwner;
  readonly event: LogEvent;
  readonly cause: Cause;
  /** 1 for the first attempt of this event to this endpoint. */
  readonly attempt: number;
  /** Delays of the schedule used up before. */
  readonly consumed: number;
  readonly isProbe: boolean;
  /** The configuration it was sent under. */
  readonly endpoint: LoadedEndpoint;
  readonly attemptUuid: string;
  readonly day: string;
  readonly startedMs: number;
  readonly cursorUuid = null;
  result: SendResult = NO_RESULT;
  dead = false;
  /** Its outcome is known and handed to the flusher. */
  settled = false;
  /** Its outcome is in this or a committed flush, so settled_through may pass it. */
  done = false;
  /** The span was full while it was open: it stands in `retries` already. */
  parked = false;
  retry: RetryRow | null = null;
  closedRetry: ClosedRow | null = null;
  deadRow: DeadRow | null = null;
  readonly closedDead = null;

  constructor(
    lane: AttemptOwner,
    parts: { event: LogEvent; cause: Cause; attempt: number; consumed: number; isProbe: boolean },
    stamp: AttemptStamp,
  ) {
    this.lane = lane;
    this.event = parts.event;
    this.cause = parts.cause;
    this.attempt = parts.attempt;
    this.consumed = parts.consumed;
    this.isProbe = parts.isProbe;
    this.endpoint = lane.endpoint;
    this.attemptUuid = stamp.attemptUuid;
    this.day = stamp.day;
    this.startedMs = stamp.startedMs;
  }

  get key(): LaneKey {
    return this.lane.key;
  }

  get row(): AttemptRow {
    return this;
  }

  taken(): void {
    this.done = true;
  }

  committed(): void {
    this.lane.attemptCommitted(this);
  }
}

const NO_RESULT: SendResult = {
  outcome: 'unreachable',
  reason: 'internal_error',
  status: null,
  timings: { dnsUs: null, connectUs: null, tlsUs: null, firstByteUs: null, totalUs: 0 },
  remoteAddress: null,
  responseHead: null,
  responseBody: null,
  retryAfterMs: null,
  error: null,
};
