import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster } from '../cluster.ts';
import { STANDARD_LOAD, withCluster } from '../cluster.ts';
import { NotPossible, type Scenario, type ScenarioContext, type Verdict } from '../scenario.ts';
import type { ServerUnderTest } from '../server-under-test.ts';

const HOUR_SECONDS = 3600;
const LIBRARIES = '/usr/lib';

export const clockJumps: Scenario = {
  name: 'clock-jumps',
  describe:
    'The clock of one of three processes jumps an hour ahead, two back, and to the right time, while an endpoint fails',
  seconds: { short: 45, full: 90 },
  async run(context) {
    const library = await findFaketime();
    const folder = await mkdtemp(join(tmpdir(), 'tidings-faults-clock-'));
    try {
      return await withCluster({ servers: 2, apps: STANDARD_LOAD }, context, (cluster) =>
        run(cluster, context, { library, file: join(folder, 'shift') }),
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function findFaketime(): Promise<string> {
  for (const name of await readdir(LIBRARIES)) {
    const folder = join(LIBRARIES, name, 'faketime');
    const files: string[] = await readdir(folder).catch(() => []);
    if (files.includes('libfaketimeMT.so.1')) return join(folder, 'libfaketimeMT.so.1');
  }
  throw new NotPossible('libfaketime is not installed. On Debian: apt-get install libfaketime');
}

async function run(
  cluster: Cluster,
  context: ScenarioContext,
  clock: { library: string; file: string },
): Promise<Verdict> {
  const set = (seconds: number) => writeFile(clock.file, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`);
  await set(0);
  const shifted = await cluster.spawn({
    env: {
      LD_PRELOAD: clock.library,
      FAKETIME_TIMESTAMP_FILE: clock.file,
      FAKETIME_NO_CACHE: '1',
      // A clock that is set is the wall's; the monotonic one goes on.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
  });
  await cluster.expect(
    'the process whose clock jumps owns lanes',
    20,
    async () => (await cluster.slotsOf(shifted)) > 60,
  );
  for (const seconds of [HOUR_SECONDS, -HOUR_SECONDS, 0]) {
    await cluster.behave(['alpha-1', 'beta-1'], { kind: 'status', status: 500 });
    await cluster.pause(2);
    await set(seconds);
    await cluster.expect(
      `its clock is ${seconds} s off`,
      5,
      async () => Math.abs((await offOf(shifted)) - seconds) < 5,
    );
    await cluster.pause(1);
    await cluster.behave(['alpha-1', 'beta-1'], { kind: 'ok' });
    await cluster.pause(context.short ? 5 : 20);
  }
  return cluster.settle({ lateAllowed: true });
}

/** By how many seconds a process's clock is off, from the date of its answers. */
async function offOf(server: ServerUnderTest): Promise<number> {
  const response = await fetch(`${server.url}/healthz`);
  await response.arrayBuffer();
  return (Date.parse(String(response.headers.get('date'))) - Date.now()) / 1000;
}
