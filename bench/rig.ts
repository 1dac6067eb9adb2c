// The processes around the server: receivers, generators, black holes. They are started as a scenario needs them and end together.
import { setTimeout as pause } from 'node:timers/promises';
import type { BlackHoleProcess } from './black-hole-process.ts';
import { type Calls, startChild } from './child-process.ts';
import type { LoadOptions } from './load-generator.ts';
import type { LoadGeneratorProcess } from './load-generator-process.ts';
import type { LogReadersProcess } from './log-readers-process.ts';
import type { ReceiverProcess } from './receiver-process.ts';
import { publishPath, type Target } from './target.ts';
import type { WebhookSenderOptions } from './webhook-sender.ts';
import type { WebhookSenderProcess } from './webhook-sender-process.ts';

export type ReceiverStats = Awaited<ReturnType<ReceiverProcess['stats']>>;

export interface RunningReceiver {
  /** `http://host:port` */
  origin: string;
  calls: Calls<ReceiverProcess>;
}

export interface RunningBlackHole {
  origin: string;
  calls: Calls<BlackHoleProcess>;
}

/** How the generator publishes to a target. */
export type LoadShape = Pick<LoadOptions, 'connections' | 'eventsPerRequest' | 'dataBytes'>;

const POLL_MS = 20;
const STALLED_MS = 30_000;

export class Rig {
  readonly #children: { stop(): Promise<void> }[] = [];

  async startReceiver(): Promise<RunningReceiver> {
    const { calls, stop } = startChild<ReceiverProcess>('receiver-process');
    this.#children.push({ stop });
    return { origin: originOf(await calls.listen()), calls };
  }

  async startBlackHole(): Promise<RunningBlackHole> {
    const { calls, stop } = startChild<BlackHoleProcess>('black-hole-process');
    this.#children.push({ stop });
    return { origin: originOf(await calls.listen()), calls };
  }

  /** A generator that is connected to the target and publishes to all its apps in turn. */
  async startGenerator(target: Target, shape: LoadShape): Promise<Calls<LoadGeneratorProcess>> {
    const { calls, stop } = startChild<LoadGeneratorProcess>('load-generator-process');
    this.#children.push({ stop });
    const paths = target.apps.map((app) => publishPath(app, shape.eventsPerRequest));
    await calls.connect({ origin: target.origin, headers: target.headers, paths, ...shape });
    return calls;
  }

  async startLogReaders(): Promise<Calls<LogReadersProcess>> {
    const { calls, stop } = startChild<LogReadersProcess>('log-readers-process');
    this.#children.push({ stop });
    return calls;
  }

  async startWebhookSender(options: WebhookSenderOptions): Promise<Calls<WebhookSenderProcess>> {
    const { calls, stop } = startChild<WebhookSenderProcess>('webhook-sender-process');
    this.#children.push({ stop });
    await calls.connect(options);
    return calls;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.splice(0).map((child) => child.stop()));
  }
}

/** Runs `work` with a rig of its own, and ends its processes whatever happens; at once when `signal` is aborted. */
export async function withRig<T>(signal: AbortSignal, work: (rig: Rig) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const rig = new Rig();
  const stop = () => void rig.stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await work(rig);
  } finally {
    signal.removeEventListener('abort', stop);
    await rig.stop();
  }
}

/** Waits for `expected` distinct deliveries. @throws Error when more come, or nothing more comes though some are missing. */
export async function untilDelivered(receiver: RunningReceiver, expected: number): Promise<ReceiverStats> {
  let progressAt = performance.now();
  let last = -1;
  for (;;) {
    const stats = await receiver.calls.stats();
    if (stats.distinct === expected) return stats;
    if (stats.distinct > expected) {
      throw new Error(`${stats.distinct} deliveries arrived of ${expected} that were acknowledged.`);
    }
    if (stats.distinct !== last) {
      last = stats.distinct;
      progressAt = performance.now();
    } else if (performance.now() - progressAt > STALLED_MS) {
      throw new Error(
        `${expected - stats.distinct} of ${expected} deliveries are missing, and none has come for ${STALLED_MS / 1000} s ` +
          `(${stats.duplicates} duplicates, ${stats.malformed} malformed).`,
      );
    }
    await pause(POLL_MS);
  }
}

function originOf({ port }: { port: number }): string {
  return `http://127.0.0.1:${port}`;
}
