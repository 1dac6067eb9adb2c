// A server on the command line: started, announced on standard output, and held until a signal stops it.
import { type ClusteredTidings, startCluster } from '../app/cluster.ts';
import type { Config } from '../app/config.ts';
import { startTidings, type Tidings } from '../app/tidings.ts';
import { StopSignals } from './stop-signals.ts';

export interface ServerRun {
  config: Config;
  /** From 2 on they are a cluster; one is this process itself. */
  processes: number;
  /** Whether pending migrations are run or refused. */
  migrate: boolean;
  /** What to print once it is ready. */
  announce: (server: Tidings) => string | Promise<string>;
}

/** How long a process whose server has stopped may be held by what is left of it. */
const EXIT_AFTER_MS = 1000;

/** Runs a server until the first SIGINT or SIGTERM, then stops it gracefully. SIGHUP renews the processes of a cluster, one by one. */
export async function runServer({ config, processes, migrate, announce }: ServerRun): Promise<void> {
  let cluster: ClusteredTidings | null = null;
  const signals = new StopSignals({
    onHangUp: () => {
      if (cluster) void cluster.roll();
      else if (processes === 1)
        process.stderr.write('tidings: SIGHUP renews the processes of a server that has several: --processes 2.\n');
    },
    onLast: () => cluster?.kill(),
  }).listen();
  let server: Tidings;
  try {
    if (processes === 1) server = await startTidings(config, { migrate });
    else server = cluster = await startCluster(config, { migrate, processes, signal: signals.signal });
  } catch (error) {
    if (signals.signal.aborted) return; // stopped before it was ready
    throw error;
  }
  try {
    const words = await announce(server);
    if (!signals.signal.aborted) process.stdout.write(`${words}\n`);
    await signals.first();
  } finally {
    await server.stop().finally(() => {
      setTimeout(() => process.exit(), EXIT_AFTER_MS).unref();
    });
  }
}
