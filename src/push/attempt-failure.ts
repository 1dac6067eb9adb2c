// What becomes of an event whose attempt failed: tried again at some time, or dead (core/retry-policy.ts decides by the schedule; here is
// what order and batches add to it).
import type { EndpointConfig } from '../core/endpoint.ts';
import type { FailedOutcome, Reason, SendResult } from '../core/outcome.ts';
import { DEFAULT_RETRY_DELAYS_SECONDS, nextRetry, type RetryDecision } from '../core/retry-policy.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';

/** A part of a batch that failed is sent again after the schedule's first delay, but not later than this. */
const MAX_HALF_DELAY_MS = 60_000;
/** An event that holds up its strict lane for good is tried at least so rarely. */
const MIN_BLOCKED_DELAY_MS = 60_000;
const MAX_BLOCKED_DELAY_MS = 3_600_000;

export interface FailedRequest {
  config: EndpointConfig;
  /** Whether nothing may overtake it: the endpoint has strict order, and this is no replay. */
  isOrdered: boolean;
  outcome: FailedOutcome;
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
 * Attempts that ended before a request left, by what the user has configured: trying again would end alike (design rule 18). Mended, the dead events
 * are resent.
 */
const FINAL: ReadonlySet<Reason> = new Set([
  'format_failed',
  'filter_error',
  'transform_error',
  'transform_timeout',
  'transform_memory',
]);
/** And the others that never left. */
const UNSENT: ReadonlySet<Reason> = new Set([...FINAL, 'filtered', 'transform_unavailable']);
/** After a transformation could not be run, on average. */
const UNAVAILABLE_DELAY_MS = 5000;

/** Whether an attempt ended before a request left: it says nothing of the endpoint. */
export function isUnsent(reason: Reason): boolean {
  return UNSENT.has(reason);
}

/** What of a whole request that failed decides over each of its events. */
export function failedRequest(
  request: { endpoint: LoadedEndpoint; half?: number | null },
  { outcome, reason, retryAfterMs }: SendResult,
  seen: Pick<FailedRequest, 'isOrdered' | 'breakerOpen' | 'nowMs' | 'random'>,
): FailedRequest {
  const { config } = request.endpoint;
  return { ...seen, config, outcome: outcome as FailedOutcome, reason, retryAfterMs, half: request.half ?? null };
}

/** The schedule of an endpoint, in seconds. */
export function delaysOf(config: EndpointConfig): readonly number[] {
  return config.retryDelaysSeconds ?? DEFAULT_RETRY_DELAYS_SECONDS;
}

/** The fate of one event of a failed request, which had used up `consumed` delays of its schedule. */
export function decideFailure(request: FailedRequest, consumed: number): RetryDecision & { batchLimit?: number } {
  const { config, isOrdered, outcome, retryAfterMs, nowMs, random, half } = request;
  const delays = delaysOf(config);
  // What ails the sandbox is none of the event's doing (design rule 18).
  if (request.reason === 'transform_unavailable') {
    return { kind: 'retry', atMs: nowMs + UNAVAILABLE_DELAY_MS * (0.5 + random), consumed };
  }
  const isFinal = FINAL.has(request.reason);
  // Which event of a batch is at fault is not known before it stands alone: until then none of them uses up its schedule.
  if (half !== null && outcome !== 'throttled') {
    const delayMs = Math.min((delays[0] ?? DEFAULT_RETRY_DELAYS_SECONDS[0]) * 1000, MAX_HALF_DELAY_MS);
    return { kind: 'retry', atMs: nowMs + Math.max(delayMs, retryAfterMs ?? 0), consumed, batchLimit: half };
  }
  // Under strict order an unreachable endpoint never uses up the schedule (design rule 16).
  const breakerOpen = request.breakerOpen || isOrdered;
  const decision: RetryDecision = isFinal
    ? { kind: 'dead', consumed }
    : nextRetry({ consumed, delaysSeconds: delays, outcome, retryAfterMs, breakerOpen, nowMs, random });
  if (decision.kind === 'dead' && isOrdered && config.onExhausted === 'block') {
    const lastMs = (delays[delays.length - 1] ?? 0) * 1000;
    const delayMs = Math.min(Math.max(lastMs, MIN_BLOCKED_DELAY_MS), MAX_BLOCKED_DELAY_MS);
    return { kind: 'retry', atMs: nowMs + delayMs, consumed };
  }
  return decision;
}
