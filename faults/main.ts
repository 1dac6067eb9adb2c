// npm run faults [-- --short] [--only name] [--list] [--json file]
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { renderReport, summarise } from './report.ts';
import { runScenarios } from './runner.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenario-table.ts';

const HELP = `Usage: npm run faults -- [options]

Does to a cluster of real processes what goes wrong in the field, and holds every acknowledged event against what an
independent receiver got. Exits with 1 when a fault is not survived.

Options:
  --short          every fault in its shortest form, several at once
  --only <name>    only this one; may be repeated
  --jobs <n>       scenarios at once (default: 1, with --short 4)
  --list           name the faults and do nothing
  --json <file>    write the report there too
  --help           show this

Examples:
  npm run faults -- --short
  npm run faults -- --only kill-at-random --json report.json
`;

interface Options {
  scenarios: readonly Scenario[];
  short: boolean;
  jobs: number;
  json: string | null;
}

function parseOptions(args: string[]): Options | 'help' | 'list' {
  const { values } = parseArgs({
    args,
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      jobs: { type: 'string' },
      list: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.list) return 'list';
  const unknown = values.only?.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined) throw new Error(`There is no fault ${unknown}. --list names them.`);
  const jobs = Number(values.jobs ?? (values.short ? 4 : 1));
  if (!(Number.isInteger(jobs) && jobs > 0))
    throw new Error(`--jobs is "${values.jobs}". Give a whole number above 0.`);
  return {
    scenarios: SCENARIOS.filter(({ name }) => values.only?.includes(name) ?? true),
    short: values.short,
    jobs,
    json: values.json ?? null,
  };
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  if (options === 'list') {
    for (const { name, describe, seconds } of SCENARIOS) {
      process.stdout.write(
        `${name.padEnd(24)} ${String(seconds.short).padStart(4)} s /${String(seconds.full).padStart(4)} s  ${describe}\n`,
      );
    }
    return 0;
  }
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => interrupt.abort(new Error('The suite was interrupted.')));
  }
  const begin = performance.now();
  const rows = await runScenarios(options.scenarios, {
    ...options,
    signal: interrupt.signal,
    onProgress: (name, line) => {
      const seconds = ((performance.now() - begin) / 1000).toFixed(1).padStart(6);
      process.stderr.write(`${seconds} s  ${name.padEnd(24)} ${line}\n`);
    },
  });
  const report = summarise(options.short ? 'short' : 'full', rows);
  if (options.json !== null) await writeFile(options.json, `${JSON.stringify({ ...machine(), ...report }, null, 2)}\n`);
  process.stdout.write(`${renderReport(report)}\n`);
  return report.notSurvived === 0 && !interrupt.signal.aborted ? 0 : 1;
}

function machine(): object {
  return { at: new Date().toISOString(), node: process.version, cores: availableParallelism() };
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  },
);
