import type { Cluster } from '../cluster.ts';
import { SPREAD_LOAD, withCluster } from '../cluster.ts';
import type { Scenario, Verdict } from '../scenario.ts';
import type { ServerUnderTest } from '../server-under-test.ts';

const PAST_LEASE_SECONDS = 20;

// Design rules 1 to 3, each at the one moment where it matters:
//   1 fence       a process halts between deciding on a flush and sending it; it goes on when its lanes belong to others
//   2 flush order a flush is written but its answer is lost, so it is written again
//   3 tail        a process halts between the commit of an append and its hand-over; others have read past it when it goes on
const FLUSH_HALTS = 'flusher.before_flush=stop:30';
const ANSWER_IS_LOST = 'flusher.after_flush=throw:20';
const HAND_OVER_HALTS = 'writer.after_commit=stop:60';

export const staleFlush: Scenario = {
  name: 'stale-flush',
  describe:
    'A flush that is sent after the takeover, one that is sent twice, and a hand-over after others have read on',
  seconds: { short: 45, full: 45 },
  run: (context) => withCluster({ apps: SPREAD_LOAD, servers: 1 }, context, run),
};

async function run(cluster: Cluster): Promise<Verdict> {
  const flushing = await cluster.spawn({ failpoints: FLUSH_HALTS });
  const writing = await cluster.spawn({ failpoints: HAND_OVER_HALTS });
  await cluster.spawn({ failpoints: ANSWER_IS_LOST });
  // What it owned falls to these three; those that come to a process that runs are handed the slots that carry least.
  await cluster.stopServer(cluster.servers[0]);
  for (const server of [flushing, writing]) {
    await cluster.expect('a process halts at its failpoint', 40, () => server.isHalted());
    cluster.away.add(server);
  }
  const halted = [flushing, writing];
  await cluster.expect('the halted processes are taken over', PAST_LEASE_SECONDS, async () => {
    for (const server of halted) if ((await cluster.slotsOf(server)) > 0) return false;
    return true;
  });
  await cluster.pause(2);
  const before = await lanes(cluster);
  const attempts = await attemptsOf(cluster, halted);
  for (const server of halted) server.signal('SIGCONT');
  await cluster.pause(2);
  for (const server of halted) cluster.away.delete(server);
  const after = await lanes(cluster);
  for (const [endpoint, settled] of before) {
    if (after.get(endpoint)! < settled)
      cluster.problems.push(`The cursor of ${endpoint} went back: a stale flush was written.`);
  }
  const later = await attemptsOf(cluster, halted);
  if (later !== attempts)
    cluster.problems.push(`${later - attempts} attempts were written by a process that had lost its lease.`);
  return cluster.settle();
}

async function lanes(cluster: Cluster): Promise<Map<string, number>> {
  const rows = await cluster.postgres.query<{ endpoint_id: string; settled: string }>(
    'SELECT endpoint_id, settled_through AS settled FROM lanes',
  );
  return new Map(rows.map(({ endpoint_id, settled }) => [endpoint_id, Number(settled)]));
}

/** Attempts from before the halted processes' leases ran out; after the takeover nobody may add to them. */
async function attemptsOf(cluster: Cluster, halted: ServerUnderTest[]): Promise<number> {
  const [{ count }] = await cluster.postgres.query<{ count: string }>(
    `SELECT count(*) FROM attempts WHERE started_at < (SELECT min(leased_until) - interval '3 seconds' FROM processes WHERE pid = ANY ($1))`,
    [halted.map(({ pid }) => pid)],
  );
  return Number(count);
}
