// What decides how many requests an endpoint gets and when: window, breaker, rate, and what the endpoint itself has asked for. A lane asks
// it before each request, and tells it what came of each (design, "Flow control per lane").
import { Breaker, type BreakerSnapshot } from '../core/breaker.ts';
import type { EndpointConfig } from '../core/endpoint.ts';
import type { SendResult } from '../core/outcome.ts';
import { TokenBucket } from '../core/token-bucket.ts';
import { Window } from '../core/window.ts';

/** The lane's pause after a 429 without Retry-After, and the longest that a Retry-After may ask for. */
const THROTTLE_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 3_600_000;
/** So many requests at once may go to an endpoint of which nothing is known yet; beyond that it shares with the suspects. */
const UNPROVEN_REQUESTS = 4;

/** A request's outcome, and how full the lane was when it came. */
export interface Lesson {
  result: SendResult;
  /** Tells events apart: the breaker opens after failures of different ones. */
  position: number;
  isProbe: boolean;
  inFlight: number;
  uncommitted: number;
  nowMs: number;
  random: number;
}

export class FlowControl {
  readonly breaker: Breaker;
  readonly window: Window;
  #config: EndpointConfig;
  #bucket: TokenBucket | null;
  #throttledUntilMs = 0;
  #lastTimedOut = false;
  #proven = false;

  constructor(config: EndpointConfig, breaker: BreakerSnapshot, nowMs: number) {
    this.#config = config;
    this.breaker = new Breaker(breaker);
    this.window = new Window(windowFor(config));
    this.#bucket = config.rate && new TokenBucket(config.rate.perSecond, nowMs);
  }

  /** Takes a newer configuration. With `isNew` what is known of the endpoint is forgotten: it may be another one. */
  configure(config: EndpointConfig, nowMs: number, isNew: boolean): void {
    this.#config = config;
    this.window.max = windowFor(config);
    if (config.rate?.perSecond !== this.#bucket?.perSecond) {
      this.#bucket = config.rate && new TokenBucket(config.rate.perSecond, nowMs);
    }
    if (!isNew) return;
    this.breaker.reset();
    this.#throttledUntilMs = 0;
    this.#lastTimedOut = false;
    this.#proven = false;
  }

  get throttledUntilMs(): number {
    return this.#throttledUntilMs;
  }

  /** Requests that could begin at once by the rate; null without one. */
  tokens(nowMs: number): number | null {
    return this.#bucket?.available(nowMs) ?? null;
  }

  /** Requests that may be in flight. Under strict order: one. */
  get concurrency(): number {
    if (this.breaker.isOpen || this.#config.order === 'strict') return 1;
    return Math.min(this.window.size, this.#config.maxConcurrency);
  }

  /** Requests that may be sent and not yet committed (design rule 8). */
  get openBound(): number {
    return 2 * this.window.size;
  }

  /** Whether it may hang: such lanes share a part of what the process has (design rule 14). */
  isSuspect(inFlight: number): boolean {
    if (!this.#proven) return inFlight >= UNPROVEN_REQUESTS || this.breaker.snapshot.state !== 'closed';
    return this.#lastTimedOut || this.breaker.snapshot.state !== 'closed';
  }

  /** When the next request may begin: not later than now = at once; Infinity = not before a probe has ended. */
  notBeforeMs(nowMs: number): number {
    const asked = Math.max(this.breaker.nextAttemptMs(), this.#throttledUntilMs);
    return this.#bucket && asked <= nowMs ? this.#bucket.nextMs(nowMs) : asked;
  }

  /** A request begins; as a probe, while the breaker is open. */
  began(nowMs: number, isProbe: boolean): void {
    this.#bucket?.take(nowMs);
    if (isProbe) this.breaker.probe();
  }

  /** It was not made after all. */
  abandoned(isProbe: boolean): void {
    this.#bucket?.giveBack();
    if (isProbe) this.breaker.abandonProbe();
  }

  /** Takes an outcome in; returns what it did to the breaker. */
  learn(lesson: Lesson): 'opened' | 'closed' | null {
    const { result, nowMs } = lesson;
    const { outcome, retryAfterMs } = result;
    this.#proven = true;
    this.#lastTimedOut = result.reason === 'timeout_connect' || result.reason === 'timeout_total';
    if (outcome === 'delivered') this.window.succeeded(result.timings.totalUs / 1000, this.#fullness(lesson));
    else if (outcome !== 'rejected') this.window.halve(nowMs);
    const pauseMs = retryAfterMs ?? (outcome === 'throttled' ? THROTTLE_PAUSE_MS : 0);
    if (pauseMs > 0 && outcome !== 'delivered') {
      this.#throttledUntilMs = Math.max(this.#throttledUntilMs, nowMs + Math.min(pauseMs, MAX_PAUSE_MS));
    }
    const { position, isProbe, random } = lesson;
    const transition = this.breaker.settle({ outcome, position, isProbe, retryAfterMs, nowMs, random });
    if (transition === 'closed') this.window.restart();
    return transition;
  }

  #fullness({ inFlight, uncommitted }: Lesson): 'attempts' | 'outcomes' | null {
    if (uncommitted >= this.openBound) return 'outcomes';
    return inFlight + 1 >= Math.min(this.window.size, this.#config.maxConcurrency) ? 'attempts' : null;
  }

  /** Whether the breaker has been open for longer than the endpoint is kept enabled. */
  isGivenUp(nowMs: number): boolean {
    const { openSinceMs } = this.breaker.snapshot;
    return openSinceMs !== null && nowMs - openSinceMs > this.#config.disableAfterSeconds * 1000;
  }
}

/** Twice what may be in flight: an outcome occupies the window until it is committed. */
function windowFor(config: EndpointConfig): number {
  return 2 * (config.order === 'strict' ? 1 : config.maxConcurrency);
}
