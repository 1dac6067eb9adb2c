import type { AppPlan, Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import { compareDelays } from '../invariants.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';

const BLACK_HOLES = 20;
const MEBIBYTE = 1024 * 1024;
/** What a process may grow by while black holes hold on to bodies: a share of what is open is bounded in bytes. */
const MAX_GROWTH_BYTES = 256 * MEBIBYTE;

const LOAD: AppPlan[] = [
  {
    name: 'large',
    eventsPerSecond: 2,
    paddingBytes: MEBIBYTE - 2048,
    endpoints: Array.from({ length: BLACK_HOLES }, (_, i) => ({
      name: `large-${i}`,
      // Verifying 1 MB takes the official library its time: not at the receiver whose delays are measured.
      second: true,
      maxConcurrency: 16,
      config: { timeoutMs: 5000 },
    })),
  },
  { name: 'small', eventsPerSecond: 20, endpoints: [{ name: 'small-1' }, { name: 'small-2' }] },
];

export const blackHolesLarge: Scenario = {
  name: 'black-holes-1mb',
  describe: `${BLACK_HOLES} black holes are sent bodies of 1 MB`,
  seconds: { short: 45, full: 90 },
  alone: true,
  run: (context) => withCluster({ apps: LOAD, servers: 1 }, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const { measured, problems } = cluster;
  const span = context.short ? 6 : 20;
  const large = cluster.endpoints.filter(({ name }) => name.startsWith('large-')).map(({ name }) => name);
  const [server] = cluster.servers;
  await cluster.pause(context.short ? 3 : 10);
  const beginMs = Date.now();
  await cluster.pause(span);
  const restBytes = await server.memoryBytes();
  await cluster.behave(large, { kind: 'hang' });
  const hangMs = Date.now();
  let mostBytes = 0;
  while (Date.now() < hangMs + 2 * span * 1000) {
    await cluster.pause(0.1);
    mostBytes = Math.max(mostBytes, await server.memoryBytes());
  }
  const endMs = Date.now();
  cluster.load('large', 0);
  await cluster.behave(large, { kind: 'ok' });
  await cluster.pause(2);
  await cluster.gather();
  const { beforeMs, duringMs, violations } = compareDelays(
    cluster.ledger,
    cluster.endpointsOf('small-1', 'small-2'),
    { before: { fromMs: beginMs, toMs: hangMs }, during: { fromMs: hangMs, toMs: endMs } },
    // Before, the same bodies go to the same endpoints, which answer: what 1 MB costs the CPU is in both.
    { factor: 1.5, plusMs: 100 },
  );
  problems.push(...violations);
  const growthBytes = mostBytes - restBytes;
  if (growthBytes > MAX_GROWTH_BYTES) {
    problems.push(
      `The process grew by ${Math.round(growthBytes / MEBIBYTE)} MiB; ${MAX_GROWTH_BYTES / MEBIBYTE} MiB are allowed.`,
    );
  }
  Object.assign(measured, {
    smallP99BeforeMs: beforeMs,
    smallP99DuringMs: duringMs,
    growthMiB: Math.round(growthBytes / MEBIBYTE),
  });
  return cluster.settle();
}
