// `tidings demo`: the main job on real input. GitHub's own webhook payloads are published to an app with four endpoints, two
// of them in trouble, and every delivery is verified on the other side by a process that shares nothing with the server.
import { setTimeout as pause } from 'node:timers/promises';
import { ApiClient } from './api-client.ts';
import { type DemoEndpoint, demoEndpoints, takes } from './demo-endpoints.ts';
import { type DemoEvent, githubEvents } from './github-events.ts';
import { Ledger } from './ledger.ts';
import { publishPaced } from './paced-publisher.ts';
import { formatCount, Progress, type ProgressBar } from './progress.ts';
import { type ReceiverHandle, startReceiverProcess } from './receiver-handle.ts';
import { renderSummary, summaryJson } from './summary.ts';

export interface DemoServer {
  url: string;
  apiKey: string;
  stop(): Promise<void>;
}

export interface DemoOptions {
  /** Starts a server that lets endpoints be on http and on 127.0.0.0/8. */
  startServer(): Promise<DemoServer>;
  out: NodeJS.WritableStream & { columns?: number };
  isTty: boolean;
  color: boolean;
  /** One JSON object at the end in place of progress and table. */
  json?: boolean;
  signal?: AbortSignal;
  /** At least so many events; every payload is published equally often. */
  events?: number;
  eventsPerSecond?: number;
  /** After everything is published, the demo gives up once nothing has arrived for so long. */
  settleSeconds?: number;
  startReceiver?: () => ReceiverHandle;
  endpoints?: DemoEndpoint[];
}

const DEFAULT_EVENTS = 3000;
// A pace that lasts long enough to watch, and at which latency is that of the path, not of a queue.
const DEFAULT_EVENTS_PER_SECOND = 500;
const DEFAULT_SETTLE_SECONDS = 30;
const PUBLISHES_AT_ONCE = 16;
const COLLECT_EVERY_MS = 50;
// After the last expected delivery, for duplicates to show up.
const LINGER_MS = 500;

interface Run {
  events: DemoEvent[];
  endpoints: DemoEndpoint[];
  ledger: Ledger;
  receiver: ReceiverHandle;
  client: ApiClient;
  app: string;
  eventsPerSecond: number;
  settleSeconds: number;
  /** Shows how things are; cheap enough for every tick. */
  show: () => void;
  signal: AbortSignal | undefined;
}

/** Runs the demo. Returns the exit code: 0 when every delivery arrived and was verified, 1 when not, 130 on interrupt. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { out, signal } = options;
  const say = (text: string) => {
    if (!options.json) out.write(text);
  };
  const events = githubEvents(options.events ?? DEFAULT_EVENTS);
  const endpoints = options.endpoints ?? demoEndpoints();
  const ledger = new Ledger(endpoints);
  const progress = new Progress(options);
  const bars = progressBars(events, endpoints, ledger);

  const stops: (() => Promise<void>)[] = [];
  try {
    say('Starting the server …\n');
    const server = await options.startServer();
    stops.push(() => server.stop());
    const receiver = (options.startReceiver ?? startReceiverProcess)();
    stops.push(() => receiver.stop());
    const urls = await receiver.start(endpoints);
    const client = new ApiClient({ ...server, connections: PUBLISHES_AT_ONCE });
    stops.push(() => client.close());
    const app = await client.createApp('demo');
    for (const endpoint of endpoints) await client.createEndpoint(app, endpoint, urls[endpoint.name]);

    const subject = `${formatCount(events.length)} GitHub webhook events to ${endpoints.length} endpoints`;
    say(`Publishing ${subject} at ${server.url}\n\n`);
    await publishAndReceive({
      events,
      endpoints,
      ledger,
      receiver,
      client,
      app,
      eventsPerSecond: options.eventsPerSecond ?? DEFAULT_EVENTS_PER_SECOND,
      settleSeconds: options.settleSeconds ?? DEFAULT_SETTLE_SECONDS,
      show: () => {
        if (!options.json) progress.show(bars, performance.now());
      },
      signal,
    });
    if (!options.json) progress.end(bars());
  } catch (error) {
    if (signal?.aborted) return 130;
    throw error;
  } finally {
    progress.leave();
    for (const stop of stops.reverse()) await stop();
  }

  const result = ledger.result();
  out.write(options.json ? `${JSON.stringify(summaryJson(result))}\n` : renderSummary(result, endpoints, options));
  return result.ok ? 0 : 1;
}

async function publishAndReceive(run: Run): Promise<void> {
  const { events, endpoints, ledger, receiver, client, app } = run;
  const startedAtMs = performance.now();
  const down = endpoints.filter(({ downMs }) => downMs !== undefined);
  let progressAtMs = startedAtMs;
  const collect = async () => {
    const receipts = await receiver.takeReceipts();
    for (const receipt of receipts) ledger.receive(receipt);
    if (receipts.length > 0) progressAtMs = performance.now();
    run.show();
  };
  const stop = new AbortController();
  let published = false;
  let failure: Error | null = null;
  const publishing = publishPaced({
    events,
    perSecond: run.eventsPerSecond,
    atOnce: PUBLISHES_AT_ONCE,
    signal: stop.signal,
    publish: async (event) => {
      const publishedAtMs = Number(process.hrtime.bigint()) / 1e6;
      const id = await client.publish(app, event);
      ledger.publish({ ...event, id }, publishedAtMs);
    },
  }).then(
    () => {
      published = true;
      progressAtMs = performance.now();
    },
    (error: Error) => {
      failure = error;
    },
  );
  try {
    for (;;) {
      run.signal?.throwIfAborted();
      if (failure !== null) throw failure;
      const nowMs = performance.now();
      while (down.length > 0 && nowMs - startedAtMs >= down[0].downMs!) await receiver.open(down.shift()!.name);
      await collect();
      if (published && (ledger.isComplete || nowMs - progressAtMs > run.settleSeconds * 1000)) break;
      await pause(COLLECT_EVERY_MS);
    }
    await pause(LINGER_MS);
    await collect();
  } finally {
    stop.abort();
    await publishing;
  }
}

/** What the progress shows, as a function of how things are when it is called. */
function progressBars(events: DemoEvent[], endpoints: DemoEndpoint[], ledger: Ledger): () => ProgressBar[] {
  const expected = endpoints.map(({ types }) => events.filter(({ type }) => takes(types, type)).length);
  return () => [
    { label: 'published', done: ledger.events, of: events.length, note: '' },
    ...endpoints.map(({ name, trouble }, i) => ({
      label: name,
      done: ledger.acceptedBy(name),
      of: expected[i],
      note: trouble,
    })),
  ];
}
