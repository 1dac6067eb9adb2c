import type { Command } from 'commander';
import { migrate } from '../storage/migrate.ts';
import { addConfigOptions, DATABASE_OPTIONS, readConfig } from './config-options.ts';
import { withDatabase } from './with-database.ts';

const EXAMPLES = `
Examples:
  tidings migrate
  DATABASE_URL=postgres://tidings:secret@db/tidings TIDINGS_MASTER_KEY=… tidings migrate
  tidings migrate --json              print {"applied": […]}`;

export function addMigrateCommand(program: Command): void {
  const command = program
    .command('migrate')
    .summary('bring the database up to this version')
    .description(
      'Apply the pending migrations, in order. Several at once are safe: one works, the others find it done.',
    );
  addConfigOptions(command, DATABASE_OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const config = await readConfig(command);
      const applied = await withDatabase(config, (db) => migrate(db));
      if (config.json) process.stdout.write(`${JSON.stringify({ applied })}\n`);
      else if (applied.length === 0) process.stdout.write('The database is up to date.\n');
      else for (const name of applied) process.stdout.write(`applied ${name}\n`);
    });
}
