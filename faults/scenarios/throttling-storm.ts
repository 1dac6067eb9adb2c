import type { AppPlan, Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';

const MAX_CONCURRENCY = 8;
const THROTTLED = ['asks-1', 'asks-2', 'silent'];
const LOAD: AppPlan[] = [
  {
    name: 'shop',
    eventsPerSecond: 50,
    endpoints: [...THROTTLED, 'well'].map((name) => ({ name, maxConcurrency: MAX_CONCURRENCY })),
  },
];

export const throttlingStorm: Scenario = {
  name: 'throttling-storm',
  describe:
    'Endpoints answer everything with 429, with and without Retry-After: they are asked seldom, and nothing dies of it',
  seconds: { short: 50, full: 120 },
  run: (context) => withCluster({ apps: LOAD }, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const { problems, measured, ledger } = cluster;
  const seconds = context.short ? 10 : 60;
  await cluster.pause(3);
  await cluster.behave(['asks-1', 'asks-2'], { kind: 'status', status: 429, retryAfterSeconds: 2 });
  await cluster.behave(['silent'], { kind: 'status', status: 429 });
  const beginMs = Date.now();
  await cluster.pause(seconds);
  await cluster.behave(THROTTLED, { kind: 'ok' });
  const endMs = Date.now();
  await cluster.gather();
  for (const name of THROTTLED) {
    const asked = ledger.receipts.filter(
      (r) => r.endpoint === name && r.status === 429 && r.atMs >= beginMs && r.atMs < endMs,
    );
    measured[`${name}Asked`] = asked.length;
    // What was in flight when it began, then a few with each pause that it asked for, or of a second.
    const pauses = seconds / (name === 'silent' ? 1 : 2) + 1;
    const most = MAX_CONCURRENCY + MAX_CONCURRENCY * pauses;
    if (asked.length > most)
      problems.push(`${name} was asked ${asked.length} times in ${seconds} s; ${most} are allowed.`);
  }
  const verdict = await cluster.settle({ withinSeconds: 90 });
  const dead = (await cluster.recorded()).dead;
  if (dead.size > 0) problems.push('Events died of 429.');
  return verdict;
}
