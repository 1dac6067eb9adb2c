import type { AppPlan, Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import { compareDelays } from '../invariants.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';

const SMALL_APPS = 10;
const SMALL_PER_SECOND = 3;
const TIMES = 100;

const LOAD: AppPlan[] = [
  ...Array.from({ length: SMALL_APPS }, (_, i) => ({
    name: `small-${i}`,
    eventsPerSecond: SMALL_PER_SECOND,
    endpoints: [{ name: `small-${i}` }],
  })),
  { name: 'loud', eventsPerSecond: 0, endpoints: [{ name: 'loud', maxConcurrency: 16 }] },
];

export const loudApp: Scenario = {
  name: 'loud-app',
  describe: `One app publishes ${TIMES} times as much as each of ${SMALL_APPS} others`,
  seconds: { short: 30, full: 90 },
  alone: true,
  run: (context) => withCluster({ apps: LOAD, servers: 2 }, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const span = context.short ? 8 : 30;
  const small = cluster.endpoints.filter(({ name }) => name !== 'loud');
  await cluster.pause(2);
  const beginMs = Date.now();
  await cluster.pause(span);
  cluster.load('loud', TIMES * SMALL_PER_SECOND);
  const loudMs = Date.now();
  await cluster.pause(span);
  const endMs = Date.now();
  cluster.load('loud', 0);
  await cluster.pause(2);
  await cluster.gather();
  const { beforeMs, duringMs, violations } = compareDelays(
    cluster.ledger,
    small,
    { before: { fromMs: beginMs, toMs: loudMs }, during: { fromMs: loudMs, toMs: endMs } },
    { factor: 2, plusMs: 50 },
  );
  cluster.problems.push(...violations);
  const loud = cluster.ledger.acknowledgedOf(cluster.appIds.get('loud')!).length;
  Object.assign(cluster.measured, {
    smallP99BeforeMs: beforeMs,
    smallP99DuringMs: duringMs,
    loudPerSecond: Math.round((loud / (endMs - loudMs)) * 1000),
  });
  return cluster.settle();
}
