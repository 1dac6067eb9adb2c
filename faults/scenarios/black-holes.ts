import type { AppPlan, Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import { compareDelays } from '../invariants.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';

const ENDPOINTS = 500;
const APPS = 10;
const BLACK_HOLES = ENDPOINTS / 10;

const LOAD: AppPlan[] = Array.from({ length: APPS }, (_, a) => ({
  name: `app-${a}`,
  eventsPerSecond: 0.8,
  endpoints: Array.from({ length: ENDPOINTS / APPS }, (_, e) => ({ name: `${a}-${e}`, config: { timeoutMs: 5000 } })),
}));

export const blackHoles: Scenario = {
  name: 'black-holes',
  describe: `${BLACK_HOLES} of ${ENDPOINTS} endpoints take every request and never answer`,
  seconds: { short: 40, full: 120 },
  alone: true,
  run: (context) => withCluster({ apps: LOAD, servers: 2 }, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const span = context.short ? 8 : 30;
  const hanging = cluster.endpoints.filter((_, i) => i % (ENDPOINTS / BLACK_HOLES) === 0).map(({ name }) => name);
  const healthy = cluster.endpoints.filter(({ name }) => !hanging.includes(name));
  await cluster.pause(context.short ? 3 : 10);
  const beginMs = Date.now();
  await cluster.pause(span);
  await cluster.behave(hanging, { kind: 'hang' });
  const hangMs = Date.now();
  await cluster.pause(2 * span);
  const endMs = Date.now();
  await cluster.behave(hanging, { kind: 'ok' });
  await cluster.pause(2); // so that what was sent last in the span has arrived
  await cluster.gather();
  const { beforeMs, duringMs, violations } = compareDelays(
    cluster.ledger,
    healthy,
    { before: { fromMs: beginMs, toMs: hangMs }, during: { fromMs: hangMs, toMs: endMs } },
    { factor: 1.5, plusMs: 100 },
  );
  cluster.problems.push(...violations);
  Object.assign(cluster.measured, { healthyP99BeforeMs: beforeMs, healthyP99DuringMs: duringMs });
  return cluster.settle();
}
