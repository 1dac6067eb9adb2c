// npm run bench [-- scenario …] [--json] [--seconds N] [--database-url …]
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { Scenario, ScenarioContext } from './scenario.ts';
import { backlog } from './scenarios/backlog.ts';
import { fairness } from './scenarios/fairness.ts';
import { filter } from './scenarios/filter.ts';
import { floor } from './scenarios/floor.ts';
import { inbound } from './scenarios/inbound.ts';
import { isolation } from './scenarios/isolation.ts';
import { latency } from './scenarios/latency.ts';
import { many } from './scenarios/many.ts';
import { read } from './scenarios/read.ts';
import { scale } from './scenarios/scale.ts';
import { takeover } from './scenarios/takeover.ts';
import { throughput } from './scenarios/throughput.ts';
import { transform } from './scenarios/transform.ts';
import { renderTable } from './table.ts';

const SCENARIOS: readonly Scenario[] = [
  throughput,
  latency,
  floor,
  isolation,
  fairness,
  backlog,
  scale,
  many,
  takeover,
  read,
  filter,
  inbound,
  transform,
];

const HELP = `Usage: npm run bench -- [scenario …] [options]

Scenarios (all when none is named, which takes half an hour):
${SCENARIOS.map(({ name, describe }) => `  ${name.padEnd(12)} ${describe}`).join('\n')}

Options:
  --seconds <n>          length of each measured load (default: 10)
  --warm-up <n>          seconds of load before it (default: 3)
  --variant <name>       of throughput and floor: only fanOut1, fanOut5 or batch20; of scale: only apps50 or fanOut50;
                         may be repeated
  --rounds <n>           how often isolation, fairness and scale measure each of their two conditions (default: 3)
  --events <n>           of backlog: how many events wait (default: 1000000)
  --apps <n>             of many: how many apps there are, with 3 endpoints each (default: 10000)
  --database-url <url>   a Postgres kept for this; also DATABASE_URL (default: the embedded server, on a new folder)
  --node-option <o>      a further option for the server's node; may be repeated
  --json                 print one JSON object per scenario, one a line
  --help                 show this

Examples:
  npm run bench -- throughput --seconds 20
  npm run bench -s -- latency --json
  npm run bench -- isolation fairness --rounds 5
  npm run bench -- backlog --events 100000
  npm run bench -- throughput --node-option=--cpu-prof
`;

interface Options extends Omit<ScenarioContext, 'log' | 'signal'> {
  scenarios: readonly Scenario[];
  json: boolean;
}

function parseOptions(args: string[]): Options | 'help' {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '10' },
      'warm-up': { type: 'string', default: '3' },
      variant: { type: 'string', multiple: true },
      rounds: { type: 'string', default: '3' },
      events: { type: 'string', default: '1000000' },
      apps: { type: 'string', default: '10000' },
      'database-url': { type: 'string' },
      'node-option': { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const unknown = positionals.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined) {
    throw new Error(`There is no scenario ${unknown}. Choose of ${SCENARIOS.map(({ name }) => name).join(', ')}.`);
  }
  return {
    scenarios: positionals.length === 0 ? SCENARIOS : SCENARIOS.filter(({ name }) => positionals.includes(name)),
    json: values.json,
    seconds: positive('--seconds', values.seconds),
    warmUpSeconds: positive('--warm-up', values['warm-up']),
    variants: values.variant ?? null,
    rounds: wholeNumber('--rounds', values.rounds),
    events: wholeNumber('--events', values.events),
    apps: wholeNumber('--apps', values.apps),
    databaseUrl: values['database-url'] ?? process.env.DATABASE_URL ?? null,
    nodeOptions: values['node-option'],
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} is "${text}", which is no number above 0. Give seconds, such as 10.`);
  return value;
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!(Number.isSafeInteger(value) && value > 0))
    throw new Error(`${name} is "${text}". Give a whole number above 0.`);
  return value;
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => interrupt.abort(new Error('The benchmark was interrupted.')));
  }
  const context: ScenarioContext = {
    ...options,
    log: (line) => void process.stderr.write(`… ${line}\n`),
    signal: interrupt.signal,
  };
  if (!options.json)
    process.stdout.write(`${availableParallelism()} × ${cpus()[0]?.model}, Node ${process.version}\n\n`);
  for (const scenario of options.scenarios) {
    const { json, table } = await scenario.run(context).catch((error: unknown) => {
      // What fails once everything is being stopped says nothing.
      interrupt.signal.throwIfAborted();
      throw error;
    });
    process.stdout.write(options.json ? `${JSON.stringify(json)}\n` : `${renderTable(table)}\n`);
  }
  return 0;
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
