// Puts load on a target and measures until the last delivery of what was published has arrived: a server that accepts
// faster than it delivers pays for its backlog, it cannot hide it.
import { setTimeout as pause } from 'node:timers/promises';
import { startChild } from './child-process.ts';
import type { FloorServerProcess } from './floor-server-process.ts';
import { Histogram, type LatencySummary } from './histogram.ts';
import type { LoadResult } from './load-generator.ts';
import type { LoadGeneratorProcess } from './load-generator-process.ts';
import { readAllProcessStats, readPeakMemoryBytes, treeCpuMicros } from './process-stats.ts';
import type { ReceiverProcess } from './receiver-process.ts';
import { publishPath, type Target } from './target.ts';

/** How much is delivered for what is published. */
export interface LoadShape {
  endpoints: number;
  /** 1 publishes single events, more publishes batches. */
  eventsPerRequest: number;
  connections: number;
  dataBytes: number;
}

export interface LoadPlan {
  shape: LoadShape;
  seconds: number;
  warmUpSeconds: number;
  /** Null = a closed loop: every connection publishes again when it was answered. */
  eventsPerSecond: number | null;
  signal: AbortSignal;
}

export interface LoadMeasurement {
  events: number;
  deliveries: number;
  /** From the first publish to the last delivery. */
  deliveriesPerSecond: number;
  /** CPU per delivery. */
  cpuMicros: { process: number; postgres: number | null };
  ackMs: LatencySummary;
  /** Publish to receive. */
  endToEndMs: LatencySummary;
  walBytesPerEvent: number | null;
  duplicates: number;
  refused: number;
  /** Opened to the receiver while the load was measured; many mean that connections are not kept. */
  connectionsOpened: number;
  peakMemoryBytes: number;
  /** What the load itself cost: CPU per request published, and per request received. */
  generatorMicros: number;
  receiverMicros: number;
}

export type OpenTarget = (options: { receiverOrigin: string; endpoints: number }) => Promise<Target>;

const POLL_MS = 20;
const STALLED_MS = 30_000;

/** Runs receiver and generator as processes against the target that `open` gives, and ends them again. */
export async function measureLoad(open: OpenTarget, plan: LoadPlan): Promise<LoadMeasurement> {
  plan.signal.throwIfAborted();
  const receiver = startChild<ReceiverProcess>('receiver-process');
  const generator = startChild<LoadGeneratorProcess>('load-generator-process');
  const stop = () => Promise.all([generator.stop(), receiver.stop()]);
  plan.signal.addEventListener('abort', stop, { once: true });
  try {
    const { shape } = plan;
    const { port } = await receiver.calls.listen();
    const target = await open({ receiverOrigin: `http://127.0.0.1:${port}`, endpoints: shape.endpoints });
    await generator.calls.connect({
      origin: target.origin,
      path: target.publishPath(shape.eventsPerRequest),
      headers: target.headers,
      connections: shape.connections,
      eventsPerRequest: shape.eventsPerRequest,
      dataBytes: shape.dataBytes,
    });
    const publish = (seconds: number): Promise<LoadResult & { cpuMicros: number }> =>
      plan.eventsPerSecond === null
        ? generator.calls.runClosedLoop({ seconds })
        : generator.calls.runOpenLoop({ perSecond: plan.eventsPerSecond, seconds });

    const warmUp = await publish(plan.warmUpSeconds);
    const before = await untilDelivered(receiver.calls, warmUp.events * shape.endpoints);
    await receiver.calls.resetLatency();
    const sampleBefore = await target.sample();

    const load = await publish(plan.seconds);
    const after = await untilDelivered(receiver.calls, (warmUp.events + load.events) * shape.endpoints);
    const sampleAfter = await target.sample();

    const deliveries = load.events * shape.endpoints;
    const per = (from: number | null, to: number | null, count: number) =>
      from === null || to === null ? null : (to - from) / count;
    return {
      events: load.events,
      deliveries,
      deliveriesPerSecond: deliveries / ((after.lastDistinctAtMs - load.firstSentAtMs) / 1000),
      cpuMicros: {
        process: (sampleAfter.processMicros - sampleBefore.processMicros) / deliveries,
        postgres: per(sampleBefore.postgresMicros, sampleAfter.postgresMicros, deliveries),
      },
      ackMs: Histogram.fromData(load.ackMs).summary(),
      endToEndMs: Histogram.fromData(await receiver.calls.latency()).summary(),
      walBytesPerEvent: per(sampleBefore.walBytes, sampleAfter.walBytes, load.events),
      duplicates: after.duplicates,
      refused: load.refused,
      connectionsOpened: after.connections - before.connections,
      peakMemoryBytes: target.peakMemoryBytes(),
      generatorMicros: load.cpuMicros / load.requests,
      receiverMicros: (after.cpuMicros - before.cpuMicros) / (after.requests - before.requests),
    };
  } finally {
    plan.signal.removeEventListener('abort', stop);
    await stop();
  }
}

/** The same against the floor, which lives as long as the measurement. */
export async function measureFloor(plan: LoadPlan): Promise<LoadMeasurement> {
  const floor = startChild<FloorServerProcess>('floor-server-process');
  try {
    return await measureLoad(async (options) => {
      const { port } = await floor.calls.listen(options);
      return {
        origin: `http://127.0.0.1:${port}`,
        headers: {},
        publishPath: publishPath('app'),
        sample: async () => ({
          processMicros: treeCpuMicros(readAllProcessStats(), floor.pid),
          postgresMicros: null,
          walBytes: null,
        }),
        peakMemoryBytes: () => readPeakMemoryBytes(floor.pid),
      };
    }, plan);
  } finally {
    await floor.stop();
  }
}

/** Waits for `expected` distinct deliveries. @throws Error when nothing more comes though some are missing. */
async function untilDelivered(
  receiver: ReturnType<typeof startChild<ReceiverProcess>>['calls'],
  expected: number,
): Promise<Awaited<ReturnType<typeof receiver.stats>>> {
  let progressAt = performance.now();
  let last = -1;
  for (;;) {
    const stats = await receiver.stats();
    if (stats.distinct === expected) return stats;
    if (stats.distinct > expected) {
      throw new Error(`${stats.distinct} deliveries arrived of ${expected} events that were acknowledged.`);
    }
    if (stats.distinct !== last) {
      last = stats.distinct;
      progressAt = performance.now();
    } else if (performance.now() - progressAt > STALLED_MS) {
      throw new Error(
        `${expected - stats.distinct} of ${expected} deliveries are missing, and none has come for ${STALLED_MS / 1000} s ` +
          `(${stats.duplicates} duplicates, ${stats.malformed} malformed).`,
      );
    }
    await pause(POLL_MS);
  }
}
