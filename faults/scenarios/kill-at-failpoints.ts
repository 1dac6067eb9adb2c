import { FAILPOINTS, type Failpoint } from '../../src/core/failpoint.ts';
import type { Cluster } from '../cluster.ts';
import { SPREAD_LOAD, withCluster } from '../cluster.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';
import type { ServerUnderTest } from '../server-under-test.ts';

const REACHED_WITHIN_SECONDS = 30;

export const killAtFailpoints: Scenario = {
  name: 'kill-at-failpoints',
  describe:
    'SIGKILL of one of three processes before and after insert, commit, reply, hand-over, send, flush and slot renewal',
  seconds: { short: 80, full: 200 },
  run: (context) => withCluster({ apps: SPREAD_LOAD, servers: 2 }, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const names = Object.keys(FAILPOINTS) as Failpoint[];
  let dead = 0;
  for (const [n, name] of names.entries()) {
    // Not always the first time that the place is reached; slots are taken and handed over only a few times.
    const hit = name.startsWith('ownership.') ? 1 + (n % 2) : 1 + ((n * 7) % 20);
    const victim = await cluster.spawn({ failpoints: `${name}=kill:${slotMoves(name) ? 1 : hit}` }).catch(() => null);
    if (victim === null) {
      dead++; // it renews its lease and takes slots, and so dies, before it says that it is ready
      context.log(`died at ${name} (${n + 1} of ${names.length}), starting`);
      continue;
    }
    if (/^(lane|flusher)\.|^ownership\..*hand_over$/.test(name)) await inherit(cluster, victim);
    if (name.startsWith('ownership.')) await cluster.spawn(); // to whom slots are handed over
    if (await cluster.until(REACHED_WITHIN_SECONDS, () => !victim.isRunning)) {
      dead++;
      context.log(`died at ${name} (${n + 1} of ${names.length})`);
    } else {
      cluster.problems.push(`The failpoint ${name} was not reached within ${REACHED_WITHIN_SECONDS} s.`);
      await cluster.stopServer(victim);
    }
    await keepTwo(cluster);
  }
  cluster.measured.killed = dead;
  await cluster.spawn();
  return cluster.settle();
}

function slotMoves(name: Failpoint): boolean {
  return /^ownership\..*(take|hand_over)$/.test(name);
}

/** A process that comes is handed the slots that carry least. It gets lanes under load when another goes. */
async function inherit(cluster: Cluster, victim: ServerUnderTest): Promise<void> {
  const others = cluster.servers.filter((server) => server.isRunning && server !== victim);
  if (!others[0]) return;
  await cluster.stopServer(others[0]);
  await cluster.until(15, async () => !victim.isRunning || (await cluster.slotsOf(victim)) > 100);
}

async function keepTwo(cluster: Cluster): Promise<void> {
  const running = cluster.servers.filter(({ isRunning }) => isRunning);
  for (const extra of running.slice(2)) await cluster.stopServer(extra);
  for (let n = running.length; n < 2; n++) await cluster.spawn();
}
