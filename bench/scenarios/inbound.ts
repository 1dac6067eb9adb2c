// Webhooks of GitHub taken in by one process: how many are acknowledged after their commit, how long that takes at a steady rate, and what a
// flood of requests with bad signatures does to those with good ones.
import { createHmac } from 'node:crypto';
import { findProvider } from '../../src/inbound/provider-table.ts';
import { receive } from '../../src/inbound/receive.ts';
import { type Bound, boundsToJson, boundsToNotes } from '../bound.ts';
import { Histogram, type LatencySummary } from '../histogram.ts';
import { withInstallation } from '../installation.ts';
import { type Rig, withRig } from '../rig.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';
import type { ServerUnderTest } from '../server-under-test.ts';
import { formatNumber, roundTo } from '../table.ts';

const SECRET = 'the-secret-of-the-hook';
const BODY_BYTES = 7 * 1024;
const CONNECTIONS = 64;
const STEADY_PER_SECOND = 1000;
const FLOOD_PER_SECOND = 5000;
const VERIFIED_BYTES = 1024;
const VERIFICATIONS = 20_000;

interface Measured {
  perSecond: number;
  cpuMicros: number;
  steady: LatencySummary;
  flooded: LatencySummary;
  refusedPerSecond: number;
  verifyMicros: number;
}

export const inbound: Scenario = {
  name: 'inbound',
  describe: `webhooks of GitHub (7 KB): acknowledged per second; latency at ${formatNumber(STEADY_PER_SECOND)}/s, and with ${formatNumber(FLOOD_PER_SECOND)}/s of bad signatures`,

  async run(context) {
    const measured = await withInstallation(context, async (installation) => {
      const server = await installation.startServer();
      const app = await installation.createApp(server);
      const source = { kind: 'webhook', provider: 'github', secrets: [SECRET] };
      const { path } = await server.request<{ path: string }>('POST', `/v1/apps/${app}/sources`, source);
      return await withRig(context.signal, (rig) => measure(rig, server, path, context));
    });
    const bounds = boundsOf(measured);
    const { steady, flooded } = measured;
    const row = (label: string, { p50, p99, max }: LatencySummary) => ({
      label,
      cells: [p50, p99, max].map((ms) => formatNumber(ms, 2)),
    });
    return {
      json: {
        scenario: 'inbound',
        perSecond: roundTo(measured.perSecond),
        cpuMicrosPerWebhook: roundTo(measured.cpuMicros, 1),
        refusedPerSecond: roundTo(measured.refusedPerSecond),
        verifyMicros: roundTo(measured.verifyMicros, 2),
        steadyMs: latencyToJson(steady),
        floodedMs: latencyToJson(flooded),
        wanted: boundsToJson(bounds),
      },
      table: {
        title: `inbound: pushes of GitHub of 7 KB to one process, ${context.seconds} s each`,
        columns: ['p50', 'p99', 'max'],
        rows: [
          row(`answer at ${formatNumber(STEADY_PER_SECOND)}/s, ms`, steady),
          row(`the same with ${formatNumber(FLOOD_PER_SECOND)}/s of bad signatures, ms`, flooded),
        ],
        notes: [
          ...boundsToNotes(bounds),
          `CPU of the process: ${formatNumber(measured.cpuMicros, 1)} µs a webhook at the highest rate.`,
          `${formatNumber(measured.refusedPerSecond)} requests/s with bad signatures were refused meanwhile.`,
        ],
      },
    };
  },
};

async function measure(
  rig: Rig,
  server: ServerUnderTest,
  path: string,
  { log, seconds, warmUpSeconds }: ScenarioContext,
): Promise<Measured> {
  const shape = { origin: server.origin, path, secret: SECRET, bodyBytes: BODY_BYTES };
  const sender = await rig.startWebhookSender({ ...shape, connections: CONNECTIONS, status: 200, number: 1 });
  log('inbound: as many as possible');
  await sender.runClosedLoop({ seconds: warmUpSeconds });
  const before = server.cpuMicros();
  const most = await sender.runClosedLoop({ seconds });
  const cpuMicros = (server.cpuMicros() - before) / most.requests;
  log(`inbound: ${formatNumber(STEADY_PER_SECOND)}/s`);
  const steady = await sender.runOpenLoop({ perSecond: STEADY_PER_SECOND, seconds });
  log('inbound: with a flood of bad signatures');
  const flood = await rig.startWebhookSender({
    ...shape,
    secret: 'another-secret',
    connections: CONNECTIONS,
    status: 401,
    number: 2,
  });
  const [flooded, refused] = await Promise.all([
    sender.runOpenLoop({ perSecond: STEADY_PER_SECOND, seconds }),
    flood.runOpenLoop({ perSecond: FLOOD_PER_SECOND, seconds }),
  ]);
  await Promise.all([sender.close(), flood.close()]);
  return {
    perSecond: most.requests / most.seconds,
    cpuMicros,
    steady: Histogram.fromData(steady.answerMs).summary(),
    flooded: Histogram.fromData(flooded.answerMs).summary(),
    refusedPerSecond: refused.requests / refused.seconds,
    verifyMicros: measureVerification(),
  };
}

/** What it takes to verify one request, in this process. */
function measureVerification(): number {
  const rawBody = Buffer.alloc(VERIFIED_BYTES, 'x');
  const signature = createHmac('sha256', SECRET).update(rawBody).digest('hex');
  const request = {
    method: 'POST',
    query: new URLSearchParams(),
    headers: { 'x-github-event': 'push', 'x-github-delivery': '1', 'x-hub-signature-256': `sha256=${signature}` },
    rawBody,
    remoteAddress: '127.0.0.1',
  };
  const provider = findProvider('github')!;
  const verify = (): void => {
    for (let n = 0; n < VERIFICATIONS; n++) {
      const { kind } = receive(provider, request, { secrets: [SECRET], options: {}, nowMs: n });
      if (kind !== 'event') throw new Error('A signature that is good was refused.');
    }
  };
  verify();
  const beganMs = performance.now();
  verify();
  return ((performance.now() - beganMs) * 1000) / VERIFICATIONS;
}

function boundsOf({ perSecond, steady, flooded, verifyMicros }: Measured): Bound[] {
  return [
    { name: 'perSecond', words: 'Acknowledged after commit, per second', value: perSecond, atLeast: 6000, decimals: 0 },
    { name: 'steadyP99Ms', words: 'Answer at a steady rate, p99 ms', value: steady.p99, atMost: 50, decimals: 1 },
    {
      name: 'floodRatio',
      words: 'Answer with the flood, p50 against without',
      value: flooded.p50 / steady.p50,
      atMost: 1.5,
      decimals: 2,
    },
    { name: 'verifyMicros', words: 'Verification of 1 KB, µs', value: verifyMicros, atMost: 8, decimals: 1 },
  ];
}

function latencyToJson({ p50, p99, max }: LatencySummary) {
  return { p50: roundTo(p50, 2), p99: roundTo(p99, 2), max: roundTo(max, 2) };
}
