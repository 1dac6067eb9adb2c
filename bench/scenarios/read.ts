// How fast a log is read in pages, from memory and from the database; and what readers cost that wait at its end: their memory, and how long it
// takes from publishing to the last of them, in the process that was published to and in another.
import { setTimeout as pause } from 'node:timers/promises';
import { type Bound, boundsToJson, boundsToNotes } from '../bound.ts';
import { Histogram, type LatencySummary } from '../histogram.ts';
import { type Installation, withInstallation } from '../installation.ts';
import type { PagesResult } from '../log-readers.ts';
import { type Rig, withRig } from '../rig.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';
import type { ServerUnderTest } from '../server-under-test.ts';
import { formatNumber, roundTo } from '../table.ts';

const DATA_BYTES = 1024;
const PAGE_EVENTS = 1000;
const BATCH = 500;
/** What stays in the process, as events and as pages, with the defaults of 8 MiB each. */
const TAIL_EVENTS = 4500;
const STORED_EVENTS_PER_APP = 25_000;
const CONNECTIONS = 4;
const WAITING = 5000;
const WOKEN = 1000;
const WOKEN_APPS = 100;
/** Of one app, which wakes them all each time; and of many apps together, which wakes a few. */
const ONE_APP_PER_SECOND = 3;
const MANY_APPS_PER_SECOND = 20;
const SETTLE_MS = 2000;
// One whose first gaps are not among the longest.
const SEED = 20_261_121;

interface Paged {
  eventsPerSecond: number;
  megabytesPerSecond: number;
  pageMs: LatencySummary;
  cpuMicrosPerEvent: number;
}

interface Measured {
  tail: Paged;
  database: Paged;
  weight: Weight;
  /** All readers of one app; of many apps, each woken by its own; and those in another process. */
  wake: { oneApp: WakeUp; manyApps: WakeUp; otherProcess: WakeUp };
}

/** Until a reader that waited has its answer. */
interface WakeUp {
  /** Since publishing: append and commit are in it. */
  afterPublishMs: LatencySummary;
  /** Since the publisher was told of the commit. */
  afterAckMs: LatencySummary;
}

export const read: Scenario = {
  name: 'read',
  describe: `reading pages from memory and from the database; ${formatNumber(WAITING)} long polls: memory and wake-up`,

  async run(context) {
    const measured = await withInstallation(context, (installation) =>
      withRig(context.signal, (rig) => measure(installation, rig, context)),
    );
    const { tail, database, weight, wake } = measured;
    const bounds = boundsOf(measured);
    const paged = (label: string, cell: (one: Paged) => string) => ({ label, cells: [tail, database].map(cell) });
    return {
      json: {
        scenario: 'read',
        tail: toJson(tail),
        database: toJson(database),
        bytesPerWaiting: roundTo(weight.waitingBytes),
        bytesPerWaitingWithConnection: roundTo(weight.totalBytes),
        wake: Object.fromEntries(
          Object.entries(wake).map(([name, { afterPublishMs, afterAckMs }]) => [
            name,
            { afterPublishMs: latencyToJson(afterPublishMs), afterAckMs: latencyToJson(afterAckMs) },
          ]),
        ),
        wanted: boundsToJson(bounds),
      },
      table: {
        title: `read: pages of ${PAGE_EVENTS} events of 1 KB over ${CONNECTIONS} connections, ${context.seconds} s each`,
        columns: ['from memory', 'from the database'],
        rows: [
          paged('events/s', ({ eventsPerSecond }) => formatNumber(eventsPerSecond)),
          paged('MB/s', ({ megabytesPerSecond }) => formatNumber(megabytesPerSecond)),
          paged('a page, ms p50', ({ pageMs }) => formatNumber(pageMs.p50, 1)),
          paged('a page, ms p99', ({ pageMs }) => formatNumber(pageMs.p99, 1)),
          paged('CPU process, µs/event', ({ cpuMicrosPerEvent }) => formatNumber(cpuMicrosPerEvent, 1)),
        ],
        notes: [
          ...boundsToNotes(bounds),
          `With its connection it is ${formatNumber(weight.totalBytes)} bytes, of which a silent connection to a bare node:http server takes about 9,000.`,
          wakeNote(`${formatNumber(WOKEN)} readers of one app, woken all at once`, wake.oneApp),
          wakeNote(`readers of ${WOKEN_APPS} apps`, wake.manyApps),
          wakeNote('the same in another process', wake.otherProcess),
        ],
      },
    };
  },
};

async function measure(installation: Installation, rig: Rig, context: ScenarioContext): Promise<Measured> {
  const { log, seconds } = context;
  log('read: writing the log');
  const first = await installation.startServer();
  const tailApp = await installation.createApp(first);
  const storedApps = await Promise.all(Array.from({ length: CONNECTIONS }, () => installation.createApp(first)));
  await fill(installation, rig, first, { apps: storedApps, events: STORED_EVENTS_PER_APP });
  await fill(installation, rig, first, { apps: [tailApp], events: TAIL_EVENTS });

  log('read: pages from memory');
  const tail = await readPages(installation, rig, context, { server: first, apps: [tailApp] });
  await first.stop();
  log('read: pages from the database');
  const second = await installation.startServer();
  const database = await readPages(installation, rig, context, { server: second, apps: storedApps });
  await second.stop();

  log(`read: ${formatNumber(WAITING)} long polls`);
  const server = await installation.startServer();
  const weight = await weighWaiting(installation, rig, server);

  const apps: string[] = [];
  for (let n = 0; n < WOKEN_APPS; n++) apps.push(await installation.createApp(server));
  log(`read: waking ${formatNumber(WOKEN)} readers of one app`);
  const load = { publishTo: server, seconds };
  const oneApp = await measureWakeUp(installation, rig, { ...load, readFrom: server, apps: apps.slice(0, 1) });
  log(`read: waking readers of ${WOKEN_APPS} apps`);
  const manyApps = await measureWakeUp(installation, rig, { ...load, readFrom: server, apps });
  log('read: waking readers in another process');
  const other = await installation.startServer();
  const otherProcess = await measureWakeUp(installation, rig, { ...load, readFrom: other, apps });
  return { tail, database, weight, wake: { oneApp, manyApps, otherProcess } };
}

async function fill(
  installation: Installation,
  rig: Rig,
  server: ServerUnderTest,
  { apps, events }: { apps: string[]; events: number },
): Promise<void> {
  const shape = { connections: 4, eventsPerRequest: BATCH, dataBytes: DATA_BYTES };
  const generator = await rig.startGenerator(installation.targetOf(server, apps), shape);
  await generator.runRequests({ requests: (apps.length * events) / BATCH });
}

const pathOf = (app: string): string => `/v1/apps/${app}/events`;

async function readPages(
  installation: Installation,
  rig: Rig,
  { warmUpSeconds, seconds }: ScenarioContext,
  { server, apps }: { server: ServerUnderTest; apps: string[] },
): Promise<Paged> {
  const readers = await rig.startLogReaders();
  const { origin, headers } = installation.targetOf(server, apps);
  await readers.connect({ origin, headers, paths: apps.map(pathOf), connections: CONNECTIONS });
  await readers.readPages({ seconds: warmUpSeconds, limit: PAGE_EVENTS });
  const before = server.cpuMicros();
  const result: PagesResult = await readers.readPages({ seconds, limit: PAGE_EVENTS });
  const cpuMicros = server.cpuMicros() - before;
  await readers.close();
  return {
    eventsPerSecond: result.events / result.seconds,
    megabytesPerSecond: result.bytes / result.seconds / 1e6,
    pageMs: Histogram.fromData(result.pageMs).summary(),
    cpuMicrosPerEvent: cpuMicros / result.events,
  };
}

async function untilWaiting(server: ServerUnderTest, count: number): Promise<void> {
  for (;;) {
    const metrics = await (await fetch(`${server.origin}/metrics`)).text();
    if (Number(/^tidings_log_readers (\d+)$/m.exec(metrics)?.[1]) === count) return;
    await pause(50);
  }
}

interface Weight {
  /** Memory of the process for each reader that waits, beyond that of its connection. */
  waitingBytes: number;
  /** With its connection. */
  totalBytes: number;
}

async function weighWaiting(installation: Installation, rig: Rig, server: ServerUnderTest): Promise<Weight> {
  const app = await installation.createApp(server);
  const { origin, headers } = installation.targetOf(server, [app]);
  const readers = await rig.startLogReaders();
  const settled = async (): Promise<number> => {
    await pause(SETTLE_MS);
    return server.memory().residentBytes;
  };
  const connect = (connections: number): Promise<void> =>
    readers.connect({ origin, headers, paths: [pathOf(app)], connections });
  // What the first readers cost once is not theirs.
  await connect(100);
  await readers.startWaiting();
  await untilWaiting(server, 100);
  await readers.close();
  const empty = await settled();
  await connect(WAITING);
  const connected = await settled();
  await readers.startWaiting();
  await untilWaiting(server, WAITING);
  const waiting = await settled();
  await readers.close();
  await untilWaiting(server, 0);
  return { waitingBytes: (waiting - connected) / WAITING, totalBytes: (waiting - empty) / WAITING };
}

async function measureWakeUp(
  installation: Installation,
  rig: Rig,
  load: { publishTo: ServerUnderTest; readFrom: ServerUnderTest; apps: string[]; seconds: number },
): Promise<WakeUp> {
  const { publishTo, readFrom, apps, seconds } = load;
  const { origin, headers } = installation.targetOf(readFrom, apps);
  const readers = await rig.startLogReaders();
  await readers.connect({ origin, headers, paths: apps.map(pathOf), connections: WOKEN });
  await readers.startWaiting();
  await untilWaiting(readFrom, WOKEN);
  const shape = { connections: 4, eventsPerRequest: 1, dataBytes: DATA_BYTES };
  const generator = await rig.startGenerator(installation.targetOf(publishTo, apps), shape);
  const perSecond = apps.length === 1 ? ONE_APP_PER_SECOND : MANY_APPS_PER_SECOND;
  await generator.runOpenLoop({ perSecond, seconds: 2 });
  await pause(SETTLE_MS);
  await readers.takeWakes();
  const { ackedAtMs, events } = await generator.runOpenLoop({ perSecond, seconds, seed: SEED, recordsAcks: true });
  await pause(SETTLE_MS);
  const wakes = await readers.takeWakes();
  await readers.close();
  if (wakes.length === 0) throw new Error(`${events} events were published, and no reader was woken.`);
  const acked = new Map(ackedAtMs);
  const afterPublish = new Histogram();
  const afterAck = new Histogram();
  for (const { sequence, publishedAtMs, wokenAtMs } of wakes) {
    afterPublish.record(wokenAtMs - publishedAtMs);
    // A reader may be there before the publisher: both are told after the commit.
    const ackedAt = acked.get(sequence);
    if (ackedAt !== undefined) afterAck.record(Math.max(0, wokenAtMs - ackedAt));
  }
  return { afterPublishMs: afterPublish.summary(), afterAckMs: afterAck.summary() };
}

function boundsOf({ tail, database, weight, wake }: Measured): Bound[] {
  return [
    {
      name: 'tailEventsPerSecond',
      words: 'From memory, events/s',
      value: tail.eventsPerSecond,
      atLeast: 60_000,
      decimals: 0,
    },
    {
      name: 'tailMegabytesPerSecond',
      words: 'From memory, MB/s',
      value: tail.megabytesPerSecond,
      atLeast: 300,
      decimals: 0,
    },
    {
      name: 'databaseEventsPerSecond',
      words: 'From the database, events/s',
      value: database.eventsPerSecond,
      atLeast: 20_000,
      decimals: 0,
    },
    {
      name: 'bytesPerWaiting',
      words: 'Memory of a reader that waits, bytes',
      value: weight.waitingBytes,
      atMost: 10_240,
      decimals: 0,
    },
    {
      name: 'wakeP99Ms',
      words: `Wake-up at ${formatNumber(WOKEN)} readers, p99 ms`,
      value: wake.manyApps.afterAckMs.p99,
      atMost: 10,
      decimals: 1,
    },
    {
      name: 'wakeOtherProcessP99Ms',
      words: 'Wake-up in another process, p99 ms',
      value: wake.otherProcess.afterAckMs.p99,
      atMost: 30,
      decimals: 1,
    },
  ];
}

function wakeNote(who: string, { afterPublishMs, afterAckMs }: WakeUp): string {
  const words = ({ p50, p99 }: LatencySummary): string => `p50 ${formatNumber(p50, 1)}, p99 ${formatNumber(p99, 1)}`;
  return `Wake-up of ${who}, ms after the publisher's answer: ${words(afterAckMs)}; after publishing: ${words(afterPublishMs)}.`;
}

function latencyToJson({ p50, p99, max }: LatencySummary) {
  return { p50: roundTo(p50, 2), p99: roundTo(p99, 2), max: roundTo(max, 2) };
}

function toJson({ eventsPerSecond, megabytesPerSecond, pageMs, cpuMicrosPerEvent }: Paged) {
  return {
    eventsPerSecond: roundTo(eventsPerSecond),
    megabytesPerSecond: roundTo(megabytesPerSecond),
    pageMs: latencyToJson(pageMs),
    cpuMicrosPerEvent: roundTo(cpuMicrosPerEvent, 1),
  };
}
