import type { Cause, SendResult } from '../core/outcome.ts';
import type { AttemptRow, LaneKey } from '../storage/flush.ts';

/** What is minted when an attempt begins: so that an unclear COMMIT can be repeated as it was (design rule 2). */
export interface AttemptStamp {
  attemptUuid: string;
  /** Partition day: of the time inside the id, which never goes back. */
  day: string;
  startedMs: number;
}

/** The row of an attempt that has ended. */
export function recordAttempt(
  lane: LaneKey,
  attempt: AttemptStamp & { event: { position: number; id: string }; cause: Cause; attempt: number },
  result: SendResult,
  dead: boolean,
): AttemptRow {
  const { timings } = result;
  return {
    lane,
    attemptUuid: attempt.attemptUuid,
    cursorUuid: null,
    position: attempt.event.position,
    day: attempt.day,
    startedMs: attempt.startedMs,
    cause: attempt.cause,
    attempt: attempt.attempt,
    outcome: result.outcome,
    reason: result.reason,
    status: result.status,
    dnsUs: timings.dnsUs,
    connectUs: timings.connectUs,
    tlsUs: timings.tlsUs,
    firstByteUs: timings.firstByteUs,
    totalUs: timings.totalUs,
    dead,
    eventId: attempt.event.id,
    remoteAddress: result.remoteAddress,
    responseHead: result.responseHead,
    responseBody: result.responseBody,
    error: result.error,
  };
}
