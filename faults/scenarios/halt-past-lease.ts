import type { Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import type { Scenario, Verdict } from '../scenario.ts';

/** A lease (8 s), the turn that finds it run out, and the takeover. */
const PAST_LEASE_SECONDS = 12;

export const haltPastLease: Scenario = {
  name: 'halt-past-lease',
  describe:
    'SIGSTOP of the process that sends, until others have taken over, and SIGCONT: what it still writes is refused',
  seconds: { short: 25, full: 30 },
  run: (context) => withCluster({}, context, run),
};

async function run(cluster: Cluster): Promise<Verdict> {
  await cluster.pause(2);
  const victim = (await cluster.owner())!;
  const held = await heldLease(cluster, victim.pid);
  cluster.away.add(victim);
  victim.signal('SIGSTOP');
  await cluster.expect('the lease of the halted process is taken over', PAST_LEASE_SECONDS, () =>
    isDead(cluster, held),
  );
  await cluster.pause(2);
  const before = await attemptsUntil(cluster, held);
  victim.signal('SIGCONT');
  cluster.away.delete(victim);
  await cluster.expect(
    'the halted process has a new lease',
    5,
    async () => (await heldLease(cluster, victim.pid)) !== held,
  );
  await cluster.pause(1);
  const after = await attemptsUntil(cluster, held);
  if (after !== before) {
    cluster.problems.push(`The stale process wrote ${after - before} attempts after its lease had been taken over.`);
  }
  return cluster.settle();
}

async function heldLease(cluster: Cluster, pid: number): Promise<string> {
  const [row] = await cluster.postgres.query<{ process_id: string }>(
    'SELECT process_id FROM processes WHERE pid = $1 ORDER BY started_at DESC LIMIT 1',
    [pid],
  );
  return row.process_id;
}

async function isDead(cluster: Cluster, processId: string): Promise<boolean> {
  const rows = await cluster.postgres.query(`SELECT 1 FROM processes WHERE process_id = $1 AND state = 'dead'`, [
    processId,
  ]);
  return rows.length > 0;
}

/** Attempts begun before the lease ran out: after the takeover nobody may add to them. */
async function attemptsUntil(cluster: Cluster, processId: string): Promise<number> {
  const [row] = await cluster.postgres.query<{ count: string }>(
    `SELECT count(*) FROM attempts a, processes p WHERE p.process_id = $1 AND a.started_at < p.leased_until - interval '2 seconds'`,
    [processId],
  );
  return Number(row.count);
}
