// Filters asked about events in this process, with nothing else around: what one evaluation takes. The terms of a filter all hold but for
// the last one that is looked at, so that none of the five is spared.
import type { EndpointFilter } from '../src/core/endpoint.ts';
import type { LogEvent } from '../src/core/event.ts';
import type { compileFilter } from '../src/core/filter.ts';

export interface EvaluationPlan {
  /** The product's. */
  compile: typeof compileFilter;
  filters: readonly EndpointFilter[];
  /** JSON of the events' data. Each event has bytes of its own, so each is parsed. */
  data: string;
  seconds: number;
}

export interface Evaluations {
  /** Of CPU, with the parsing of the events: unlike the clock it does not count what else the machine does. */
  microsEach: number;
  evaluations: number;
  matches: number;
}

const EVENTS_AT_ONCE = 100;

/** A filter of five terms for each endpoint, no two alike; an order of `anOrder` meets four of them, and one endpoint in a thousand the fifth. */
export function fiveTerms(endpoint: number): EndpointFilter {
  return {
    where: {
      data: {
        'customer.country': { $in: ['DE', 'FR', `X${endpoint}`] },
        amount: { $gte: endpoint % 100 },
        status: 'paid',
        reference: { $startsWith: 'ord-' },
        'items.sku': `sku-${endpoint}`,
      },
    },
  };
}

/** An order of some 400 bytes with three items. */
export function anOrder(): object {
  return {
    id: '0192f0c8-6b1e-7cc3-98d5-3f2f6f0e2f11',
    reference: 'ord-2026-11-21-0001',
    status: 'paid',
    amount: 129.9,
    currency: 'EUR',
    customer: { id: 'cus_8812', name: 'Ada Lovelace', country: 'DE', tags: ['vip', 'b2b'] },
    items: [7, 8, 9].map((n) => ({ sku: `sku-${n}`, count: n, price: 43.3 })),
    note: null,
  };
}

/** Asks every filter about one event after the other, as the lanes of an app are. */
export function evaluateFilters({ compile, filters, data, seconds }: EvaluationPlan): Evaluations {
  const compiled = filters.map(compile);
  let evaluations = 0;
  let matches = 0;
  let micros = 0;
  while (micros < seconds * 1e6) {
    const events = Array.from({ length: EVENTS_AT_ONCE }, () => anEvent(data));
    const before = process.cpuUsage();
    for (const event of events) for (const filter of compiled) if (filter.matches(event)) matches++;
    const { user, system } = process.cpuUsage(before);
    micros += user + system;
    evaluations += events.length * compiled.length;
  }
  return { microsEach: micros / evaluations, evaluations, matches };
}

function anEvent(data: string): Pick<LogEvent, 'type' | 'timeMs' | 'channels' | 'data'> {
  return { type: 'bench.event', timeMs: 0, channels: [], data: Buffer.from(data) };
}
