import type { Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import { SUITE } from '../postgres-under-test.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';

export const backendsTerminated: Scenario = {
  name: 'backends-terminated',
  describe: 'pg_terminate_backend of every connection under load, again and again',
  seconds: { short: 15, full: 45 },
  run: (context) => withCluster({}, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const rounds = context.short ? 6 : 30;
  let ended = 0;
  await cluster.pause(2);
  for (let n = 0; n < rounds; n++) {
    const rows = await cluster.postgres.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> '${SUITE}'`,
    );
    ended += rows.length;
    await cluster.pause(Math.random());
  }
  cluster.measured.connectionsEnded = ended;
  if (ended < rounds) cluster.problems.push(`Only ${ended} connections were ended.`);
  return cluster.settle();
}
