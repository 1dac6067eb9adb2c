// The command line: one file per command, put together here. Exit codes: 0, 1 = it failed, 2 = it was not called rightly.
import { Command } from 'commander';
import { loadConfig } from '../app/config.ts';
import { VERSION } from '../app/version.ts';
import { addCompareCommand } from './compare.ts';
import { flagsOf } from './config-options.ts';
import { addDemoCommand } from './demo.ts';
import { addDevCommand } from './dev.ts';
import { addTypesCommand } from './event-types.ts';
import { describeFailure, EXIT_USAGE, exitCodeOf } from './failure.ts';
import { addKeysCommand } from './keys.ts';
import { addMigrateCommand } from './migrate.ts';
import { addServeCommand } from './serve.ts';
import { addSourcesCommand } from './sources.ts';

const EXAMPLES = `
Examples:
  tidings dev                     a server to try things on, with a key and calls to paste
  tidings demo                    real webhooks, delivered and verified
  tidings migrate && tidings serve

tidings <command> --help shows the options of a command and more examples.`;

/** The whole command line. Where commander would end the process, it throws CommanderError. */
export function buildProgram(): Command {
  const program = new Command('tidings')
    .description('An event gateway for webhooks: one durable log per app, pushed to endpoints and read by cursor.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .addHelpText('after', EXAMPLES)
    .exitOverride();
  program.configureHelp({ styleTitle: (text) => `\u001b[1m${text}\u001b[22m` });
  // Commander takes the styles away where there is no terminal or NO_COLOR is set.
  for (const add of [
    addDevCommand,
    addServeCommand,
    addMigrateCommand,
    addKeysCommand,
    addSourcesCommand,
    addTypesCommand,
    addDemoCommand,
    addCompareCommand,
  ])
    add(program);
  return program;
}

/** Runs a command line (without node and script) and returns the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  const program = buildProgram();
  let current: Command = program;
  program.hook('preAction', (_program, command) => {
    current = command;
  });
  try {
    if (args.length === 0) {
      program.outputHelp({ error: true });
      return EXIT_USAGE;
    }
    await program.parseAsync([...args], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    const sentence = describeFailure(error, isDebug(current));
    if (sentence !== null) process.stderr.write(`${sentence}\n`);
    return exitCodeOf(error);
  }
}

function isDebug(command: Command): boolean {
  try {
    return ['debug', 'trace'].includes(loadConfig({ flags: flagsOf(command) }).logLevel);
  } catch {
    return false;
  }
}
