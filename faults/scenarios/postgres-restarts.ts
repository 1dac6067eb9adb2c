import type { Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';

export const postgresRestarts: Scenario = {
  name: 'postgres-restarts',
  describe: 'Postgres restart -m immediate under load: a crash of the database with recovery',
  seconds: { short: 20, full: 60 },
  run: (context) => withCluster({}, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const restarts = context.short ? 2 : 6;
  for (let n = 0; n < restarts; n++) {
    await cluster.pause(context.short ? 2 : 5);
    context.log(`restart ${n + 1} of ${restarts}`);
    await cluster.postgres.restartImmediately();
  }
  await cluster.pause(1);
  return cluster.settle();
}
