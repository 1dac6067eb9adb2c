import { execFile } from 'node:child_process';
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AppPlan, Cluster } from '../cluster.ts';
import { withCluster } from '../cluster.ts';
import { NotPossible, type Scenario, type ScenarioContext, type Verdict } from '../scenario.ts';

const MEBIBYTE = 1024 * 1024;
const DISK_MEBIBYTES = 320;
/** What is left when the disk is filled up, for the load to use up. */
const LEFT_BYTES = 3 * MEBIBYTE;

const LOAD: AppPlan[] = [
  { name: 'shop', eventsPerSecond: 60, paddingBytes: 8000, endpoints: [{ name: 'shop-1' }, { name: 'shop-2' }] },
  { name: 'strict', eventsPerSecond: 10, endpoints: [{ name: 'strict-1', order: 'strict' }] },
];

// A small disk needs a small log of Postgres.
const SETTINGS = { max_wal_size: '48MB', min_wal_size: '32MB' };

export const diskFull: Scenario = {
  name: 'disk-full',
  describe:
    "The database's disk is full: publishers are refused, nothing acknowledged is lost, and with room again all goes on",
  seconds: { short: 40, full: 70 },
  async run(context) {
    const folder = await mountDisk();
    try {
      return await withCluster({ apps: LOAD, postgres: { folder, settings: SETTINGS } }, context, (cluster) =>
        run(cluster, context, folder),
      );
    } finally {
      await promisify(execFile)('umount', ['--lazy', folder]);
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function mountDisk(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-faults-disk-'));
  try {
    await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MEBIBYTES}m,mode=755`, 'tmpfs', folder]);
    return folder;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw new NotPossible(`A small disk cannot be mounted: ${(error as Error).message.trim()}. Run the suite as root.`);
  }
}

async function run(cluster: Cluster, context: ScenarioContext, folder: string): Promise<Verdict> {
  const { measured, publisher } = cluster;
  await cluster.pause(3);
  const ballast = join(folder, 'ballast');
  const { bavail, bsize } = await statfs(folder);
  await writeFile(ballast, Buffer.alloc(bavail * bsize - LEFT_BYTES)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOSPC') throw error; // Postgres was quicker: as full as can be
  });
  await cluster.expect('publishers are refused', 60, () => (publisher.refusals['503'] ?? 0) > 20);
  await cluster.pause(context.short ? 5 : 30);
  measured.refusedWhileFull = publisher.refusals['503'] ?? 0;
  await rm(ballast);
  // A data file that cannot grow fails a statement; a log that cannot grow ends Postgres, which whoever runs it starts again.
  const isUp = await cluster.until(10, () => cluster.postgres.isUp());
  measured.postgres = isUp ? 'stayed or came back by itself' : 'had to be started again';
  if (!isUp) await cluster.postgres.bringUp();
  const before = cluster.ledger.counts().acknowledged;
  await cluster.expect('publishing works again', 20, () => cluster.ledger.counts().acknowledged > before + 50);
  return cluster.settle();
}
