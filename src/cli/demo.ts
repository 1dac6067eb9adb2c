import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../app/config.ts';
import { startTidings } from '../app/tidings.ts';
import { ensureAdminKey } from './admin-key.ts';
import type { DemoServer } from './demo/demo.ts';
import { UsageError } from './failure.ts';
import { hasColor } from './paint.ts';
import { StopSignals } from './stop-signals.ts';

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
        startServer,
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

/** A server with its data in a temporary folder, which is removed when it stops. The environment has no say in it. */
async function startServer(): Promise<DemoServer> {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-demo-'));
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 5 });
  const flags = {
    port: '0',
    dataFolder: folder,
    allowHttp: true,
    allowPrivate: '127.0.0.0/8',
    logLevel: 'error',
  };
  try {
    const server = await startTidings(loadConfig({ flags, env: {} }), { migrate: true });
    const apiKey = await ensureAdminKey(server.db, folder);
    return {
      url: server.url,
      apiKey,
      stop: async () => {
        await server.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
