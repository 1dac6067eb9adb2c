// What a scenario does its worst to: several `tidings serve` on one Postgres, reached through a line that can be disturbed, under a load of
// publishers that insist, readers that page, and a receiver that writes down everything.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type ChildHandle, startChild } from '../bench/child-process.ts';
import { idFromUuid } from '../src/core/id.ts';
import {
  foreignEvents,
  lostEvents,
  overtakings,
  type Recorded,
  readerGaps,
  spoiltBodies,
  unrecordedSends,
} from './invariants.ts';
import { Ledger, type WatchedEndpoint } from './ledger.ts';
import { LogReader } from './log-reader.ts';
import { type PostgresOptions, PostgresUnderTest } from './postgres-under-test.ts';
import { type LoadedApp, Publisher } from './publisher.ts';
import type { Behaviour } from './receiver.ts';
import type { ReceiverProcess } from './receiver-process.ts';
import type { ScenarioContext, Verdict } from './scenario.ts';
import { type ServerOptions, ServerUnderTest } from './server-under-test.ts';
import { TcpProxy } from './tcp-proxy.ts';

export interface EndpointPlan {
  name: string;
  order?: 'none' | 'strict';
  maxConcurrency?: number;
  /** Whether it lives at the second receiver, which can go down alone. */
  second?: boolean;
  /** Further members of its configuration, as the API takes them. */
  config?: object;
}

export interface AppPlan {
  name: string;
  eventsPerSecond: number;
  paddingBytes?: number;
  endpoints: EndpointPlan[];
}

export interface ClusterOptions {
  servers?: number;
  apps?: AppPlan[];
  postgres?: PostgresOptions;
  serverEnv?: Record<string, string>;
}

export interface SettleOptions {
  /** How long everything acknowledged may take to arrive once the load has ended. */
  withinSeconds?: number;
  /** Refusals of publishers are problems: no process was to be away. */
  refusesNothing?: boolean;
  /** A sender's clock was wrong, and so the time that it signs. */
  lateAllowed?: boolean;
}

/** Small enough that the bounds of I2 mean something. */
const MAX_CONCURRENCY = 4;
/** Quick, for nobody wants to wait; long, so that nothing dies of a fault that is to be survived. */
const RETRY_SECONDS = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 5, 5, 5, 5, 5, 5, 10, 10, 10, 10, 10, 10, 10, 10];
const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

export const STANDARD_LOAD: AppPlan[] = [
  { name: 'alpha', eventsPerSecond: 40, endpoints: [{ name: 'alpha-1' }, { name: 'alpha-2' }, { name: 'alpha-3' }] },
  { name: 'beta', eventsPerSecond: 20, endpoints: [{ name: 'beta-1' }, { name: 'beta-2' }] },
  { name: 'strict', eventsPerSecond: 10, endpoints: [{ name: 'strict-1', order: 'strict' }] },
];

/** As much, over so many endpoints that a process has lanes of every kind with a small share of the slots. */
export const SPREAD_LOAD: AppPlan[] = ['one', 'two', 'three', 'four'].map((name) => ({
  name,
  eventsPerSecond: 5,
  endpoints: Array.from({ length: 10 }, (_, i) => ({
    name: `${name}-${i}`,
    order: i === 0 ? ('strict' as const) : ('none' as const),
  })),
}));

export class Cluster {
  readonly postgres: PostgresUnderTest;
  readonly proxy = new TcpProxy({ upstream: () => ({ path: this.postgres.socketPath }) });
  readonly servers: ServerUnderTest[] = [];
  readonly endpoints: WatchedEndpoint[] = [];
  readonly appIds = new Map<string, string>();
  readonly problems: string[] = [];
  readonly measured: Verdict['measured'] = {};
  /** Not asked by publishers and readers, as a load balancer leaves out what does not answer. */
  readonly away = new Set<ServerUnderTest>();
  readonly #options: ClusterOptions;
  readonly #context: ScenarioContext;
  readonly #receivers: ChildHandle<ReceiverProcess>[] = [];
  readonly #readers: LogReader[] = [];
  readonly #masterKey = randomBytes(32).toString('base64');
  #ledger: Ledger | null = null;
  #publisher: Publisher | null = null;
  #apiKey = '';
  #cleanStops = 0;
  #gathering: NodeJS.Timeout | null = null;

  constructor(options: ClusterOptions, context: ScenarioContext) {
    this.#options = options;
    this.#context = context;
    this.postgres = new PostgresUnderTest(options.postgres);
  }

  get ledger(): Ledger {
    return this.#ledger!;
  }

  get publisher(): Publisher {
    return this.#publisher!;
  }

  /** Starts everything; the load runs when it resolves. */
  async start(): Promise<void> {
    await this.postgres.start();
    await this.proxy.start();
    await this.#cli('migrate');
    this.#apiKey = (JSON.parse(await this.#cli('keys', 'create', '--name', 'faults')) as { key: string }).key;
    const origins: string[] = [];
    for (let i = 0; i < 2; i++) {
      const receiver = startChild<ReceiverProcess>('receiver-process', import.meta.url);
      this.#receivers.push(receiver);
      origins.push(`http://127.0.0.1:${(await receiver.calls.listen()).port}`);
    }
    for (let i = 0; i < (this.#options.servers ?? 3); i++) await this.spawn();
    const plans = this.#options.apps ?? STANDARD_LOAD;
    for (const plan of plans) await this.#createApp(plan, origins);
    this.#ledger = new Ledger(this.endpoints);
    this.#publisher = new Publisher({ ledger: this.#ledger, apiKey: this.#apiKey, urls: () => this.urls() });
    for (const plan of plans) this.load(plan.name, plan.eventsPerSecond);
    this.#publisher.start();
    for (const appId of this.appIds.values()) {
      const reader = new LogReader({ appId, apiKey: this.#apiKey, urls: () => this.urls() });
      this.#readers.push(reader);
      reader.start();
    }
    this.#gathering = setInterval(() => void this.gather().catch(() => {}), 500);
  }

  async stop(): Promise<void> {
    if (this.#gathering) clearInterval(this.#gathering);
    await Promise.all(this.servers.map((server) => server.destroy()));
    await this.#publisher?.finish(0).catch(() => {});
    await Promise.all(this.#readers.map((reader) => reader.stopAt(0, 0)));
    await this.proxy.stop();
    for (const receiver of this.#receivers) await receiver.stop();
    await this.postgres.stop();
  }

  // ---- the load

  load(appName: string, eventsPerSecond: number): void {
    const plan = (this.#options.apps ?? STANDARD_LOAD).find(({ name }) => name === appName)!;
    const app: LoadedApp = { id: this.appIds.get(appName)!, eventsPerSecond, paddingBytes: plan.paddingBytes };
    this.publisher.load(app);
  }

  endpointsOf(...names: string[]): WatchedEndpoint[] {
    return this.endpoints.filter(({ name }) => names.includes(name));
  }

  async behave(endpoints: string[], behaviour: Behaviour): Promise<void> {
    for (const receiver of this.#receivers) await receiver.calls.behave({ endpoints, behaviour });
  }

  async shutSecondReceiver(): Promise<void> {
    await this.#receivers[1].calls.shut();
  }

  async reopenSecondReceiver(): Promise<void> {
    await this.#receivers[1].calls.listen();
  }

  /** Takes over what the receivers have written down. */
  async gather(): Promise<void> {
    for (const receiver of this.#receivers) {
      for (let more = true; more; ) {
        const taken = await receiver.calls.take();
        for (const receipt of taken.receipts) this.ledger.receive(receipt);
        more = taken.more;
      }
    }
  }

  // ---- processes

  /** One more process; resolves when it is ready. */
  async spawn(options: Partial<ServerOptions> = {}): Promise<ServerUnderTest> {
    const server = new ServerUnderTest({
      databaseUrl: this.postgres.url(this.proxy.port),
      masterKey: this.#masterKey,
      ...options,
      env: { ...this.#options.serverEnv, ...options.env },
    });
    this.servers.push(server);
    await server.start();
    if (!options.failpoints) {
      void server.exited.then(() => {
        if (server.asked === null) this.problems.push(`A process ended by itself:\n${server.log.join('\n')}`);
      });
    }
    return server;
  }

  urls(): string[] {
    return this.servers
      .filter((server) => server.url !== '' && server.isRunning && !this.away.has(server))
      .map(({ url }) => url);
  }

  /** Ends a process by SIGTERM, once no publisher asks it any more. */
  async stopServer(server: ServerUnderTest): Promise<void> {
    this.away.add(server);
    if (await server.stop()) this.#cleanStops++;
    else this.problems.push('A process did not end within 30 s of SIGTERM.');
  }

  /** The running process that holds most slots; null when none holds any. */
  async owner(): Promise<ServerUnderTest | null> {
    const rows = await this.postgres.query<{ pid: number }>(
      `SELECT p.pid FROM slots s JOIN processes p USING (process_id) WHERE p.state = 'live' GROUP BY p.process_id ORDER BY count(*) DESC`,
    );
    for (const { pid } of rows) {
      const server = this.servers.find((candidate) => candidate.isRunning && candidate.pid === pid);
      if (server) return server;
    }
    return null;
  }

  /** Slots that any lease of this process holds and has not lost. */
  async slotsOf(server: ServerUnderTest): Promise<number> {
    const [{ count }] = await this.postgres.query<{ count: string }>(
      `SELECT count(*) FROM slots s JOIN processes p USING (process_id) WHERE p.state = 'live' AND p.pid = $1`,
      [server.pid],
    );
    return Number(count);
  }

  // ---- waiting

  async pause(seconds: number): Promise<void> {
    await pause(seconds * 1000, undefined, { signal: this.#context.signal });
  }

  /** Resolves true once the condition holds, false when it does not in time. */
  async until(withinSeconds: number, condition: () => unknown): Promise<boolean> {
    const giveUpMs = Date.now() + withinSeconds * 1000;
    while (!(await condition())) {
      if (Date.now() > giveUpMs) return false;
      await this.pause(0.05);
    }
    return true;
  }

  /** The same, and a problem when it does not. */
  async expect(what: string, withinSeconds: number, condition: () => unknown): Promise<void> {
    if (!(await this.until(withinSeconds, condition))) this.problems.push(`${what}: not within ${withinSeconds} s`);
  }

  // ---- the end

  /** Ends the load, waits until everything has arrived, and asserts the invariants. */
  async settle({ withinSeconds = 60, refusesNothing, lateAllowed }: SettleOptions = {}): Promise<Verdict> {
    const { ledger, publisher, problems } = this;
    const giveUpMs = Date.now() + withinSeconds * 1000;
    const left = () => Math.max(1, (giveUpMs - Date.now()) / 1000);
    if (!(await publisher.finish(left() * 1000))) problems.push('Publishers were refused to the end.');
    let recorded = await this.recorded();
    await this.until(left(), async () => {
      await this.gather();
      if (ledger.endpoints.every((endpoint) => ledger.missing(endpoint, 1).length === 0)) return true;
      recorded = await this.recorded();
      return lostEvents(ledger, recorded).length === 0;
    });
    for (const reader of this.#readers) {
      await reader.stopAt(
        Math.max(0, ...ledger.acknowledgedOf(reader.appId).map((event) => event.acknowledged!.position)),
        10_000,
      );
    }
    await this.until(10, async () => {
      await this.gather();
      recorded = await this.recorded();
      return unrecordedSends(ledger, { ...recorded, lostLeases: 0 }).length === 0;
    });
    problems.push(
      ...lostEvents(ledger, recorded),
      ...unrecordedSends(ledger, recorded),
      ...overtakings(ledger, recorded),
      ...foreignEvents(ledger),
      ...readerGaps(ledger, this.#readers),
      ...spoiltBodies(ledger, { lateAllowed }),
    );
    const { refusals } = publisher;
    if (refusesNothing && Object.keys(refusals).length > 0) {
      problems.push(`Publishers were refused: ${JSON.stringify(refusals)}`);
    }
    const wrong = Object.keys(refusals).filter((answer) => /^[45]\d\d$/.test(answer) && answer !== '503');
    if (wrong.length > 0) problems.push(`Publishers were answered ${wrong.join(', ')}: ${JSON.stringify(refusals)}`);
    const { acknowledged, delivered, duplicates } = ledger.counts();
    if (acknowledged === 0) problems.push('Nothing was published.');
    const bound = recorded.lostLeases * this.endpoints.reduce((sum, { openBound }) => sum + openBound, 0);
    if (Object.keys(refusals).length > 0) this.measured.refusals = JSON.stringify(refusals);
    this.measured.lostLeases = recorded.lostLeases;
    if (problems.length > 0) problems.push(...this.#lastWords());
    return { acknowledged, delivered, duplicates, bound, problems, measured: this.measured };
  }

  /** What the database holds of attempts, dead events and leases. */
  async recorded(): Promise<Recorded> {
    const attempts = await this.postgres.query<{ endpoint_id: string; count: string }>(
      'SELECT endpoint_id, count(*) FROM attempts GROUP BY endpoint_id',
    );
    const rows = await this.postgres.query<{ endpoint_id: string; event_id: string }>(
      'SELECT endpoint_id, event_id FROM dead',
    );
    const dead = new Map<string, Set<string>>();
    for (const { endpoint_id, event_id } of rows) {
      const id = idFromUuid('endpoint', endpoint_id);
      dead.set(id, (dead.get(id) ?? new Set()).add(event_id));
    }
    const running = this.servers.filter(({ isRunning }) => isRunning).map(({ pid }) => pid);
    const [{ ended }] = await this.postgres.query<{ ended: string }>(
      `SELECT count(*) AS ended FROM processes WHERE state = 'dead' OR NOT pid = ANY ($1::integer[])`,
      [running],
    );
    return {
      attempts: new Map(attempts.map(({ endpoint_id, count }) => [idFromUuid('endpoint', endpoint_id), Number(count)])),
      dead,
      lostLeases: Number(ended) - this.#cleanStops,
    };
  }

  /** Calls the HTTP API of any process. @throws Error naming call, status and answer when it is not 2xx */
  async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.urls()[0]}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#apiKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text.slice(0, 500)}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async #createApp({ name, endpoints }: AppPlan, origins: string[]): Promise<void> {
    const { id: appId } = await this.ask<{ id: string }>('POST', '/v1/apps', { name });
    this.appIds.set(name, appId);
    for (const plan of endpoints) {
      const maxConcurrency = plan.maxConcurrency ?? MAX_CONCURRENCY;
      const order = plan.order ?? 'none';
      const endpoint = await this.ask<{ id: string }>('POST', `/v1/apps/${appId}/endpoints`, {
        url: `${origins[plan.second ? 1 : 0]}/${plan.name}`,
        maxConcurrency,
        timeoutMs: 5000,
        retry: { delaysSeconds: RETRY_SECONDS },
        ...(order === 'strict' && { order }),
        ...plan.config,
      });
      const { secret } = await this.ask<{ secret: string }>('GET', `/v1/apps/${appId}/endpoints/${endpoint.id}/secret`);
      await this.#receivers[plan.second ? 1 : 0].calls.expect({ endpoint: plan.name, secret });
      // Twice the window, which is at most twice what may be in flight (design rule 8).
      const openBound = order === 'strict' ? 2 : 4 * maxConcurrency;
      this.endpoints.push({ name: plan.name, id: endpoint.id, appId, order, openBound });
    }
  }

  /** What the processes logged, the latest, each kind once. */
  #lastWords(): string[] {
    return this.servers.flatMap(({ log }, i) => {
      const said = new Set(log.map((line) => /"msg":("(?:[^"\\]|\\.)*")/.exec(line)?.[1] ?? line));
      return said.size === 0 ? [] : [`process ${i + 1} logged: ${[...said].slice(-4).join(', ')}`];
    });
  }

  async #cli(...args: string[]): Promise<string> {
    const env = { PATH: process.env.PATH, DATABASE_URL: this.postgres.url(null), TIDINGS_MASTER_KEY: this.#masterKey };
    return (await promisify(execFile)(process.execPath, [CLI, ...args, '--json'], { env })).stdout;
  }
}

/** Runs `work` on a cluster of its own, and stops it whatever happens. */
export async function withCluster(
  options: ClusterOptions,
  context: ScenarioContext,
  work: (cluster: Cluster) => Promise<Verdict>,
): Promise<Verdict> {
  const cluster = new Cluster(options, context);
  try {
    await cluster.start();
    return await work(cluster);
  } finally {
    await cluster.stop();
  }
}
