// What all that are compared have in common: a consumer that notes each event, and can be away for a while.
import type { TrafficMeter } from './traffic-meter.ts';

/** An event that came in. */
export interface Arrival {
  id: string;
  /** Machine-wide monotonic time. */
  atMs: number;
}

export interface Consumer {
  /** Resolves when it is connected, or has begun to poll. */
  resume(): Promise<void>;
  /** From then on nothing comes in; a reader keeps its cursor. */
  interrupt(): Promise<void>;
}

export interface ConsumerParts {
  /** The server's, and the key to it. */
  url: string;
  apiKey: string;
  app: string;
  intervalMs: number;
  meter: TrafficMeter;
  received: (eventId: string) => void;
}
