// What becomes of an event whose attempt failed: tried again at some time, or dead (core/retry-policy.ts decides by the schedule; here is
// what order and batches add to it).
import type { EndpointConfig } from '../core/endpoint.ts';
import type { OutcomeKind, Reason } from '../core/outcome.ts';
import { DEFAULT_RETRY_DELAYS_SECONDS, nextRetry, type RetryDecision } from '../core/retry-policy.ts';

/** A part of a batch that failed is sent again after the schedule's first delay, but not later than this. */
const MAX_HALF_DELAY_MS = 60_000;
/** An event that holds up its strict lane for good is tried at least so rarely. */
const MIN_BLOCKED_DELAY_MS = 60_000;
const MAX_BLOCKED_DELAY_MS = 3_600_000;

export interface FailedRequest {
  config: EndpointConfig;
  /** Whether nothing may overtake it: the endpoint has strict order, and this is no replay. */
  isOrdered: boolean;
  outcome: Exclude<OutcomeKind, 'delivered'>;
  reason: Reason;
  retryAfterMs: number | null;
  breakerOpen: boolean;
  nowMs: number;
  /** In [0, 1); one for all events of a request, so that what failed together is due together. */
  random: number;
  /** Of how many events each half of a failed batch consists; null for a request that is not cut further. */
  half: number | null;
}

/**
 * Whether an attempt ended before a request left, by what the user has configured: it says nothing of the endpoint, and trying it again
 * would end alike (design rule 18). Mended, the dead events are resent.
 */
export function isFinal(reason: Reason): boolean {
  return reason === 'format_failed' || reason === 'filter_error';
}

/** The schedule of an endpoint, in seconds. */
export function delaysOf(config: EndpointConfig): readonly number[] {
  return config.retryDelaysSeconds ?? DEFAULT_RETRY_DELAYS_SECONDS;
}

/** The fate of one event of a failed request, which had used up `consumed` delays of its schedule. */
export function decideFailure(request: FailedRequest, consumed: number): RetryDecision & { batchLimit?: number } {
  const { config, isOrdered, outcome, retryAfterMs, nowMs, random, half } = request;
  const delays = delaysOf(config);
  // Which event of a batch is at fault is not known before it stands alone: until then none of them uses up its schedule.
  if (half !== null && outcome !== 'throttled') {
    const delayMs = Math.min((delays[0] ?? DEFAULT_RETRY_DELAYS_SECONDS[0]) * 1000, MAX_HALF_DELAY_MS);
    return { kind: 'retry', atMs: nowMs + Math.max(delayMs, retryAfterMs ?? 0), consumed, batchLimit: half };
  }
  // Under strict order an unreachable endpoint never uses up the schedule (design rule 16).
  const breakerOpen = request.breakerOpen || isOrdered;
  const decision: RetryDecision = isFinal(request.reason)
    ? { kind: 'dead', consumed }
    : nextRetry({ consumed, delaysSeconds: delays, outcome, retryAfterMs, breakerOpen, nowMs, random });
  if (decision.kind === 'dead' && isOrdered && config.onExhausted === 'block') {
    const lastMs = (delays[delays.length - 1] ?? 0) * 1000;
    const delayMs = Math.min(Math.max(lastMs, MIN_BLOCKED_DELAY_MS), MAX_BLOCKED_DELAY_MS);
    return { kind: 'retry', atMs: nowMs + delayMs, consumed };
  }
  return decision;
}
