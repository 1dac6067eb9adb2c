// The options of a command, taken from the table in app/config.ts.
import { type Command, Option } from 'commander';
import {
  type Config,
  type ConfigInput,
  formatValue,
  loadConfig,
  OPTIONS,
  type OptionKey,
  optionOf,
  resolveConfig,
} from '../app/config.ts';
import { defaultDataFolder } from '../storage/postgres-account.ts';

/** What every command that reaches the database takes. */
export const DATABASE_OPTIONS = ['dataFolder', 'databaseUrl', 'masterKey', 'logLevel', 'json'] as const;
/** What a server takes: everything. */
export const SERVER_OPTIONS = OPTIONS.map((option) => option.key);

/** Adds the options of these keys, and to the help the variables that have no flag. */
export function addConfigOptions(command: Command, keys: readonly OptionKey[]): Command {
  const rows = keys.map(optionOf);
  for (const option of rows) {
    if (option.flag === null) continue;
    const preset = option.default === false ? '' : `; default: ${formatValue(option, option.default)}`;
    command.addOption(new Option(option.flag, `${option.doc} (env: ${option.env}${preset})`));
  }
  const variables = rows.filter((option) => option.flag === null);
  const width = Math.max(0, ...variables.map((option) => option.env.length));
  return command.addHelpText('after', () => {
    const help = command.createHelp();
    help.prepareContext({ helpWidth: process.stdout.columns ?? 80 });
    return `\nEnvironment:\n${variables.map(({ env, doc }) => help.formatItem(env, width, doc, help)).join('\n')}`;
  });
}

/** The texts of the flags that were given, by option key. */
export function flagsOf(command: Command): NonNullable<ConfigInput['flags']> {
  const given = command.opts();
  const flags: NonNullable<ConfigInput['flags']> = {};
  for (const { key, flag } of OPTIONS) {
    if (flag === null) continue;
    const name = new Option(flag).attributeName();
    // Of a flag such as --no-notify commander sets the positive as a default.
    if (given[name] !== undefined && command.getOptionValueSource(name) !== 'default') flags[key] = given[name];
  }
  return flags;
}

/**
 * The configuration of a command. A data folder that nobody chose is one that Postgres can reach; where that is not in the
 * working folder, standard error says so. @throws ConfigError
 */
export async function readConfig(command: Command): Promise<Config> {
  const input = { flags: flagsOf(command) };
  const config = loadConfig(input);
  const chosen = resolveConfig(input).some(({ option, source }) => option.key === 'dataFolder' && source !== 'default');
  if (chosen) return config;
  const { folder, note } = await defaultDataFolder(process.cwd());
  if (note !== null && config.databaseUrl === null) process.stderr.write(`${note}\n`);
  return { ...config, dataFolder: folder };
}

/** The values that somebody chose, a line each, with where they come from. */
export function describeChoices(command: Command): string[] {
  return resolveConfig({ flags: flagsOf(command) })
    .filter(({ source, option }) => source !== 'default' && option.key !== 'json')
    .map(({ option, value, source }) => {
      const from = source === 'flag' ? String(option.flag).split(' ')[0] : option.env;
      return `${option.key} = ${formatValue(option, value)} (${from})`;
    });
}
