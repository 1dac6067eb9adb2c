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
  const hog = async (): Promise<void> => {
    const connection = await cluster.postgres.connect().catch(() => null);
    if (connection) hogs.push(connection);
  };
  const rounds = context.short ? 4 : 20;
  for (let n = 0; n < rounds; n++) {
    // Who loses a connection now does not get another: many wait for its place.
    await control.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL AND backend_type = 'client backend'`,
    );
    await Promise.all(Array.from({ length: 2 * MAX_CONNECTIONS }, hog));
    await cluster.pause(1.5);
  }
  cluster.measured.connectionsTaken = hogs.length;
  if (!cluster.publisher.refusals['503']) cluster.problems.push('The connections were never exhausted.');
  await Promise.all(hogs.map((connection) => connection.end()));
  await control.end();
  const before = cluster.ledger.counts().acknowledged;
  await cluster.expect('publishing works again', 10, () => cluster.ledger.counts().acknowledged > before + 20);
  return cluster.settle();
}
