// What a second process gives. The processes of one server share its port; the endpoints are many enough to be spread over both.
import { alternate, median } from '../alternation.ts';
import { type Bound, boundsToJson, boundsToNotes } from '../bound.ts';
import { withInstallation } from '../installation.ts';
import { type LoadMeasurement, type LoadPlan, measureLoad } from '../load-measurement.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';
import { formatNumber, roundTo } from '../table.ts';

const SHAPES = {
  /** Each event goes to one endpoint; apps and endpoints are spread alike. */
  apps50: { connections: 64, dataBytes: 1024, eventsPerRequest: 1, apps: 50, endpoints: 1 },
  /** Each event goes to 50 endpoints: the log is one process's, the sending all of them's. */
  fanOut50: { connections: 64, dataBytes: 1024, eventsPerRequest: 1, apps: 1, endpoints: 50 },
} as const satisfies Record<string, LoadPlan['shape']>;
type Shape = keyof typeof SHAPES;

interface Measured {
  shape: Shape;
  one: LoadMeasurement[];
  two: LoadMeasurement[];
}

export const scale: Scenario = {
  name: 'scale',
  describe: '--processes 2 beside one process, over 50 endpoints: of 50 apps, and of one app',

  async run(context) {
    const measured: Measured[] = [];
    for (const shape of chosenShapes(context)) {
      const { first, second } = await withInstallation(context, (installation) => {
        const measure = async (processes: number, round: number) => {
          context.log(`scale: ${shape}, round ${round + 1}, ${processes} process${processes === 1 ? '' : 'es'}`);
          const server = await installation.startServer({ processes });
          const { seconds, warmUpSeconds, signal } = context;
          const plan: LoadPlan = { shape: SHAPES[shape], seconds, warmUpSeconds, eventsPerSecond: null, signal };
          const load = await measureLoad((options) => installation.createTarget(server, options), plan);
          await server.stop();
          return load;
        };
        return alternate({
          rounds: context.rounds,
          first: (round) => measure(1, round),
          second: (round) => measure(2, round),
        });
      });
      measured.push({ shape, one: first, two: second });
    }
    const bounds = measured.map(boundOf);
    return {
      json: {
        scenario: 'scale',
        ...Object.fromEntries(measured.map((one) => [one.shape, toJson(one)])),
        wanted: boundsToJson(bounds),
      },
      table: {
        title: `scale: 50 endpoints, 1 KB events, 64 connections; ${context.rounds} rounds of ${context.seconds} s`,
        columns: measured.flatMap(({ shape }) => [`${shape} × 1`, '× 2']),
        rows: rowsOf(measured),
        notes: [
          ...boundsToNotes(bounds),
          'Medians over the rounds, which alternate. Peak memory is that of all processes of the server together.',
        ],
      },
    };
  },
};

function chosenShapes({ variants }: ScenarioContext): Shape[] {
  const names = Object.keys(SHAPES) as Shape[];
  return variants === null ? names : names.filter((name) => variants.includes(name));
}

function medianOf(loads: LoadMeasurement[], figure: (load: LoadMeasurement) => number | null): number | null {
  const values = loads.map(figure).filter((value) => value !== null);
  return values.length === 0 ? null : median(values);
}

function rate(loads: LoadMeasurement[]): number {
  return median(loads.map(({ deliveriesPerSecond }) => deliveriesPerSecond));
}

function boundOf({ shape, one, two }: Measured): Bound {
  return {
    name: `${shape}Ratio`,
    words: `Deliveries/s of two processes / of one, ${shape}`,
    value: rate(two) / rate(one),
    atLeast: 1.15,
  };
}

const FIGURES: { label: string; decimals: number; of: (load: LoadMeasurement) => number | null }[] = [
  { label: 'deliveries/s', decimals: 0, of: (load) => load.deliveriesPerSecond },
  { label: 'ack p99, ms', decimals: 1, of: (load) => load.ackMs.p99 },
  { label: 'CPU processes, µs/delivery', decimals: 1, of: (load) => load.cpuMicros.process },
  { label: 'CPU Postgres, µs/delivery', decimals: 1, of: (load) => load.cpuMicros.postgres },
  { label: 'peak memory, MB', decimals: 0, of: (load) => load.peakMemoryBytes / 1e6 },
  { label: 'duplicates', decimals: 0, of: (load) => load.duplicates },
  { label: 'publishes refused (503)', decimals: 0, of: (load) => load.refused },
];

function rowsOf(measured: Measured[]): { label: string; cells: string[] }[] {
  return FIGURES.map(({ label, decimals, of }) => ({
    label,
    cells: measured.flatMap(({ one, two }) => [one, two].map((loads) => formatNumber(medianOf(loads, of), decimals))),
  }));
}

function toJson({ one, two }: Measured) {
  const figures = (loads: LoadMeasurement[]) => ({
    deliveriesPerSecond: roundTo(rate(loads)),
    cpuMicros: {
      process: roundTo(
        medianOf(loads, (load) => load.cpuMicros.process),
        1,
      ),
      postgres: roundTo(
        medianOf(loads, (load) => load.cpuMicros.postgres),
        1,
      ),
    },
    peakMemoryMb: roundTo(medianOf(loads, (load) => load.peakMemoryBytes / 1e6)),
  });
  return { one: figures(one), two: figures(two), ratio: roundTo(rate(two) / rate(one), 3) };
}
