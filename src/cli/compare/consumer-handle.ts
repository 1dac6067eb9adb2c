// The comparison's hold on its consumer process.
import { startChild } from '../child-calls.ts';
import type { ComparedKind } from './compared-kind.ts';
import type { Arrival, ConsumerParts } from './consumer.ts';
import type { Traffic } from './traffic-meter.ts';

export type ConsumerStart = Pick<ComparedKind, 'via' | 'intervalMs'> & Pick<ConsumerParts, 'url' | 'apiKey' | 'app'>;

export interface ConsumerHandle {
  /** Begins anew as another kind. Returns where a webhook is to be sent. */
  start(consumer: ConsumerStart): Promise<string | null>;
  interrupt(): Promise<void>;
  resume(): Promise<void>;
  /** What came in since the last call. */
  takeArrivals(): Promise<Arrival[]>;
  /** Since the start. */
  traffic(): Promise<Traffic>;
  stop(): Promise<void>;
}

export function startConsumerProcess(): ConsumerHandle {
  const child = startChild(new URL('./consumer-process.js', import.meta.url), 'consumer');
  return {
    start: (consumer) => child.call('start', consumer),
    interrupt: () => child.call('interrupt'),
    resume: () => child.call('resume'),
    takeArrivals: () => child.call('takeArrivals'),
    traffic: () => child.call('traffic'),
    stop: () => child.stop(),
  };
}
