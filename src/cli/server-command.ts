// What the commands that run a server share: `tidings dev` and `tidings serve`.
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import type { Config } from '../app/config.ts';
import type { Tidings } from '../app/tidings.ts';
import { addConfigOptions, describeChoices, readConfig, SERVER_OPTIONS } from './config-options.ts';
import { runServer } from './server-run.ts';

export interface ServerCommand {
  name: string;
  summary: string;
  description: string;
  examples: string;
  /** Whether pending migrations are run or refused. */
  migrate: boolean;
  /** How many processes run where nobody says. */
  processes: 'one' | 'one per two cores';
  /** What is printed when the server is ready: as JSON the members, else the text. */
  announce: (ready: ReadyServer) => Announcement | Promise<Announcement>;
}

export interface ReadyServer {
  server: Tidings;
  config: Config;
  /** The options that somebody chose, a line each. */
  choices: string[];
}

export interface Announcement {
  json: object;
  text: string;
}

export function addServerCommand(program: Command, options: ServerCommand): void {
  const { migrate, announce } = options;
  const command = program.command(options.name).summary(options.summary).description(options.description);
  addConfigOptions(command, SERVER_OPTIONS)
    .addHelpText('after', options.examples)
    .action(async () => {
      const config = await readConfig(command);
      const usual = options.processes === 'one' ? 1 : Math.max(1, Math.floor(availableParallelism() / 2));
      await runServer({
        config,
        processes: config.processes || usual,
        migrate,
        announce: async (server) => {
          const { json, text } = await announce({ server, config, choices: describeChoices(command) });
          return config.json ? JSON.stringify(json) : text;
        },
      });
    });
}
