// When it pays to ask an app's log again: after as long as its events are apart. The longer nothing comes, the longer that is, so a poller
// of a log that has fallen quiet asks less and less.
import { CHUNK_POSITIONS, type EventCache } from '../log/event-cache.ts';
import type { LogEnd } from '../storage/heads.ts';

export const MAX_POLL_AFTER_SECONDS = 60;
/** Of the latest events, as far as they are in memory. */
const LOOK_BACK_EVENTS = 16;

/** In seconds, for a reader that has reached the end. */
export function pollAfterSeconds(cache: EventCache, appId: string, end: LogEnd, nowMs: number): number {
  const chunkStart = end.position - (end.position % CHUNK_POSITIONS);
  const latest = cache.peek(appId, Math.max(chunkStart, end.position - LOOK_BACK_EVENTS + 1));
  const apartMs = latest.length === 0 ? 0 : (nowMs - latest[0].appendedMs) / latest.length;
  const seconds = Math.ceil(Math.max(apartMs, end.idleMs) / 1000);
  return Math.min(MAX_POLL_AFTER_SECONDS, Math.max(1, seconds));
}
