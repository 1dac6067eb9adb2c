// The receiver as a program of its own.
import { answerCalls } from './child-process.ts';
import { Receiver } from './receiver.ts';

const receiver = new Receiver();

const handlers = {
  listen: () => receiver.listen(),
  stats: () => ({ ...receiver.stats(), cpuMicros: cpuMicros() }),
  latency: () => receiver.latency(),
  resetLatency: () => receiver.resetLatency(),
  watchFor: (distinct: number[]) => receiver.watchFor(distinct),
  longestGapsMs: () => receiver.longestGapsMs(),
  resetGaps: () => receiver.resetGaps(),
};
export type ReceiverProcess = typeof handlers;

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

answerCalls(handlers);
