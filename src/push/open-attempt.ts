import type { LogEvent } from '../core/event.ts';
import type { Cause, SendResult } from '../core/outcome.ts';
import {
  type AttemptRow,
  type ClosedRow,
  type DeadRow,
  type LaneKey,
  LIVE_CURSOR_UUID,
  type RetryRow,
} from '../storage/flush.ts';
import type { FlushedLane, FlushItem } from './flusher.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import type { OpenRequest } from './open-budget.ts';

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
  requestCommitted(request: OpenRequest): void;
}

/** The cursor that an attempt is made for. */
interface AttemptCursor {
  readonly uuid: string;
  /** Whether it hands out what the endpoint's filter takes; else it is told which events. */
  readonly isFiltered: boolean;
  taken(attempt: OpenAttempt): void;
  committed(attempt: OpenAttempt): void;
}

/** A request of several attempts. */
interface SharedRequest extends OpenRequest {
  readonly batchUuid: string;
  /** One of its attempts was committed; true when that was the last. */
  committedOne(): boolean;
}

/** What a lane decides of an attempt before it begins. */
export interface AttemptPlan {
  event: LogEvent;
  cause: Cause;
  /** 1 for the first attempt of this event to this endpoint. */
  attempt: number;
  /** Delays of the schedule used up before. */
  consumed: number;
  /** Of the endpoint's transformation, to be run; null = none. */
  transformationVersion: number | null;
}

/** And of the request that it is made with. */
export interface RequestFlags {
  /** Whether its events have a row in `retries` from an attempt before. */
  isRetry: boolean;
  isProbe: boolean;
  isSuspect: boolean;
}

/**
 * One attempt of a lane from the moment it is taken until its outcome is committed: what is sent, the row that is written, and the item of
 * the flush, all in one object, for there is one per delivery.
 */
export class OpenAttempt implements AttemptStamp, AttemptRow, FlushItem, OpenRequest {
  readonly lane: AttemptOwner;
  readonly cursor: AttemptCursor;
  readonly event: LogEvent;
  readonly cause: Cause;
  readonly attempt: number;
  readonly consumed: number;
  readonly transformationVersion: number | null;
  readonly isRetry: boolean;
  readonly isProbe: boolean;
  readonly isSuspect: boolean;
  /** The configuration it was sent under. */
  readonly endpoint: LoadedEndpoint;
  readonly attemptUuid: string;
  readonly day: string;
  readonly startedMs: number;
  /** The request that it shares with others. */
  batch: SharedRequest | null = null;
  result: SendResult = NO_RESULT;
  /** What came of it before the request that it was to share was made: its event is not in that. */
  own: SendResult | null = null;
  dead = false;
  /** Its outcome is known and handed to the flusher. */
  settled = false;
  /** Its outcome is in this or a committed flush, so settled_through may pass it. */
  done = false;
  /** The span was full while it was open: it stands in `retries` already. */
  parked = false;
  retry: (RetryRow & { batchLimit?: number }) | null = null;
  closedRetry: ClosedRow | null = null;
  deadRow: DeadRow | null = null;
  closedDead: ClosedRow | null = null;

  constructor(
    of: { lane: AttemptOwner; cursor: AttemptCursor; flags: RequestFlags },
    plan: AttemptPlan,
    stamp: AttemptStamp,
  ) {
    const { lane, flags } = of;
    this.lane = lane;
    this.cursor = of.cursor;
    this.event = plan.event;
    this.cause = plan.cause;
    this.attempt = plan.attempt;
    this.consumed = plan.consumed;
    this.transformationVersion = plan.transformationVersion;
    this.isRetry = flags.isRetry;
    this.isProbe = flags.isProbe;
    this.isSuspect = flags.isSuspect;
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

  get events(): readonly LogEvent[] {
    return [this.event];
  }

  /** As `attempts` has it: a replay's id, else null. */
  get cursorUuid(): string | null {
    return this.cursor.uuid === LIVE_CURSOR_UUID ? null : this.cursor.uuid;
  }

  get batchUuid(): string | null {
    return this.batch === null ? null : this.batch.batchUuid;
  }

  /** Whether others wait for it: it is written without lingering. */
  get isUrgent(): boolean {
    return this.endpoint.config.order === 'strict';
  }

  /** Whether the event has a row in `retries`: it failed before, or stayed open for too long. */
  get isInRetries(): boolean {
    return this.isRetry || this.parked;
  }

  taken(): void {
    this.done = true;
    this.cursor.taken(this);
  }

  committed(): void {
    this.cursor.committed(this);
    const { batch } = this;
    if (batch === null) this.lane.requestCommitted(this);
    else if (batch.committedOne()) this.lane.requestCommitted(batch);
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
