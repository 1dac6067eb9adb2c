import type { Command } from 'commander';
import { UsageError } from './failure.ts';
import { hasColor } from './paint.ts';
import { StopSignals } from './stop-signals.ts';
import { startTemporaryServer } from './temporary-server.ts';

const EXAMPLES = `
Examples:
  tidings demo
  tidings demo --events 20000 --rate 2000
  tidings demo --json                 print one JSON object at the end`;

interface Options {
  events?: string;
  rate?: string;
  json?: boolean;
}

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .summary("deliver GitHub's own webhook payloads to four endpoints and verify every one")
    .description(
      "Publish GitHub's own webhook payloads to an app with four endpoints, two of them in trouble, and verify each delivery " +
        'in a process of its own. The data is kept in a temporary folder and removed at the end. Exit code 1 if a delivery is ' +
        'missing or unverified.',
    )
    .option('--events <number>', 'at least so many events (default: 3000)')
    .option('--rate <number>', 'events published per second (default: 500)')
    .option('--json', 'print one JSON object at the end in place of progress and table')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const events = parseCount('--events', options.events);
      const eventsPerSecond = parseCount('--rate', options.rate);
      const { runDemo } = await import('./demo/demo.ts');
      const signals = new StopSignals().listen();
      process.exitCode = await runDemo({
        startServer: () => startTemporaryServer('demo'),
        out: process.stdout,
        isTty: process.stdout.isTTY === true,
        color: hasColor(process.stdout),
        json: options.json === true,
        signal: signals.signal,
        ...(events === undefined ? {} : { events }),
        ...(eventsPerSecond === undefined ? {} : { eventsPerSecond }),
      });
    });
}

function parseCount(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count > 0) return count;
  throw new UsageError(`${flag} is "${text}", which is no whole number above 0. Give one, such as 5000.`);
}
