// The live state of a lane of this process, in the API's words.
import type { LaneStatus } from '../api/engine.ts';
import type { Tail } from '../log/tail.ts';
import type { LaneHealth } from '../push/failing-alerts.ts';
import type { Lane } from '../push/lane.ts';
import { toAttempt } from './direct-attempt.ts';

const HOUR_MS = 3_600_000;
const PULLED = 'The endpoint is in mode pull: nothing is sent to it, and its events wait to be fetched.';

export function laneStatusOf(lane: Lane, tail: Pick<Tail, 'head'>, nowMs: number): LaneStatus {
  const { settled, meter, lastAttempt } = lane;
  const head = tail.head(lane.appId)?.position ?? settled.position;
  const pending = Math.max(0, head - settled.position);
  const oldest = lane.oldestOpen;
  const ownedMs = nowMs - lane.ownedSinceMs;
  const none = { attempts: 0, delivered: 0 };
  return {
    state: lane.state,
    reason: reasonOf(lane, nowMs),
    settled,
    lag: { events: pending, seconds: pending > 0 && oldest ? Math.max(0, (nowMs - oldest.appendedMs) / 1000) : 0 },
    breaker: lane.breaker.snapshot,
    window: lane.window.size,
    inFlight: lane.inFlight,
    rateTokens: lane.flow.tokens(nowMs),
    throttledUntilMs: lane.throttledUntilMs > nowMs ? lane.throttledUntilMs : null,
    blocked: lane.blocked ? 'retries' : lane.isExhausted ? 'exhausted' : null,
    rate: meter?.perSecond(nowMs) ?? 0,
    lastAttempt: lastAttempt ? toAttempt(lane.appId, lane.endpoint.id, lastAttempt) : null,
    success: {
      '1h': ownedMs < HOUR_MS && !meter ? null : (meter?.lastHour(nowMs) ?? none),
      '24h': ownedMs < 24 * HOUR_MS && !meter ? null : (meter?.lastDay(nowMs) ?? none),
    },
  };
}

function reasonOf(lane: Lane, nowMs: number): string | null {
  if (lane.state === 'pull') return PULLED;
  if (lane.state === 'disabled') return 'The endpoint is disabled. Resume it to send again.';
  if (lane.state === 'paused' || lane.state === 'pausing') return 'The endpoint was paused.';
  if (lane.breaker.isOpen) return 'The endpoint cannot be reached; single probes find out when it is back.';
  if (lane.throttledUntilMs > nowMs)
    return `The endpoint asked to wait until ${new Date(lane.throttledUntilMs).toISOString()}.`;
  if (lane.isExhausted) {
    return 'An event has used up its retries and holds up the others, as onExhausted asks. Resend it, or resume the endpoint from the head.';
  }
  if (lane.waitsForTransforms) {
    return "The app's transformations have used up their share of the processor for now; events that are to be transformed wait.";
  }
  if (lane.blocked) return 'Too many events wait for a retry; new ones wait in the log.';
  return null;
}

/** How a lane that was said to fail does now; null when it is not in this process. */
export function laneHealth(lane: Lane | null): LaneHealth | null {
  if (!lane) return null;
  if (lane.breaker.isOpen) return 'open';
  return lane.lastAttempt?.result.outcome === 'delivered' ? 'well' : 'unknown';
}
