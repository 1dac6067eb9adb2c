import { startChild } from '../child-calls.ts';

export interface ServerHandle {
  start(): Promise<{ url: string; apiKey: string }>;
  /** User and system time of the server process so far; its database has processes of its own. */
  cpuMicros(): Promise<number>;
  stop(): Promise<void>;
}

export function startServerProcess(): ServerHandle {
  const child = startChild(new URL('./server-process.js', import.meta.url), 'server');
  return {
    start: () => child.call('start'),
    cpuMicros: () => child.call('cpuMicros'),
    stop: () => child.stop(),
  };
}
