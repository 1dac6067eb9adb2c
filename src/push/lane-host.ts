// What a lane asks of its process and of its app: so that a lane can be tried alone, and says what it depends on.
import type { DisabledReason } from '../core/endpoint.ts';
import type { LogEvent } from '../core/event.ts';
import type { Reason, SendResult } from '../core/outcome.ts';
import type { LogPlace } from '../log/event-cache.ts';
import type { LaneKey } from '../storage/flush.ts';
import type { StoredReplay } from '../storage/replays.ts';
import type { StoredRetry } from '../storage/retries.ts';
import type { DeliveryBatch } from './delivery-batch.ts';
import type { FlushedLane, FlushItem } from './flusher.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import type { AttemptStamp, OpenAttempt } from './open-attempt.ts';
import type { OpenRequest } from './open-budget.ts';
import type { Refill } from './retry-queue.ts';

/** A lane, as its host sees it. */
export interface HostedLane extends FlushedLane {
  readonly appId: string;
  readonly key: LaneKey;
  readonly slot: number;
  readonly endpoint: LoadedEndpoint;
  /** Whether it may hang, so that it shares a part of what the process has with the others of its kind. */
  readonly isSuspect: boolean;
  /** Kept by the host: it waits for its turn; when it wants to be woken. */
  isReady: boolean;
  wakeMs: number;
  wake(): void;
  /** Begins up to `burst` requests; true when it could go on at once. */
  pump(burst: number): boolean;
}

/** What the lanes of all apps ask of the process. */
export interface SharedHost {
  now(): number;
  random(): number;
  newUuid(): string;
  newAttempt(): AttemptStamp;
  /** Whether this process may begin a send: lease and open bound. If not, the lane is woken when it may. */
  maySend(lane: HostedLane): boolean;
  /** Whether an event of it need not wait long for its transformation. If not, the lane is woken when it is to ask again. */
  mayTransform(lane: HostedLane): boolean;
  /** A request was begun, or all its outcomes were committed. */
  opened(lane: HostedLane, request: OpenRequest): void;
  closed(request: OpenRequest): void;
  send(request: OpenAttempt | DeliveryBatch, done: (result: SendResult) => void): void;
  flush(item: FlushItem): void;
  /** Writes the lane's checkpoint with one of the next flushes. */
  checkpointSoon(lane: HostedLane): void;
  /** Asks to be pumped soon, in turn with the others. */
  ready(lane: HostedLane): void;
  wakeAt(lane: HostedLane, atMs: number): void;
  readAt(lane: HostedLane, place: LogPlace): Promise<LogEvent | null>;
  /** The next retries of a cursor beside those that memory holds. */
  moreRetries(lane: HostedLane, cursorUuid: string, refill: Refill, limit: number): Promise<StoredRetry[]>;
  /** The next positions after one that a replay of failed or dead events concerns. */
  listFailed(lane: HostedLane, replay: StoredReplay, after: number, limit: number): Promise<LogPlace[]>;
  breakerChanged(lane: HostedLane, transition: 'opened' | 'closed'): void;
  disable(lane: HostedLane, reason: DisabledReason): void;
  died(lane: HostedLane, eventId: string, reason: Reason): void;
  failed(error: unknown): void;
}

/** And what a lane asks of its app. */
export interface LaneHost extends SharedHost {
  /** Events from a place on, up to another; empty when retention has dropped them all. */
  read(from: LogPlace, to: LogPlace): Promise<LogEvent[]>;
  /** Up to where events were handed to the app's live lanes. */
  routed(): LogPlace;
}
