import type { AppPlan, Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import type { Scenario, ScenarioContext, Verdict } from '../scenario.ts';

const RATE = 150;
const MAX_CONCURRENCY = 8;
/** A token bucket lets through what it has saved up, at most a second's worth, besides its rate. */
const MOST_IN_A_SECOND = 2 * RATE;

const LOAD: AppPlan[] = [
  {
    name: 'shop',
    eventsPerSecond: 50,
    endpoints: [
      { name: 'down', second: true, maxConcurrency: MAX_CONCURRENCY, config: { rate: { perSecond: RATE } } },
      { name: 'well' },
    ],
  },
];

export const receiverDown: Scenario = {
  name: 'receiver-down',
  describe:
    'A receiver is down for a minute and comes back: its backlog is drained at the cap, without a thundering herd',
  seconds: { short: 40, full: 150 },
  run: (context) => withCluster({ apps: LOAD }, context, (cluster) => run(cluster, context)),
};

async function run(cluster: Cluster, context: ScenarioContext): Promise<Verdict> {
  const { problems, measured, ledger } = cluster;
  await cluster.pause(3);
  await cluster.shutSecondReceiver();
  const downMs = Date.now();
  await cluster.pause(context.short ? 12 : 60);
  const [down] = cluster.endpointsOf('down');
  await cluster.gather();
  const backlog = ledger.missing(down).length;
  const backMs = Date.now();
  await cluster.reopenSecondReceiver();
  const seconds = context.short ? 40 : 130;
  await cluster.expect('the backlog is drained', seconds, async () => {
    await cluster.gather();
    return ledger.missing(down).every(({ sentAtMs }) => sentAtMs > Date.now() - 2000);
  });
  const drainedMs = Date.now();
  const received = ledger.receipts.filter(({ endpoint, atMs }) => endpoint === 'down' && atMs >= backMs);
  const firstMs = received[0]?.atMs ?? drainedMs;
  measured.backlog = backlog;
  measured.firstAfterMs = firstMs - backMs;
  measured.drainedAfterMs = drainedMs - firstMs;
  measured.mostInASecond = mostWithin(
    received.map(({ atMs }) => atMs),
    1000,
  );
  measured.firstSecond = received.filter(({ atMs }) => atMs < firstMs + 1000).length;
  measured.mostAtOnce = Math.max(0, ...received.map(({ concurrent }) => concurrent));
  measured.outageSeconds = Math.round((backMs - downMs) / 1000);
  if (measured.mostAtOnce > MAX_CONCURRENCY)
    problems.push(`${measured.mostAtOnce} requests at once; ${MAX_CONCURRENCY} is the cap.`);
  if (measured.mostInASecond > MOST_IN_A_SECOND)
    problems.push(`${measured.mostInASecond} requests in a second; the rate is ${RATE}.`);
  const perSecond = (backlog / Math.max(1, drainedMs - firstMs)) * 1000;
  measured.drainedPerSecond = Math.round(perSecond);
  // New events take their part of the rate while the backlog is drained.
  if (perSecond < 0.5 * (RATE - 50))
    problems.push(`The backlog was drained at ${Math.round(perSecond)} a second; the rate is ${RATE}.`);
  return cluster.settle();
}

/** The most of the sorted times that lie within a span. */
function mostWithin(times: number[], spanMs: number): number {
  let most = 0;
  let from = 0;
  for (let to = 0; to < times.length; to++) {
    while (times[to] - times[from] >= spanMs) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
