// Lets lanes come to rest before they move to another process: nothing of them may be under way when the next owner begins, for the fence
// tells processes apart and not lanes (design rule 1). The endpoints that answer quickly are stopped last, and only for a moment.
import { setTimeout as pause } from 'node:timers/promises';
import type { Lane } from './lane.ts';

const LOOK_EVERY_MS = 5;
/** An endpoint that takes longer is one that the others should not wait for. */
const SLOW_MS = 250;

/**
 * Resolves with whether all lanes rest: nothing of them is in flight or uncommitted. `isGone` ends the wait, as does the deadline of the
 * slowest endpoint; lanes stay held either way, for the caller to let them go on.
 */
export async function drainLanes(
  lanes: readonly Lane[],
  host: { now: () => number; isGone: () => boolean },
): Promise<boolean> {
  const longestMs = Math.max(0, ...lanes.map((lane) => lane.endpoint.config.timeoutMs)) + 5000;
  const deadlineMs = host.now() + longestMs;
  const isOver = (): boolean => host.isGone() || host.now() > deadlineMs;
  for (;;) {
    const slow = lanes.filter((lane) => lane.isSuspect || isSlow(lane));
    for (const lane of slow) lane.hold();
    if (isOver()) return false;
    if (!slow.some((lane) => lane.isOpen)) break;
    await pause(LOOK_EVERY_MS);
  }
  for (const lane of lanes) lane.hold();
  while (lanes.some((lane) => lane.isOpen)) {
    if (isOver()) return false;
    await pause(LOOK_EVERY_MS);
  }
  return true;
}

function isSlow(lane: Lane): boolean {
  const last = lane.lastAttempt;
  return last === null ? lane.inFlight > 0 : last.result.timings.totalUs > SLOW_MS * 1000;
}
