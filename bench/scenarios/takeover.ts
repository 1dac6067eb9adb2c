// How long nothing is delivered when a process goes: killed, its lease must run out first; told to stop, it hands its slots over. Two servers
// share a database; events are published to the one that stays, and the gap is measured where they arrive.
import { setTimeout as pause } from 'node:timers/promises';
import { type Bound, boundsToJson, boundsToNotes } from '../bound.ts';
import { type Installation, withInstallation } from '../installation.ts';
import { untilDelivered, withRig } from '../rig.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';
import { formatNumber, roundTo } from '../table.ts';

const ENDPOINTS = 20;
const EVENTS_PER_SECOND = 50;
/** Published before the signal, and long enough after it for any takeover that is worth the name. */
const BEFORE_SECONDS = 3;
const AFTER_SECONDS = { SIGTERM: 5, SIGKILL: 20 } as const;
type Signal = keyof typeof AFTER_SECONDS;

interface Measured {
  /** The longest any endpoint waited for its next delivery. */
  gapMs: number;
  /** The longest before the signal: what is the machine's, and the time between two events. */
  gapBeforeMs: number;
  events: number;
  duplicates: number;
}

export const takeover: Scenario = {
  name: 'takeover',
  describe: 'how long deliveries pause when the process that owns the lanes is stopped, and when it is killed',

  async run(context) {
    const measured = await withInstallation(context, async (installation) => {
      const terminated = await measure(installation, context, 'SIGTERM');
      return { SIGTERM: terminated, SIGKILL: await measure(installation, context, 'SIGKILL') };
    });
    const bounds: Bound[] = [
      gapBound('terminatedGapMs', 'SIGTERM', measured.SIGTERM, 1000),
      gapBound('killedGapMs', 'SIGKILL', measured.SIGKILL, 12_000),
    ];
    const row = (label: string, cell: (one: Measured) => number) => ({
      label,
      cells: [measured.SIGTERM, measured.SIGKILL].map((one) => formatNumber(cell(one))),
    });
    return {
      json: {
        scenario: 'takeover',
        terminated: toJson(measured.SIGTERM),
        killed: toJson(measured.SIGKILL),
        wanted: boundsToJson(bounds),
      },
      table: {
        title: `takeover: ${EVENTS_PER_SECOND} events/s to ${ENDPOINTS} endpoints, two servers, the one that came first goes`,
        columns: ['SIGTERM', 'SIGKILL'],
        rows: [
          row('longest gap of an endpoint, ms', ({ gapMs }) => gapMs),
          row('longest gap before, ms', ({ gapBeforeMs }) => gapBeforeMs),
          row('events', ({ events }) => events),
          row('duplicates', ({ duplicates }) => duplicates),
        ],
        notes: [
          ...boundsToNotes(bounds),
          'Gaps are between deliveries of one endpoint, where they arrive. Every event that was acknowledged has arrived.',
        ],
      },
    };
  },
};

async function measure(installation: Installation, { signal, log }: ScenarioContext, how: Signal): Promise<Measured> {
  log(`takeover: ${how}`);
  return await withRig(signal, async (rig) => {
    const receiver = await rig.startReceiver();
    const goes = await installation.startServer();
    const stays = await installation.startServer();
    const shape = { receiverOrigin: receiver.origin, apps: 1, endpoints: ENDPOINTS };
    const target = await installation.createTarget(stays, shape);
    const generator = await rig.startGenerator(target, { connections: 16, eventsPerRequest: 1, dataBytes: 256 });
    const publish = (seconds: number) => generator.runOpenLoop({ perSecond: EVENTS_PER_SECOND, seconds });

    const before = await publish(BEFORE_SECONDS);
    await untilDelivered(receiver, before.events * ENDPOINTS);
    await receiver.calls.resetGaps();
    const publishing = publish(BEFORE_SECONDS + AFTER_SECONDS[how]);
    publishing.catch(() => {}); // when it fails first, it is told below
    await pause(BEFORE_SECONDS * 1000, undefined, { signal });
    const gapBeforeMs = Math.max(...(await receiver.calls.longestGapsMs()));
    await goes.stop(how);
    const after = await publishing;
    const events = before.events + after.events;
    const { duplicates } = await untilDelivered(receiver, events * ENDPOINTS);
    const gapMs = Math.max(...(await receiver.calls.longestGapsMs()));
    await stays.stop();
    return { gapMs, gapBeforeMs, events, duplicates };
  });
}

function gapBound(name: string, how: Signal, { gapMs }: Measured, atMost: number): Bound {
  return { name, words: `Gap after ${how}, ms`, value: gapMs, atMost, decimals: 0 };
}

function toJson({ gapMs, gapBeforeMs, events, duplicates }: Measured) {
  return { gapMs: roundTo(gapMs), gapBeforeMs: roundTo(gapBeforeMs), events, duplicates };
}
