// The demo's hold on its receiver process.
import { startChild } from '../child-calls.ts';
import type { DemoEndpoint } from './demo-endpoints.ts';
import type { Receipt } from './receiver.ts';

export interface ReceiverHandle {
  /** Returns the URL of each endpoint by its name. */
  start(endpoints: DemoEndpoint[]): Promise<Record<string, string>>;
  /** An endpoint that began down comes up. */
  open(name: string): Promise<void>;
  /** What came in since the last call. */
  takeReceipts(): Promise<Receipt[]>;
  stop(): Promise<void>;
}

export function startReceiverProcess(): ReceiverHandle {
  const child = startChild(new URL('./receiver-process.js', import.meta.url), 'receiver');
  return {
    start: (endpoints) => child.call('start', endpoints),
    open: (name) => child.call('open', name),
    takeReceipts: () => child.call('takeReceipts'),
    stop: () => child.stop(),
  };
}
