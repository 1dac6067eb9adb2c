import { randomBytes } from 'node:crypto';
import { type Command, Option } from 'commander';
import { IdGenerator, parseId } from '../core/id.ts';
import { createKey, PERMISSIONS, type Permission } from '../storage/api-keys.ts';
import { findApp, findAppByUid, noApp } from '../storage/apps.ts';
import type { Queryable } from '../storage/database.ts';
import { pendingMigrations } from '../storage/migrate.ts';
import { addConfigOptions, DATABASE_OPTIONS, readConfig } from './config-options.ts';
import { UsageError } from './failure.ts';
import { withDatabase } from './with-database.ts';

const EXAMPLES = `
Examples:
  tidings keys create --name deploy
  tidings keys create --name reports --app acme --permission read --expires 90d
  KEY=$(tidings keys create --name ci --permission publish)    the key alone is on standard output
  tidings keys create --name ci --json                         print {id, key, name, app, permissions, expiresAt}`;

interface CreateOptions {
  name: string;
  app?: string;
  permission: Permission[];
  expires?: string;
}

export function addKeysCommand(program: Command): void {
  const keys = program.command('keys').summary('manage API keys').description('Manage API keys.');
  keys.addHelpText('after', EXAMPLES);
  const command = keys
    .command('create')
    .summary('create an API key and print it, once')
    .description('Create an API key and print it. It is stored as a hash only, so this is its only appearance.')
    .requiredOption('--name <name>', 'what the key is for')
    .option('--app <app>', 'id or uid of the app it is for (default: the whole instance)')
    .addOption(
      new Option('--permission <permission...>', 'what it may do; no permission includes another')
        .choices(PERMISSIONS)
        .default([...PERMISSIONS], 'all'),
    )
    .option('--expires <when>', 'a time such as 2027-01-31T00:00:00Z, or from now: 90d, 12h, 30m (default: never)');
  addConfigOptions(command, DATABASE_OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action(async (options: CreateOptions) => {
      const config = await readConfig(command);
      const expiresAt = options.expires === undefined ? null : parseExpiry(options.expires, Date.now());
      const { key, token } = await withDatabase(config, async (db) => {
        if ((await pendingMigrations(db)).length > 0) {
          throw new Error('The database is not up to date. Run: tidings migrate');
        }
        return createKey(db, {
          id: new IdGenerator({ now: Date.now, randomBytes }).id('key'),
          appId: options.app === undefined ? null : await resolveApp(db, options.app),
          name: options.name,
          permissions: PERMISSIONS.filter((permission) => options.permission.includes(permission)),
          expiresAt,
        });
      });
      if (config.json) {
        const { id, name, appId: app, permissions, expiresAt } = key;
        process.stdout.write(`${JSON.stringify({ id, key: token, name, app, permissions, expiresAt })}\n`);
        return;
      }
      const scope = key.appId === null ? 'the whole instance' : `the app ${key.appId}`;
      const until = key.expiresAt === null ? 'does not expire' : `expires ${key.expiresAt.toISOString()}`;
      process.stderr.write(
        `Key ${key.id} for ${scope} (${key.permissions.join(', ')}); it ${until}. It is shown this once:\n`,
      );
      process.stdout.write(`${token}\n`);
    });
}

async function resolveApp(db: Queryable, ref: string): Promise<string> {
  const app = parseId('app', ref) === null ? await findAppByUid(db, ref) : await findApp(db, ref);
  if (app === null) throw noApp(ref);
  return app.id;
}

const UNIT_MS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @throws UsageError when the text is neither a time to come nor a duration. */
export function parseExpiry(text: string, nowMs: number): Date {
  const [, amount, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const isTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  const atMs = unit !== undefined ? nowMs + Number(amount) * UNIT_MS[unit] : isTime ? Date.parse(text) : Number.NaN;
  if (atMs > nowMs) return new Date(atMs);
  const wrong = atMs <= nowMs ? 'is past' : 'is not a time';
  throw new UsageError(
    `--expires ${text} ${wrong}. Give a time to come, such as 2027-01-31T00:00:00Z, 90d, 12h or 30m.`,
  );
}
