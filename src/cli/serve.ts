import type { Command } from 'commander';
import { VERSION } from '../app/version.ts';
import { addServerCommand } from './server-command.ts';

const EXAMPLES = `
Examples:
  DATABASE_URL=postgres://tidings:secret@db/tidings TIDINGS_MASTER_KEY=… tidings serve --host 0.0.0.0
  tidings migrate && tidings serve
  tidings serve --processes 4         renew them one by one with SIGHUP, without refusing a request
  tidings serve --roles push          send only; another server answers the API
  tidings serve --json                print {url} when ready`;

export function addServeCommand(program: Command): void {
  addServerCommand(program, {
    name: 'serve',
    summary: 'run a server; the database must be migrated',
    description:
      'Run a server, with one process for every two cores unless told. It changes no schema: with a pending migration it stops and ' +
      'names the command. With DATABASE_URL the master key must be given.',
    examples: EXAMPLES,
    migrate: false,
    processes: 'one per two cores',
    announce: ({ server: { url }, choices }) => ({
      json: { url },
      text: [`Tidings ${VERSION} is ready at ${url}`, ...choices.map((line) => `  ${line}`)].join('\n'),
    }),
  });
}
