import type { Command } from 'commander';
import { declareTypes } from '../core/catalogue/type-declarations.ts';
import { allEventTypes } from '../storage/event-types.ts';
import { pendingMigrations } from '../storage/migrate.ts';
import { addConfigOptions, DATABASE_OPTIONS, readConfig } from './config-options.ts';
import { withDatabase } from './with-database.ts';

const EXAMPLES = `
Examples:
  tidings types > events.d.ts
  curl -H "Authorization: Bearer $KEY" https://tidings.example.com/v1/catalogue/events.d.ts    the same, by the API`;

export function addTypesCommand(program: Command): void {
  const command = program
    .command('types')
    .summary('print TypeScript types of the catalogue')
    .description(
      'Print TypeScript declarations of the data of all event types in the catalogue that are not archived.',
    );
  addConfigOptions(command, DATABASE_OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const config = await readConfig(command);
      const types = await withDatabase(config, async (db) => {
        if ((await pendingMigrations(db)).length > 0) {
          throw new Error('The database is not up to date. Run: tidings migrate');
        }
        return allEventTypes(db);
      });
      process.stdout.write(declareTypes(types.filter(({ archived }) => !archived)));
    });
}
