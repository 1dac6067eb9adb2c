import { type LoadMeasurement, measureFloor } from '../load-measurement.ts';
import type { Scenario } from '../scenario.ts';
import { formatNumber, roundTo } from '../table.ts';
import { chosenVariants, closedLoopPlan, type LoadVariant } from './load-variants.ts';

export const floor: Scenario = {
  name: 'floor',
  describe:
    'the same HTTP in, HMAC and HTTP out with nothing stored, matched or authenticated: what the machine allows',

  async run(context) {
    const measured: { variant: LoadVariant; load: LoadMeasurement }[] = [];
    for (const variant of chosenVariants(context)) {
      context.log(`floor: ${variant}`);
      measured.push({ variant, load: await measureFloor(closedLoopPlan(context, variant)) });
    }
    const row = (label: string, cell: (load: LoadMeasurement) => string) => ({
      label,
      cells: measured.map(({ load }) => cell(load)),
    });
    return {
      json: {
        scenario: 'floor',
        ...Object.fromEntries(
          measured.map(({ variant, load }) => [
            variant,
            {
              deliveriesPerSecond: roundTo(load.deliveriesPerSecond),
              cpuMicros: { process: roundTo(load.cpuMicros.process, 1) },
              ackMs: { p50: roundTo(load.ackMs.p50, 2), p99: roundTo(load.ackMs.p99, 2) },
            },
          ]),
        ),
      },
      table: {
        title: `floor: 1 KB events, 64 connections, ${context.seconds} s each`,
        columns: measured.map(({ variant }) => variant),
        rows: [
          row('deliveries/s', (load) => formatNumber(load.deliveriesPerSecond)),
          row('CPU process, µs/delivery', (load) => formatNumber(load.cpuMicros.process, 1)),
          row('ack p50, ms', (load) => formatNumber(load.ackMs.p50, 2)),
          row('ack p99, ms', (load) => formatNumber(load.ackMs.p99, 2)),
          row('peak memory, MB', (load) => formatNumber(load.peakMemoryBytes / 1e6)),
          row('deliveries', (load) => formatNumber(load.deliveries)),
          row('generator, µs/request', (load) => formatNumber(load.generatorMicros, 1)),
          row('receiver, µs/request', (load) => formatNumber(load.receiverMicros, 1)),
        ],
      },
    };
  },
};
