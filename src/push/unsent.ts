import { FormatError } from '../core/formats/event-format.ts';
import type { SendResult } from '../core/outcome.ts';

/** The result of an attempt that does not leave the server; `detail` is told to the user. */
export function unsent(outcome: SendResult['outcome'], reason: SendResult['reason'], detail: string): SendResult {
  return {
    outcome,
    reason,
    status: null,
    timings: { dnsUs: null, connectUs: null, tlsUs: null, firstByteUs: null, totalUs: 0 },
    remoteAddress: null,
    responseHead: null,
    responseBody: null,
    retryAfterMs: null,
    error: detail,
  };
}

/** The result of an attempt whose request could not be made: the event's failure where the format says so, else the server's, for another time. */
export function unbuilt(error: unknown, onError: (error: unknown) => void): SendResult {
  if (error instanceof FormatError) {
    return error.isPassing
      ? unsent('unreachable', 'internal_error', error.message)
      : unsent('rejected', 'format_failed', error.message);
  }
  onError(error);
  return unsent('unreachable', 'internal_error', String(error));
}
