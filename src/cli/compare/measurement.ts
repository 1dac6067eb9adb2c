// What is computed of one kind at one rate, from what was published and what came in.
import type { ComparedKind } from './compared-kind.ts';
import type { Arrival } from './consumer.ts';
import type { Traffic } from './traffic-meter.ts';

/** When the call that publishes it began, on the clock that arrivals are noted by. */
export type Publishing = Arrival;

export interface Observation {
  kind: ComparedKind;
  perSecond: number;
  /** From the first publish until all of it was received; traffic and CPU are of this time. */
  steadyMs: number;
  published: Publishing[];
  traffic: Traffic;
  serverCpuMicros: number;
  /** Published while the consumer was away. */
  publishedInOutage: Publishing[];
  backAtMs: number;
  /** Of both parts. */
  arrivals: Arrival[];
}

export interface Measurement {
  kind: string;
  label: string;
  perSecond: number;
  /** Before the outage. */
  events: number;
  seconds: number;
  requestsPerMinute: number;
  emptyAnswersPerMinute: number;
  bytesToConsumerPerEvent: number | null;
  bytesFromConsumerPerEvent: number | null;
  serverCpuMicrosPerEvent: number | null;
  /** From publishing to the consumer. */
  delayMs: { p50: number | null; p99: number | null };
  openConnections: number;
  connectionsOpened: number;
  /** Events that were published while the consumer was away, and how it got them. */
  outage: { missed: number; madeGoodBy: string; madeGood: number; catchUpMs: number | null };
  lost: number;
  /** Received more than once: the surplus. */
  duplicates: number;
}

/** The smallest value that at least this share is not above (nearest rank); null of nothing. */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export function measure(observation: Observation): Measurement {
  const { kind, perSecond, steadyMs, published, traffic, publishedInOutage, backAtMs, arrivals } = observation;
  const isRead = kind.via !== 'nothing';
  const first = new Map<string, number>();
  let duplicates = 0;
  for (const { id, atMs } of arrivals) {
    if (first.has(id)) duplicates++;
    else first.set(id, atMs);
  }
  const delays = published.flatMap(({ id, atMs }) => (first.has(id) ? [first.get(id)! - atMs] : []));
  const madeGood = publishedInOutage.flatMap(({ id }) => first.get(id) ?? []);
  const perMinute = (count: number) => round((count * 60_000) / steadyMs);
  const perEvent = (count: number) => (published.length === 0 ? null : round(count / published.length));
  return {
    kind: kind.name,
    label: kind.label,
    perSecond,
    events: published.length,
    seconds: round(steadyMs / 1000),
    requestsPerMinute: perMinute(traffic.requests),
    emptyAnswersPerMinute: perMinute(traffic.emptyAnswers),
    bytesToConsumerPerEvent: isRead ? perEvent(traffic.bytesToConsumer) : null,
    bytesFromConsumerPerEvent: isRead ? perEvent(traffic.bytesFromConsumer) : null,
    serverCpuMicrosPerEvent: perEvent(observation.serverCpuMicros),
    delayMs: { p50: roundOrNull(percentile(delays, 0.5)), p99: roundOrNull(percentile(delays, 0.99)) },
    openConnections: traffic.openConnections,
    connectionsOpened: traffic.connectionsOpened,
    outage: {
      missed: isRead ? publishedInOutage.length : 0,
      madeGoodBy: kind.madeGoodBy,
      madeGood: madeGood.length,
      catchUpMs: madeGood.length === 0 ? null : round(Math.max(0, Math.max(...madeGood) - backAtMs)),
    },
    lost: isRead ? published.length - delays.length + publishedInOutage.length - madeGood.length : 0,
    duplicates,
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function roundOrNull(value: number | null): number | null {
  return value === null ? null : round(value);
}
