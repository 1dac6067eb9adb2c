// What was promised, held against what came: every event that was acknowledged, and every request that the receiver wrote down.
import { isAccepted, type Receipt } from './receipt.ts';

export interface PublishedEvent {
  appId: string;
  id: string;
  type: string;
  dataHash: string;
  /** When its request was first sent. */
  sentAtMs: number;
  /** Null until a 2xx came: until then nothing is promised. */
  acknowledged: { position: number; atMs: number } | null;
}

/** An endpoint of the load. */
export interface WatchedEndpoint {
  /** Its path at the receiver. */
  name: string;
  id: string;
  appId: string;
  order: 'none' | 'strict';
  /** How many attempts its lane may have sent and not committed when its process ends. */
  openBound: number;
}

export interface Counts {
  acknowledged: number;
  /** Acknowledged events times their endpoints. */
  expected: number;
  delivered: number;
  /** Accepted requests beyond the first of their delivery. */
  duplicates: number;
  requests: number;
}

interface Delivery {
  first: Receipt;
  accepted: number;
}

export class Ledger {
  readonly endpoints: readonly WatchedEndpoint[];
  readonly events = new Map<string, PublishedEvent>();
  readonly receipts: Receipt[] = [];
  readonly #byApp = new Map<string, PublishedEvent[]>();
  readonly #deliveries: Map<string, Map<string, Delivery>>;

  constructor(endpoints: readonly WatchedEndpoint[]) {
    this.endpoints = endpoints;
    this.#deliveries = new Map(endpoints.map(({ name }) => [name, new Map()]));
  }

  /** An event is about to be sent for the first time. */
  sent(event: Omit<PublishedEvent, 'acknowledged'>): void {
    this.events.set(event.id, { ...event, acknowledged: null });
  }

  acknowledge(id: string, acknowledged: NonNullable<PublishedEvent['acknowledged']>): void {
    const event = this.events.get(id)!;
    event.acknowledged = acknowledged;
    const ofApp = this.#byApp.get(event.appId);
    if (ofApp) ofApp.push(event);
    else this.#byApp.set(event.appId, [event]);
  }

  receive(receipt: Receipt): void {
    this.receipts.push(receipt);
    const deliveries = this.#deliveries.get(receipt.endpoint);
    if (!deliveries || !isAccepted(receipt)) return;
    const delivery = deliveries.get(receipt.id);
    if (delivery) delivery.accepted++;
    else deliveries.set(receipt.id, { first: receipt, accepted: 1 });
  }

  /** In the order of their acknowledgement. */
  acknowledgedOf(appId: string): readonly PublishedEvent[] {
    return this.#byApp.get(appId) ?? [];
  }

  firstAccepted(endpoint: string, eventId: string): Receipt | null {
    return this.#deliveries.get(endpoint)?.get(eventId)?.first ?? null;
  }

  /** Acknowledged events that an endpoint has not accepted; at most `limit` of them. */
  missing(endpoint: WatchedEndpoint, limit = Number.POSITIVE_INFINITY): PublishedEvent[] {
    const missing: PublishedEvent[] = [];
    for (const event of this.acknowledgedOf(endpoint.appId)) {
      if (missing.length >= limit) break;
      if (!this.firstAccepted(endpoint.name, event.id)) missing.push(event);
    }
    return missing;
  }

  counts(): Counts {
    const counts: Counts = {
      acknowledged: 0,
      expected: 0,
      delivered: 0,
      duplicates: 0,
      requests: this.receipts.length,
    };
    for (const events of this.#byApp.values()) counts.acknowledged += events.length;
    for (const { name, appId } of this.endpoints) {
      counts.expected += this.acknowledgedOf(appId).length;
      for (const [id, { accepted }] of this.#deliveries.get(name)!) {
        counts.duplicates += accepted - 1;
        if (this.events.get(id)?.acknowledged) counts.delivered++;
      }
    }
    return counts;
  }

  /** From sending the publish to the first acceptance, of events sent within the span, sorted. */
  delaysMs(endpoints: readonly WatchedEndpoint[], span: { fromMs: number; toMs: number }): number[] {
    const delays: number[] = [];
    for (const { name, appId } of endpoints) {
      for (const { id, sentAtMs } of this.acknowledgedOf(appId)) {
        if (sentAtMs < span.fromMs || sentAtMs >= span.toMs) continue;
        const first = this.firstAccepted(name, id);
        if (first) delays.push(first.atMs - sentAtMs);
      }
    }
    return delays.sort((a, b) => a - b);
  }
}

/** Of sorted values; NaN when there is none. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}
