// `tidings compare`: the same events to the same consumer, got in each of the ways there are, one after the other, so that what the server
// spends is spent on one of them. Each is measured while all is well, and then once more after the consumer was away.
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiClient } from '../demo/api-client.ts';
import { RETRY_DELAYS_SECONDS } from '../demo/demo-endpoints.ts';
import type { ComparedKind } from './compared-kind.ts';
import type { Arrival } from './consumer.ts';
import { type ConsumerHandle, startConsumerProcess } from './consumer-handle.ts';
import { type Measurement, measure, type Publishing } from './measurement.ts';
import { poissonArrivals } from './poisson-arrivals.ts';
import { type ServerHandle, startServerProcess } from './server-handle.ts';

export interface ComparisonOptions {
  kinds: ComparedKind[];
  /** Events per second. */
  rates: number[];
  seconds: number;
  outageSeconds: number;
  /** Told as each is measured. */
  progress: (measurement: Measurement) => void;
  signal: AbortSignal;
}

const EVENT_BYTES = 1024;
const CONNECTIONS = 16;
const LOOK_EVERY_MS = 50;
/** A kind is given up when nothing has come for so long beyond its interval and the longest delay before a retry. */
const SETTLE_MS = 10_000 + Math.max(...RETRY_DELAYS_SECONDS) * 1000;
/** What connects and wakes up is not part of what is measured. */
const REST_MS = 300;
/** So many events are published before the first kind, lest its row tell of a server that has just started. */
const WARM_UP_EVENTS = 2000;

/** @throws when the server or the consumer fails, and when the signal is aborted. */
export async function runComparison(options: ComparisonOptions): Promise<Measurement[]> {
  const server = startServerProcess();
  const consumer = startConsumerProcess();
  let client: ApiClient | null = null;
  try {
    const api = await server.start();
    client = new ApiClient({ ...api, connections: CONNECTIONS });
    await warmUp(client, options.signal);
    const measurements: Measurement[] = [];
    for (const perSecond of options.rates) {
      for (const kind of options.kinds) {
        const run = new ComparisonRun({ ...options, kind, perSecond, api, client, server, consumer });
        const measurement = await run.run();
        measurements.push(measurement);
        options.progress(measurement);
      }
    }
    return measurements;
  } finally {
    await client?.close();
    await consumer.stop();
    await server.stop();
  }
}

/** As many at once as there are connections. */
async function warmUp(client: ApiClient, signal: AbortSignal): Promise<void> {
  const app = await client.createApp('warm-up');
  for (let i = 0; i < WARM_UP_EVENTS && !signal.aborted; i += CONNECTIONS) {
    const ids = Array.from({ length: CONNECTIONS }, (_, k) => i + k);
    await Promise.all(ids.map((n) => client.publish(app, { id: `w-${n}`, type: 'compare.event', data: dataOf(n) })));
  }
}

interface RunParts extends ComparisonOptions {
  kind: ComparedKind;
  perSecond: number;
  api: { url: string; apiKey: string };
  client: ApiClient;
  server: ServerHandle;
  consumer: ConsumerHandle;
}

/** One kind at one rate. */
class ComparisonRun {
  readonly #parts: RunParts;
  readonly #arrivals: Arrival[] = [];
  readonly #seen = new Set<string>();
  #app = '';

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  async run(): Promise<Measurement> {
    const { kind, perSecond, seconds, outageSeconds, api, client, server, consumer, signal } = this.#parts;
    this.#app = await client.createApp(kind.label);
    const url = await consumer.start({ ...api, app: this.#app, via: kind.via, intervalMs: kind.intervalMs });
    if (url !== null) await client.createEndpoint(this.#app, consumerEndpoint(), url);
    await pause(REST_MS, undefined, { signal });

    const cpuBefore = await server.cpuMicros();
    const beganAtMs = performance.now();
    // Over less than an interval, delays would say more of when it began than of how it polls.
    const steadySeconds = Math.max(seconds, kind.intervalMs / 1000);
    const published = await this.#publish('s', steadySeconds);
    await this.#receive(published);
    const steadyMs = performance.now() - beganAtMs;
    const serverCpuMicros = (await server.cpuMicros()) - cpuBefore;
    const traffic = await consumer.traffic();

    let publishedInOutage: Publishing[] = [];
    let backAtMs = 0;
    if (kind.via !== 'nothing') {
      await consumer.interrupt();
      publishedInOutage = await this.#publish('o', outageSeconds);
      backAtMs = nowMs();
      await consumer.resume();
      await this.#receive(publishedInOutage);
    }
    await pause(REST_MS, undefined, { signal }); // for what comes a second time
    this.#arrivals.push(...(await consumer.takeArrivals()));
    await consumer.interrupt();
    return measure({
      kind,
      perSecond,
      steadyMs,
      published,
      traffic,
      serverCpuMicros,
      publishedInOutage,
      backAtMs,
      arrivals: this.#arrivals,
    });
  }

  /** Publishes for so many seconds, each event at its time whether or not those before it are answered. */
  async #publish(prefix: string, seconds: number): Promise<Publishing[]> {
    const { client, perSecond, signal } = this.#parts;
    const arrivals = poissonArrivals({ perSecond, seconds, seed: perSecond * 1000 + seconds });
    const beganAtMs = nowMs();
    const published: Publishing[] = [];
    const underWay: Promise<unknown>[] = [];
    for (const [i, arrivalMs] of [...arrivals, seconds * 1000].entries()) {
      const waitMs = beganAtMs + arrivalMs - nowMs();
      if (waitMs > 0) await pause(waitMs, undefined, { signal });
      if (i === arrivals.length) break;
      const id = `${prefix}-${i}`;
      published.push({ id, atMs: nowMs() });
      const publishing = client.publish(this.#app, { id, type: 'compare.event', data: dataOf(i) });
      publishing.catch(() => {}); // told below
      underWay.push(publishing);
    }
    await Promise.all(underWay);
    return published;
  }

  /** Waits until all of these came in, or for too long nothing did. */
  async #receive(published: Publishing[]): Promise<void> {
    const { kind, consumer, signal } = this.#parts;
    if (kind.via === 'nothing') return;
    let progressAtMs = nowMs();
    for (;;) {
      const arrivals = await consumer.takeArrivals();
      for (const arrival of arrivals) this.#seen.add(arrival.id);
      this.#arrivals.push(...arrivals);
      if (published.every(({ id }) => this.#seen.has(id))) return;
      if (arrivals.length > 0) progressAtMs = nowMs();
      if (nowMs() - progressAtMs > SETTLE_MS + kind.intervalMs) return;
      await pause(LOOK_EVERY_MS, undefined, { signal });
    }
  }
}

function consumerEndpoint() {
  const secret = `whsec_${randomBytes(24).toString('base64')}`;
  // The default schedule would outlast the comparison.
  return { name: 'consumer', types: null, secret, trouble: 'is away for a while' };
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** JSON of 1 KB. */
function dataOf(n: number): string {
  const head = `{"n":${n},"text":"`;
  return `${head}${'x'.repeat(EVENT_BYTES - head.length - 2)}"}`;
}
