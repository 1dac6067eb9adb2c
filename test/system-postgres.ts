import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** The folder with the programs of the system's Postgres (15 or later); null when it has none. */
export function findSystemPostgres(): string | null {
  try {
    const folder = run('pg_config', '--bindir');
    // pg_config also comes with the client libraries alone.
    for (const program of ['initdb', 'pg_ctl', 'postgres']) accessSync(join(folder, program), constants.X_OK);
    const version = / (\d+)/.exec(run(join(folder, 'postgres'), '--version'))?.[1];
    return Number(version) >= 15 ? folder : null;
  } catch {
    return null;
  }
}

function run(program: string, argument: string): string {
  return execFileSync(program, [argument], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
