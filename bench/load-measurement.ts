// Puts load on a target and measures until the last delivery of what was published has arrived: a server that accepts
// faster than it delivers pays for its backlog, it cannot hide it.
import { startChild } from './child-process.ts';
import type { FloorServerProcess } from './floor-server-process.ts';
import { Histogram, type LatencySummary } from './histogram.ts';
import type { LoadResult } from './load-generator.ts';
import { readAllProcessStats, readProcessMemory, treeCpuMicros } from './process-stats.ts';
import { type LoadShape, untilDelivered, withRig } from './rig.ts';
import type { Target } from './target.ts';

export interface LoadPlan {
  /** `apps` are published to in turn, and each event goes to the `endpoints` of its app. */
  shape: LoadShape & { apps: number; endpoints: number };
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

export type OpenTarget = (options: { receiverOrigin: string; apps: number; endpoints: number }) => Promise<Target>;

/** Runs receiver and generator as processes against the target that `open` gives, and ends them again. */
export async function measureLoad(open: OpenTarget, plan: LoadPlan): Promise<LoadMeasurement> {
  return await withRig(plan.signal, async (rig) => {
    const { apps, endpoints, ...shape } = plan.shape;
    const receiver = await rig.startReceiver();
    const target = await open({ receiverOrigin: receiver.origin, apps, endpoints });
    const generator = await rig.startGenerator(target, shape);
    const publish = (seconds: number): Promise<LoadResult & { cpuMicros: number }> =>
      plan.eventsPerSecond === null
        ? generator.runClosedLoop({ seconds })
        : generator.runOpenLoop({ perSecond: plan.eventsPerSecond, seconds });

    const warmUp = await publish(plan.warmUpSeconds);
    const before = await untilDelivered(receiver, warmUp.events * endpoints);
    await receiver.calls.resetLatency();
    const sampleBefore = await target.sample();

    const load = await publish(plan.seconds);
    const after = await untilDelivered(receiver, (warmUp.events + load.events) * endpoints);
    const sampleAfter = await target.sample();

    const deliveries = load.events * endpoints;
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
  });
}

/** The same against the floor, which lives as long as the measurement. */
export async function measureFloor(plan: LoadPlan): Promise<LoadMeasurement> {
  const floor = startChild<FloorServerProcess>('floor-server-process');
  try {
    return await measureLoad(async ({ receiverOrigin, endpoints }) => {
      const { port } = await floor.calls.listen({ receiverOrigin, endpoints });
      return {
        origin: `http://127.0.0.1:${port}`,
        headers: {},
        apps: ['app'],
        sample: async () => ({
          processMicros: treeCpuMicros(readAllProcessStats(), floor.pid),
          postgresMicros: null,
          walBytes: null,
        }),
        peakMemoryBytes: () => readProcessMemory(floor.pid).peakBytes,
      };
    }, plan);
  } finally {
    await floor.stop();
  }
}
