// Tells an endpoint that is down from an event that fails (design rule 15). It opens after failures of three different events with
// no success between, so a poison event cannot close an endpoint; while it is open single probes find out whether the endpoint
// is back, and failures use up no event's schedule, so an outage kills no event.
import type { OutcomeKind } from './outcome.ts';

export const BREAKER_STATES = ['closed', 'open', 'slow_start'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

export const FAILURES_TO_OPEN = 3;
export const FIRST_PROBE_MS = 1000;
export const MAX_PROBE_MS = 60_000;
const PROBE_JITTER = 0.2;
/** Successes after which an endpoint that was down counts as well again. */
export const SLOW_START_SUCCESSES = 10;

export interface BreakerSnapshot {
  state: BreakerState;
  openSinceMs: number | null;
  nextProbeMs: number | null;
}

export class Breaker {
  #state: BreakerState = 'closed';
  #openSinceMs: number | null = null;
  #nextProbeMs = 0;
  #probeDelayMs = FIRST_PROBE_MS;
  #probing = false;
  #successes = 0;
  readonly #failed: number[] = []; // positions of the events that failed since the last success

  constructor(from?: BreakerSnapshot) {
    if (!from || from.state === 'closed') return;
    this.#state = from.state;
    this.#openSinceMs = from.openSinceMs;
    this.#nextProbeMs = from.nextProbeMs ?? 0;
  }

  get snapshot(): BreakerSnapshot {
    return {
      state: this.#state,
      openSinceMs: this.#openSinceMs,
      nextProbeMs: this.#state === 'open' ? this.#nextProbeMs : null,
    };
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** When the next attempt may be made: 0 = now; Infinity = a probe is under way. */
  nextAttemptMs(): number {
    if (this.#state !== 'open') return 0;
    return this.#probing ? Number.POSITIVE_INFINITY : this.#nextProbeMs;
  }

  /** An attempt is made while open: it is the probe. */
  probe(): void {
    this.#probing = true;
  }

  /** A probe ended without saying anything of the endpoint (its configuration was changed meanwhile). */
  abandonProbe(): void {
    this.#probing = false;
  }

  /** The endpoint was changed: what is known of the old one says nothing of it. */
  reset(): void {
    this.#state = 'closed';
    this.#openSinceMs = null;
    this.#probing = false;
    this.#probeDelayMs = FIRST_PROBE_MS;
    this.#failed.length = 0;
  }

  /** Takes an attempt's outcome in; returns the transition that it caused. */
  settle(attempt: {
    outcome: OutcomeKind;
    position: number;
    isProbe: boolean;
    retryAfterMs: number | null;
    nowMs: number;
    random: number;
  }): 'opened' | 'closed' | null {
    if (attempt.isProbe) this.#probing = false;
    switch (attempt.outcome) {
      case 'delivered':
      case 'rejected':
        return this.#succeeded();
      case 'throttled':
        if (this.#state === 'open' && attempt.isProbe) this.#scheduleProbe(attempt, attempt.retryAfterMs ?? 0);
        return null;
      case 'unreachable':
        return this.#failedWith(attempt);
      case 'filtered':
        return null; // nothing was sent
    }
  }

  #succeeded(): 'closed' | null {
    this.#failed.length = 0;
    if (this.#state === 'closed') return null;
    if (this.#state === 'open') {
      this.#state = 'slow_start';
      this.#openSinceMs = null;
      this.#successes = 0;
      return 'closed';
    }
    if (++this.#successes >= SLOW_START_SUCCESSES) {
      this.#state = 'closed';
      this.#probeDelayMs = FIRST_PROBE_MS;
    }
    return null;
  }

  #failedWith(attempt: { position: number; isProbe: boolean; nowMs: number; random: number }): 'opened' | null {
    if (this.#state === 'open') {
      if (attempt.isProbe) this.#scheduleProbe(attempt, 0);
      return null;
    }
    if (!this.#failed.includes(attempt.position)) this.#failed.push(attempt.position);
    if (this.#failed.length < FAILURES_TO_OPEN) return null;
    this.#failed.length = 0;
    if (this.#state === 'closed') this.#probeDelayMs = FIRST_PROBE_MS;
    this.#state = 'open';
    this.#openSinceMs = attempt.nowMs;
    this.#scheduleProbe(attempt, 0);
    return 'opened';
  }

  #scheduleProbe(at: { nowMs: number; random: number }, atLeastMs: number): void {
    const jitter = 1 + PROBE_JITTER * (2 * at.random - 1);
    this.#nextProbeMs = at.nowMs + Math.max(this.#probeDelayMs * jitter, atLeastMs);
    this.#probeDelayMs = Math.min(MAX_PROBE_MS, this.#probeDelayMs * 2);
  }
}
