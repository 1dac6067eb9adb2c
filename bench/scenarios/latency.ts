import { withInstallation } from '../installation.ts';
import { type LoadPlan, measureFloor, measureLoad } from '../load-measurement.ts';
import type { Scenario } from '../scenario.ts';
import { formatNumber, roundTo } from '../table.ts';

const EVENTS_PER_SECOND = 200;
const CONNECTIONS = 16;

export const latency: Scenario = {
  name: 'latency',
  describe: `${EVENTS_PER_SECOND} events/s at random times to 1 endpoint: publish to receive, on one clock`,

  async run(context) {
    const { seconds, warmUpSeconds, signal } = context;
    const plan: LoadPlan = {
      shape: { apps: 1, endpoints: 1, eventsPerRequest: 1, connections: CONNECTIONS, dataBytes: 1024 },
      seconds,
      warmUpSeconds,
      eventsPerSecond: EVENTS_PER_SECOND,
      signal,
    };
    context.log('latency');
    const real = await withInstallation(context, async (installation) => {
      const server = await installation.startServer();
      return await measureLoad((shape) => installation.createTarget(server, shape), plan);
    });
    context.log('latency: floor');
    const floor = await measureFloor(plan);
    const rows = [
      { label: 'publish→receive, ms', summary: real.endToEndMs },
      { label: 'ack, ms', summary: real.ackMs },
      { label: 'floor publish→receive, ms', summary: floor.endToEndMs },
    ];
    const toJson = ({ p50, p99, max }: typeof real.ackMs) => ({
      p50: roundTo(p50, 2),
      p99: roundTo(p99, 2),
      max: roundTo(max, 2),
    });
    return {
      json: {
        scenario: 'latency',
        eventsPerSecond: EVENTS_PER_SECOND,
        events: real.events,
        publishToReceiveMs: toJson(real.endToEndMs),
        ackMs: toJson(real.ackMs),
        floorMs: toJson(floor.endToEndMs),
      },
      table: {
        title: `latency: ${EVENTS_PER_SECOND} events/s for ${seconds} s, 1 KB, 1 endpoint`,
        columns: ['p50', 'p99', 'max'],
        rows: rows.map(({ label, summary: { p50, p99, max } }) => ({
          label,
          cells: [p50, p99, max].map((ms) => formatNumber(ms, 2)),
        })),
        notes: [
          `${formatNumber(real.events)} events; ${formatNumber(real.duplicates)} duplicates.`,
          'Publish times follow a Poisson process fixed beforehand, and waiting for a free connection counts. Both ends',
          "read the machine's monotonic clock (CLOCK_MONOTONIC), which all its processes share.",
        ],
      },
    };
  },
};
