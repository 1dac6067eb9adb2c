// What small apps notice of one that publishes as fast as it can.
import { alternate, median } from '../alternation.ts';
import { type Bound, boundsToJson, boundsToNotes } from '../bound.ts';
import type { Calls } from '../child-process.ts';
import { Histogram, type HistogramData } from '../histogram.ts';
import { type Installation, withInstallation } from '../installation.ts';
import type { LoadResult } from '../load-generator.ts';
import type { LoadGeneratorProcess } from '../load-generator-process.ts';
import { type Rig, type RunningReceiver, untilDelivered, withRig } from '../rig.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';
import type { ServerUnderTest } from '../server-under-test.ts';
import { formatNumber, roundTo } from '../table.ts';

const SMALL_APPS = 20;
const EVENTS_PER_SECOND_AND_APP = 2;
const BIG_CONNECTIONS = 64;
/** The big app begins before the small ones are measured, and ends after them. */
const LEAD_SECONDS = 1;

/** One side of the measurement: who publishes and where it arrives. */
interface Side {
  receiver: RunningReceiver;
  generator: Calls<LoadGeneratorProcess>;
  published: number;
}

interface Phase {
  receive: HistogramData;
  ack: HistogramData;
  /** Of the big app. */
  deliveriesPerSecond: number;
}

export const fairness: Scenario = {
  name: 'fairness',
  describe: `${SMALL_APPS} apps at ${EVENTS_PER_SECOND_AND_APP} events/s each beside one app at full speed, and alone`,

  async run(context) {
    const phases = await withInstallation(context, async (installation) => {
      const server = await installation.startServer();
      return await withRig(context.signal, async (rig) => {
        const small = await prepareSide(installation, server, rig, { apps: SMALL_APPS, connections: 16 });
        const big = await prepareSide(installation, server, rig, { apps: 1, connections: BIG_CONNECTIONS });
        await arrived(big, await big.generator.runClosedLoop({ seconds: context.warmUpSeconds }));
        return await alternate({
          rounds: context.rounds,
          first: (round) => measurePhase(small, null, context, round),
          second: (round) => measurePhase(small, big, context, round),
        });
      });
    });
    const [alone, beside] = [phases.first, phases.second].map(sumUp);
    const bounds: Bound[] = [
      {
        name: 'p99Ratio',
        words: 'p99 of small apps beside the big one / alone',
        value: beside.receive.p99 / alone.receive.p99,
        atMost: 2,
      },
    ];
    const bigPerSecond = median(phases.second.map(({ deliveriesPerSecond }) => deliveriesPerSecond));
    const row = (label: string, cell: (one: typeof alone) => string) => ({ label, cells: [cell(alone), cell(beside)] });
    return {
      json: {
        scenario: 'fairness',
        alone: toJson(alone),
        beside: toJson(beside),
        bigDeliveriesPerSecond: roundTo(bigPerSecond),
        p99Ratio: roundTo(beside.receive.p99 / alone.receive.p99, 3),
        wanted: boundsToJson(bounds),
      },
      table: {
        title: `fairness: ${SMALL_APPS} apps at ${EVENTS_PER_SECOND_AND_APP} events/s each; ${context.rounds} rounds of ${context.seconds} s`,
        columns: ['alone', 'beside a big app'],
        rows: [
          row('publish→receive p50, ms', ({ receive }) => formatNumber(receive.p50, 2)),
          row('publish→receive p99, ms', ({ receive }) => formatNumber(receive.p99, 2)),
          row('publish→receive max, ms', ({ receive }) => formatNumber(receive.max, 2)),
          row('ack p50, ms', ({ ack }) => formatNumber(ack.p50, 2)),
          row('ack p99, ms', ({ ack }) => formatNumber(ack.p99, 2)),
          row('events', ({ events }) => formatNumber(events)),
        ],
        notes: [
          ...boundsToNotes(bounds),
          `The big app publishes 1 KB events from ${BIG_CONNECTIONS} connections in a closed loop to one endpoint: ${formatNumber(bigPerSecond)} deliveries/s.`,
        ],
      },
    };
  },
};

async function prepareSide(
  installation: Installation,
  server: ServerUnderTest,
  rig: Rig,
  { apps, connections }: { apps: number; connections: number },
): Promise<Side> {
  const receiver = await rig.startReceiver();
  const target = await installation.createTarget(server, { receiverOrigin: receiver.origin, apps, endpoints: 1 });
  const generator = await rig.startGenerator(target, { connections, eventsPerRequest: 1, dataBytes: 1024 });
  return { receiver, generator, published: 0 };
}

async function measurePhase(
  small: Side,
  big: Side | null,
  { seconds, log }: ScenarioContext,
  round: number,
): Promise<Phase> {
  log(`fairness: round ${round + 1}, ${big ? 'beside a big app' : 'alone'}`);
  const flood = big?.generator.runClosedLoop({ seconds: seconds + 2 * LEAD_SECONDS });
  flood?.catch(() => {}); // when it fails first, it is told below
  const paced = { perSecond: SMALL_APPS * EVENTS_PER_SECOND_AND_APP, seed: round + 1 };
  await arrived(small, await small.generator.runOpenLoop({ ...paced, seconds: LEAD_SECONDS }));
  await small.receiver.calls.resetLatency();
  const load = await small.generator.runOpenLoop({ ...paced, seconds });
  await arrived(small, load);
  const receive = await small.receiver.calls.latency();
  const deliveriesPerSecond = big && flood ? await arrived(big, await flood) : Number.NaN;
  return { receive, ack: load.ackMs, deliveriesPerSecond };
}

/** Waits until everything that was published has arrived; how much that was a second. */
async function arrived(side: Side, load: LoadResult): Promise<number> {
  side.published += load.events;
  const { lastDistinctAtMs } = await untilDelivered(side.receiver, side.published);
  return load.events / ((lastDistinctAtMs - load.firstSentAtMs) / 1000);
}

function sumUp(phases: Phase[]) {
  const [receive, ack] = [new Histogram(), new Histogram()];
  for (const phase of phases) {
    receive.add(phase.receive);
    ack.add(phase.ack);
  }
  return { receive: receive.summary(), ack: ack.summary(), events: receive.count };
}

function toJson({ receive, ack, events }: ReturnType<typeof sumUp>) {
  const summary = ({ p50, p99, max }: typeof receive) => ({
    p50: roundTo(p50, 2),
    p99: roundTo(p99, 2),
    max: roundTo(max, 2),
  });
  return { publishToReceiveMs: summary(receive), ackMs: summary(ack), events };
}
