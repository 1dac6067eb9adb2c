import { withInstallation } from '../installation.ts';
import { type LoadMeasurement, measureFloor, measureLoad } from '../load-measurement.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';
import { formatNumber, roundTo, type Table } from '../table.ts';
import { chosenVariants, closedLoopPlan, type LoadVariant } from './load-variants.ts';

type Pair = { variant: LoadVariant; real: LoadMeasurement; floor: LoadMeasurement };

export const throughput: Scenario = {
  name: 'throughput',
  describe: '1 KB events from 64 connections to 1 endpoint, to 5 endpoints, and in batches of 20, beside the floor',

  async run(context) {
    const { pairs, postgresVersion } = await withInstallation(context, async (installation) => {
      const server = await installation.startServer();
      const pairs: Pair[] = [];
      for (const variant of chosenVariants(context)) {
        context.log(`throughput: ${variant}`);
        const plan = closedLoopPlan(context, variant);
        const real = await measureLoad((shape) => installation.createTarget(server, shape), plan);
        // Right after it, so that both meet the machine in the same mood.
        context.log(`throughput: floor of ${variant}`);
        pairs.push({ variant, real, floor: await measureFloor(plan) });
      }
      return { pairs, postgresVersion: await installation.database.stats.version() };
    });
    return {
      json: { scenario: 'throughput', ...Object.fromEntries(pairs.map((pair) => [pair.variant, toJson(pair)])) },
      table: toTable(pairs, context, postgresVersion),
    };
  },
};

function toJson({ real, floor }: Pair) {
  return {
    deliveriesPerSecond: roundTo(real.deliveriesPerSecond),
    cpuMicros: { process: roundTo(real.cpuMicros.process, 1), postgres: roundTo(real.cpuMicros.postgres, 1) },
    ackMs: { p50: roundTo(real.ackMs.p50, 2), p99: roundTo(real.ackMs.p99, 2) },
    walBytesPerEvent: roundTo(real.walBytesPerEvent),
    peakMemoryMb: roundTo(real.peakMemoryBytes / 1e6),
    floorPerSecond: roundTo(floor.deliveriesPerSecond),
    ratioToFloor: roundTo(real.deliveriesPerSecond / floor.deliveriesPerSecond, 3),
  };
}

function toTable(pairs: Pair[], context: ScenarioContext, postgresVersion: string): Table {
  const row = (label: string, cell: (pair: Pair) => string) => ({ label, cells: pairs.map(cell) });
  const { seconds, databaseUrl } = context;
  return {
    title: `throughput: 1 KB events, 64 connections, ${seconds} s each`,
    columns: pairs.map(({ variant }) => variant),
    rows: [
      row('deliveries/s', ({ real }) => formatNumber(real.deliveriesPerSecond)),
      row('floor, deliveries/s', ({ floor }) => formatNumber(floor.deliveriesPerSecond)),
      row('ratio to the floor', ({ real, floor }) =>
        formatNumber(real.deliveriesPerSecond / floor.deliveriesPerSecond, 2),
      ),
      row('CPU process, µs/delivery', ({ real }) => formatNumber(real.cpuMicros.process, 1)),
      row('CPU Postgres, µs/delivery', ({ real }) => formatNumber(real.cpuMicros.postgres, 1)),
      row('CPU floor, µs/delivery', ({ floor }) => formatNumber(floor.cpuMicros.process, 1)),
      row('ack p50, ms', ({ real }) => formatNumber(real.ackMs.p50, 2)),
      row('ack p99, ms', ({ real }) => formatNumber(real.ackMs.p99, 2)),
      row('WAL, bytes/event', ({ real }) => formatNumber(real.walBytesPerEvent)),
      row('peak memory, MB', ({ real }) => formatNumber(real.peakMemoryBytes / 1e6)),
      row('events', ({ real }) => formatNumber(real.events)),
      row('deliveries', ({ real }) => formatNumber(real.deliveries)),
      row('duplicates', ({ real }) => formatNumber(real.duplicates)),
      row('publishes refused (503)', ({ real }) => formatNumber(real.refused)),
      row('connections opened', ({ real }) => formatNumber(real.connectionsOpened)),
      row('generator, µs/request', ({ real }) => formatNumber(real.generatorMicros, 1)),
      row('receiver, µs/request', ({ real }) => formatNumber(real.receiverMicros, 1)),
    ],
    notes: [
      `Postgres ${postgresVersion}, ${databaseUrl ? 'DATABASE_URL' : 'embedded'}. All processes share this machine.`,
      'Rates run from the first publish to the last delivery of all that was published.',
    ],
  };
}
