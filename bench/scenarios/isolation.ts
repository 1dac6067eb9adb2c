// What healthy endpoints notice of others that hang. The black holes are created anew for each phase that has them, so that each meets them
// with closed breakers and open windows; phases without them begin once no request hangs any more.
import { setTimeout as pause } from 'node:timers/promises';
import { alternate, median } from '../alternation.ts';
import { type Bound, boundsToJson, boundsToNotes } from '../bound.ts';
import type { Calls } from '../child-process.ts';
import { Histogram, type HistogramData, type LatencySummary } from '../histogram.ts';
import { type Installation, withInstallation } from '../installation.ts';
import type { LoadGeneratorProcess } from '../load-generator-process.ts';
import { type Rig, type RunningBlackHole, type RunningReceiver, untilDelivered, withRig } from '../rig.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';
import type { ServerUnderTest } from '../server-under-test.ts';
import { formatNumber, roundTo } from '../table.ts';

const APPS = 10;
const HEALTHY_PER_APP = 9;
const EVENTS_PER_SECOND = 100;
const CONNECTIONS = 64;
/** Of the endpoints that hang; the default of an endpoint is 15 s, which only makes the run longer. */
const TIMEOUT_MS = 3000;
/** Before each phase: the apps load their changed endpoints, and requests begin to hang. */
const SETTLE_SECONDS = 1;

/** What the phases of one condition came to. */
interface Measured {
  latency: LatencySummary;
  deliveries: number;
  deliveriesPerSecond: number;
  /** Requests that hung at once, at the end of a phase at full load. */
  hanging: number;
}

interface Phase {
  latency: HistogramData;
  deliveriesPerSecond: number;
  hanging: number;
}

export const isolation: Scenario = {
  name: 'isolation',
  describe: `${APPS * (HEALTHY_PER_APP + 1)} endpoints of which 10 % hang until timeout, beside the same without them`,

  async run(context) {
    const { without, beside } = await withInstallation(context, async (installation) => {
      const server = await installation.startServer();
      return await withRig(context.signal, async (rig) => {
        const bench = await prepare(installation, server, rig);
        const phases = await alternate({
          rounds: context.rounds,
          first: (round) => measurePhase(bench, context, { round, holes: false }),
          second: (round) => measurePhase(bench, context, { round, holes: true }),
        });
        return { without: sumUp(phases.first), beside: sumUp(phases.second) };
      });
    });
    const bounds = boundsOf(without, beside);
    return {
      json: {
        scenario: 'isolation',
        timeoutMs: TIMEOUT_MS,
        eventsPerSecond: EVENTS_PER_SECOND,
        without: toJson(without),
        withHoles: toJson(beside),
        p99Ratio: roundTo(beside.latency.p99 / without.latency.p99, 3),
        throughputRatio: roundTo(beside.deliveriesPerSecond / without.deliveriesPerSecond, 3),
        wanted: boundsToJson(bounds),
      },
      table: {
        title: `isolation: ${APPS} apps of ${HEALTHY_PER_APP} healthy endpoints, with and without one more each that hangs; ${context.rounds} rounds of ${context.seconds} s`,
        columns: ['without', '10 % hanging'],
        rows: [
          row('publish→receive p50, ms', [without, beside], ({ latency }) => formatNumber(latency.p50, 2)),
          row('publish→receive p99, ms', [without, beside], ({ latency }) => formatNumber(latency.p99, 2)),
          row('publish→receive max, ms', [without, beside], ({ latency }) => formatNumber(latency.max, 2)),
          row('deliveries counted for it', [without, beside], ({ deliveries }) => formatNumber(deliveries)),
          row('deliveries/s at full load', [without, beside], (one) => formatNumber(one.deliveriesPerSecond)),
          row('hanging after full load', [without, beside], ({ hanging }) => formatNumber(hanging)),
        ],
        notes: [
          ...boundsToNotes(bounds),
          `Latency at ${EVENTS_PER_SECOND} events/s, ${HEALTHY_PER_APP} healthy deliveries each; full load is ${CONNECTIONS} connections that publish in a closed loop.`,
          `Healthy deliveries only. The others hang until their timeout of ${TIMEOUT_MS / 1000} s; they are new in each phase, so each includes finding that out.`,
        ],
      },
    };
  },
};

interface Bench {
  server: ServerUnderTest;
  apps: string[];
  receiver: RunningReceiver;
  blackHole: RunningBlackHole;
  generator: Calls<LoadGeneratorProcess>;
  published: number;
}

async function prepare(installation: Installation, server: ServerUnderTest, rig: Rig): Promise<Bench> {
  const [receiver, blackHole] = [await rig.startReceiver(), await rig.startBlackHole()];
  const target = await installation.createTarget(server, {
    receiverOrigin: receiver.origin,
    apps: APPS,
    endpoints: HEALTHY_PER_APP,
  });
  const shape = { connections: CONNECTIONS, eventsPerRequest: 1, dataBytes: 1024 };
  const generator = await rig.startGenerator(target, shape);
  return { server, apps: target.apps, receiver, blackHole, generator, published: 0 };
}

async function measurePhase(
  bench: Bench,
  { seconds, warmUpSeconds, log }: ScenarioContext,
  { round, holes }: { round: number; holes: boolean },
): Promise<Phase> {
  log(`isolation: round ${round + 1}, ${holes ? '10 % hanging' : 'without'}`);
  if (round === 0 && bench.published === 0) await publish(bench, warmUpSeconds, null);
  const made = holes ? await createHoles(bench) : [];
  await publish(bench, SETTLE_SECONDS, EVENTS_PER_SECOND);
  await bench.receiver.calls.resetLatency();
  await publish(bench, seconds, EVENTS_PER_SECOND);
  const latency = await bench.receiver.calls.latency();
  const full = await publish(bench, seconds, null);
  const { open } = await bench.blackHole.calls.stats();
  await deleteHoles(bench, made);
  return { latency, deliveriesPerSecond: full, hanging: open };
}

/** Publishes for some seconds and waits for the healthy deliveries; how many came a second. */
async function publish(bench: Bench, seconds: number, perSecond: number | null): Promise<number> {
  const { generator, receiver } = bench;
  const load =
    perSecond === null
      ? await generator.runClosedLoop({ seconds })
      : await generator.runOpenLoop({ perSecond, seconds, seed: bench.published + 1 });
  bench.published += load.events;
  const { lastDistinctAtMs } = await untilDelivered(receiver, bench.published * HEALTHY_PER_APP);
  return (load.events * HEALTHY_PER_APP) / ((lastDistinctAtMs - load.firstSentAtMs) / 1000);
}

async function createHoles({ server, apps, blackHole }: Bench): Promise<string[]> {
  const made: string[] = [];
  for (const app of apps) {
    const endpoint = { url: `${blackHole.origin}/hangs`, timeoutMs: TIMEOUT_MS };
    const { id } = await server.request<{ id: string }>('POST', `/v1/apps/${app}/endpoints`, endpoint);
    made.push(`/v1/apps/${app}/endpoints/${id}`);
  }
  return made;
}

async function deleteHoles({ server, blackHole }: Bench, made: string[]): Promise<void> {
  for (const path of made) await server.request('DELETE', path);
  // What hangs ends with its timeout.
  while ((await blackHole.calls.stats()).open > 0) await pause(100);
}

function sumUp(phases: Phase[]): Measured {
  const latency = new Histogram();
  for (const phase of phases) latency.add(phase.latency);
  return {
    latency: latency.summary(),
    deliveries: latency.count,
    deliveriesPerSecond: median(phases.map((phase) => phase.deliveriesPerSecond)),
    hanging: median(phases.map(({ hanging }) => hanging)),
  };
}

function boundsOf(without: Measured, beside: Measured): Bound[] {
  return [
    {
      name: 'p99Ratio',
      words: 'p99 with 10 % hanging / without',
      value: beside.latency.p99 / without.latency.p99,
      atMost: 1.3,
    },
    {
      name: 'throughputRatio',
      words: 'Deliveries/s with 10 % hanging / without',
      value: beside.deliveriesPerSecond / without.deliveriesPerSecond,
      atLeast: 0.9,
    },
  ];
}

function toJson({ latency, deliveries, deliveriesPerSecond, hanging }: Measured) {
  return {
    publishToReceiveMs: { p50: roundTo(latency.p50, 2), p99: roundTo(latency.p99, 2), max: roundTo(latency.max, 2) },
    deliveries,
    deliveriesPerSecond: roundTo(deliveriesPerSecond),
    hanging,
  };
}

function row(label: string, measured: Measured[], cell: (one: Measured) => string) {
  return { label, cells: measured.map(cell) };
}
