import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { ComparisonReport } from './compare/comparison-table.ts';
import { EXIT_FAILED, UsageError } from './failure.ts';
import { painter } from './paint.ts';
import { StopSignals } from './stop-signals.ts';

const EXAMPLES = `
Examples:
  tidings compare
  tidings compare --seconds 60 --rates 1,20,200 --out comparison
  tidings compare --seconds 5 --outage-seconds 2 --poll-seconds 1 --json`;

const EXIT_INTERRUPTED = 130;

interface Options {
  seconds: string;
  outageSeconds: string;
  rates: string;
  pollSeconds: string;
  out?: string;
  json?: boolean;
}

export function addCompareCommand(program: Command): void {
  program
    .command('compare')
    .summary('measure polling, long polling, SSE, WebSocket and webhooks with the same events')
    .description(
      'Publish the same events (1 KB, Poisson arrivals) to the same consumer in each of the ways there are, one after the other, ' +
        'and tell what each costs and how late it is; then once more with the consumer away for a while. Server, consumer and ' +
        'publisher are processes of this machine, the data is kept in a temporary folder. Exit code 1 if an event is missing.',
    )
    .option('--seconds <seconds>', 'how long each is measured, and no less than its interval', '30')
    .option('--outage-seconds <seconds>', 'how long the consumer is away', '10')
    .option('--rates <list>', 'events per second, one after the other', '1,20')
    .option('--poll-seconds <list>', 'intervals of the short polls', '1,5,30')
    .option('--out <folder>', 'write comparison.md, comparison.json and comparison.html there')
    .option('--json', 'print the JSON in place of progress and tables')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      process.exitCode = await compare(options);
    });
}

async function compare(options: Options): Promise<number> {
  const [seconds] = parseNumbers('--seconds', options.seconds, 1);
  const [outageSeconds] = parseNumbers('--outage-seconds', options.outageSeconds, 1);
  const rates = parseNumbers('--rates', options.rates);
  const pollSeconds = parseNumbers('--poll-seconds', options.pollSeconds);
  const say = (text: string) => {
    if (!options.json) process.stdout.write(text);
  };
  const { comparedKinds } = await import('./compare/compared-kind.ts');
  const { runComparison } = await import('./compare/comparison.ts');
  const { formatMs, renderMarkdown, renderText } = await import('./compare/comparison-table.ts');
  const { renderPage } = await import('./compare/comparison-page.ts');
  const { signal } = new StopSignals().listen();
  say('Starting the server …\n');
  try {
    const measurements = await runComparison({
      kinds: comparedKinds(pollSeconds),
      rates,
      seconds,
      outageSeconds,
      signal,
      progress: ({ label, perSecond, events, delayMs }) =>
        say(`${perSecond}/s  ${label.padEnd(16)} ${events} events, delay p50 ${formatMs(delayMs.p50)}\n`),
    });
    const report: ComparisonReport = {
      command: `tidings compare --seconds ${seconds} --outage-seconds ${outageSeconds} --rates ${rates} --poll-seconds ${pollSeconds}`,
      machine: `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? process.arch}), Node.js ${process.version}`,
      outageSeconds,
      measurements,
    };
    const json = `${JSON.stringify(report, null, 2)}\n`;
    const bold = (text: string) => painter(process.stdout)('bold', text);
    process.stdout.write(options.json ? json : renderText(report, bold));
    if (options.out !== undefined) {
      await mkdir(options.out, { recursive: true });
      await writeFile(join(options.out, 'comparison.json'), json);
      await writeFile(join(options.out, 'comparison.md'), renderMarkdown(report));
      await writeFile(join(options.out, 'comparison.html'), renderPage(report));
      say(`Written: ${join(options.out, 'comparison.{md,json,html}')}\n`);
    }
    return measurements.some(({ lost }) => lost > 0) ? EXIT_FAILED : 0;
  } catch (error) {
    if (signal.aborted) return EXIT_INTERRUPTED;
    throw error;
  }
}

/** Numbers above 0, separated by commas. */
function parseNumbers(flag: string, text: string, most = 10): number[] {
  const numbers = text.split(',').map((part) => (/^\d{1,5}(\.\d{1,3})?$/.test(part.trim()) ? Number(part) : 0));
  if (numbers.length <= most && numbers.every((number) => number > 0)) return numbers;
  const wanted = most === 1 ? 'a number above 0, such as 30' : `up to ${most} numbers above 0, such as 1,20`;
  throw new UsageError(`${flag} is "${text}". Give ${wanted}.`);
}
