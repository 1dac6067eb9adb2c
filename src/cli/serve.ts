import type { Command } from 'commander';
import { VERSION } from '../app/version.ts';
import { addConfigOptions, describeChoices, readConfig, SERVER_OPTIONS } from './config-options.ts';
import { runServer } from './server-run.ts';

const EXAMPLES = `
Examples:
  DATABASE_URL=postgres://tidings:secret@db/tidings TIDINGS_MASTER_KEY=… tidings serve --host 0.0.0.0
  tidings migrate && tidings serve
  tidings serve --json                print {url} when ready`;

export function addServeCommand(program: Command): void {
  const command = program
    .command('serve')
    .summary('run a server; the database must be migrated')
    .description(
      'Run a server. It changes no schema: with a pending migration it stops and names the command. ' +
        'With DATABASE_URL the master key must be given.',
    );
  addConfigOptions(command, SERVER_OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const config = await readConfig(command);
      await runServer({
        config,
        migrate: false,
        announce: ({ url }) =>
          config.json
            ? JSON.stringify({ url })
            : [`Tidings ${VERSION} is ready at ${url}`, ...describeChoices(command).map((line) => `  ${line}`)].join(
                '\n',
              ),
      });
    });
}
