import type { Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';
import type { Line } from '../tcp-proxy.ts';

const FAULTS: { name: string; describe: string; line: Line }[] = [
  { name: 'drop', describe: 'nothing arrives, and arrives when the line is back', line: { kind: 'drop' } },
  { name: 'delay', describe: 'every byte is half a second late', line: { kind: 'delay', ms: 500 } },
  { name: 'half-open', describe: 'connections are dead and nobody is told', line: { kind: 'half-open' } },
  { name: 'cut', describe: 'connections break and are refused', line: { kind: 'cut' } },
];

export const databaseUnreachable: Scenario[] = FAULTS.map(({ name, describe, line }) => ({
  name: `database-${name}`,
  describe: `The line to Postgres is disturbed for a minute: ${describe}`,
  seconds: { short: 35, full: 120 },
  run: (context) => withCluster({}, context, (cluster) => run(cluster, context, line)),
}));

async function run(cluster: Cluster, context: ScenarioContext, line: Line): Promise<Verdict> {
  await cluster.pause(2);
  const acknowledged = cluster.ledger.counts().acknowledged;
  if (acknowledged === 0) cluster.problems.push('Nothing was acknowledged before the fault.');
  await cluster.proxy.set(line);
  // Longer than a lease in the short form too, so that every process has to come back to a database that does not know it.
  await cluster.pause(context.short ? 12 : 60);
  await cluster.proxy.set({ kind: 'pass' });
  const backMs = Date.now();
  const before = cluster.ledger.counts().acknowledged;
  await cluster.expect('publishing works again', 20, () => cluster.ledger.counts().acknowledged > before + 20);
  cluster.measured.publishingAfterMs = Date.now() - backMs;
  await cluster.pause(1);
  return cluster.settle({ withinSeconds: 75 });
}
