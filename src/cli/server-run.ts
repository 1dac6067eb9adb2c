// A server on the command line: started, announced on standard output, and held until a signal stops it.
import type { Config } from '../app/config.ts';
import { startTidings, type Tidings } from '../app/tidings.ts';
import { StopSignals } from './stop-signals.ts';

export interface ServerRun {
  config: Config;
  /** Whether pending migrations are run or refused. */
  migrate: boolean;
  /** What to print once it is ready. */
  announce: (server: Tidings) => string | Promise<string>;
}

/** Runs a server until the first SIGINT or SIGTERM, then stops it gracefully. */
export async function runServer({ config, migrate, announce }: ServerRun): Promise<void> {
  const signals = new StopSignals().listen();
  const server = await startTidings(config, { migrate });
  try {
    const words = await announce(server);
    if (!signals.signal.aborted) process.stdout.write(`${words}\n`);
    await signals.first();
  } finally {
    await server.stop();
  }
}
