import { FAILPOINTS, type Failpoint } from '../../src/core/failpoint.ts';
import type { Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';
import type { ServerUnderTest } from '../server-under-test.ts';

/** A process that has just come gets its slots, and with them what it sends and flushes, within seconds. */
const REACHED_WITHIN_SECONDS = 45;

export const killAtFailpoints: Scenario = {
  name: 'kill-at-failpoints',
  describe:
    'SIGKILL of one of three processes before and after insert, commit, reply, hand-over, send, flush and slot renewal',
  seconds: { short: 80, full: 200 },
  run: (context) => withCluster({ servers: 2 }, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const names = Object.keys(FAILPOINTS) as Failpoint[];
  let dead = 0;
  for (const [n, name] of names.entries()) {
    // Not always the first time that the place is reached; slots are taken and handed over only a few times.
    const hit = name.startsWith('ownership.') ? 1 + (n % 2) : 1 + ((n * 7) % 20);
    const victim = await cluster.spawn({ failpoints: `${name}=kill:${slotMoves(name) ? 1 : hit}` }).catch(() => null);
    if (victim === null) {
      dead++; // it takes slots, and so dies, before it says that it is ready
      continue;
    }
    if (name.endsWith('hand_over') && name.startsWith('ownership.')) await comeAndGo(cluster, victim);
    if (await cluster.until(REACHED_WITHIN_SECONDS, () => !victim.isRunning)) {
      dead++;
      context.log(`died at ${name} (${n + 1} of ${names.length})`);
    } else {
      cluster.problems.push(`The failpoint ${name} was not reached within ${REACHED_WITHIN_SECONDS} s.`);
      await cluster.stopServer(victim);
    }
  }
  cluster.measured.killed = dead;
  await cluster.spawn();
  return cluster.settle();
}

function slotMoves(name: Failpoint): boolean {
  return /^ownership\..*(take|hand_over)$/.test(name);
}

/** Slots are handed over when a process comes that has none: first the victim takes its share, then another comes. */
async function comeAndGo(cluster: Cluster, victim: ServerUnderTest): Promise<void> {
  await cluster.until(15, async () => (await cluster.slotsOf(victim)) > 0);
  const newcomer = await cluster.spawn();
  await cluster.until(15, () => !victim.isRunning);
  await cluster.stopServer(newcomer);
}
