// What filters with a `where` cost: by themselves, and in a server with 1,000 endpoints of one app beside the same with types only.

import type { EndpointFilter } from '../../src/core/endpoint.ts';
import { alternate, median } from '../alternation.ts';
import { type Bound, boundsToJson, boundsToNotes } from '../bound.ts';
import { product } from '../database-under-test.ts';
import { anOrder, type Evaluations, evaluateFilters, fiveTerms } from '../filter-evaluation.ts';
import { type Installation, withInstallation } from '../installation.ts';
import { createManyApps } from '../many-apps.ts';
import { type Rig, type RunningReceiver, untilDelivered, withRig } from '../rig.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';
import type { ServerUnderTest } from '../server-under-test.ts';
import { formatNumber, roundTo } from '../table.ts';
import type { Target } from '../target.ts';

const ENDPOINTS = 1000;
const CONNECTIONS = 32;
/** Five terms on what the load's events hold, of which the last does not hold. */
const UNMET = (n: number) => ({
  where: {
    data: {
      n: { $exists: true },
      atUs: { $gt: '0' },
      fill: { $exists: true },
      missing: { $exists: false },
      $not: { atUs: { $neq: `at-${n}` } },
    },
  },
});
/** Is asked about every event too, for it cannot be indexed. */
const OTHER_TYPE = (n: number) => ({ types: [`other-${n}.*`] });

export const filter: Scenario = {
  name: 'filter',
  describe: `${ENDPOINTS} endpoints of one app with filters of five terms: by themselves, and in a server beside types only`,

  async run(context) {
    const alone = await evaluateAlone(context);
    const inServer = await measureServer(context);
    const added = inServer.where.cpuMicros - inServer.types.cpuMicros;
    const bounds: Bound[] = [
      { name: 'evaluation', words: 'A filter of five terms, µs', value: alone.where.microsEach, atMost: 1 },
      { name: 'inServer', words: 'What each adds in the server, µs an event', value: added / ENDPOINTS, atMost: 1 },
    ];
    const row = (label: string, where: number, types: number, decimals: number) => ({
      label,
      cells: [formatNumber(where, decimals), formatNumber(types, decimals)],
    });
    return {
      json: {
        scenario: 'filter',
        endpoints: ENDPOINTS,
        evaluationMicros: { where: roundTo(alone.where.microsEach, 3), types: roundTo(alone.types.microsEach, 3) },
        serverMicrosPerEvent: {
          where: roundTo(inServer.where.cpuMicros, 1),
          types: roundTo(inServer.types.cpuMicros, 1),
        },
        eventsPerSecond: {
          where: roundTo(inServer.where.eventsPerSecond),
          types: roundTo(inServer.types.eventsPerSecond),
        },
        wanted: boundsToJson(bounds),
      },
      table: {
        title: `filter: ${ENDPOINTS} endpoints of one app; ${context.rounds} rounds of ${context.seconds} s`,
        columns: ['where, five terms', 'types only'],
        rows: [
          row('one evaluation, µs', alone.where.microsEach, alone.types.microsEach, 3),
          row('server, CPU µs/event', inServer.where.cpuMicros, inServer.types.cpuMicros, 0),
          row('events/s', inServer.where.eventsPerSecond, inServer.types.eventsPerSecond, 0),
        ],
        notes: [
          ...boundsToNotes(bounds),
          'No two filters are alike. In the server none of them takes the events; one endpoint more, without a filter, is sent them all.',
        ],
      },
    };
  },
};

/** The median of the rounds, by time. */
async function evaluateAlone({
  rounds,
  seconds,
  warmUpSeconds,
  log,
}: ScenarioContext): Promise<{ where: Evaluations; types: Evaluations }> {
  log('filter: by themselves');
  const { compileFilter: compile } = await product.filter();
  const data = JSON.stringify(anOrder());
  const measure = (filters: Parameters<typeof evaluateFilters>[0]['filters']) => {
    evaluateFilters({ compile, filters, data, seconds: warmUpSeconds });
    const all = Array.from({ length: rounds }, () => evaluateFilters({ compile, filters, data, seconds: seconds / 4 }));
    return all.toSorted((a, b) => a.microsEach - b.microsEach)[rounds >> 1];
  };
  const each = Array.from({ length: ENDPOINTS }, (_, n) => n);
  return { where: measure(each.map(fiveTerms)), types: measure(each.map(OTHER_TYPE)) };
}

interface Phase {
  cpuMicros: number;
  eventsPerSecond: number;
}

async function measureServer(context: ScenarioContext): Promise<{ where: Phase; types: Phase }> {
  return await withInstallation(context, async (installation) => {
    const server = await installation.startServer();
    return await withRig(context.signal, async (rig) => {
      context.log(`filter: making 2 × ${ENDPOINTS} endpoints`);
      const where = await prepareSide(installation, server, rig, UNMET);
      const types = await prepareSide(installation, server, rig, OTHER_TYPE);
      for (const side of [where, types]) await measurePhase(side, context.warmUpSeconds);
      const phases = await alternate({
        rounds: context.rounds,
        first: () => measurePhase(where, context.seconds),
        second: () => measurePhase(types, context.seconds),
      });
      return { where: sumUp(phases.first), types: sumUp(phases.second) };
    });
  });
}

interface Side {
  receiver: RunningReceiver;
  target: Target;
  generator: Awaited<ReturnType<Rig['startGenerator']>>;
  published: number;
}

async function prepareSide(
  installation: Installation,
  server: ServerUnderTest,
  rig: Rig,
  filterOf: (n: number) => EndpointFilter,
): Promise<Side> {
  const receiver = await rig.startReceiver();
  const filtered = Array.from({ length: ENDPOINTS }, (_, n) => ({
    url: `${receiver.origin}/none`,
    filter: filterOf(n),
  }));
  const endpoints = [{ url: `${receiver.origin}/r/0` }, ...filtered];
  const { masterKey } = installation.database;
  const target = installation.targetOf(
    server,
    await createManyApps(installation.db, { apps: 1, endpoints, masterKey }),
  );
  const shape = { connections: CONNECTIONS, eventsPerRequest: 1, dataBytes: 1024 };
  return { receiver, target, generator: await rig.startGenerator(target, shape), published: 0 };
}

async function measurePhase(side: Side, seconds: number): Promise<Phase> {
  const before = await side.target.sample();
  const load = await side.generator.runClosedLoop({ seconds });
  side.published += load.events;
  const { lastDistinctAtMs } = await untilDelivered(side.receiver, side.published);
  const after = await side.target.sample();
  return {
    cpuMicros: (after.processMicros - before.processMicros) / load.events,
    eventsPerSecond: load.events / ((lastDistinctAtMs - load.firstSentAtMs) / 1000),
  };
}

function sumUp(phases: Phase[]): Phase {
  return {
    cpuMicros: median(phases.map(({ cpuMicros }) => cpuMicros)),
    eventsPerSecond: median(phases.map(({ eventsPerSecond }) => eventsPerSecond)),
  };
}
