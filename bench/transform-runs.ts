// Transformations run on a pool of one thread, with nothing else around: how many events a second it does. Each of the apps has a code of its own, and
// as many events wait as lanes would give it.
import type { TransformPool } from '../src/transform/transform-pool.ts';

export interface TransformPlan {
  /** The product's. */
  Pool: typeof TransformPool;
  apps: number;
  /** JSON of the events' data. */
  data: string;
  seconds: number;
}

export interface TransformRuns {
  runs: number;
  perSecond: number;
  /** Of the thread's CPU. */
  microsEach: number;
}

const WAITING_PER_APP = 32;

/** A small mapping, no two apps with the same. */
export function aMapping(app: number): string {
  return `export default (event) => {
  const { reference, amount, customer, items } = event.data;
  return {
    ...event,
    type: 'order.mapped',
    data: {
      app: ${app}, reference, total: Math.round(amount * 100), customer: customer.name.toUpperCase(),
      lines: items.map(({ sku, count }) => sku + ' x ' + count),
    },
  };
};`;
}

export async function runTransforms({ Pool, apps, data, seconds }: TransformPlan): Promise<TransformRuns> {
  const errors: unknown[] = [];
  const pool = new Pool({ options: { threads: 1, appShare: 1000 }, onError: (error) => errors.push(error) });
  await pool.start();
  const bytes = Buffer.from(data);
  let endMs = Number.POSITIVE_INFINITY;
  let runs = 0;
  const keepRunning = async (app: number): Promise<void> => {
    const code = aMapping(app);
    while (performance.now() < endMs) {
      const event = { id: `evt_${runs}`, type: 'order.placed', timeMs: 1_795_000_000_000, channels: [], data: bytes };
      const verdict = await pool.run({ appId: `app_${app}`, code, event });
      if (verdict.kind !== 'sent') throw new Error(`A run was ${JSON.stringify(verdict)}.`);
      runs++;
    }
  };
  try {
    // The thread and its sandboxes are made before the clock runs.
    await Promise.all(
      Array.from({ length: apps }, (_, app) =>
        pool.check({ appId: `app_${app}`, code: aMapping(app) }).then((failure) => {
          if (failure !== null) throw new Error(`A code was refused: ${JSON.stringify(failure)}.`);
        }),
      ),
    );
    const cpuBefore = pool.cpuSeconds;
    const beganMs = performance.now();
    endMs = beganMs + seconds * 1000;
    const loops = Array.from({ length: apps * WAITING_PER_APP }, (_, n) => keepRunning(n % apps));
    await Promise.all(loops);
    const tookSeconds = (performance.now() - beganMs) / 1000;
    if (errors.length > 0) throw errors[0];
    return { runs, perSecond: runs / tookSeconds, microsEach: ((pool.cpuSeconds - cpuBefore) * 1e6) / runs };
  } finally {
    await pool.stop();
  }
}
