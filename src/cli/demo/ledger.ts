// Holds what was published against what was received, delivery by delivery.
import { type DemoEndpoint, takes } from './demo-endpoints.ts';
import type { DemoEvent } from './github-events.ts';
import type { Receipt } from './receiver.ts';

export interface LatencyMs {
  p50: number | null;
  p99: number | null;
}

/** Deliveries, each an event to an endpoint; for one endpoint or all. */
export interface DeliveryCounts {
  expected: number;
  /** Expected ones that were accepted at least once. */
  received: number;
  /** Of those received, how many had a good signature and the published bytes, every time. */
  verified: number;
  /** Received by a second or later attempt. */
  retried: number;
  lost: number;
  /** Accepted more than once: the surplus. */
  duplicates: number;
  /** Requests for events that the endpoint does not take, or that were not published. */
  unexpected: number;
  publishToReceiveMs: LatencyMs;
}

export interface DemoResult {
  events: number;
  endpoints: (DeliveryCounts & { name: string })[];
  /** Latency here is that of the endpoints that are well. */
  total: DeliveryCounts;
  /** From the first publish to the last delivery. */
  deliveriesPerSecond: number;
  /** In the second with most deliveries. */
  bestSecond: number;
  /** Nothing is missing, unverified or unexpected. */
  ok: boolean;
}

interface Delivery {
  /** Accepted requests; the first is kept in full. */
  accepted: number;
  first: Receipt | null;
  sound: boolean;
}

export class Ledger {
  readonly #endpoints: DemoEndpoint[];
  readonly #published = new Map<string, DemoEvent & { publishedAtMs: number }>();
  readonly #deliveries: Map<string, Map<string, Delivery>>;
  readonly #accepted: Map<string, number>;
  /** Ids by endpoint. */
  readonly #expected: Map<string, Set<string>>;

  constructor(endpoints: DemoEndpoint[]) {
    this.#endpoints = endpoints;
    this.#deliveries = new Map(endpoints.map(({ name }) => [name, new Map()]));
    this.#accepted = new Map(endpoints.map(({ name }) => [name, 0]));
    this.#expected = new Map(endpoints.map(({ name }) => [name, new Set()]));
  }

  get events(): number {
    return this.#published.size;
  }

  /** An event was acknowledged under `event.id`; `publishedAtMs` is when its request was sent. */
  publish(event: DemoEvent, publishedAtMs: number): void {
    this.#published.set(event.id, { ...event, publishedAtMs });
    for (const { name, types } of this.#endpoints) {
      if (takes(types, event.type)) this.#expected.get(name)!.add(event.id);
    }
  }

  receive(receipt: Receipt): void {
    const deliveries = this.#deliveries.get(receipt.endpoint)!;
    const delivery = deliveries.get(receipt.id) ?? { accepted: 0, first: null, sound: true };
    deliveries.set(receipt.id, delivery);
    delivery.sound &&= receipt.verified;
    if (!receipt.accepted) return;
    delivery.accepted++;
    if (delivery.first === null) {
      delivery.first = receipt;
      this.#accepted.set(receipt.endpoint, this.#accepted.get(receipt.endpoint)! + 1);
    } else {
      delivery.sound &&= receipt.dataHash === delivery.first.dataHash;
    }
  }

  /** Events that an endpoint has accepted, for the progress. */
  acceptedBy(endpoint: string): number {
    return this.#accepted.get(endpoint)!;
  }

  /** Whether every expected delivery has been accepted. */
  get isComplete(): boolean {
    return this.#endpoints.every(({ name }) =>
      [...this.#expected.get(name)!].every((id) => this.#deliveries.get(name)!.get(id)?.first),
    );
  }

  result(): DemoResult {
    const parts = this.#endpoints.map((endpoint) => ({ endpoint, ...this.#count(endpoint) }));
    const healthy = parts.filter(({ endpoint }) => endpoint.trouble === '');
    const total = sum(parts.map(({ counts }) => counts));
    total.publishToReceiveMs = latencyOf(healthy.flatMap(({ latencies }) => latencies));
    const times = parts.flatMap(({ receivedAtMs }) => receivedAtMs).sort((a, b) => a - b);
    const firstMs = Math.min(...[...this.#published.values()].map(({ publishedAtMs }) => publishedAtMs));
    const tookMs = times.length === 0 ? Number.NaN : times[times.length - 1] - firstMs;
    return {
      events: this.#published.size,
      endpoints: parts.map(({ endpoint, counts }) => ({ name: endpoint.name, ...counts })),
      total,
      deliveriesPerSecond: times.length === 0 ? 0 : total.received / (tookMs / 1000),
      bestSecond: mostWithin(times, 1000),
      ok: total.lost === 0 && total.verified === total.received && total.unexpected === 0 && total.expected > 0,
    };
  }

  #count(endpoint: DemoEndpoint): { counts: DeliveryCounts; latencies: number[]; receivedAtMs: number[] } {
    const deliveries = this.#deliveries.get(endpoint.name)!;
    const expected = this.#expected.get(endpoint.name)!;
    const latencies: number[] = [];
    const receivedAtMs: number[] = [];
    let verified = 0;
    let retried = 0;
    let duplicates = 0;
    let unexpected = 0;
    for (const [id, { accepted, first, sound }] of deliveries) {
      if (!expected.has(id)) {
        unexpected++;
        continue;
      }
      if (first === null) continue;
      const event = this.#published.get(id)!;
      latencies.push(first.receivedAtMs - event.publishedAtMs);
      receivedAtMs.push(first.receivedAtMs);
      if (sound && first.dataHash === event.dataHash) verified++;
      if (first.attempt > 1) retried++;
      duplicates += accepted - 1;
    }
    const counts: DeliveryCounts = {
      expected: expected.size,
      received: latencies.length,
      verified,
      retried,
      lost: expected.size - latencies.length,
      duplicates,
      unexpected,
      publishToReceiveMs: latencyOf(latencies),
    };
    return { counts, latencies, receivedAtMs };
  }
}

function sum(parts: DeliveryCounts[]): DeliveryCounts {
  const add = (key: Exclude<keyof DeliveryCounts, 'publishToReceiveMs'>) =>
    parts.reduce((total, counts) => total + counts[key], 0);
  return {
    expected: add('expected'),
    received: add('received'),
    verified: add('verified'),
    retried: add('retried'),
    lost: add('lost'),
    duplicates: add('duplicates'),
    unexpected: add('unexpected'),
    publishToReceiveMs: { p50: null, p99: null },
  };
}

function latencyOf(values: number[]): LatencyMs {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (percent: number) => sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? null;
  return { p50: at(50), p99: at(99) };
}

/** The most of the sorted `times` that lie within a span. */
function mostWithin(times: number[], spanMs: number): number {
  let most = 0;
  let from = 0;
  for (let to = 0; to < times.length; to++) {
    while (times[to] - times[from] >= spanMs) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
