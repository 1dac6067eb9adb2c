import type { AppPlan, Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';

const POISON = 'load.poison';
const POISON_BODY = { type: POISON, data: '{"poison":true}' };
/** Few, so that the event is given up while the scenario runs. */
const RETRY = { retry: { delaysSeconds: [1, 1, 1] } };

const LOAD: AppPlan[] = [
  { name: 'lonely', eventsPerSecond: 0, endpoints: [{ name: 'lonely', config: RETRY }] },
  { name: 'busy', eventsPerSecond: 20, endpoints: [{ name: 'busy', config: RETRY }] },
  { name: 'probed', eventsPerSecond: 20, endpoints: [{ name: 'probed', second: true, config: RETRY }] },
];

export const poisonEvent: Scenario = {
  name: 'poison-event',
  describe:
    'An event that always fails: alone, among others, and as the first that a recovering endpoint is probed with',
  seconds: { short: 45, full: 60 },
  run: (context) => withCluster({ apps: LOAD }, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const { publisher, problems, measured, ledger } = cluster;
  const appId = (name: string) => cluster.appIds.get(name)!;
  await cluster.behave(['lonely', 'busy', 'probed'], { kind: 'poison', type: POISON });
  await cluster.pause(2);
  const poison: Record<string, string> = {};
  for (const name of ['lonely', 'busy']) poison[name] = await publisher.publish(appId(name), POISON_BODY);

  // The endpoint goes down while the load rests, so that the poison event is the next in its log, and the one it is probed with.
  cluster.load('probed', 0);
  await cluster.pause(1);
  await cluster.shutSecondReceiver();
  poison.probed = await publisher.publish(appId('probed'), POISON_BODY);
  cluster.load('probed', 20);
  await cluster.pause(context.short ? 6 : 20);
  await cluster.reopenSecondReceiver();
  const backMs = Date.now();
  const [probed, busy] = [cluster.endpointsOf('probed')[0], cluster.endpointsOf('busy')[0]];
  await cluster.expect('the probed endpoint takes all but the poison', 75, async () => {
    await cluster.gather();
    return ledger.missing(probed).every(({ type, sentAtMs }) => type === POISON || sentAtMs > Date.now() - 2000);
  });
  measured.probedRecoveredMs = Date.now() - backMs;

  await cluster.expect('the poison events are dead', 60, async () => {
    for (const [name, id] of Object.entries(poison)) {
      const { data } = await cluster.ask<{ data: { event: string }[] }>('GET', `/v1/apps/${appId(name)}/dead`);
      if (!data.some(({ event }) => event === id)) return false;
    }
    return true;
  });
  const late = ledger.delaysMs([busy], { fromMs: 0, toMs: Date.now() - 2000 }).filter((ms) => ms > 3000).length;
  if (late > 0) problems.push(`${late} events behind the poison came more than 3 s late at an endpoint that is well.`);
  const verdict = await cluster.settle();
  const dead = (await cluster.recorded()).dead;
  for (const { id, name } of cluster.endpoints) {
    const others = [...(dead.get(id) ?? [])].filter((event) => event !== poison[name]);
    if (others.length > 0) problems.push(`${others.length} events besides the poison are dead at ${name}.`);
  }
  return verdict;
}
