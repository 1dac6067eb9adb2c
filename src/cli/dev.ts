import type { Command } from 'commander';
import type { Config } from '../app/config.ts';
import { VERSION } from '../app/version.ts';
import { ensureAdminKey } from './admin-key.ts';
import { addConfigOptions, describeChoices, readConfig, SERVER_OPTIONS } from './config-options.ts';
import { firstCalls } from './first-calls.ts';
import { painter } from './paint.ts';
import { runServer } from './server-run.ts';

const EXAMPLES = `
Examples:
  tidings dev
  tidings dev --port 9000 --data /var/lib/tidings
  tidings dev --allow-http --allow-private 127.0.0.0/8    deliver to receivers on this machine
  tidings dev --json                                      print {url, apiKey, databaseUrl} when ready`;

export function addDevCommand(program: Command): void {
  const command = program
    .command('dev')
    .summary('run a server for development: embedded Postgres, migrated, with an admin key')
    .description(
      'Run a server for development. Postgres is embedded unless DATABASE_URL is set; the database is migrated, and an ' +
        'admin key is made at the first start and kept in the data folder.',
    );
  addConfigOptions(command, SERVER_OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const config = await readConfig(command);
      await runServer({
        config,
        migrate: true,
        announce: async ({ url, databaseUrl, db }) => {
          const apiKey = await ensureAdminKey(db, config.dataFolder);
          return config.json
            ? JSON.stringify({ url, apiKey, databaseUrl })
            : greeting({ url, apiKey, config, choices: describeChoices(command) });
        },
      });
    });
}

function greeting(ready: { url: string; apiKey: string; config: Config; choices: string[] }): string {
  const { url, apiKey, config, choices } = ready;
  const paint = painter(process.stdout);
  const data = config.databaseUrl === null ? config.dataFolder : 'in the database of DATABASE_URL';
  const hint = config.allowHttp
    ? ''
    : '\nTo deliver to a receiver on this machine, start with --allow-http --allow-private 127.0.0.0/8\n';
  return `${paint('bold', `Tidings ${VERSION} is ready.`)}

  URL        ${paint('cyan', url)}
  API key    ${paint('cyan', apiKey)}
  Reference  ${url}/docs
  Data       ${data}
${choices.map((choice) => `  Option     ${choice}\n`).join('')}
Paste this into a shell: an app, an endpoint, an event, the log, and what was sent.

${firstCalls({ url, apiKey, config })}
${hint}
Ctrl-C stops the server.`;
}
