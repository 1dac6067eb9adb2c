import { setTimeout as pause } from 'node:timers/promises';

export interface PacedPublishing<E> {
  events: E[];
  perSecond: number;
  /** Requests under way at once, at most. */
  atOnce: number;
  publish: (event: E) => Promise<void>;
  /** Ends the publishing early; what is under way is waited for. */
  signal: AbortSignal;
}

const TICK_MS = 10;

/** Publishes at the pace asked for, or slower where the server takes no more. @throws the first error of `publish` */
export async function publishPaced<E>({
  events,
  perSecond,
  atOnce,
  publish,
  signal,
}: PacedPublishing<E>): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const beginMs = performance.now();
  let next = 0;
  while (next < events.length && failures.length === 0 && !signal.aborted) {
    const due = Math.min(events.length, Math.ceil(((performance.now() - beginMs) / 1000) * perSecond));
    while (next < due && underWay.size < atOnce) {
      const request: Promise<void> = publish(events[next++])
        .catch((error: unknown) => void failures.push(error))
        .finally(() => underWay.delete(request));
      underWay.add(request);
    }
    await (underWay.size < atOnce ? pause(TICK_MS) : Promise.race(underWay));
  }
  await Promise.all(underWay);
  if (failures.length > 0) throw failures[0];
}
