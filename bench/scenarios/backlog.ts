// Whether a long backlog is drained as fast as a short one, and in as little memory. The log is filled first, then an endpoint is created that
// starts from its oldest event. The server is started anew in between: what is drained comes from the database, not from memory.
import { setTimeout as pause } from 'node:timers/promises';
import { median } from '../alternation.ts';
import { type Bound, boundsToJson, boundsToNotes } from '../bound.ts';
import { type Installation, withInstallation } from '../installation.ts';
import { type Rig, type RunningReceiver, untilDelivered, withRig } from '../rig.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';
import type { ServerUnderTest } from '../server-under-test.ts';
import { formatNumber, roundTo } from '../table.ts';

const SHORT_EVENTS = 10_000;
/** Of each drain: what is delivered before is the window growing. */
const LEAVE_OUT = 2000;
const BATCH = 1000;
const FILL_CONNECTIONS = 8;
const DATA_BYTES = 100;
const IDLE_MS = 2000;

interface Drain {
  deliveriesPerSecond: number;
  /** The same for each quarter of the backlog, in turn. */
  quarters: number[];
}

interface Measured {
  fillPerSecond: number;
  short: Drain[];
  long: Drain;
  memoryMb: { idle: number; short: number; long: number };
}

export const backlog: Scenario = {
  name: 'backlog',
  describe: `draining 1,000,000 events to one endpoint beside draining ${formatNumber(SHORT_EVENTS)}`,

  async run(context) {
    const events = Math.ceil(Math.max(context.events, SHORT_EVENTS) / BATCH) * BATCH;
    const { fillPerSecond, short, long, memoryMb } = await withInstallation(context, (installation) =>
      withRig(context.signal, (rig) => measure(installation, rig, context, events)),
    );
    const shortPerSecond = median(short.map(({ deliveriesPerSecond }) => deliveriesPerSecond));
    const bounds = boundsOf({ shortPerSecond, longPerSecond: long.deliveriesPerSecond, memoryMb });
    return {
      json: {
        scenario: 'backlog',
        events,
        fillPerSecond: roundTo(fillPerSecond),
        short: { events: SHORT_EVENTS, drains: short.length, deliveriesPerSecond: roundTo(shortPerSecond) },
        long: {
          deliveriesPerSecond: roundTo(long.deliveriesPerSecond),
          quarters: long.quarters.map((rate) => roundTo(rate)),
        },
        memoryMb: { idle: roundTo(memoryMb.idle), short: roundTo(memoryMb.short), long: roundTo(memoryMb.long) },
        ratio: roundTo(long.deliveriesPerSecond / shortPerSecond, 3),
        wanted: boundsToJson(bounds),
      },
      table: {
        title: `backlog: events of ${DATA_BYTES} bytes to one endpoint that starts from the oldest`,
        columns: [formatNumber(SHORT_EVENTS), formatNumber(events)],
        rows: [
          { label: 'deliveries/s', cells: [formatNumber(shortPerSecond), formatNumber(long.deliveriesPerSecond)] },
          ...long.quarters.map((rate, i) => ({ label: `  quarter ${i + 1}`, cells: ['', formatNumber(rate)] })),
          { label: 'peak memory, MB', cells: [formatNumber(memoryMb.short), formatNumber(memoryMb.long)] },
        ],
        notes: [
          ...boundsToNotes(bounds),
          `The short backlog is the median of ${short.length} drains, half before and half after the long one. The first ${formatNumber(LEAVE_OUT)} deliveries of each are left out.`,
          `Filled at ${formatNumber(fillPerSecond)} events/s in batches of ${formatNumber(BATCH)}. Memory of the process before the first drain: ${formatNumber(memoryMb.idle)} MB.`,
        ],
      },
    };
  },
};

async function measure(
  installation: Installation,
  rig: Rig,
  { rounds, log }: ScenarioContext,
  events: number,
): Promise<Measured> {
  const shortApps: string[] = [];
  const filling = await installation.startServer();
  log(`backlog: publishing ${formatNumber(events)} events`);
  for (let i = 0; i < 2 * rounds + 1; i++) shortApps.push((await fill(installation, rig, filling, SHORT_EVENTS)).app);
  const { app, perSecond } = await fill(installation, rig, filling, events);
  await filling.stop();

  const server = await installation.startServer();
  const receiver = await rig.startReceiver();
  let path = 0;
  const drainNext = (appId: string, count: number) => drain(server, receiver, { appId, path: path++, events: count });
  const drainShort = async (count: number) => {
    const drains: Drain[] = [];
    for (let i = 0; i < count; i++) drains.push(await drainNext(shortApps.pop()!, SHORT_EVENTS));
    return drains;
  };
  await pause(IDLE_MS);
  const idle = server.memory().residentBytes / 1e6;
  log(`backlog: draining ${formatNumber(SHORT_EVENTS)}`);
  await drainShort(1); // a process just started is slower
  const before = await drainShort(rounds);
  const short = server.memory().peakBytes / 1e6;
  server.resetPeakMemory();
  log(`backlog: draining ${formatNumber(events)}`);
  const long = await drainNext(app, events);
  const memoryMb = { idle, short, long: server.memory().peakBytes / 1e6 };
  const after = await drainShort(rounds);
  return { fillPerSecond: perSecond, short: [...before, ...after], long, memoryMb };
}

/** A new app with so many events in its log. */
async function fill(
  installation: Installation,
  rig: Rig,
  server: ServerUnderTest,
  events: number,
): Promise<{ app: string; perSecond: number }> {
  const app = await installation.createApp(server);
  const shape = { connections: FILL_CONNECTIONS, eventsPerRequest: BATCH, dataBytes: DATA_BYTES };
  const generator = await rig.startGenerator(installation.targetOf(server, [app]), shape);
  const load = await generator.runRequests({ requests: events / BATCH });
  return { app, perSecond: load.events / ((load.lastAckAtMs - load.firstSentAtMs) / 1000) };
}

/** Creates an endpoint that starts from the oldest event, and waits until it has had them all. */
async function drain(
  server: ServerUnderTest,
  receiver: RunningReceiver,
  { appId, path, events }: { appId: string; path: number; events: number },
): Promise<Drain> {
  const { distinct } = await receiver.calls.stats();
  const marks = marksOf(events);
  await receiver.calls.watchFor(marks.map((count) => distinct + count));
  await server.request('POST', `/v1/apps/${appId}/endpoints`, { url: `${receiver.origin}/r/${path}`, start: 'oldest' });
  const { passedAtMs } = await untilDelivered(receiver, distinct + events);
  return ratesOf(marks, passedAtMs);
}

/** How many deliveries are timed: what is left out, and each quarter of the rest. */
export function marksOf(events: number): number[] {
  return [0, 1, 2, 3, 4].map((quarter) => Math.round(LEAVE_OUT + ((events - LEAVE_OUT) * quarter) / 4));
}

/** Deliveries a second between the marks, and from the first to the last. */
export function ratesOf(marks: number[], passedAtMs: number[]): Drain {
  const rate = (from: number, to: number) => ((marks[to] - marks[from]) / (passedAtMs[to] - passedAtMs[from])) * 1000;
  return { deliveriesPerSecond: rate(0, 4), quarters: [0, 1, 2, 3].map((quarter) => rate(quarter, quarter + 1)) };
}

function boundsOf(measured: {
  shortPerSecond: number;
  longPerSecond: number;
  memoryMb: Measured['memoryMb'];
}): Bound[] {
  const { shortPerSecond, longPerSecond, memoryMb } = measured;
  return [
    {
      name: 'ratio',
      words: 'Deliveries/s of the long backlog / of the short one',
      value: longPerSecond / shortPerSecond,
      atLeast: 0.9,
    },
    {
      name: 'memoryGrowthMb',
      words: 'Memory over that of the idle process, MB',
      value: memoryMb.long - memoryMb.idle,
      atMost: 100,
      decimals: 0,
    },
    {
      name: 'memoryOverShortMb',
      words: 'Memory over that of the short backlog, MB',
      value: memoryMb.long - memoryMb.short,
      atMost: 100,
      decimals: 0,
    },
  ];
}
