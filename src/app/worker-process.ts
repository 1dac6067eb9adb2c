// One server process of a cluster, as a program of its own; the primary (cluster.ts) tells it what to do. It is a whole server and needs
// the primary only to start: when that one is killed, it lets go of clients and lanes in order and ends.
import cluster from 'node:cluster';
import { startTidings, type Tidings } from './tidings.ts';
import type { WorkerFailure, WorkerOrder, WorkerReport } from './worker-handle.ts';

let starting: Promise<Tidings> | null = null;
let isStopping = false;

function report(words: WorkerReport): void {
  if (process.connected) process.send?.(words);
}

async function start({ config, graceMs }: Extract<WorkerOrder, { kind: 'start' }>): Promise<void> {
  try {
    starting = startTidings(config, { migrate: false, ...(graceMs === undefined ? {} : { graceMs }) });
    report({ kind: 'ready', url: (await starting).url });
  } catch (error) {
    const { message, code, syscall, address, port } = error as Error & WorkerFailure;
    report({ kind: 'failed', error: { message, code, syscall, address, port } });
    process.exit(1);
  }
}

async function stop({ replaced }: { replaced: boolean }): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  try {
    await (await starting)?.stop({ replaced });
    process.exit(0);
  } catch (error) {
    process.stderr.write(`tidings: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

process.on('message', (order: WorkerOrder) => {
  if (order.kind === 'start') void start(order);
  else if (order.kind === 'retire') void stop({ replaced: true });
});
process.on('SIGTERM', () => void stop({ replaced: false }));
// Both reach the whole group when they come from a terminal; the primary decides what they mean.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});
cluster.worker?.on('disconnect', () => {
  // The primary has ended. Without this Node would end this process on the spot.
  cluster.worker!.exitedAfterDisconnect = true;
  void stop({ replaced: false });
});
report({ kind: 'loaded' });
