import type { Command } from 'commander';
import type { Config } from '../app/config.ts';
import { VERSION } from '../app/version.ts';
import { ensureAdminKey } from './admin-key.ts';
import { firstCalls } from './first-calls.ts';
import { painter } from './paint.ts';
import { addServerCommand } from './server-command.ts';

const EXAMPLES = `
Examples:
  tidings dev
  tidings dev --port 9000 --data /var/lib/tidings
  tidings dev --allow-http --allow-private 127.0.0.0/8    deliver to receivers on this machine
  tidings dev --port 0                                    in a second shell: joins the database of the first
  tidings dev --json                                      print {url, apiKey, databaseUrl} when ready`;

export function addDevCommand(program: Command): void {
  addServerCommand(program, {
    name: 'dev',
    summary: 'run a server for development: embedded Postgres, migrated, with an admin key',
    description:
      'Run a server for development. Postgres is embedded unless DATABASE_URL is set; the database is migrated, and an ' +
      'admin key is made at the first start and kept in the data folder.',
    examples: EXAMPLES,
    migrate: true,
    processes: 'one',
    announce: async ({ server: { url, databaseUrl, db }, config, choices }) => {
      const apiKey = await ensureAdminKey(db, config.dataFolder);
      return { json: { url, apiKey, databaseUrl }, text: greeting({ url, apiKey, config, choices }) };
    },
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
