// What transformations cost: a small mapping on one thread, of one app and of sixteen.
import { type Bound, boundsToJson, boundsToNotes } from '../bound.ts';
import { product } from '../database-under-test.ts';
import { anOrder } from '../filter-evaluation.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';
import { formatNumber, roundTo } from '../table.ts';
import { runTransforms, type TransformRuns } from '../transform-runs.ts';

const MANY = 16;

export const transform: Scenario = {
  name: 'transform',
  describe: `transformations on one thread: a small mapping, of one app and of ${MANY} in turn`,

  async run(context) {
    const one = await measure(context, 1);
    const many = await measure(context, MANY);
    const bounds: Bound[] = [
      { name: 'oneApp', words: 'Events a second of one app', value: one.perSecond, atLeast: 2000, decimals: 0 },
      { name: 'manyApps', words: `Events a second of ${MANY} apps`, value: many.perSecond, atLeast: 2000, decimals: 0 },
    ];
    const json = ({ perSecond, microsEach }: TransformRuns) => ({
      perSecond: roundTo(perSecond),
      cpuMicros: roundTo(microsEach, 1),
    });
    const row = (label: string, of: (runs: TransformRuns) => number) => ({
      label,
      cells: [formatNumber(of(one), 0), formatNumber(of(many), 0)],
    });
    return {
      json: { scenario: 'transform', one: json(one), many: json(many), wanted: boundsToJson(bounds) },
      table: {
        title: `transform: one thread; ${context.rounds} rounds of ${context.seconds} s`,
        columns: ['one app', `${MANY} apps`],
        rows: [row('events/s', ({ perSecond }) => perSecond), row('CPU µs/event', ({ microsEach }) => microsEach)],
        notes: [
          ...boundsToNotes(bounds),
          'An order of some 400 bytes is mapped to five fields. Each event begins in the memory as it was when the code was loaded.',
        ],
      },
    };
  },
};

/** The median of the rounds, by rate. */
async function measure({ rounds, seconds, warmUpSeconds, log }: ScenarioContext, apps: number): Promise<TransformRuns> {
  log(`transform: ${apps === 1 ? 'one app' : `${apps} apps`}`);
  const { TransformPool: Pool } = await product.transformPool();
  const data = JSON.stringify(anOrder());
  await runTransforms({ Pool, apps, data, seconds: Math.max(warmUpSeconds, 0.1) });
  const all: TransformRuns[] = [];
  for (let round = 0; round < rounds; round++) all.push(await runTransforms({ Pool, apps, data, seconds }));
  return all.toSorted((a, b) => a.perSecond - b.perSecond)[rounds >> 1];
}
