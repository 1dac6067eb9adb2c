import type { Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import { SUITE } from '../postgres-under-test.ts';
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
  // Who loses a connection finds its place taken, sooner or later: until none of the processes has one.
  const OURS = `FROM pg_stat_activity WHERE application_name <> '${SUITE}' AND backend_type = 'client backend'`;
  await cluster.expect('the processes have no connection left', 20, async () => {
    await control.query(`SELECT pg_terminate_backend(pid) ${OURS}`);
    await Promise.all(Array.from({ length: 2 * MAX_CONNECTIONS }, hog));
    return (await control.query(`SELECT 1 ${OURS}`)).rowCount === 0;
  });
  await cluster.pause(context.short ? 5 : 30);
  cluster.measured.connectionsTaken = hogs.length;
  if (!cluster.publisher.refusals['503']) cluster.problems.push('The connections were never exhausted.');
  await Promise.all(hogs.map((connection) => connection.end()));
  await control.end();
  const before = cluster.ledger.counts().acknowledged;
  await cluster.expect('publishing works again', 10, () => cluster.ledger.counts().acknowledged > before + 20);
  return cluster.settle();
}
