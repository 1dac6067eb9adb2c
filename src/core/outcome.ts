// What came of an attempt. Four kinds drive retries and the breaker (design rule 15); the reason says it precisely. `filtered` is that of an event
// that the endpoint's transformation did not want sent.

export const OUTCOMES = ['delivered', 'unreachable', 'throttled', 'rejected', 'filtered'] as const;
export type OutcomeKind = (typeof OUTCOMES)[number];

/** After these an event needs no further attempt. */
const SETTLING = ['delivered', 'filtered'] as const satisfies readonly OutcomeKind[];
/** Whether an event needs no further attempt after this one. */
export function isSettling(outcome: OutcomeKind): boolean {
  return SETTLING.some((kind) => kind === outcome);
}

/** The other outcomes. */
export type FailedOutcome = Exclude<OutcomeKind, (typeof SETTLING)[number]>;
/** As they are stored. */
export const SETTLING_NUMBERS = SETTLING.map((kind) => OUTCOMES.indexOf(kind)).join(', ');

/**
 * The one list of reason codes. `delivered` is the only reason of a delivered attempt; `expired` is that of an event that
 * retention dropped before it was delivered, `skipped` of one that held up a strict lane until that was resumed from the head,
 * `filter_error` of one that the endpoint's filter could not be asked about,
 * `format_failed` of one that cannot be written in the endpoint's format, `auth_failed` of an attempt that was not made because there was no
 * access token to make it with. `filtered` and those in `transform_` are of attempts that ended before a request was made: by what the endpoint's
 * transformation said, or as it could not be run (`transform_unavailable`). Stored by index: new ones go to the end.
 */
export const REASONS = [
  'delivered',
  'dns_failed',
  'address_forbidden',
  'connection_refused',
  'connection_reset',
  'timeout_connect',
  'timeout_total',
  'tls_failed',
  'protocol_error',
  'too_large',
  'redirect',
  'status_1xx',
  'status_4xx',
  'status_410',
  'status_429',
  'status_5xx',
  'status_503_retry_after',
  'filter_error',
  'internal_error',
  'expired',
  'skipped',
  'format_failed',
  'auth_failed',
  'filtered',
  'transform_error',
  'transform_timeout',
  'transform_memory',
  'transform_unavailable',
] as const;
export type Reason = (typeof REASONS)[number];

/** Why an attempt was made. `live` and `retry` belong to the endpoint's own cursor, `replay` to the replay's. */
export const CAUSES = ['live', 'retry', 'resend', 'test', 'replay'] as const;
export type Cause = (typeof CAUSES)[number];

/** Microseconds from the start of the attempt; null where the phase did not happen (a kept-alive connection). */
export interface AttemptTimings {
  dnsUs: number | null;
  connectUs: number | null;
  tlsUs: number | null;
  firstByteUs: number | null;
  totalUs: number;
}

/** What the sender reports of one HTTP request. */
export interface SendResult {
  outcome: OutcomeKind;
  reason: Reason;
  status: number | null;
  timings: AttemptTimings;
  remoteAddress: string | null;
  /** `HTTP/1.1 200 OK` and the header lines, as latin1; null when no response head arrived. */
  responseHead: string | null;
  /** The first 16 KiB of the response body; null for delivered attempts. */
  responseBody: Buffer | null;
  /** From `Retry-After`, already clamped; null without one. */
  retryAfterMs: number | null;
  /** A sentence for people when no response arrived: what failed, as the system said it. */
  error: string | null;
}

/** The outcome kind of a response by its status code; `hasRetryAfter` matters for 503. Only 2xx is delivered. */
export function classifyStatus(status: number, hasRetryAfter: boolean): { outcome: OutcomeKind; reason: Reason } {
  if (status >= 200 && status < 300) return { outcome: 'delivered', reason: 'delivered' };
  if (status === 429) return { outcome: 'throttled', reason: 'status_429' };
  if (status === 503 && hasRetryAfter) return { outcome: 'throttled', reason: 'status_503_retry_after' };
  if (status >= 500) return { outcome: 'unreachable', reason: 'status_5xx' };
  if (status === 410) return { outcome: 'rejected', reason: 'status_410' };
  if (status >= 400) return { outcome: 'rejected', reason: 'status_4xx' };
  if (status >= 300) return { outcome: 'rejected', reason: 'redirect' };
  return { outcome: 'rejected', reason: 'status_1xx' };
}
