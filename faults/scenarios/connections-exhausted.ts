import type { Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';

const MAX_CONNECTIONS = 40;

export const connectionsExhausted: Scenario = {
  name: 'connections-exhausted',
  describe: 'Every connection that Postgres allows is taken by others while the processes must reconnect',
  seconds: { short: 25, full: 60 },
  run: (context) =>
    withCluster({ postgres: { settings: { max_connections: String(MAX_CONNECTIONS) } } }, context, (cluster) =>
      run(cluster, context),
    ),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  await cluster.pause(2);
  const control = await cluster.postgres.connect();
  const hogs: { end(): Promise<void> }[] = [];
  const hog = async (): Promise<boolean> => {
    try {
      hogs.push(await cluster.postgres.connect());
      return true;
    } catch {
      return false;
    }
  };
  while (await hog());
  // Who loses a connection now does not get another: its place is taken at once.
  await control.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL AND backend_type = 'client backend'`,
  );
  const endMs = Date.now() + (context.short ? 6 : 30) * 1000;
  let refused = 0;
  while (Date.now() < endMs) {
    if (!(await hog())) refused++;
    await cluster.pause(0.02);
  }
  cluster.measured.connectionsTaken = hogs.length;
  if (refused === 0) cluster.problems.push('The connections were never exhausted.');
  await Promise.all(hogs.map((connection) => connection.end()));
  await control.end();
  await cluster.pause(1);
  return cluster.settle();
}
