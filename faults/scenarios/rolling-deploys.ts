import type { Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';

export const rollingDeploys: Scenario = {
  name: 'rolling-deploys',
  describe:
    '20 rolling deploys of two processes under load: nothing is lost, no request is refused, nothing is sent twice',
  seconds: { short: 90, full: 200 },
  run: (context) => withCluster({ servers: 2 }, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const deploys = context.short ? 6 : 20;
  await cluster.pause(2);
  for (let n = 0; n < deploys; n++) {
    if (n % 5 === 0) context.log(`deploy ${n + 1} of ${deploys}`);
    for (const old of cluster.servers.filter(({ isRunning }) => isRunning)) {
      await cluster.spawn();
      await cluster.stopServer(old);
    }
  }
  const verdict = await cluster.settle({ refusesNothing: true });
  if (verdict.duplicates > 0) verdict.problems.push(`${verdict.duplicates} deliveries were made twice.`);
  return verdict;
}
