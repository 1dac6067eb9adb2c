// When a failed event is tried again, and when it is dead. The schedule is a list of delays, one for each further attempt;
// `consumed` counts how many of them an event has used up. Only failures that say something about the event use one
// (design rule 15): a throttled endpoint, or one whose outage the breaker has already seen, costs the event nothing.
import type { FieldError } from './errors.ts';
import type { OutcomeKind } from './outcome.ts';

/** 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: with the first, ten attempts (Standard Webhooks, "Retries"). */
export const DEFAULT_RETRY_DELAYS_SECONDS: readonly number[] = [
  5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400,
];
export const MAX_RETRY_DELAYS = 31;
export const MAX_RETRY_DELAY_SECONDS = 7 * 24 * 3600;
export const MAX_RETRY_AFTER_MS = 24 * 3_600_000;
/** Scheduled delays vary by this share either way, so that what failed together is not retried together. */
export const RETRY_JITTER = 0.1;

/** For a throttled attempt without `Retry-After`. */
export const THROTTLE_DELAY_MS = 30_000;
/** `Retry-After: 0` from a throttling endpoint must not become a tight loop. */
const MIN_THROTTLE_DELAY_MS = 1000;
// While the breaker is open its probes set the pace. The event is due again soon, whatever step of the schedule it is at,
// so that it need not wait out a day-long delay after the endpoint has recovered.
const MAX_UNCOUNTED_DELAY_MS = 5 * 60_000;
const UNCOUNTED_DELAY_MS = 60_000;

export interface FailedAttempt {
  /** Delays of the schedule used up before this attempt; 0 for a first attempt. */
  consumed: number;
  /** The endpoint's own schedule; null = the default. */
  delaysSeconds: readonly number[] | null;
  outcome: Exclude<OutcomeKind, 'delivered'>;
  /** From `Retry-After`; null without one. */
  retryAfterMs: number | null;
  /** Whether the breaker was open for this attempt: then an unreachable endpoint uses up nothing. */
  breakerOpen: boolean;
  nowMs: number;
  /** In [0, 1). */
  random: number;
}

/** `consumed` is the count to keep with the event from now on. */
export type RetryDecision = { kind: 'retry'; atMs: number; consumed: number } | { kind: 'dead'; consumed: number };

/**
 * Decides over an attempt that failed. `Retry-After`, clamped to 24 h (RFC 9110, section 10.2.3), is the due time of a
 * throttled event and a lower bound for the others.
 */
export function nextRetry(attempt: FailedAttempt): RetryDecision {
  const { consumed, nowMs, random } = attempt;
  const delays = attempt.delaysSeconds ?? DEFAULT_RETRY_DELAYS_SECONDS;
  const retryAfterMs = clampRetryAfter(attempt.retryAfterMs);

  if (attempt.outcome === 'throttled') {
    // Jitter only adds here: the endpoint has said before when it wants nothing.
    const askedMs = Math.max(retryAfterMs ?? THROTTLE_DELAY_MS, MIN_THROTTLE_DELAY_MS);
    const delayMs = Math.min(askedMs * (1 + RETRY_JITTER * random), MAX_RETRY_AFTER_MS);
    return { kind: 'retry', atMs: Math.ceil(nowMs + delayMs), consumed };
  }

  const counted = attempt.outcome === 'rejected' || !attempt.breakerOpen;
  if (counted && consumed >= delays.length) return { kind: 'dead', consumed };
  const scheduledMs = counted ? delays[consumed] * 1000 : uncountedDelayMs(delays, consumed);
  const delayMs = Math.max(scheduledMs * (1 + RETRY_JITTER * (2 * random - 1)), retryAfterMs ?? 0);
  return { kind: 'retry', atMs: Math.ceil(nowMs + delayMs), consumed: counted ? consumed + 1 : consumed };
}

function uncountedDelayMs(delays: readonly number[], consumed: number): number {
  const delaySeconds = delays[Math.min(consumed, delays.length - 1)];
  return delaySeconds === undefined ? UNCOUNTED_DELAY_MS : Math.min(delaySeconds * 1000, MAX_UNCOUNTED_DELAY_MS);
}

function clampRetryAfter(ms: number | null): number | null {
  return ms === null || Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** What is wrong with an endpoint's own schedule as received; empty when it is usable. With `[]` the first failure that counts is the end. */
export function checkRetryDelays(delaysSeconds: unknown, path = '/retry/delaysSeconds'): FieldError[] {
  if (!Array.isArray(delaysSeconds)) return [{ path, message: 'The retry delays must be a list of seconds.' }];
  if (delaysSeconds.length > MAX_RETRY_DELAYS) {
    return [{ path, message: `A retry schedule has at most ${MAX_RETRY_DELAYS} delays, not ${delaysSeconds.length}.` }];
  }
  const errors: FieldError[] = [];
  delaysSeconds.forEach((delay: unknown, i) => {
    if (typeof delay !== 'number' || !(delay >= 0 && delay <= MAX_RETRY_DELAY_SECONDS)) {
      errors.push({
        path: `${path}/${i}`,
        message: `A retry delay is a number of seconds from 0 to ${MAX_RETRY_DELAY_SECONDS} (7 days).`,
      });
    }
  });
  return errors;
}
