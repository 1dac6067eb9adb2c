// The demo's hold on its receiver process.
import { fork } from 'node:child_process';
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

export interface ReceiverCall {
  id: number;
  name: 'start' | 'open' | 'takeReceipts';
  argument: unknown;
}

export function startReceiverProcess(): ReceiverHandle {
  const child = fork(new URL('./receiver-process.js', import.meta.url), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  });
  const pending = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let nextId = 1;
  child.on('message', ({ id, value, error }: { id: number; value?: never; error?: string }) => {
    const call = pending.get(id);
    pending.delete(id);
    if (error === undefined) call?.resolve(value as never);
    else call?.reject(new Error(`The receiver failed: ${error}`));
  });
  child.on('exit', (code, signal) => {
    for (const { reject } of pending.values())
      reject(new Error(`The receiver ended (${signal ?? `exit code ${code}`}).`));
    pending.clear();
  });
  const call = <T>(name: ReceiverCall['name'], argument?: unknown) =>
    new Promise<T>((resolve, reject) => {
      if (!child.connected) {
        reject(new Error('The receiver has ended.'));
        return;
      }
      const id = nextId++;
      pending.set(id, { resolve: resolve as (value: never) => void, reject });
      child.send({ id, name, argument } satisfies ReceiverCall);
    });
  return {
    start: (endpoints) => call('start', endpoints),
    open: (name) => call('open', name),
    takeReceipts: () => call('takeReceipts'),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
