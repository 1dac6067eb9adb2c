import type { Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';

export const killAtRandom: Scenario = {
  name: 'kill-at-random',
  describe: 'SIGKILL of one of three processes, again and again, at no particular moment',
  seconds: { short: 30, full: 120 },
  run: (context) => withCluster({}, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const kills = context.short ? 3 : 10;
  await cluster.pause(2);
  for (let n = 0; n < kills; n++) {
    // The process that does most every other time, any other in between.
    const victims = cluster.servers.filter(({ isRunning }) => isRunning);
    const victim = (n % 2 === 0 && (await cluster.owner())) || victims[Math.floor(Math.random() * victims.length)];
    context.log(`kill ${n + 1} of ${kills}`);
    await victim.kill();
    await cluster.pause(Math.random() * 2);
    await cluster.spawn();
    await cluster.pause(context.short ? 1 : 5);
  }
  return cluster.settle();
}
