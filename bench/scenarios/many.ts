// What many apps cost that do nothing: first as a server finds them when it starts, then once each has had an event, so that all their lanes
// are in memory.
import { setTimeout as pause } from 'node:timers/promises';
import { type Bound, boundsToJson, boundsToNotes } from '../bound.ts';
import { type Installation, withInstallation } from '../installation.ts';
import { createManyApps } from '../many-apps.ts';
import { type Rig, type RunningReceiver, untilDelivered, withRig } from '../rig.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';
import type { ServerUnderTest } from '../server-under-test.ts';
import { formatNumber, roundTo } from '../table.ts';

const ENDPOINTS_AN_APP = 3;
const SETTLE_MS = 3000;
/** A poll of the heads looks back this far: until then it finds what was just published. */
const FORGET_MS = 35_000;

/** A server that has nothing to do. */
interface Idle {
  startMs: number;
  residentMb: number;
  peakMb: number;
  transactionsPerSecond: number;
}

interface Measured {
  createdMs: number;
  /** Without any app. */
  empty: Idle;
  /** Started with all apps there. */
  cold: Idle;
  /** The same server, once each endpoint has had an event. */
  warm: Idle;
}

export const many: Scenario = {
  name: 'many',
  describe: `10,000 idle apps with ${ENDPOINTS_AN_APP} endpoints each: memory, start and what is asked of the database`,

  async run(context) {
    const { createdMs, empty, cold, warm } = await withInstallation(context, (installation) =>
      withRig(context.signal, (rig) => measure(installation, rig, context)),
    );
    const columns = [empty, cold, warm];
    const bounds = boundsOf({ empty, cold, warm });
    const row = (label: string, cell: (one: Idle) => string) => ({ label, cells: columns.map(cell) });
    return {
      json: {
        scenario: 'many',
        apps: context.apps,
        endpoints: context.apps * ENDPOINTS_AN_APP,
        createdSeconds: roundTo(createdMs / 1000, 1),
        empty: toJson(empty),
        cold: toJson(cold),
        warm: toJson(warm),
        wanted: boundsToJson(bounds),
      },
      table: {
        title: `many: ${formatNumber(context.apps)} apps with ${ENDPOINTS_AN_APP} endpoints each, idle`,
        columns: ['no apps', 'started with them', 'after an event each'],
        rows: [
          row('start, ms', ({ startMs }) => formatNumber(startMs)),
          row('memory, MB', ({ residentMb }) => formatNumber(residentMb)),
          row('peak memory, MB', ({ peakMb }) => formatNumber(peakMb)),
          row('transactions/s', ({ transactionsPerSecond }) => formatNumber(transactionsPerSecond, 1)),
        ],
        notes: [
          ...boundsToNotes(bounds),
          `Transactions are those of the whole database over ${context.seconds} s (pg_stat_database), which nobody else uses.`,
          `The apps were written by SQL in ${formatNumber(createdMs / 1000, 1)} s. Postgres runs when the server is started.`,
        ],
      },
    };
  },
};

async function measure(
  installation: Installation,
  rig: Rig,
  { apps, seconds, log, signal }: ScenarioContext,
): Promise<Measured> {
  const measureIdle = async (server: ServerUnderTest, settleMs: number): Promise<Idle> => {
    await pause(settleMs, undefined, { signal });
    const { stats } = installation.database;
    const before = await stats.transactions();
    await pause(seconds * 1000, undefined, { signal });
    // What this connection did between is not counted yet.
    const transactions = (await stats.transactions()) - before;
    const { residentBytes, peakBytes } = server.memory();
    return {
      startMs: server.startMs,
      residentMb: residentBytes / 1e6,
      peakMb: peakBytes / 1e6,
      transactionsPerSecond: transactions / seconds,
    };
  };

  log('many: no apps');
  const first = await installation.startServer();
  const empty = await measureIdle(first, SETTLE_MS);
  await first.stop();

  const receiver = await rig.startReceiver();
  const endpoints = Array.from({ length: ENDPOINTS_AN_APP }, (_, n) => ({ url: `${receiver.origin}/r/${n}` }));
  log(`many: writing ${formatNumber(apps)} apps`);
  const startedAt = performance.now();
  const { masterKey } = installation.database;
  const created = await createManyApps(installation.db, { apps, endpoints, masterKey });
  const createdMs = performance.now() - startedAt;

  log(`many: started with ${formatNumber(apps)} apps`);
  const server = await installation.startServer();
  const cold = await measureIdle(server, SETTLE_MS);
  log('many: an event for each app');
  await publishToEach(installation, rig, { server, receiver, apps: created });
  const warm = await measureIdle(server, FORGET_MS);
  return { createdMs, empty, cold, warm };
}

async function publishToEach(
  installation: Installation,
  rig: Rig,
  { server, receiver, apps }: { server: ServerUnderTest; receiver: RunningReceiver; apps: string[] },
): Promise<void> {
  const target = installation.targetOf(server, apps);
  const generator = await rig.startGenerator(target, { connections: 16, eventsPerRequest: 1, dataBytes: 256 });
  await generator.runRequests({ requests: apps.length });
  await untilDelivered(receiver, apps.length * ENDPOINTS_AN_APP);
}

function boundsOf({ empty, cold, warm }: Omit<Measured, 'createdMs'>): Bound[] {
  const memory = Math.max(cold.residentMb, warm.residentMb);
  const more = Math.max(cold.transactionsPerSecond, warm.transactionsPerSecond) - empty.transactionsPerSecond;
  return [
    { name: 'memoryMb', words: 'Memory, MB', value: memory, atMost: 400, decimals: 0 },
    { name: 'startMs', words: 'Start, ms', value: cold.startMs, atMost: 5000, decimals: 0 },
    {
      name: 'moreTransactionsPerSecond',
      words: 'Transactions/s more than without apps',
      value: more,
      atMost: 1,
      decimals: 1,
    },
  ];
}

function toJson({ startMs, residentMb, peakMb, transactionsPerSecond }: Idle) {
  return {
    startMs: roundTo(startMs),
    residentMb: roundTo(residentMb),
    peakMb: roundTo(peakMb),
    transactionsPerSecond: roundTo(transactionsPerSecond, 1),
  };
}
